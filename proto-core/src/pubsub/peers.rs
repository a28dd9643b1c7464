//! In which life other nodes are, and since when out of reach: who restarted, or stays away, answers nothing any more.
//!
//! Bounds: [`NODES_MAX`] nodes; of more, nothing is known, and their answers are awaited until the deadline.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::{
    id::{Incarnation, NodeAddr},
    limits::{NODES_MAX, RECEIPT_LOST_AFTER},
    time::Time,
};

/// The other nodes. See the module's first lines.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// Those within reach, and those out of reach whose answers are awaited.
    all: BTreeMap<NodeAddr, Peer>,
    /// When those out of reach are given up.
    lost: BTreeSet<(Time, NodeAddr)>,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    life: Incarnation,
    due: Option<Time>,
}

impl Peers {
    /// A node is within reach, in this life. Whether it was in an earlier one before.
    pub(super) fn reached(&mut self, node: NodeAddr, life: Incarnation) -> bool {
        if self.all.len() >= NODES_MAX && !self.all.contains_key(&node) {
            return false;
        }
        let before = self.all.insert(node, Peer { life, due: None });
        if let Some(due) = before.and_then(|before| before.due) {
            self.lost.remove(&(due, node));
        }
        before.is_some_and(|before| before.life < life)
    }

    /// A node is out of reach. `awaited`: it owes an answer.
    pub(super) fn lost_reach(&mut self, node: NodeAddr, now: Time, awaited: bool) {
        if !awaited {
            self.all.remove(&node);
            return;
        }
        if let Some(peer) = self.all.get_mut(&node).filter(|peer| peer.due.is_none()) {
            let due = now + RECEIPT_LOST_AFTER;
            peer.due = Some(due);
            self.lost.insert((due, node));
        }
    }

    /// Takes out a node that is to be given up at `now`.
    pub(super) fn take_lost(&mut self, now: Time) -> Option<NodeAddr> {
        let &(due, node) = self.lost.first().filter(|(due, _)| *due <= now)?;
        self.lost.remove(&(due, node));
        self.all.remove(&node);
        Some(node)
    }

    /// When the next node is given up.
    pub(super) fn next_lost(&self) -> Option<Time> {
        self.lost.first().map(|(due, _)| *due)
    }
}
