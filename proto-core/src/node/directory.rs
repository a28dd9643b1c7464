//! What this node offers and hears of others' offers, and who waits until everybody knows.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::{Answer, Node};
use crate::{
    cx::Cx,
    directory,
    error::Rejected,
    id::{NodeAddr, Token},
    limits::{OFFER_DEADLINE, SETTLING_MAX},
    probe::Counter,
    pubsub::{self, Group, Pattern},
    rpc::{self, Entry},
    time::Time,
    wire::v1::{Offer, Port},
};

/// Who waits until every node within reach knows what this one offers.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<Waiter>);

#[derive(Debug)]
struct Waiter {
    token: Token,
    version: u64,
    deadline: Time,
}

impl Waiting {
    /// When the first gives up.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.0.iter().map(|waiter| waiter.deadline).min().map(|due| (due, "node: offers not known everywhere"))
    }
}

impl Node {
    /// Answers when every node within reach knows what this one offers now.
    pub(super) fn await_known(&mut self, token: Token, deadline: Duration) -> Result<(), Rejected> {
        let version = self.directory.version();
        if self.directory.is_known(version) {
            self.answer(token, Answer::Accepted);
        } else if self.waiting.0.len() >= SETTLING_MAX {
            return Err(Rejected::Busy);
        } else {
            self.waiting.0.push_back(Waiter { token, version, deadline: self.last_now + deadline });
        }
        Ok(())
    }

    /// Those whose deadline has come are told that not everybody knows.
    pub(super) fn expire_waiting(&mut self) {
        let now = self.last_now;
        while let Some(place) = self.waiting.0.iter().position(|waiter| waiter.deadline <= now) {
            if let Some(waiter) = self.waiting.0.remove(place) {
                self.answer(waiter.token, Answer::Rejected(Rejected::DeadlinePassed));
            }
        }
    }

    pub(super) fn tell_directory(&mut self, event: directory::Event) {
        let Self { directory, rngs, probe, fx, last_now, .. } = self;
        directory.handle(&mut Cx { now: *last_now, rng: &mut rngs.directory, probe }, event, &mut fx.directory);
    }

    pub(super) fn wake_directory(&mut self) {
        let Self { directory, offers, rngs, probe, fx, last_now, .. } = self;
        let mut cx = Cx { now: *last_now, rng: &mut rngs.directory, probe };
        directory.handle_timeout(&mut cx, offers, &mut fx.directory);
        offers.sweep();
    }

    pub(super) fn settle_directory(&mut self) {
        if self.fx.directory.is_empty() {
            return;
        }
        let mut effects = core::mem::take(&mut self.fx.directory);
        for effect in effects.drain(..) {
            match effect {
                directory::Effect::Send { to, id, head, body } => {
                    let Self { ports, heads, probe, last_now, .. } = self;
                    let content = (heads.join(&[&head]), body);
                    // What is not taken is told as its outcome.
                    ports.post(Port::Directory, *last_now, probe, to, Some(id), content, OFFER_DEADLINE).ok();
                }
                directory::Effect::Told { from, offers } => self.take_offers(from, &offers),
                directory::Effect::Forget { node } => {
                    self.tell_topics(pubsub::Event::Forget { node });
                    self.tell_calls(rpc::Event::Forget { node });
                }
                directory::Effect::Known { version } => self.known(version),
            }
        }
        super::settle::keep_larger(&mut self.fx.directory, effects);
    }

    fn known(&mut self, version: u64) {
        while let Some(place) = self.waiting.0.iter().position(|waiter| waiter.version <= version) {
            if let Some(waiter) = self.waiting.0.remove(place) {
                self.answer(waiter.token, Answer::Accepted);
            }
        }
    }

    /// What another node offers. The rest of a piece that cannot be read is dropped.
    fn take_offers(&mut self, from: NodeAddr, mut offers: &[u8]) {
        while !offers.is_empty() {
            let Ok((offer, rest)) = postcard::take_from_bytes::<Offer<'_>>(offers) else {
                return self.probe.count(Counter::DroppedMalformed);
            };
            offers = rest;
            if self.take_offer(from, offer).is_none() {
                self.probe.count(Counter::DroppedMalformed);
            }
        }
    }

    fn take_offer(&mut self, node: NodeAddr, offer: Offer<'_>) -> Option<()> {
        match offer {
            Offer::Interest { pattern, group, members } => {
                let pattern = Pattern::new(pattern).ok()?;
                let group = if group.is_empty() { None } else { Some(Group::new(group).ok()?) };
                let present = members > 0;
                self.tell_topics(pubsub::Event::Interest { node, pattern, group, present, members });
            }
            Offer::Service(provider) => {
                let entry = Entry::from_wire(&provider)?;
                self.tell_calls(rpc::Event::Announced { node, entry, present: true });
            }
            Offer::NoService { service, client } => {
                let client = (!client.is_empty()).then(|| alloc::sync::Arc::from(client));
                let entry = Entry::new(rpc::ServiceName::new(service).ok()?, client);
                self.tell_calls(rpc::Event::Announced { node, entry, present: false });
            }
        }
        Some(())
    }
}
