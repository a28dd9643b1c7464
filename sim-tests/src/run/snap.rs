//! What nodes believe, taken from their read-only views.

use std::collections::BTreeSet;

use io_sim::HostId;
use proto_core::{id::NodeAddr, link::Links, node::Node, probe::Counter, route::Router, time::Time};

use super::theatre::Sight;
use crate::{
    scenario::{Op, Scenario},
    snapshot::{AdvertSnap, Bounds, ForwardSnap, LinkSnap, NodeCounts, NodeSnap, RouteSnap, Sizes, Snapshot, Timers},
};

/// Flows that are followed through the mesh: enough to see several of several equal ways.
const FLOWS: [u16; 3] = [0, 1, 0x9e37];

/// Which frames to ask for, where they would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// None.
    Nothing,
    /// Those of one flow, another one each time.
    Sample(u32),
    /// Those of every flow.
    Everything,
}

impl Follow {
    const fn flows(self) -> &'static [u16] {
        match self {
            Self::Nothing => &[],
            Self::Sample(turn) => match turn % 3 {
                0 => FLOWS.split_at(1).0,
                1 => FLOWS.split_at(1).1.split_at(1).0,
                _ => FLOWS.split_at(2).1,
            },
            Self::Everything => &FLOWS,
        }
    }
}

/// Snapshots of one world. Keeps its memory from one to the next.
#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) snapshot: Snapshot,
    everyone: Vec<NodeAddr>,
}

impl Camera {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let nodes = scenario.ids().zip(&scenario.hosts).map(|(host, spec)| {
            let mut node = NodeSnap::lonely(spec.name.clone());
            node.survivor = scenario.survives(host);
            node.transit = spec.template.transit;
            node.timers = Timers::of(&spec.template);
            node.bounds = Bounds::of(&spec.template, clients(scenario, host));
            node.dials = spec.template.peers.iter().map(|peer| peer.name.addr()).collect();
            node
        });
        let snapshot = Snapshot { nodes: nodes.collect(), ..Snapshot::default() };
        Self { everyone: snapshot.nodes.iter().map(|node| node.addr).collect(), snapshot }
    }

    /// Takes in what every node believes now.
    pub(crate) fn shoot(&mut self, world: &impl Sight, follow: Follow) {
        self.snapshot.at_ms = world.now().as_millis();
        for (host, snap) in (0..).map(HostId).zip(&mut self.snapshot.nodes) {
            snap.links.clear();
            snap.routes.clear();
            snap.adverts.clear();
            snap.forwards.clear();
            (snap.counts, snap.sizes) = (NodeCounts::default(), Sizes::default());
            world.show(host, snap, follow, &self.everyone);
        }
    }
}

/// How many clients an application ever names: those of the workload, and the one of the calm.
fn clients(scenario: &Scenario, host: HostId) -> usize {
    let names = scenario.workload.iter().filter_map(|timed| match &timed.op {
        Op::Client { at, client, .. } if *at == host => Some(client),
        Op::Client { .. }
        | Op::Send { .. }
        | Op::SendToClient { .. }
        | Op::SendMany { .. }
        | Op::Broadcast { .. }
        | Op::Trace { .. }
        | Op::FindNode { .. }
        | Op::Service(_) => None,
    });
    names.collect::<BTreeSet<_>>().len() + 1
}

/// Fills in what a node believes, and where it would send frames to everyone. `now` is on its own clock.
pub(crate) fn believe(snap: &mut NodeSnap, node: &Node, now: Time, follow: Follow, everyone: &[NodeAddr]) {
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
        path_runs: count(Counter::SpfRuns),
    };
    snap.sizes = sizes(node);
    follow_frames(snap, node.links(), node.router(), follow.flows(), everyone);
}

fn sizes(node: &Node) -> Sizes {
    let (links, messages) = (node.links(), node.messages());
    let inbox = messages.inbox();
    let mut sizes = Sizes {
        inbox: inbox.messages,
        inbox_bytes: inbox.bytes,
        waiting_bytes: inbox.waiting_bytes,
        clients: inbox.clients.count,
        clients_messages: inbox.clients.messages,
        clients_most: inbox.clients.most,
        clients_bytes: inbox.clients.bytes,
        pins: node.pins().len(),
        dialers: links.dialers().count(),
        dials: links.dials(),
        channels: links.channels(),
        ..Sizes::default()
    };
    for flow in messages.outflows() {
        sizes.flows_out += 1;
        sizes.in_flight = sizes.in_flight.max(flow.in_flight);
        sizes.backlog = sizes.backlog.max(flow.in_flight + flow.waiting);
        sizes.backlog_bytes = sizes.backlog_bytes.max(flow.bytes);
    }
    for flow in messages.inflows() {
        sizes.flows_in += 1;
        sizes.early = sizes.early.max(flow.waiting);
        sizes.refused = sizes.refused.max(flow.refused);
    }
    sizes
}

/// Asks where frames to everyone would go, whether they begin here or come in by any link.
fn follow_frames(snap: &mut NodeSnap, links: &Links, router: &Router, flows: &[u16], everyone: &[NodeAddr]) {
    let ways: Vec<_> = links.views().map(|link| (link.link, link.addr)).collect();
    let peer_of = |sought| ways.iter().find(|(link, _)| *link == sought).map(|(_, addr)| *addr);
    for dst in everyone.iter().filter(|dst| **dst != snap.addr) {
        for flow in flows.iter().copied() {
            let mut ask = |from: Option<_>| {
                let to = router.next_hop(*dst, flow, from).ok().and_then(&peer_of);
                snap.forwards.push(ForwardSnap { dst: *dst, flow, from: from.and_then(&peer_of), to });
            };
            ask(None);
            ways.iter().for_each(|(link, _)| ask(Some(*link)));
        }
    }
}
