//! A peer of which nothing can arrive is given up in bounded time, whatever the channel looks like.
//!
//! Half-open streams, where the peer vanished without a word, are the case that matters (LK8; the design's heartbeat
//! promises `dead_after` plus one heartbeat).

use super::{Held, Invariant};
use crate::snapshot::{Alive, NodeSnap, Snapshot};

/// States are looked at every so often, and a stream that was broken is only noticed by its retransmissions.
const SLACK_MS: u64 = 2_000;

#[derive(Debug)]
pub(super) struct LkDeadPeer;

impl Invariant for LkDeadPeer {
    fn id(&self) -> &'static str {
        "lk_dead_peer"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        for (here, node) in snapshot.running() {
            let bound = bound_ms(node) + snapshot.wire_ms;
            for link in &node.links {
                let Some((there, peer)) = snapshot.find(link.addr) else { continue };
                let silent = snapshot.cut_ms(there, here).min(node.alive_ms);
                if silent > bound {
                    return Err(format!(
                        "{} still has its link to {}, of which nothing could arrive for {silent} ms; {bound} allowed",
                        node.name, link.peer
                    ));
                }
                let reborn = if peer.alive == Alive::Running { peer.alive_ms.min(node.alive_ms) } else { 0 };
                if link.life != peer.life && reborn > bound {
                    return Err(format!("{} has a link to a dead life of {} for {reborn} ms", node.name, link.peer));
                }
            }
        }
        Ok(())
    }
}

fn bound_ms(node: &NodeSnap) -> u64 {
    let promised = node.timers.dead_after_ms + node.timers.heartbeat_ms;
    // Clocks may run 5 % slow.
    promised + promised / 20 + SLACK_MS
}

#[cfg(test)]
mod tests {
    use proto_core::id::Incarnation;

    use super::{super::sample, *};

    #[test]
    fn fires_on_a_link_to_a_peer_long_cut_off() {
        let mut snapshot = sample::line();
        let bound = bound_ms(&snapshot.nodes[0]);
        snapshot.cut_ms[3] = bound;
        assert_eq!(LkDeadPeer.always(&snapshot), Ok(()));
        snapshot.cut_ms[3] = bound + 1;
        assert!(LkDeadPeer.always(&snapshot).is_err());
    }

    #[test]
    fn a_node_that_just_woke_may_still_hold_its_links() {
        let mut snapshot = sample::line();
        snapshot.cut_ms[3] = 1_000_000;
        snapshot.nodes[0].alive_ms = 100;
        assert_eq!(LkDeadPeer.always(&snapshot), Ok(()));
    }

    #[test]
    fn fires_on_a_link_to_a_life_long_over() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].life = Incarnation(2);
        assert!(LkDeadPeer.always(&snapshot).is_err());
    }
}
