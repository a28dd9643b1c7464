//! In a settled mesh every pair of running nodes of which one dials the other has a link.
//!
//! After the network heals, the reconnect ladder must come to its end in bounded time, whatever happened before (LK10).

use super::{Held, Invariant};
use crate::snapshot::Snapshot;

#[derive(Debug)]
pub(super) struct LkReconnects;

impl Invariant for LkReconnects {
    fn id(&self) -> &'static str {
        "lk_reconnects"
    }

    fn settled(&mut self, snapshot: &Snapshot) -> Held {
        for (_, node) in snapshot.survivors() {
            for (_, peer) in snapshot.survivors().filter(|(_, peer)| node.dials.contains(&peer.addr)) {
                if node.link_to(peer.addr).is_none() {
                    return Err(format!("{} dials {} and has no link to it", node.name, peer.name));
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
    fn fires_on_a_peer_that_is_never_reached() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].links.retain(|link| link.addr != sample::addr(2));
        assert!(LkReconnects.settled(&snapshot).is_err());
    }

    #[test]
    fn a_peer_that_is_no_survivor_need_not_be_reached() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].links.retain(|link| link.addr != sample::addr(2));
        snapshot.nodes[2].survivor = false;
        assert_eq!(LkReconnects.settled(&snapshot), Ok(()));
    }
}
