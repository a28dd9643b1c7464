//! What the oracle is told of topics and calls.

use std::sync::Arc;

use io_sim::HostId;
use proto_core::{
    id::{NodeAddr, Token},
    node::{Answer, CallCommand, CallEvent, Command, Event, Input, Mailbox, TopicEvent},
    rpc::Reply,
};

use super::{
    Key, Oracle,
    calls::{Called, Calls},
    topics::{Published, SubscriptionKey, Topics},
};
use crate::scenario::Service;

impl Oracle {
    /// The books of the topics.
    #[must_use]
    pub const fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The books of the calls.
    #[must_use]
    pub const fn calls(&self) -> &Calls {
        &self.calls
    }

    /// An application published. In the calm: which nodes the publication surely reaches.
    pub fn published(&mut self, key: Key, topic: Arc<str>, from: NodeAddr, sure: Option<Vec<HostId>>) {
        self.place += 1;
        let place = self.place;
        self.topics.published(key, Published { topic, from, place, sure, got: Vec::new(), report: None });
    }

    /// An application called.
    pub fn called(&mut self, key: Key, called: Called) {
        self.calls.called(key, called);
    }

    /// A request, which [`Oracle::asked`] told of, is about topics or calls.
    pub fn service(&mut self, token: Token, service: &Service) {
        self.place += 1;
        self.topics.asked(token, service, self.place);
        if let Some(life) = self.life(service.from()) {
            self.calls.asked(life, service);
        }
    }

    /// The application of a node tells it something: it took publications, or a handler has answered.
    pub fn told(&mut self, node: HostId, input: &Input) {
        let Some(life) = self.life(node) else { return };
        match input {
            Input::Consumed { mailbox: Mailbox::Subscription(id), messages } => {
                self.topics.consumed(SubscriptionKey { node, life, id: *id }, *messages);
            }
            Input::Command { command: Command::Call(CallCommand::Reply { invocation, reply }), .. }
                if !matches!(reply, Reply::Item(_)) =>
            {
                self.calls.over(node, life, *invocation);
            }
            Input::Command { .. }
            | Input::Consumed { .. }
            | Input::Channel { .. }
            | Input::DialFailed { .. }
            | Input::Persisted { .. }
            | Input::Clock { .. } => {}
        }
    }

    /// A node told its application something of topics or calls.
    pub fn heard(&mut self, node: HostId, event: &Event) {
        let Some(life) = self.life(node) else { return };
        self.place += 1;
        match event {
            Event::Topic(TopicEvent::Publication { subscription, publication }) => {
                if let Some(key) = Key::of(&publication.payload) {
                    self.topics.handed(key, SubscriptionKey { node, life, id: *subscription }, publication);
                }
            }
            Event::Topic(TopicEvent::Ended { subscription, .. }) => {
                self.topics.over(SubscriptionKey { node, life, id: *subscription }, self.place);
            }
            Event::Topic(TopicEvent::Slow { subscription, .. }) => {
                self.topics.slow(SubscriptionKey { node, life, id: *subscription });
            }
            Event::Call(CallEvent::Invoke(invocation)) => {
                if let Some(key) = Key::of(&invocation.payload) {
                    self.calls.ran(key, node, life);
                }
                self.calls.begins(node, life, invocation);
            }
            Event::Call(CallEvent::Stop { invocation, .. }) => self.calls.over(node, life, *invocation),
            Event::Call(CallEvent::Item { call, .. }) => {
                if let Some(key) = self.request(node, *call).and_then(|asked| asked.message) {
                    self.calls.item(key);
                }
            }
            Event::Topic(TopicEvent::SlowNode { .. })
            | Event::Call(CallEvent::Writable { .. })
            | Event::Message(_)
            | Event::Done { .. }
            | Event::Hop { .. }
            | Event::LinkUp { .. }
            | Event::LinkDown { .. }
            | Event::LinkFailed { .. }
            | Event::Reachable { .. }
            | Event::Unreachable { .. }
            | Event::KeyConflict { .. }
            | Event::IdentityInUse { .. }
            | Event::Unpinned { .. }
            | Event::StoreFailed
            | Event::Misuse(_) => {}
        }
    }

    /// The request that made a publication or a call was answered.
    pub(super) fn completed(&mut self, key: Key, answer: &Answer) {
        match answer {
            Answer::Published(report) => self.topics.receipt(key, report),
            Answer::Called { completion, .. } => self.calls.ended(key, completion),
            Answer::Sent(_)
            | Answer::SentMany(_)
            | Answer::Traced { .. }
            | Answer::Found(_)
            | Answer::Subscribed(_)
            | Answer::NotTaken(_)
            | Answer::Accepted
            | Answer::Rejected(_)
            | Answer::Drained { .. } => {}
        }
    }
}
