//! In a settled mesh every frame that has a route arrives: the next hops towards a destination form a tree with the
//! destination at its root.
//!
//! The property that link-state routing buys with a copy of the whole graph at every node (RT2; RFC 2328 §16). Followed
//! hop by hop as frames go, with the link a frame came in by, for several flows where there are several equal ways.

use proto_core::id::NodeAddr;

use super::{Held, Invariant};
use crate::snapshot::{Alive, NodeSnap, Snapshot};

#[derive(Debug)]
pub(super) struct RtLoopFree;

impl Invariant for RtLoopFree {
    fn id(&self) -> &'static str {
        "rt_loop_free"
    }

    fn settled(&mut self, snapshot: &Snapshot) -> Held {
        for (_, source) in snapshot.survivors() {
            for route in &source.routes {
                for start in source.forwards.iter().filter(|start| start.dst == route.dst && start.from.is_none()) {
                    walk(snapshot, source, start.dst, start.flow)
                        .map(|_| ())
                        .map_err(|why| format!("a frame from {} to {}: {why}", source.name, start.dst))?;
                }
            }
        }
        Ok(())
    }
}

/// Follows a frame and returns the nodes that forward it on its way.
///
/// # Errors
/// Where it gets lost.
pub(super) fn walk<'a>(
    snapshot: &'a Snapshot,
    source: &'a NodeSnap,
    dst: NodeAddr,
    flow: u16,
) -> Result<Vec<&'a NodeSnap>, String> {
    let (mut here, mut from, mut through) = (source, None, Vec::new());
    while through.len() <= snapshot.nodes.len() {
        let way = here.forwards.iter().find(|way| way.dst == dst && way.flow == flow && way.from == from);
        let next = way.and_then(|way| way.to).and_then(|next| snapshot.find(next)).map(|(_, node)| node);
        let Some(next) = next else { return Err(format!("it is dropped by {}", here.name)) };
        if next.alive != Alive::Running || next.link_to(here.addr).is_none() {
            return Err(format!("{} sends it to {}, which does not hear it", here.name, next.name));
        }
        if next.addr == dst {
            return Ok(through);
        }
        (from, here) = (Some(here.addr), next);
        through.push(next);
    }
    let names: Vec<_> = through.iter().map(|node| node.name.as_str()).collect();
    Err(format!("it goes round and round: {}", names.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn fires_on_a_black_hole() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].forwards.clear();
        assert!(RtLoopFree.settled(&snapshot).is_err_and(|why| why.contains("dropped by n1")));
    }

    #[test]
    fn fires_on_a_loop() {
        let mut snapshot = sample::line();
        let triangle = [(0, None, 1), (0, Some(2), 1), (1, Some(0), 2), (2, Some(1), 0)];
        let far = sample::addr(3);
        for (node, from, to) in triangle {
            let mut way = sample::forward(to, from, Some(to));
            way.dst = far;
            snapshot.nodes[node].forwards.push(way);
        }
        snapshot.nodes[2].links.push(sample::link(0));
        snapshot.nodes[0].links.push(sample::link(2));
        snapshot.nodes[0].routes.push(sample::route(3, 2, 1));
        assert!(RtLoopFree.settled(&snapshot).is_err_and(|why| why.contains("round and round")));
    }

    #[test]
    fn fires_on_a_frame_sent_to_a_dead_node() {
        let mut snapshot = sample::line();
        snapshot.nodes[2].alive = Alive::Down;
        assert!(RtLoopFree.settled(&snapshot).is_err_and(|why| why.contains("does not hear it")));
    }
}
