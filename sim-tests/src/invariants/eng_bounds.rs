//! Every table and queue keeps to its bound, a node knows no more nodes than there are, and no neighbour that keeps the
//! protocol is taken for one that asks too much.
//!
//! What grows without a bound is a leak or an attack (C4; law L9 of the core).

use proto_core::limits;

use super::{Held, Invariant};
use crate::snapshot::{NodeSnap, Snapshot};

#[derive(Debug)]
pub(super) struct EngBounds;

impl Invariant for EngBounds {
    fn id(&self) -> &'static str {
        "eng_bounds"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        let mesh = snapshot.nodes.len();
        snapshot.running().try_for_each(|(_, node)| check(node, mesh))
    }
}

fn check(node: &NodeSnap, mesh: usize) -> Held {
    let lanes = limits::LANE_CONTROL_FRAMES + limits::LANE_DATA_FRAMES + limits::LANE_BULK_FRAMES;
    let queued = node.links.iter().map(|link| link.queued as usize).max().unwrap_or(0);
    let measured = [
        ("links that are up", node.links.len(), mesh - 1),
        ("routes", node.routes.len(), mesh - 1),
        ("adverts", node.adverts.len(), mesh),
        ("frames on the lanes of one link", queued, lanes),
        ("requests of neighbours dropped as too many", node.counts.over_budget as usize, 0),
        ("unanswered messages", node.counts.unanswered as usize, mesh * limits::FLOW_QUEUE_MESSAGES),
    ];
    match measured.iter().find(|(_, has, most)| has > most) {
        Some((what, has, most)) => Err(format!("{} has {has} {what}; the most is {most}", node.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn after(change: impl FnOnce(&mut NodeSnap)) -> Held {
        let mut snapshot = sample::line();
        change(&mut snapshot.nodes[0]);
        EngBounds.always(&snapshot)
    }

    #[test]
    fn fires_on_every_bound() {
        assert!(after(|node| node.links = vec![sample::link(1); 3]).is_err());
        assert!(after(|node| node.routes = vec![sample::route(1, 1, 1); 3]).is_err());
        assert!(after(|node| node.adverts = vec![sample::advert(1, 1, &[]); 4]).is_err());
        assert!(after(|node| node.links[0].queued = 1_000_000).is_err());
        assert!(after(|node| node.counts.unanswered = 1_000_000).is_err());
        assert!(after(|node| node.counts.over_budget = 1).is_err());
    }
}
