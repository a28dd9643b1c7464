//! A node that does not forward for others never does, and no way leads through it.
//!
//! The first at every moment, whatever the others believe; the second once they all know (RT7).

use super::{Held, Invariant, rt_loop_free::walk};
use crate::snapshot::Snapshot;

#[derive(Debug)]
pub(super) struct RtPolicy;

impl Invariant for RtPolicy {
    fn id(&self) -> &'static str {
        "rt_policy"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        match snapshot.running().find(|(_, node)| !node.transit && node.counts.forwarded > 0) {
            Some((_, node)) => {
                Err(format!("{} does not forward, and forwarded {} frames", node.name, node.counts.forwarded))
            }
            None => Ok(()),
        }
    }

    fn settled(&mut self, snapshot: &Snapshot) -> Held {
        for (_, source) in snapshot.survivors() {
            for start in source.forwards.iter().filter(|start| start.from.is_none()) {
                let through = walk(snapshot, source, start.dst, start.flow).unwrap_or_default();
                if let Some(closed) = through.iter().find(|node| !node.transit) {
                    return Err(format!("the way from {} to {} leads through {}", source.name, start.dst, closed.name));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn fires_on_a_frame_forwarded_against_policy() {
        let mut snapshot = sample::line();
        snapshot.nodes[2].transit = false;
        assert_eq!(RtPolicy.always(&snapshot), Ok(()));
        snapshot.nodes[2].counts.forwarded = 1;
        assert!(RtPolicy.always(&snapshot).is_err());
    }

    #[test]
    fn fires_on_a_way_through_a_closed_node() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].transit = false;
        assert!(RtPolicy.settled(&snapshot).is_err());
    }
}
