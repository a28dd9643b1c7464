//! Who cannot reach whom.

use serde::{Deserialize, Serialize};

use crate::host::HostId;

/// A way the network can fall apart. Several add up; [`Fault::Heal`](crate::Fault::Heal) ends them all.
///
/// A cut takes every packet that departs or would arrive while it lasts. Hosts that a partition does not name are not
/// touched by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partition {
    /// Two sides that do not see each other.
    Symmetric {
        /// One side.
        left: Vec<HostId>,
        /// The other.
        right: Vec<HostId>,
    },
    /// Packets get lost in one direction only.
    OneWay {
        /// Packets from these
        from: Vec<HostId>,
        /// to those are lost.
        to: Vec<HostId>,
    },
    /// Two sides that do not see each other, and one host that both see.
    Bridge {
        /// One side.
        left: Vec<HostId>,
        /// The host in between; counts for neither side if it is also named there.
        bridge: HostId,
        /// The other side.
        right: Vec<HostId>,
    },
    /// Each host sees only the one before and the one after it, the last one and the first one too.
    Ring {
        /// The hosts around the ring.
        order: Vec<HostId>,
    },
    /// One host that sees nobody and is seen by nobody.
    Isolate {
        /// The host.
        host: HostId,
    },
}

impl Partition {
    /// Whether packets from `from` to `to` are cut. A host always reaches itself.
    #[must_use]
    pub fn cuts(&self, from: HostId, to: HostId) -> bool {
        if from == to {
            return false;
        }
        match self {
            Self::Symmetric { left, right } => across(left, right, from, to),
            Self::OneWay { from: sources, to: targets } => sources.contains(&from) && targets.contains(&to),
            Self::Bridge { left, bridge, right } => from != *bridge && to != *bridge && across(left, right, from, to),
            Self::Ring { order } => {
                let place = |host| order.iter().position(|member| *member == host);
                match (place(from), place(to)) {
                    (Some(a), Some(b)) => {
                        !matches!(a.abs_diff(b), distance if distance == 1 || distance + 1 == order.len())
                    }
                    (Some(_), None) | (None, Some(_) | None) => false,
                }
            }
            Self::Isolate { host } => from == *host || to == *host,
        }
    }
}

fn across(left: &[HostId], right: &[HostId], from: HostId, to: HostId) -> bool {
    (left.contains(&from) && right.contains(&to)) || (right.contains(&from) && left.contains(&to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(numbers: &[u32]) -> Vec<HostId> {
        numbers.iter().copied().map(HostId).collect()
    }

    /// Which of the hosts 0 to 4 each one can send to.
    fn reach(partition: &Partition) -> Vec<Vec<u32>> {
        let open = |from: u32| (0..5).filter(|to| !partition.cuts(HostId(from), HostId(*to))).collect();
        (0..5).map(open).collect()
    }

    #[test]
    fn two_sides_do_not_see_each_other() {
        let partition = Partition::Symmetric { left: hosts(&[0, 1]), right: hosts(&[2, 3]) };
        let everyone = vec![0, 1, 2, 3, 4];
        assert_eq!(reach(&partition), [vec![0, 1, 4], vec![0, 1, 4], vec![2, 3, 4], vec![2, 3, 4], everyone]);
    }

    #[test]
    fn one_way_cuts_one_direction() {
        let partition = Partition::OneWay { from: hosts(&[0]), to: hosts(&[1, 2]) };
        let everyone = vec![0, 1, 2, 3, 4];
        assert_eq!(reach(&partition)[0], [0, 3, 4]);
        assert!(reach(&partition)[1..].iter().all(|row| *row == everyone));
    }

    #[test]
    fn both_sides_see_the_bridge() {
        let partition = Partition::Bridge { left: hosts(&[0, 1]), bridge: HostId(2), right: hosts(&[3, 4, 2]) };
        let (left, right) = (vec![0, 1, 2], vec![2, 3, 4]);
        assert_eq!(reach(&partition), [left.clone(), left, vec![0, 1, 2, 3, 4], right.clone(), right]);
    }

    #[test]
    fn around_a_ring_each_sees_its_neighbours() {
        let partition = Partition::Ring { order: hosts(&[0, 2, 4, 1, 3]) };
        assert_eq!(reach(&partition), [[0, 2, 3], [1, 3, 4], [0, 2, 4], [0, 1, 3], [1, 2, 4]]);
    }

    #[test]
    fn an_isolated_host_sees_itself() {
        let partition = Partition::Isolate { host: HostId(1) };
        assert_eq!(reach(&partition)[1], [1]);
        assert_eq!(reach(&partition)[0], [0, 2, 3, 4]);
    }
}
