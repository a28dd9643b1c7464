//! One subscription: what it holds, what waits for it, and what happens when too much does.
//!
//! A publication goes straight to the subscriber while it holds fewer than its credit, and waits behind the others
//! otherwise. So something waits only while the credit is used up. Bounds: the subscription's own.

use alloc::{sync::Arc, vec::Vec};

use bytes::Bytes;

use super::{
    Effect,
    api::{Ended, Policy, Publication, Subscribe, SubscriptionId},
    interest::InterestId,
};
use crate::{
    collections::emplace,
    limits::{COPY_MAX, SLOW_INTERVAL},
    probe::{Counter, Probe},
    queue::{Bounded, Overflow, Pushed},
    time::Time,
};

/// A subscription. See the module's first lines.
#[derive(Debug)]
pub(super) struct Subscription {
    /// The interest that it is part of.
    pub(super) interest: InterestId,
    /// Its place among the members of that interest.
    pub(super) place: usize,
    /// Its place among the subscriptions of its client.
    pub(super) place_of_client: usize,
    /// Whose it is; `None`: the node's.
    pub(super) client: Option<Arc<str>>,
    policy: Policy,
    queue: Bounded<Arc<Publication>>,
    credit: u32,
    held: u32,
    counts: Counts,
    told: Option<Time>,
}

/// What became of the publications that a subscription was offered: these and the waiting ones are all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) delivered: u64,
    pub(super) dropped_oldest: u64,
    pub(super) dropped_newest: u64,
}

/// What came of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Offered {
    /// It is handed over, or waits.
    Taken,
    /// The subscription does not get it.
    Dropped,
    /// Nor anything else: it must be ended.
    Overrun,
}

/// What a step of a subscription may use. Lives for one call.
#[derive(Debug)]
pub(super) struct Env<'a> {
    pub(super) now: Time,
    pub(super) probe: &'a mut Probe,
    pub(super) fx: &'a mut Vec<Effect>,
}

/// A publication on its way to several subscriptions.
#[derive(Debug)]
pub(super) struct Shared {
    publication: Arc<Publication>,
    compact: Option<Arc<Publication>>,
}

impl Shared {
    /// Nobody has it yet.
    pub(super) const fn new(publication: Arc<Publication>) -> Self {
        Self { publication, compact: None }
    }

    /// The publication, for somebody who has to wait: short bytes are copied, once for all, so that they do not keep a
    /// whole read alive.
    fn kept(&mut self) -> Arc<Publication> {
        let original = &self.publication;
        self.compact.get_or_insert_with(|| compact(original)).clone()
    }
}

fn compact(publication: &Arc<Publication>) -> Arc<Publication> {
    if publication.headers.len() + publication.payload.len() > COPY_MAX {
        return publication.clone();
    }
    let mut copy = Publication::clone(publication);
    copy.compact();
    Arc::new(copy)
}

impl Publication {
    /// Copies what is short, so that it does not keep a whole read alive.
    pub(super) fn compact(&mut self) {
        for bytes in [&mut self.headers, &mut self.payload] {
            if !bytes.is_empty() && bytes.len() <= COPY_MAX {
                *bytes = Bytes::copy_from_slice(bytes);
            }
        }
    }
}

impl Subscription {
    /// A subscription that holds nothing yet; it is not part of an interest before it is told which.
    pub(super) fn new(subscribe: &Subscribe, interest: InterestId) -> Self {
        let overflow = match subscribe.policy {
            Policy::DropOldest => Overflow::DropOldest,
            Policy::DropNewest | Policy::Disconnect => Overflow::Refuse,
        };
        Self {
            interest,
            place: 0,
            place_of_client: 0,
            client: subscribe.client.clone(),
            policy: subscribe.policy,
            queue: Bounded::new(subscribe.queue, overflow),
            credit: subscribe.credit.max(1),
            held: 0,
            counts: Counts::default(),
            told: None,
        }
    }

    /// Whether a publication of this weight would neither be dropped nor drop another.
    pub(super) fn has_room(&self, weight: usize) -> bool {
        let limit = self.queue.limit();
        let fits = self.queue.len() < limit.count && self.queue.weight().saturating_add(weight) <= limit.weight;
        self.is_ready() || fits
    }

    /// Offers it a publication.
    #[inline]
    pub(super) fn offer(&mut self, env: &mut Env<'_>, id: SubscriptionId, shared: &mut Shared) -> Offered {
        if self.is_ready() {
            self.hand_over(env, id, shared.publication.clone());
            return Offered::Taken;
        }
        self.hold_back(env, id, shared)
    }

    /// The subscriber has done with publications: as many as wait follow.
    pub(super) fn consumed(&mut self, env: &mut Env<'_>, id: SubscriptionId, messages: u32) {
        self.held = self.held.saturating_sub(messages);
        while self.held < self.credit
            && let Some(publication) = self.queue.pop()
        {
            self.hand_over(env, id, publication);
        }
    }

    /// Why it ends if its policy demands that.
    pub(super) fn overrun(&self) -> Ended {
        Ended::TooSlow { queued: self.queue.len(), bytes: self.queue.weight() }
    }

    /// What is said when it ends and nobody asked for that.
    pub(super) fn end(&mut self, env: &mut Env<'_>, id: SubscriptionId, reason: Ended) {
        env.probe.count(Counter::SubscriptionsEnded);
        env.fx.push(Effect::Disconnected { subscription: id, client: self.client.clone(), reason });
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) const fn held(&self) -> u32 {
        self.held
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) const fn queued_bytes(&self) -> usize {
        self.queue.weight()
    }

    pub(super) const fn policy(&self) -> Policy {
        self.policy
    }

    #[inline]
    fn is_ready(&self) -> bool {
        self.held < self.credit && self.queue.is_empty()
    }

    #[inline]
    fn hand_over(&mut self, env: &mut Env<'_>, subscription: SubscriptionId, publication: Arc<Publication>) {
        self.held += 1;
        self.counts.delivered += 1;
        env.probe.count(Counter::PublicationsDelivered);
        emplace(env.fx, || Effect::Deliver { subscription, publication });
    }

    #[cold]
    fn hold_back(&mut self, env: &mut Env<'_>, id: SubscriptionId, shared: &mut Shared) -> Offered {
        let publication = shared.kept();
        let weight = publication.weight();
        match (self.queue.push(publication, weight), self.policy) {
            (Pushed::Kept, _) => Offered::Taken,
            (Pushed::Dropped(older), _) => {
                self.counts.dropped_oldest += older as u64;
                self.dropped(env, id, older as u64);
                Offered::Taken
            }
            (Pushed::Refused, Policy::Disconnect) => Offered::Overrun,
            (Pushed::Refused, Policy::DropOldest | Policy::DropNewest) => {
                self.counts.dropped_newest += 1;
                self.dropped(env, id, 1);
                Offered::Dropped
            }
        }
    }

    /// Counts a drop, and names the subscription unless that was done a moment ago.
    fn dropped(&mut self, env: &mut Env<'_>, subscription: SubscriptionId, count: u64) {
        env.probe.add(Counter::PublicationsDropped, count);
        if self.told.is_some_and(|told| env.now < told + SLOW_INTERVAL) {
            return;
        }
        self.told = Some(env.now);
        let dropped = self.counts.dropped_oldest + self.counts.dropped_newest;
        let (client, queued) = (self.client.clone(), self.queue.len());
        env.fx.push(Effect::Slow { subscription, client, dropped, queued });
    }
}
