//! What follows from a node's outputs: in the network, on the disk, in the application.

use std::collections::BTreeMap;

use proto_core::{
    node::{CallCommand, CallEvent, Command, Event, Input, Mailbox, Output, TopicEvent},
    rpc::Reply,
};

use super::World;
use crate::{handler::Handler, host::HostId, schedule::Happening};

impl World {
    /// Does what a node asked for.
    pub(super) fn perform(&mut self, id: HostId, output: Output) {
        if self.hosts[id.index()].engine.is_none() {
            return;
        }
        match output {
            Output::Dial { dial, endpoint } => self.with_net(|net, cx| net.dial(cx, id, dial, &endpoint)),
            Output::Write { channel, bytes } => self.with_net(|net, cx| net.write(cx, id, channel, bytes)),
            Output::Close { channel } => self.with_net(|net, cx| net.close(cx, id, channel)),
            Output::Persist { ticket, record } => {
                let host = &mut self.hosts[id.index()];
                if host.disk.write(ticket, record) {
                    let at = self.schedule.now() + host.config.sync_latency;
                    self.schedule.at(at, Happening::Synced { host: id, life: host.life });
                }
            }
            Output::Event(event) => self.hear(id, &event),
        }
    }

    /// Plays the application.
    fn hear(&mut self, id: HostId, event: &Event) {
        let host = &mut self.hosts[id.index()];
        match event {
            Event::Message(message) => {
                let stuck = message.to_client.as_ref().and_then(|client| host.stuck.get_mut(client.name()));
                match stuck {
                    Some(lies) => *lies.entry(message.mailbox()).or_default() += 1,
                    None => self.holds(id, message.mailbox()),
                }
            }
            Event::Topic(TopicEvent::Publication { subscription, .. }) => {
                self.holds(id, Mailbox::Subscription(*subscription));
            }
            Event::Call(event) => self.hear_call(id, event),
            Event::Done { token, .. } if host.stopping == Some(*token) => self.leave(id),
            Event::Done { .. }
            | Event::Topic(_)
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

    /// Plays handlers and callers, which are as slow as the application is.
    fn hear_call(&mut self, id: HostId, event: &CallEvent) {
        self.rouse(id);
        let host = &mut self.hosts[id.index()];
        match event {
            CallEvent::Invoke(invocation) => host.invoked.push(Handler::new(invocation)),
            CallEvent::Stop { invocation, .. } | CallEvent::Writable { invocation, .. } => {
                host.invoked.extend(host.blocked.remove(invocation));
                if let Some(handler) = host.invoked.iter_mut().find(|handler| handler.id == *invocation) {
                    match event {
                        CallEvent::Writable { room, .. } => handler.has_room(*room),
                        CallEvent::Stop { .. } | CallEvent::Invoke(_) | CallEvent::Item { .. } => handler.stop(),
                    }
                }
            }
            CallEvent::Item { call, payload } => {
                let (items, bytes) = host.items.entry(*call).or_default();
                (*items, *bytes) = (*items + 1, *bytes + payload.len() as u64);
            }
        }
    }

    /// The application holds one more, until it is consumed.
    fn holds(&mut self, id: HostId, mailbox: Mailbox) {
        self.rouse(id);
        *self.hosts[id.index()].unconsumed.entry(mailbox).or_default() += 1;
    }

    /// The application will get round to what lies before it, unless it will already.
    fn rouse(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        if host.unconsumed.is_empty() && host.invoked.is_empty() && host.items.is_empty() {
            let at = self.schedule.now() + host.config.consume_after;
            self.schedule.at(at, Happening::Consume { host: id, life: host.life });
        }
    }

    pub(super) fn consume(&mut self, id: HostId, life: u64) {
        let host = &mut self.hosts[id.index()];
        if host.life == life && host.engine.is_some() {
            let lay = core::mem::take(&mut host.unconsumed);
            let (invoked, items) = (core::mem::take(&mut host.invoked), core::mem::take(&mut host.items));
            self.take_out(id, lay);
            for (call, (items, bytes)) in items {
                self.put(id, CallCommand::Consumed { call, items, bytes });
            }
            for handler in invoked {
                self.answer(id, handler);
            }
        }
    }

    /// A handler says what it can.
    fn answer(&mut self, id: HostId, mut handler: Handler) {
        let invocation = handler.id;
        while let Some(reply) = handler.next() {
            let over = matches!(reply, Reply::Done(_));
            self.put(id, CallCommand::Reply { invocation, reply });
            if over {
                return;
            }
        }
        self.hosts[id.index()].blocked.insert(invocation, handler);
    }

    /// The application that the world plays says something, and looks at no answer.
    fn put(&mut self, id: HostId, command: CallCommand) {
        self.tell(id, Input::Command { token: Self::OWN, command: Command::Call(command) });
    }

    /// A client that was stuck takes all that lies before it, or leaves and lets it lie for nobody.
    pub(super) fn unstick(&mut self, id: HostId, client: &str) {
        let lay = self.hosts[id.index()].stuck.remove(client).unwrap_or_default();
        self.take_out(id, lay);
    }

    fn take_out(&mut self, id: HostId, from: BTreeMap<Mailbox, u32>) {
        for (mailbox, messages) in from {
            self.stats.messages_consumed += u64::from(messages);
            self.tell(id, Input::Consumed { mailbox, messages });
        }
    }

    pub(super) fn synced(&mut self, id: HostId, life: u64) {
        let host = &mut self.hosts[id.index()];
        if host.life != life || host.engine.is_none() {
            return;
        }
        let (told, again) = host.disk.synced();
        if again {
            let at = self.schedule.now() + host.config.sync_latency;
            self.schedule.at(at, Happening::Synced { host: id, life });
        }
        if let Some(input) = told {
            self.stats.syncs += u64::from(matches!(input, Input::Persisted { durable: true, .. }));
            self.tell(id, input);
        }
    }
}
