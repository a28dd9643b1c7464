//! Nodes that are sought: questions of this node's application, and questions of neighbours that are passed on.
//!
//! A question ends when an advert of the node sought is known and paths were computed with it, or at its deadline.
//! A neighbour that has the advert sends it, so an answer is an advert like any other and is verified like one. Bounds:
//! [`LOOKUPS_MAX`] questions of its own; [`FINDS_MAX`] nodes asked for per [`FIND_INTERVAL`], each once.

use alloc::{collections::BTreeMap, vec::Vec};

use super::seldom::Seldom;
use crate::{
    id::{NodeAddr, NodeName, Token},
    limits::{FIND_HOPS, FIND_INTERVAL, FINDS_MAX, LOOKUPS_MAX},
    time::Time,
    wire::{Frame, Kind, v1},
};

/// All open questions.
#[derive(Debug)]
pub(super) struct Lookups {
    /// By deadline; the number keeps equal deadlines apart.
    open: BTreeMap<(Time, u64), Lookup>,
    asked: u64,
    finds: Seldom<NodeAddr>,
}

/// A question of the application.
#[derive(Debug)]
pub(super) struct Lookup {
    /// Names it.
    pub(super) token: Token,
    /// The node sought.
    pub(super) name: NodeName,
}

impl Lookups {
    /// Nobody is sought.
    pub(super) const fn new() -> Self {
        Self { open: BTreeMap::new(), asked: 0, finds: Seldom::new(FIND_INTERVAL, FINDS_MAX) }
    }

    /// Opens a question. It comes back if there is no room.
    ///
    /// # Errors
    /// The question, when too many are open.
    pub(super) fn open(&mut self, deadline: Time, lookup: Lookup) -> Result<(), Lookup> {
        if self.open.len() >= LOOKUPS_MAX {
            return Err(lookup);
        }
        self.asked += 1;
        self.open.insert((deadline, self.asked), lookup);
        Ok(())
    }

    /// Takes out the questions whose deadline has come, or whose node is `known` now.
    pub(super) fn take(&mut self, now: Time, known: impl Fn(&NodeName) -> bool) -> Vec<Lookup> {
        let ended = |(due, _): &(Time, u64), lookup: &mut Lookup| *due <= now || known(&lookup.name);
        self.open.extract_if(.., ended).map(|(_, lookup)| lookup).collect()
    }

    /// The question for neighbours about a node that this node seeks, unless they were asked a moment ago.
    pub(super) fn ask(&mut self, now: Time, target: NodeAddr) -> Option<Frame> {
        self.finds.allow(now, target).then(|| find(target, FIND_HOPS))
    }

    /// The question as it is passed on, unless it has come far enough or was passed on a moment ago.
    pub(super) fn pass_on(&mut self, now: Time, question: v1::Find) -> Option<Frame> {
        let hops_left = question.hops_left.min(FIND_HOPS).checked_sub(1)?;
        (hops_left > 0 && self.finds.allow(now, question.target)).then(|| find(question.target, hops_left))
    }

    /// The next deadline and who wants it.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.open.first_key_value().map(|((due, _), _)| (*due, "route: look-up"))
    }
}

fn find(target: NodeAddr, hops_left: u8) -> Frame {
    Frame::new(Kind::Find, &v1::Find { target, hops_left })
}
