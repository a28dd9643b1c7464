//! Topics: what an application asks for and is told, and what travels for it.

use alloc::{boxed::Box, sync::Arc};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Answer, Event, Node, Outcome};
use crate::{
    cx::Cx,
    directory,
    error::Rejected,
    id::{Incarnation, NodeAddr, Seq, Token},
    probe::Counter,
    pubsub::{self, Destination, Ended, Group, Publication, Publish, Subscribe, SubscriptionId},
    wire::{
        self,
        v1::{self, Port},
    },
};

/// What an application asks of the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum TopicCommand {
    /// Publishes. Answered if a receipt is wanted, or if it is refused.
    Publish(Box<Publish>),
    /// Subscribes. Publications may be handed over before the answer.
    Subscribe(Box<Subscribe>),
    /// Ends a subscription.
    Unsubscribe {
        /// Which one.
        subscription: SubscriptionId,
    },
}

/// What an application is told of its subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum TopicEvent {
    /// A publication. Takes one of the subscription's credit until [`Input::Consumed`](super::Input::Consumed).
    Publication {
        /// The subscription.
        subscription: SubscriptionId,
        /// The publication.
        publication: Arc<Publication>,
    },
    /// A subscription was ended.
    Ended {
        /// The subscription.
        subscription: SubscriptionId,
        /// The client that it belonged to.
        client: Option<Arc<str>>,
        /// Why.
        reason: Ended,
    },
    /// A subscription does not keep up. Told now and then.
    Slow {
        /// The subscription.
        subscription: SubscriptionId,
        /// The client that it belongs to.
        client: Option<Arc<str>>,
        /// What it dropped since it began.
        dropped: u64,
        /// What waits for it.
        queued: usize,
    },
    /// A node does not keep up with what is published here, or cannot be reached. Told now and then.
    SlowNode {
        /// The node.
        node: NodeAddr,
        /// How many publications it did not get.
        dropped: u64,
    },
}

/// The low bits of a parcel's number are the part of the publication, the rest is the publication's number: that lasts for
/// eight years at a million publications a second.
const PART_BITS: u32 = u16::BITS;
const PART_MASK: u64 = (1 << PART_BITS) - 1;
/// The first byte of a parcel's header on this port.
const PUBLICATION: u8 = 0;
/// Likewise.
const RECEIPT: u8 = 1;

impl Node {
    pub(super) fn topic_command(&mut self, token: Token, command: TopicCommand) -> Result<(), Rejected> {
        let Self { topics, router, rngs, probe, fx, last_now, .. } = self;
        let mut cx = Cx { now: *last_now, rng: &mut rngs.topics, probe };
        match command {
            TopicCommand::Publish(publish) => {
                let cost = |node| router.cost(node);
                topics.publish(&mut cx, token, *publish, cost, &mut fx.topics)?;
            }
            TopicCommand::Subscribe(subscribe) => {
                let subscribed = topics.subscribe(&mut cx, &subscribe, &mut fx.topics)?;
                self.answer(token, Answer::Subscribed(subscribed));
            }
            TopicCommand::Unsubscribe { subscription } => {
                topics.unsubscribe(subscription, &mut fx.topics);
                self.answer(token, Answer::Accepted);
            }
        }
        Ok(())
    }

    pub(super) fn tell_topics(&mut self, event: pubsub::Event<'_>) {
        let Self { topics, rngs, probe, fx, last_now, .. } = self;
        topics.handle(&mut Cx { now: *last_now, rng: &mut rngs.topics, probe }, event, &mut fx.topics);
    }

    /// A parcel of another node's topics.
    pub(super) fn take_topics(&mut self, from: NodeAddr, incarnation: Incarnation, head: &Bytes, body: Bytes) {
        let taken = match head.split_first() {
            Some((&PUBLICATION, rest)) => v1::Publication::split_from(rest).and_then(|(header, rest)| {
                let groups: SmallVec<[&str; 2]> = match rest {
                    // None, as usual.
                    [0] => SmallVec::new(),
                    _ => wire::decode(rest).ok()?,
                };
                self.tell_topics(pubsub::Event::Arrived { from, incarnation, header, groups, body });
                Some(())
            }),
            Some((&RECEIPT, rest)) => wire::decode(rest).ok().map(|receipt| {
                self.tell_topics(pubsub::Event::Receipt { from, receipt });
            }),
            Some(_) | None => None,
        };
        if taken.is_none() {
            self.probe.count(Counter::DroppedMalformed);
        }
    }

