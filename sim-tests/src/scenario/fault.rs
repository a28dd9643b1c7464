//! What can break.

use serde::{Deserialize, Serialize};

use super::{LinkShape, NodeIx};

/// A fault, and when it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedFault {
    /// When.
    pub at_ms: u64,
    /// What.
    pub fault: Fault,
}

/// Something that breaks, or is mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Fault {
    /// The process dies. What it had sent still arrives.
    Crash {
        /// Whose.
        node: NodeIx,
    },
    /// The process is asked to stop, and says goodbye.
    Stop {
        /// Whose.
        node: NodeIx,
    },
    /// A process that died or stopped starts again, in a new life.
    Restart {
        /// Whose.
        node: NodeIx,
    },
    /// The process is frozen for a while: its clock goes on, what arrives piles up.
    Pause {
        /// Whose.
        node: NodeIx,
        /// For how long.
        for_ms: u32,
    },
    /// The network falls apart. Replaces an earlier partition.
    Partition(Partition),
    /// The partition ends.
    Heal,
    /// One direction between two nodes becomes like this.
    Shape {
        /// From.
        from: NodeIx,
        /// To.
        to: NodeIx,
        /// What it is like from now on.
        shape: LinkShape,
    },
    /// A clock runs at another rate from now on.
    ClockRate {
        /// Whose.
        node: NodeIx,
        /// By how many millionths it is too fast.
        ppm: i32,
    },
    /// Every stream between two nodes breaks; new ones can be opened.
    CutStreams {
        /// One of them.
        a: NodeIx,
        /// The other.
        b: NodeIx,
    },
    /// One bit of what is sent next from one node to another is flipped.
    Corrupt {
        /// From.
        from: NodeIx,
        /// To.
        to: NodeIx,
    },
}

/// How the network falls apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Partition {
    /// These on one side, all others on the other.
    Split {
        /// One side.
        side: Vec<NodeIx>,
    },
    /// What these send reaches nobody else; they still hear the others.
    OneWay {
        /// The mute ones.
        mute: Vec<NodeIx>,
    },
    /// Two sides that only one node sees both of.
    Bridge {
        /// One side.
        side: Vec<NodeIx>,
        /// Who sees both.
        bridge: NodeIx,
    },
    /// Each node sees only the next and the previous one in this order, which is closed to a ring.
    Ring {
        /// The order. Nodes that are not in it see nobody.
        order: Vec<NodeIx>,
    },
}

impl Fault {
    /// Every node that the fault speaks of.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeIx> {
        match self {
            Self::Crash { node }
            | Self::Stop { node }
            | Self::Restart { node }
            | Self::Pause { node, .. }
            | Self::ClockRate { node, .. } => vec![*node],
            Self::Shape { from, to, .. } | Self::Corrupt { from, to } => vec![*from, *to],
            Self::CutStreams { a, b } => vec![*a, *b],
            Self::Partition(partition) => partition.nodes(),
            Self::Heal => Vec::new(),
        }
    }

    /// The same fault with every node put through `place`; `None` if nothing is left of it.
    #[must_use]
    pub fn renumbered(&self, place: &impl Fn(NodeIx) -> Option<NodeIx>) -> Option<Self> {
        Some(match self {
            Self::Crash { node } => Self::Crash { node: place(*node)? },
            Self::Stop { node } => Self::Stop { node: place(*node)? },
            Self::Restart { node } => Self::Restart { node: place(*node)? },
            Self::Pause { node, for_ms } => Self::Pause { node: place(*node)?, for_ms: *for_ms },
            Self::ClockRate { node, ppm } => Self::ClockRate { node: place(*node)?, ppm: *ppm },
            Self::Shape { from, to, shape } => Self::Shape { from: place(*from)?, to: place(*to)?, shape: *shape },
            Self::Corrupt { from, to } => Self::Corrupt { from: place(*from)?, to: place(*to)? },
            Self::CutStreams { a, b } => Self::CutStreams { a: place(*a)?, b: place(*b)? },
            Self::Partition(partition) => Self::Partition(partition.renumbered(place)?),
            Self::Heal => Self::Heal,
        })
    }
}

impl Partition {
    fn nodes(&self) -> Vec<NodeIx> {
        match self {
            Self::Split { side } => side.clone(),
            Self::OneWay { mute } => mute.clone(),
            Self::Bridge { side, bridge } => side.iter().copied().chain([*bridge]).collect(),
            Self::Ring { order } => order.clone(),
        }
    }

    fn renumbered(&self, place: &impl Fn(NodeIx) -> Option<NodeIx>) -> Option<Self> {
        let keep = |nodes: &[NodeIx]| {
            let kept: Vec<_> = nodes.iter().filter_map(|node| place(*node)).collect();
            (!kept.is_empty()).then_some(kept)
        };
        Some(match self {
            Self::Split { side } => Self::Split { side: keep(side)? },
            Self::OneWay { mute } => Self::OneWay { mute: keep(mute)? },
            Self::Bridge { side, bridge } => match place(*bridge) {
                Some(bridge) => Self::Bridge { side: keep(side)?, bridge },
                None => Self::Split { side: keep(side)? },
            },
            Self::Ring { order } => Self::Ring { order: keep(order)? },
        })
    }

    /// Whether what `from` sends reaches `to`.
    #[must_use]
    pub fn passes(&self, from: NodeIx, to: NodeIx) -> bool {
        let among = |nodes: &[NodeIx], node| nodes.contains(&node);
        match self {
            Self::Split { side } => among(side, from) == among(side, to),
            Self::OneWay { mute } => !among(mute, from) || among(mute, to),
            Self::Bridge { side, bridge } => from == *bridge || to == *bridge || among(side, from) == among(side, to),
            Self::Ring { order } => {
                let at = |node| order.iter().position(|other| *other == node);
                match (at(from), at(to)) {
                    (Some(a), Some(b)) => {
                        let apart = a.abs_diff(b);
                        apart <= 1 || apart == order.len() - 1
                    }
                    (Some(_) | None, None) | (None, Some(_)) => false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_cut_what_they_say() {
        let split = Partition::Split { side: vec![0, 1] };
        assert!(split.passes(0, 1) && split.passes(2, 3) && !split.passes(1, 2) && !split.passes(2, 1));
        let one_way = Partition::OneWay { mute: vec![0] };
        assert!(!one_way.passes(0, 1) && one_way.passes(1, 0));
        let bridge = Partition::Bridge { side: vec![0, 1], bridge: 2 };
        assert!(bridge.passes(0, 2) && bridge.passes(2, 3) && !bridge.passes(0, 3));
        let ring = Partition::Ring { order: vec![0, 1, 2, 3] };
        assert!(ring.passes(3, 0) && ring.passes(1, 2) && !ring.passes(0, 2) && !ring.passes(0, 4));
    }

    #[test]
    fn a_partition_without_its_nodes_is_gone() {
        let place = |node: NodeIx| (node != 2).then_some(node);
        assert_eq!(Fault::Partition(Partition::Split { side: vec![2] }).renumbered(&place), None);
        assert_eq!(
            Fault::Partition(Partition::Bridge { side: vec![0, 2], bridge: 2 }).renumbered(&place),
            Some(Fault::Partition(Partition::Split { side: vec![0] }))
        );
    }
}
