//! In a settled mesh a route exists exactly where a way of live links exists, and costs what the cheapest one costs.
//!
//! Compared with a plain Dijkstra (1959) over the links that both ends hold, which shares no code with the router (RT3).
//! A link costs what its own end last told the mesh: costs that drift are told seldom, on purpose. Nodes without transit are ends of ways, never parts of them.

use std::collections::BTreeMap;

use io_sim::HostId;
use proto_core::id::NodeAddr;

use super::{Held, Invariant};
use crate::snapshot::{Alive, Snapshot};

#[derive(Debug)]
pub(super) struct RtComplete;

impl Invariant for RtComplete {
    fn id(&self) -> &'static str {
        "rt_complete"
    }

    fn settled(&mut self, snapshot: &Snapshot) -> Held {
        for (source, node) in snapshot.survivors() {
            let costs = cheapest(snapshot, source);
            for (dst, other) in snapshot.hosts().filter(|(dst, _)| *dst != source) {
                let (has, should) = (node.route_to(other.addr).map(|route| route.cost), costs.get(&dst).copied());
                if has != should {
                    return Err(format!(
                        "{} has a route to {} that costs {has:?}; by the live links it is {should:?}",
                        node.name, other.name
                    ));
                }
            }
            if let Some(stranger) = node.routes.iter().find(|route| snapshot.find(route.dst).is_none()) {
                return Err(format!("{} has a route to {}, which nobody is", node.name, stranger.dst));
            }
        }
        Ok(())
    }
}

/// The cost of the cheapest way from one node to every node that has one, itself included.
pub(crate) fn cheapest(snapshot: &Snapshot, source: HostId) -> BTreeMap<HostId, u32> {
    let mut done = BTreeMap::new();
    let mut open = BTreeMap::from([(source, 0)]);
    while let Some((here, cost)) = open.iter().min_by_key(|(_, cost)| **cost).map(|(here, cost)| (*here, *cost)) {
        open.remove(&here);
        done.insert(here, cost);
        let node = &snapshot.nodes[here.0 as usize];
        if here != source && !node.transit {
            continue;
        }
        for link in &node.links {
            let Some((next, peer)) = snapshot.find(link.addr) else { continue };
            if done.contains_key(&next) {
                continue;
            }
            if peer.alive == Alive::Running && peer.link_to(node.addr).is_some() {
                let Some(step) = told(snapshot, source, node.addr, link.addr) else { continue };
                let known = open.entry(next).or_insert(u32::MAX);
                *known = (*known).min(cost + step);
            }
        }
    }
    done
}

/// What a link costs by the adverts that a node holds.
fn told(snapshot: &Snapshot, holder: HostId, from: NodeAddr, to: NodeAddr) -> Option<u32> {
    let neighbours = &snapshot.nodes[holder.0 as usize].advert_of(from)?.neighbours;
    neighbours.iter().find(|(addr, _)| *addr == to).map(|(_, cost)| *cost)
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn fires_on_a_missing_route() {
        let mut snapshot = sample::line();
        snapshot.nodes[0].routes.pop();
        assert!(RtComplete.settled(&snapshot).is_err());
    }

    #[test]
    fn fires_on_a_route_that_is_not_the_cheapest() {
        let mut snapshot = sample::line();
        snapshot.nodes[0].routes[1].cost += 1;
        assert!(RtComplete.settled(&snapshot).is_err());
    }

    #[test]
    fn fires_on_a_route_where_there_is_no_way() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].transit = false;
        assert!(RtComplete.settled(&snapshot).is_err());
    }

    #[test]
    fn fires_on_a_route_to_nobody() {
        let mut snapshot = sample::line();
        snapshot.nodes[0].routes.push(sample::route(9, 1, 1));
        assert!(RtComplete.settled(&snapshot).is_err());
    }

    #[test]
    fn the_cheapest_way_is_not_always_the_shortest() {
        let mut snapshot = sample::line();
        snapshot.nodes[0].links.push(sample::link(2));
        snapshot.nodes[2].links.push(sample::link(0));
        for node in &mut snapshot.nodes {
            node.adverts[0].neighbours.push((sample::addr(2), 5));
            node.adverts[2].neighbours.push((sample::addr(0), 1));
        }
        assert_eq!(cheapest(&snapshot, HostId(0)), BTreeMap::from([(HostId(0), 0), (HostId(1), 1), (HostId(2), 2)]));
        assert_eq!(cheapest(&snapshot, HostId(2))[&HostId(0)], 1);
    }
}
