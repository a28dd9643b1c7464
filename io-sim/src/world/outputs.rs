//! What follows from a node's outputs: in the network, on the disk, in the application.

use proto_core::node::{Event, Input, Output};

use super::World;
use crate::{host::HostId, schedule::Happening};

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
                let first = host.unconsumed.is_empty();
                *host.unconsumed.entry(message.mailbox()).or_default() += 1;
                if first {
                    let at = self.schedule.now() + host.config.consume_after;
                    self.schedule.at(at, Happening::Consume { host: id, life: host.life });
                }
            }
            Event::Done { token, .. } if host.stopping == Some(*token) => self.leave(id),
            Event::Done { .. }
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

    pub(super) fn consume(&mut self, id: HostId, life: u64) {
        let host = &mut self.hosts[id.index()];
        if host.life == life && host.engine.is_some() {
            for (mailbox, messages) in core::mem::take(&mut host.unconsumed) {
                self.stats.messages_consumed += u64::from(messages);
                self.tell(id, Input::Consumed { mailbox, messages });
            }
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
