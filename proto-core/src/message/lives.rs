//! Which life of every other node counts: the one that its signed advert tells.
//!
//! End-to-end headers are not signed by their source, so none of them may move a flow to another life on its own word. A
//! node that went out of reach keeps the life it was last known in, until it is within reach again or for
//! [`FLOW_IDLE`]; after that nothing is known of it. Bounds: [`NODES_MAX`] nodes; with more, those out of reach are
//! forgotten first, and of the rest nothing is known.

use crate::{
    collections::DetMap,
    id::{Incarnation, NodeAddr},
    limits::{FLOW_IDLE, NODES_MAX},
    time::Time,
};

/// The lives of other nodes. See the module's first lines.
#[derive(Debug)]
pub(super) struct Lives {
    by_node: DetMap<NodeAddr, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    life: Incarnation,
    /// Since when the node is out of reach.
    lost: Option<Time>,
}

impl Known {
    fn counts(&self, now: Time) -> bool {
        self.lost.is_none_or(|since| now - since < FLOW_IDLE)
    }
}

impl Lives {
    /// Nobody is known. `seed` varies where the table keeps things.
    pub(super) fn new(seed: u64) -> Self {
        Self { by_node: DetMap::with_seed(seed) }
    }

    /// A node is within reach, in this life. Whether there was room to know it.
    pub(super) fn reached(&mut self, node: NodeAddr, life: Incarnation) -> bool {
        if self.by_node.len() >= NODES_MAX && !self.by_node.contains_key(&node) {
            self.by_node.retain(|_, known| known.lost.is_none());
        }
        let room = self.by_node.len() < NODES_MAX || self.by_node.contains_key(&node);
        if room {
            self.by_node.insert(node, Known { life, lost: None });
        }
        room
    }

    /// A node is out of reach.
    pub(super) fn lost_reach(&mut self, node: NodeAddr, now: Time) {
        if let Some(known) = self.by_node.get_mut(&node) {
            known.lost.get_or_insert(now);
        }
    }

    /// The life of a node that is within reach.
    pub(super) fn within_reach(&self, node: NodeAddr) -> Option<Incarnation> {
        self.by_node.get(&node).filter(|known| known.lost.is_none()).map(|known| known.life)
    }

    /// The life that a node was last known in.
    pub(super) fn known(&self, node: NodeAddr, now: Time) -> Option<Incarnation> {
        self.by_node.get(&node).filter(|known| known.counts(now)).map(|known| known.life)
    }

    /// Forgets the nodes that have been out of reach for long.
    pub(super) fn sweep(&mut self, now: Time) {
        self.by_node.retain(|_, known| known.counts(now));
    }
}
