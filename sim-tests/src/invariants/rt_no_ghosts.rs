//! Nobody has a route to a node that is gone, once its last advert must have expired; in a settled mesh, at once. And a
//! new life of a node replaces the old one everywhere.
//!
//! What count-to-infinity is for distance vectors, a stale advert is for link state (RT4; RFC 2328 §14 on aging).

use super::{Held, Invariant};
use crate::snapshot::{Alive, Snapshot, Timers};

/// Adverts age by the clocks of the nodes they pass, which may be 5 % slow, and by whole steps.
const SLACK_MS: u64 = 5_000;

#[derive(Debug)]
pub(super) struct RtNoGhosts;

impl Invariant for RtNoGhosts {
    fn id(&self) -> &'static str {
        "rt_no_ghosts"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        let expiry = |timers: Timers| timers.advert_expiry_ms * 21 / 20 + SLACK_MS;
        let longest = snapshot.nodes.iter().map(|node| expiry(node.timers)).max().unwrap_or(0);
        ghost(snapshot, |dead_ms| dead_ms > longest)
    }

    fn settled(&mut self, snapshot: &Snapshot) -> Held {
        ghost(snapshot, |_| true)?;
        for (_, node) in snapshot.survivors() {
            for (_, other) in snapshot.survivors() {
                let old = node.advert_of(other.addr).filter(|advert| advert.life != other.life);
                if let (Some(old), Some(_)) = (old, node.route_to(other.addr)) {
                    return Err(format!(
                        "{} goes by an advert of life {} of {}, which is in life {}",
                        node.name, old.life, other.name, other.life
                    ));
                }
            }
        }
        Ok(())
    }
}

fn ghost(snapshot: &Snapshot, long_enough: impl Fn(u64) -> bool) -> Held {
    for gone in snapshot.nodes.iter().filter(|node| node.alive == Alive::Down && long_enough(node.alive_ms)) {
        // A node that has only just woken up has had no time to notice.
        let awake = snapshot.running().filter(|(_, node)| long_enough(node.alive_ms));
        for (_, node) in awake {
            if node.route_to(gone.addr).is_some() {
                return Err(format!(
                    "{} has a route to {}, which is gone for {} ms",
                    node.name, gone.name, gone.alive_ms
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proto_core::id::Incarnation;

    use super::{super::sample, *};

    #[test]
    fn fires_on_a_route_to_a_node_long_gone() {
        let mut snapshot = sample::line();
        snapshot.nodes[2].alive = Alive::Down;
        assert!(RtNoGhosts.always(&snapshot).is_err());
    }

    #[test]
    fn a_node_may_be_missed_only_after_its_advert_has_expired() {
        let mut snapshot = sample::line();
        snapshot.nodes[2].alive = Alive::Down;
        snapshot.nodes[2].alive_ms = 1_000;
        assert_eq!(RtNoGhosts.always(&snapshot), Ok(()));
        assert!(RtNoGhosts.settled(&snapshot).is_err());
    }

    #[test]
    fn fires_on_an_advert_of_an_earlier_life() {
        let mut snapshot = sample::line();
        snapshot.nodes[2].life = Incarnation(2);
        assert!(RtNoGhosts.settled(&snapshot).is_err());
    }
}
