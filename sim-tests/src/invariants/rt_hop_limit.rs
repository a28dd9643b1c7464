//! In a settled mesh no frame dies of its hop limit, with or without traffic.
//!
//! The limit is there for the moments in which routes change (RT1). A frame that reaches it at rest has been in a loop, or
//! came with too low a limit. Judged from the moment at which everything settled held, for as long as nobody computes its
//! paths anew, whatever is asked for meanwhile; what was under way before may have met routes that are no more, so it
//! gets the time to arrive. Nodes that stay broken may send frames round and round by what they believe; beside such only
//! the idle time is judged, as it is everywhere.

use super::{Held, Invariant};
use crate::snapshot::{Alive, Snapshot};

#[derive(Debug, Default)]
pub(super) struct RtHopLimit {
    /// Who ran when routes last changed, and what they had counted.
    routes: Vec<(Alive, u64, u64)>,
    /// The time of the last snapshot.
    now_ms: u64,
    /// Everything settled held then, with the routes of now.
    settled_at_ms: Option<u64>,
    /// What each node had dropped when all that was under way then must have arrived.
    dropped: Option<Vec<u64>>,
}

impl Invariant for RtHopLimit {
    fn id(&self) -> &'static str {
        "rt_hop_limit"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        self.now_ms = snapshot.at_ms;
        let routes = snapshot.nodes.iter().map(|node| (node.alive, node.life.0, node.counts.path_runs));
        if !routes.clone().eq(self.routes.iter().copied()) {
            *self = Self { routes: routes.collect(), now_ms: snapshot.at_ms, ..Self::default() };
        }
        let all_well = snapshot.nodes.iter().all(|node| node.survivor || node.alive == Alive::Down);
        if !all_well || self.settled_at_ms.is_none_or(|settled| snapshot.at_ms < settled + snapshot.wire_ms) {
            return Ok(());
        }
        let dropped = snapshot.nodes.iter().map(|node| node.counts.dropped_hop_limit);
        let before = self.dropped.get_or_insert_with(|| dropped.clone().collect());
        match snapshot.nodes.iter().zip(before).find(|(node, before)| node.counts.dropped_hop_limit > **before) {
            Some((node, _)) => {
                Err(format!("{} dropped frames at their hop limit while all routes were sound", node.name))
            }
            None => Ok(()),
        }
    }

    fn looked(&mut self, settled: bool) {
        if settled {
            self.settled_at_ms.get_or_insert(self.now_ms);
        }
    }

    fn idle(&mut self, before: &Snapshot, after: &Snapshot) -> Held {
        for (earlier, node) in before.nodes.iter().zip(&after.nodes).filter(|(_, node)| node.survivor) {
            let dropped = node.counts.dropped_hop_limit.saturating_sub(earlier.counts.dropped_hop_limit);
            if dropped > 0 && earlier.life == node.life {
                return Err(format!("{} dropped {dropped} frames at their hop limit in a settled mesh", node.name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn fires_when_frames_die_at_rest() {
        let before = sample::line();
        let mut after = sample::later(&before, 1_000);
        after.nodes[1].counts.dropped_hop_limit = 1;
        assert!(RtHopLimit::default().idle(&before, &after).is_err());
    }

    #[test]
    fn what_died_earlier_does_not_count() {
        let mut before = sample::line();
        before.nodes[1].counts.dropped_hop_limit = 7;
        assert_eq!(RtHopLimit::default().idle(&before, &sample::later(&before, 1_000)), Ok(()));
    }

    /// A mesh that has settled, in which a frame dies 200 ms later; `meanwhile` is done to it before.
    fn dies(settled: bool, wire_ms: u64, meanwhile: impl FnOnce(&mut Snapshot)) -> Held {
        let mut limit = RtHopLimit::default();
        let mut snapshot = Snapshot { wire_ms, ..sample::line() };
        limit.always(&snapshot)?;
        limit.looked(settled);
        snapshot = sample::later(&snapshot, 100);
        meanwhile(&mut snapshot);
        limit.always(&snapshot)?;
        snapshot = sample::later(&snapshot, 100);
        snapshot.nodes[1].counts.dropped_hop_limit += 1;
        limit.always(&snapshot)
    }

    #[test]
    fn fires_when_frames_die_in_traffic_while_no_route_changes() {
        assert!(dies(true, 0, |_| {}).is_err());
        assert!(dies(true, 100, |_| {}).is_err());
    }

    #[test]
    fn frames_may_die_beside_a_node_that_stays_broken() {
        assert_eq!(dies(true, 0, |snapshot| snapshot.nodes[2].survivor = false), Ok(()));
    }

    #[test]
    fn frames_may_die_while_routes_change_or_have_just_changed() {
        assert_eq!(dies(false, 0, |_| {}), Ok(()));
        assert_eq!(dies(true, 0, |snapshot| snapshot.nodes[2].counts.path_runs += 1), Ok(()));
        assert_eq!(dies(true, 200, |_| {}), Ok(()));
    }
}
