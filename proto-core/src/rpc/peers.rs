//! The other nodes, as far as calls are concerned: within reach or not, which life, and how many calls there and back.
//!
//! A node is known while it is within reach or has calls. Bounds: the nodes of the mesh, and the calls under way.

use alloc::collections::BTreeSet;

use crate::{
    collections::DetMap,
    id::{Incarnation, NodeAddr},
    limits::CALL_LOST_AFTER,
    time::Time,
};

/// Every node that matters. See the module's first lines.
#[derive(Debug)]
pub(super) struct Peers {
    table: DetMap<NodeAddr, Peer>,
    /// Nodes out of reach that have calls, and when those are given up.
    lost: BTreeSet<(Time, NodeAddr)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    life: Option<Incarnation>,
    /// `None`: out of reach.
    cost: Option<u32>,
    lost: Option<Time>,
    /// Calls of this node that are pending there.
    calls: u32,
    /// Calls of that node that run or wait here.
    serving: u32,
}

impl Peers {
    /// Nobody. `seed` varies where the table keeps things.
    pub(super) fn new(seed: u64) -> Self {
        Self { table: DetMap::with_seed(seed), lost: BTreeSet::new() }
    }

    /// A node is within reach. Returns whether it was known in an earlier life.
    pub(super) fn reached(&mut self, node: NodeAddr, life: Incarnation, cost: u32) -> bool {
        let peer = self.table.get_or_insert_with(node, Peer::default);
        let restarted = peer.life.is_some_and(|before| before < life);
        peer.life = peer.life.max(Some(life));
        peer.cost = Some(cost);
        if let Some(due) = peer.lost.take() {
            self.lost.remove(&(due, node));
        }
        restarted
    }

    /// A node is out of reach.
    pub(super) fn lost_reach(&mut self, node: NodeAddr, now: Time) {
        let Some(peer) = self.table.get_mut(&node).filter(|peer| peer.cost.is_some()) else { return };
        peer.cost = None;
        if peer.calls > 0 {
            let due = now + CALL_LOST_AFTER;
            peer.lost = Some(due);
            self.lost.insert((due, node));
        }
        self.forget_if_idle(node);
    }

    /// What the way to a node costs; `None`: out of reach.
    pub(super) fn cost(&self, node: NodeAddr) -> Option<u32> {
        self.table.get(&node)?.cost
    }

    /// The newest life that is known of a node.
    pub(super) fn life(&self, node: NodeAddr) -> Option<Incarnation> {
        self.table.get(&node)?.life
    }

    /// How many calls of this node are pending there.
    pub(super) fn calls(&self, node: NodeAddr) -> u32 {
        self.table.get(&node).map_or(0, |peer| peer.calls)
    }

    /// How many calls of that node run or wait here.
    pub(super) fn serving(&self, node: NodeAddr) -> u32 {
        self.table.get(&node).map_or(0, |peer| peer.serving)
    }

    /// A call to a node begins.
    pub(super) fn call_begins(&mut self, node: NodeAddr) {
        self.table.get_or_insert_with(node, Peer::default).calls += 1;
    }

    /// A call to a node is over there.
    pub(super) fn call_ends(&mut self, node: NodeAddr) {
        let Some(peer) = self.table.get_mut(&node) else { return };
        peer.calls = peer.calls.saturating_sub(1);
        if peer.calls == 0 && peer.cost.is_none() {
            if let Some(due) = peer.lost.take() {
                self.lost.remove(&(due, node));
            }
            self.forget_if_idle(node);
        }
    }

    /// A call of a node is taken in here.
    pub(super) fn serving_begins(&mut self, node: NodeAddr) {
        self.table.get_or_insert_with(node, Peer::default).serving += 1;
    }

    /// A call of a node is over here.
    pub(super) fn serving_ends(&mut self, node: NodeAddr) {
        let Some(peer) = self.table.get_mut(&node) else { return };
        peer.serving = peer.serving.saturating_sub(1);
        if peer.serving == 0 && peer.cost.is_none() {
            self.forget_if_idle(node);
        }
    }

    /// Takes out a node whose calls are to be given up at `now`.
    pub(super) fn take_lost(&mut self, now: Time) -> Option<NodeAddr> {
        let &(due, node) = self.lost.first().filter(|(due, _)| *due <= now)?;
        self.lost.remove(&(due, node));
        if let Some(peer) = self.table.get_mut(&node) {
            peer.lost = None;
        }
        Some(node)
    }

    /// When calls to a node out of reach are given up next.
    pub(super) fn next_lost(&self) -> Option<Time> {
        self.lost.first().map(|(due, _)| *due)
    }

    fn forget_if_idle(&mut self, node: NodeAddr) {
        let idle = |peer: &Peer| peer.cost.is_none() && peer.calls == 0 && peer.serving == 0;
        if self.table.get(&node).is_some_and(idle) {
            self.table.remove(&node);
        }
    }
}
