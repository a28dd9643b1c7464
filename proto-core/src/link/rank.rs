//! Which of two links to the same node lives: the rule that both ends apply to simultaneous open, and to a node that comes
//! back while its old link is still believed in.
//!
//! 1. The higher incarnation of the peer wins: the other is a life that is over.
//! 2. Of two dialled by different sides, the one dialled by the node with the lower address wins. Both ends know both.
//! 3. Of two dialled by the same side, the one that opened later wins. The side that dials never has two: it says hello
//!    on a second one only when the first is gone. So only the side that accepts ever decides this, and later is right.

use crate::id::Incarnation;

/// What a link stands for against another one to the same node; the greater lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Which life of the peer.
    pub(super) incarnation: Incarnation,
    /// Whether the end with the lower address dialled it.
    pub(super) dialled_by_lower: bool,
    /// Counts the channels that opened at this node.
    pub(super) order: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rank(incarnation: u64, dialled_by_lower: bool, order: u64) -> Rank {
        Rank { incarnation: Incarnation(incarnation), dialled_by_lower, order }
    }

    #[test]
    fn life_counts_before_the_dialler_and_the_dialler_before_the_order() {
        assert!(rank(2, false, 1) > rank(1, true, 9));
        assert!(rank(1, true, 1) > rank(1, false, 9));
        assert!(rank(1, true, 2) > rank(1, true, 1));
    }
}
