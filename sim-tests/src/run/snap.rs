//! What nodes believe, taken from their read-only views.

use io_sim::HostId;
use proto_core::{id::NodeAddr, link::Links, node::Node, probe::Counter, route::Router, time::Time};

use super::theatre::Sight;
use crate::{
    scenario::Scenario,
    snapshot::{AdvertSnap, ForwardSnap, LinkSnap, NodeCounts, NodeSnap, RouteSnap, Snapshot, Timers},
};

/// Flows that are followed through the mesh: enough to see several of several equal ways.
const FLOWS: [u16; 3] = [0, 1, 0x9e37];

/// Snapshots of one world. Keeps its memory from one to the next.
#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) snapshot: Snapshot,
}

impl Camera {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let nodes = scenario.ids().zip(&scenario.hosts).map(|(host, spec)| {
            let mut node = NodeSnap::lonely(spec.name.clone());
            node.survivor = scenario.survives(host);
            node.transit = spec.template.transit;
            node.timers = Timers::of(&spec.template);
            node.dials = spec.template.peers.iter().map(|peer| peer.name.addr()).collect();
            node
        });
        Self { snapshot: Snapshot { nodes: nodes.collect(), ..Snapshot::default() } }
    }

    /// Takes in what every node believes now; where frames would go only if `forwards`.
    pub(crate) fn shoot(&mut self, world: &impl Sight, forwards: bool) {
        self.snapshot.at_ms = world.now().as_millis();
        let everyone: Vec<NodeAddr> = self.snapshot.nodes.iter().map(|node| node.addr).collect();
        for (host, snap) in (0..).map(HostId).zip(&mut self.snapshot.nodes) {
            snap.links.clear();
            snap.routes.clear();
            snap.adverts.clear();
            snap.forwards.clear();
            snap.counts = NodeCounts::default();
            world.show(host, snap, forwards.then_some(&everyone));
        }
    }
}

/// Fills in what a node believes; for everyone in `follow`, also where it would send frames. `now` is on its own clock.
pub(crate) fn believe(snap: &mut NodeSnap, node: &Node, now: Time, follow: Option<&[NodeAddr]>) {
    snap.links.extend(node.links().views().map(|link| LinkSnap {
        peer: link.peer.clone(),
        addr: link.addr,
        life: link.incarnation,
        session: link.session,
        cost: link.cost,
        queued: link.queued.iter().map(|frames| *frames as u64).sum(),
    }));
    snap.routes.extend(node.router().routes().map(|route| RouteSnap {
        dst: route.node,
        cost: route.cost,
        first_hops: route.via.iter().map(|via| via.peer).collect(),
    }));
    snap.adverts.extend(node.router().adverts(now).map(|advert| AdvertSnap {
        origin: advert.addr,
        life: advert.incarnation,
        seq: advert.seq,
        transit: advert.transit,
        neighbours: advert.neighbours.iter().map(|neighbour| (neighbour.node, neighbour.cost)).collect(),
    }));
    let count = |counter| node.probe().get(counter);
    snap.counts = NodeCounts {
        forwarded: count(Counter::Forwarded),
        dropped_hop_limit: count(Counter::DroppedHopLimit),
        misuse: count(Counter::Misuse),
        over_budget: count(Counter::OverBudget),
        frames_out: count(Counter::FramesOut),
        unanswered: node.messages().unanswered(),
    };
    if let Some(everyone) = follow {
        follow_frames(snap, node.links(), node.router(), everyone);
    }
}

/// Asks where frames to everyone would go, whether they begin here or come in by any link.
fn follow_frames(snap: &mut NodeSnap, links: &Links, router: &Router, everyone: &[NodeAddr]) {
    let ways: Vec<_> = links.views().map(|link| (link.link, link.addr)).collect();
    let peer_of = |sought| ways.iter().find(|(link, _)| *link == sought).map(|(_, addr)| *addr);
    for dst in everyone.iter().filter(|dst| **dst != snap.addr) {
        for flow in FLOWS {
            let mut ask = |from: Option<_>| {
                let to = router.next_hop(*dst, flow, from).ok().and_then(&peer_of);
                snap.forwards.push(ForwardSnap { dst: *dst, flow, from: from.and_then(&peer_of), to });
            };
            ask(None);
            ways.iter().for_each(|(link, _)| ask(Some(*link)));
        }
    }
}
