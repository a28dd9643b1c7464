//! In a settled mesh no frame dies of its hop limit.
//!
//! The limit is there for the moments in which routes change (RT1). A frame that reaches it at rest has been in a loop.

use super::{Held, Invariant};
use crate::snapshot::Snapshot;

#[derive(Debug)]
pub(super) struct RtHopLimit;

impl Invariant for RtHopLimit {
    fn id(&self) -> &'static str {
        "rt_hop_limit"
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
        assert!(RtHopLimit.idle(&before, &after).is_err());
    }

    #[test]
    fn what_died_earlier_does_not_count() {
        let mut before = sample::line();
        before.nodes[1].counts.dropped_hop_limit = 7;
        assert_eq!(RtHopLimit.idle(&before, &sample::later(&before, 1_000)), Ok(()));
    }
}
