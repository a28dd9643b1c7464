//! What the routes should be, computed the slow way.

use std::collections::BTreeMap;

use proto_core::{id::NodeAddr, route::Router, time::Time};

use super::cast::{NODES, addr};

/// The cost of the cheapest way from node 0 to every node within reach: over links that both ends claim, and through
/// nodes that let others through. After Bellman and Ford.
pub(super) fn costs(router: &Router, now: Time, links: &BTreeMap<usize, u32>) -> BTreeMap<NodeAddr, u64> {
    let me = addr(0);
    // What each node claims, and whether others may go through it. Node 0 knows its own links best.
    let mut claims: BTreeMap<NodeAddr, (bool, BTreeMap<NodeAddr, u32>)> = router
        .adverts(now)
        .map(|advert| {
            let neighbours = advert.neighbours.iter().map(|neighbour| (neighbour.node, neighbour.cost));
            (advert.addr, (advert.transit, neighbours.collect()))
        })
        .collect();
    claims.insert(me, (true, links.iter().map(|(peer, cost)| (addr(*peer), *cost)).collect()));

    let mut best = BTreeMap::from([(me, 0_u64)]);
    for _ in 0..NODES {
        for (from, (transit, neighbours)) in &claims {
            let Some(so_far) = best.get(from).copied().filter(|_| *transit) else { continue };
            for (to, cost) in neighbours {
                let both = claims.get(to).is_some_and(|(_, back)| back.contains_key(from));
                let cost = so_far + u64::from(*cost);
                if both && best.get(to).is_none_or(|known| cost < *known) {
                    best.insert(*to, cost);
                }
            }
        }
    }
    best.remove(&me);
    best
}
