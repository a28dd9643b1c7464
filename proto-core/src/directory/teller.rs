//! What one node was told of this node's offers.

use super::Place;
use crate::{
    id::Incarnation,
    limits::{OFFER_PAUSE, OFFER_PIECES},
    time::Time,
};

/// One node that asked.
#[derive(Debug)]
pub(super) struct Teller {
    /// Which life of it asked.
    pub(super) life: Incarnation,
    /// The round that it asked for.
    pub(super) round: u64,
    state: State,
    /// How often this node began; what was sent before the last time counts for nothing.
    attempt: u32,
    /// What is sent and has no outcome yet.
    under_way: usize,
    /// The version that the node has; 0: none for sure.
    known: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To begin at this time.
    Pausing(Time),
    /// Everything before the place is told.
    Telling(Place),
    /// Everything is told, and changes follow.
    Complete,
}

impl Teller {
    /// A node asks.
    pub(super) const fn new(life: Incarnation, round: u64, now: Time) -> Self {
        let state = State::Pausing(now);
        Self { life, round, state, attempt: 0, under_way: 0, known: 0 }
    }

    /// It asks again, for another round.
    pub(super) fn ask(&mut self, life: Incarnation, round: u64, now: Time) {
        *self = Self { attempt: self.attempt, ..Self::new(life, round, now) };
    }

    /// Begins if it is time. `true`: it has begun.
    pub(super) fn begin(&mut self, now: Time, first: Place) -> bool {
        if !matches!(self.state, State::Pausing(due) if due <= now) {
            return false;
        }
        (self.attempt, self.under_way, self.known) = (self.attempt.wrapping_add(1), 0, 0);
        self.state = State::Telling(first);
        true
    }

    /// Where the next piece begins, if there is one to tell and it may be sent.
    pub(super) fn next_piece(&self) -> Option<Place> {
        match self.state {
            State::Telling(from) if self.under_way < OFFER_PIECES => Some(from),
            State::Telling(_) | State::Pausing(_) | State::Complete => None,
        }
    }

    /// A piece was written up to a place, or up to the end.
    pub(super) fn told_up_to(&mut self, end: Option<Place>) {
        self.state = end.map_or(State::Complete, State::Telling);
    }

    /// Whether a change has to be told by itself: the offer's place was passed already.
    pub(super) fn has_passed(&self, place: Place) -> bool {
        match self.state {
            State::Complete => true,
            State::Telling(from) => place < from,
            State::Pausing(_) => false,
        }
    }

    /// Whether everything is told, so that all changes are.
    pub(super) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Something is sent. Returns the attempt that it belongs to.
    pub(super) fn sent(&mut self) -> u32 {
        self.under_way += 1;
        self.attempt
    }

    /// What became of something that was sent. `version`: what the node knows if it was delivered and everything before.
    pub(super) fn outcome(&mut self, now: Time, attempt: u32, version: u64, delivered: bool) {
        if attempt != self.attempt || matches!(self.state, State::Pausing(_)) {
            return;
        }
        self.under_way = self.under_way.saturating_sub(1);
        if !delivered {
            self.state = State::Pausing(now + OFFER_PAUSE);
        } else if self.is_complete() {
            self.known = self.known.max(version);
        }
    }

    /// The version that the node has for sure; `None` while it was not told everything.
    pub(super) fn known(&self) -> Option<u64> {
        (self.is_complete() && self.known > 0).then_some(self.known)
    }

    /// When there is something to do, and what for.
    pub(super) fn due(&self) -> Option<(Time, &'static str)> {
        match self.state {
            State::Pausing(due) => Some((due, "directory: begin")),
            // At once.
            State::Telling(_) => (self.under_way < OFFER_PIECES).then_some((Time::ZERO, "directory: offers")),
            State::Complete => None,
        }
    }
}
