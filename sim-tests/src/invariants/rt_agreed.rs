//! In a settled mesh every node's advert names exactly its links, and everybody that reaches it over links of survivors
//! holds its latest. What goes by nodes that stay broken may take as long as it likes.
//!
//! The database of link-state routing is one and the same everywhere at rest (RFC 2328 §13; RT3). Costs may lag behind
//! what was measured last: they are told seldom, on purpose.

use std::collections::BTreeSet;

use proto_core::id::NodeAddr;

use super::{Held, Invariant};
use crate::snapshot::{NodeSnap, Snapshot};

#[derive(Debug)]
pub(super) struct RtAgreed;

impl Invariant for RtAgreed {
    fn id(&self) -> &'static str {
        "rt_agreed"
    }

    fn settled(&mut self, snapshot: &Snapshot) -> Held {
        for (_, node) in snapshot.survivors() {
            truthful(node)?;
            let near = over_survivors(snapshot, node);
            let reached = |other: &NodeSnap| near.contains(&other.addr) && node.route_to(other.addr).is_some();
            for (_, other) in snapshot.survivors().filter(|(_, other)| reached(other)) {
                let (held, own) = (node.advert_of(other.addr), other.advert_of(other.addr));
                if held != own {
                    return Err(format!("{} holds {held:?} of {}, which holds {own:?}", node.name, other.name));
                }
            }
        }
        Ok(())
    }
}

/// Whom a node reaches over links of survivors only.
fn over_survivors(snapshot: &Snapshot, from: &NodeSnap) -> BTreeSet<NodeAddr> {
    let mut found = BTreeSet::from([from.addr]);
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        let peers = node.links.iter().filter_map(|link| snapshot.find(link.addr));
        open.extend(peers.map(|(_, peer)| peer).filter(|peer| peer.survivor && found.insert(peer.addr)));
    }
    found
}

fn truthful(node: &NodeSnap) -> Held {
    let own = match node.advert_of(node.addr) {
        Some(own) => own,
        // Who has no neighbours has nobody to tell.
        None if node.links.is_empty() => return Ok(()),
        None => return Err(format!("{} has no advert of its own", node.name)),
    };
    let told: BTreeSet<_> = own.neighbours.iter().map(|(addr, _)| *addr).collect();
    let links: BTreeSet<_> = node.links.iter().map(|link| link.addr).collect();
    if told != links || own.life != node.life || own.transit != node.transit {
        return Err(format!("{} tells {own:?} in life {} and has links to {links:?}", node.name, node.life));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn fires_on_an_advert_that_hides_a_link() {
        let mut snapshot = sample::line();
        for node in &mut snapshot.nodes {
            node.adverts[1].neighbours.pop();
        }
        assert!(RtAgreed.settled(&snapshot).is_err());
    }

    #[test]
    fn fires_on_two_nodes_that_hold_different_adverts() {
        let mut snapshot = sample::line();
        snapshot.nodes[0].adverts[2].seq -= 1;
        assert!(RtAgreed.settled(&snapshot).is_err());
    }

    #[test]
    fn what_only_a_broken_node_passes_on_may_come_late() {
        let mut snapshot = sample::line();
        snapshot.nodes[0].adverts[2].seq -= 1;
        snapshot.nodes[1].survivor = false;
        assert_eq!(RtAgreed.settled(&snapshot), Ok(()));
    }

    #[test]
    fn fires_on_a_node_that_tells_nothing() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].adverts.remove(1);
        assert!(RtAgreed.settled(&snapshot).is_err());
    }
}
