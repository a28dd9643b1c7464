//! Which outcomes are open, and who wants to know them.
//!
//! A send to a list is one entry here for all its receivers; it is answered when the last outcome is in. Every message
//! has a deadline, so every entry ends. Bounds: [`LISTS_MAX`] lists of at most `RECEIVERS_MAX` receivers.

use alloc::{boxed::Box, vec::Vec};

use super::Effect;
use crate::{
    arena::{Arena, Handle},
    error::Rejected,
    id::{NodeAddr, Token},
    limits::LISTS_MAX,
    node::{Answer, Outcome},
};

/// Who wants to know the outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Nobody; it is counted only.
    Nobody,
    /// The sender of this one message.
    One(Token),
    /// The sender to a list, of which this is one receiver.
    Listed { list: Handle<List>, index: u32 },
    /// The machine that sent this parcel.
    Parcel(u64),
}

/// A send to a list, not answered yet.
#[derive(Debug)]
pub(super) struct List {
    token: Token,
    outcomes: Vec<(NodeAddr, Outcome)>,
    missing: usize,
}

/// The open outcomes of a node.
#[derive(Debug)]
pub(super) struct Ledger {
    open: u64,
    lists: Arena<List>,
}

impl Ledger {
    /// Nothing open.
    pub(super) const fn new() -> Self {
        Self { open: 0, lists: Arena::with_limit(LISTS_MAX) }
    }

    /// How many messages have no outcome yet.
    pub(super) const fn unanswered(&self) -> u64 {
        self.open
    }

    /// One more message is under way.
    pub(super) const fn begin(&mut self) {
        self.open += 1;
    }

    /// The message that was just begun was not taken.
    pub(super) const fn withdraw(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Opens a list. `receivers`: in order of address, each once, not empty.
    ///
    /// # Errors
    /// [`Rejected::Busy`] at the limit.
    pub(super) fn open_list(&mut self, token: Token, receivers: &[NodeAddr]) -> Result<Handle<List>, Rejected> {
        let outcomes: Vec<_> = receivers.iter().map(|&node| (node, Outcome::Unknown)).collect();
        let missing = outcomes.len();
        self.lists.insert(List { token, outcomes, missing }).map_err(|_| Rejected::Busy)
    }

    /// Books the outcome of a message, and answers if nothing is missing any more.
    pub(super) fn settle(&mut self, report: Report, node: NodeAddr, outcome: Outcome, fx: &mut Vec<Effect>) {
        self.open = self.open.saturating_sub(1);
        match report {
            Report::Nobody => {}
            Report::One(token) => fx.push(Effect::Done { token, answer: Box::new(Answer::Sent(outcome)) }),
            Report::Parcel(id) => fx.push(Effect::Settled { id, node, outcome }),
            Report::Listed { list, index } => self.settle_listed(list, index, outcome, fx),
        }
    }

    fn settle_listed(&mut self, handle: Handle<List>, index: u32, outcome: Outcome, fx: &mut Vec<Effect>) {
        let Some(list) = self.lists.get_mut(handle) else { return };
        if let Some((_, slot)) = list.outcomes.get_mut(index as usize) {
            *slot = outcome;
        }
        list.missing -= 1;
        if list.missing == 0
            && let Some(List { token, outcomes, .. }) = self.lists.remove(handle)
        {
            fx.push(Effect::Done { token, answer: Box::new(Answer::SentMany(outcomes)) });
        }
    }
}
