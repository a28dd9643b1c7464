//! What this node asked others, and what they are telling it.

use alloc::collections::BTreeMap;

use crate::id::{Incarnation, NodeAddr};

/// The nodes within reach, and the round of telling that each was asked for.
#[derive(Debug)]
pub(super) struct Listener {
    rounds: BTreeMap<NodeAddr, Round>,
}

/// One round.
#[derive(Clone, Copy, Debug)]
struct Round {
    life: Incarnation,
    number: u64,
    /// Whether it has begun: something of it may be known.
    begun: bool,
}

impl Listener {
    /// Nobody is within reach.
    pub(super) const fn new() -> Self {
        Self { rounds: BTreeMap::new() }
    }

    /// Whether a node is listened to already, in this life.
    pub(super) fn is_asked(&self, node: NodeAddr, life: Incarnation) -> bool {
        self.rounds.get(&node).is_some_and(|round| round.life == life)
    }

    /// A node is asked for a round. Whether something of it was known: that is void now.
    #[must_use]
    pub(super) fn ask(&mut self, node: NodeAddr, life: Incarnation, number: u64) -> bool {
        let before = self.rounds.insert(node, Round { life, number, begun: false });
        before.is_some_and(|round| round.begun)
    }

    /// The round that a node was asked for.
    pub(super) fn round(&self, node: NodeAddr) -> Option<u64> {
        self.rounds.get(&node).map(|round| round.number)
    }

    /// A node begins its round, perhaps again; `None` if it was not asked for it. Whether something of it was known: that
    /// is void now.
    pub(super) fn begin(&mut self, node: NodeAddr, life: Incarnation, number: u64) -> Option<bool> {
        let round = self.rounds.get_mut(&node).filter(|round| round.life == life && round.number == number)?;
        Some(core::mem::replace(&mut round.begun, true))
    }

    /// Whether a node may tell something in this round.
    pub(super) fn listens(&self, node: NodeAddr, life: Incarnation, number: u64) -> bool {
        let round = self.rounds.get(&node);
        round.is_some_and(|round| round.begun && round.life == life && round.number == number)
    }

    /// A node is out of reach. Whether something of it was known.
    #[must_use]
    pub(super) fn forget(&mut self, node: NodeAddr) -> bool {
        self.rounds.remove(&node).is_some_and(|round| round.begun)
    }

    /// Every node within reach.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeAddr> {
        self.rounds.keys().copied()
    }

    /// How many nodes are within reach.
    pub(super) fn len(&self) -> usize {
        self.rounds.len()
    }
}