    /// What became of a publication on its way to one node.
    pub(super) fn publication_settled(&mut self, id: u64, node: NodeAddr, outcome: Outcome) {
        if outcome != Outcome::Delivered || self.topics.awaits_receipts() {
            let (seq, part) = (Seq(id >> PART_BITS), u16::try_from(id & PART_MASK).unwrap_or_default());
            self.tell_topics(pubsub::Event::Outcome { seq, part, node, outcome });
        }
    }

    pub(super) fn settle_topics(&mut self) {
        if self.fx.topics.is_empty() {
            return;
        }
        let mut effects = core::mem::take(&mut self.fx.topics);
        for effect in effects.drain(..) {
            self.on_topic_effect(effect);
        }
        super::settle::keep_larger(&mut self.fx.topics, effects);
    }

    fn on_topic_effect(&mut self, effect: pubsub::Effect) {
        match effect {
            pubsub::Effect::Interest { pattern, group, present: _, members } => {
                let place = self.offers.set_interest(pattern, group, members);
                self.tell_directory(directory::Event::Changed { place });
            }
            pubsub::Effect::Forward { seq, part, to, header, body, deadline } => {
                let id = seq.0 << PART_BITS | u64::from(part);
                self.forward_publication(id, &to, &header, body, deadline - self.last_now);
            }
            pubsub::Effect::Receipt { to, incarnation, seq, subscriptions, vacant } => {
                let vacant = vacant.iter().map(Group::as_str).collect();
                let receipt = v1::Receipt { incarnation, seq, subscriptions, vacant };
                let Self { ports, heads, probe, last_now, .. } = self;
                let content = (heads.join(&[&[RECEIPT], &wire::encode(&receipt)]), Bytes::new());
                ports.say(Port::Topics, *last_now, probe, to, content, crate::limits::MESSAGE_DEADLINE);
            }
            pubsub::Effect::Deliver { subscription, publication } => {
                self.tell(Event::Topic(TopicEvent::Publication { subscription, publication }));
            }
            pubsub::Effect::Disconnected { subscription, client, reason } => {
                self.tell(Event::Topic(TopicEvent::Ended { subscription, client, reason }));
            }
            pubsub::Effect::Slow { subscription, client, dropped, queued } => {
                self.tell(Event::Topic(TopicEvent::Slow { subscription, client, dropped, queued }));
            }
            pubsub::Effect::SlowNode { node, dropped } => {
                self.tell(Event::Topic(TopicEvent::SlowNode { node, dropped }));
            }
            pubsub::Effect::Published { token, report } => self.answer(token, Answer::Published(report)),
        }
    }

    /// Sends a publication. Those that get it as it is share one content; where groups are meant, the header says which.
    fn forward_publication(
        &mut self,
        id: u64,
        to: &[Destination],
        header: &[u8],
        body: Bytes,
        deadline: core::time::Duration,
    ) {
        let Self { ports, heads, probe, last_now, .. } = self;
        let mut post = |node, head, body| {
            // What is not taken is told as its outcome.
            ports.post(Port::Topics, *last_now, probe, node, Some(id), (head, body), deadline).ok();
        };
        // No groups are meant.
        let plain = heads.join(&[&[PUBLICATION], header, &[0]]);
        let Some((last, others)) = to.split_last() else { return };
        let mut head_for = |destination: &Destination| {
            if destination.groups.is_empty() {
                return plain.clone();
            }
            let groups: SmallVec<[&str; 2]> = destination.groups.iter().map(Group::as_str).collect();
            heads.join(&[&[PUBLICATION], header, &wire::encode(&groups)])
        };
        for destination in others {
            post(destination.node, head_for(destination), body.clone());
        }
        post(last.node, head_for(last), body);
    }
}
