//! A sound little mesh for tests to break: `n0 - n1 - n2`, every link costs 1.

use std::sync::Arc;

use io_sim::{HostId, HostSpec};
use proto_core::{
    id::{Incarnation, NodeAddr, NodeName, Seq, Token},
    node::Message,
    time::Time,
};

use super::{Fact, What};
use crate::{
    oracle::{Key, Letter, Oracle, Receivers, Request},
    snapshot::{AdvertSnap, ForwardSnap, LinkSnap, NodeSnap, RouteSnap, Snapshot},
};

/// The message that node 0 has sent to node 2.
pub(super) const KEY: Key = Key { from: HostId(0), life: Incarnation(1), serial: 1 };
/// Names the request that sent it.
pub(super) const TOKEN: Token = Token(10);

pub(super) fn name(node: usize) -> NodeName {
    NodeName::new(&format!("n{node}")).expect("a good name")
}

pub(super) fn addr(node: usize) -> NodeAddr {
    name(node).addr()
}

/// How every node is set.
pub(super) fn spec() -> HostSpec {
    HostSpec::new(name(0))
}

/// The settled mesh, an hour after its start.
pub(super) fn line() -> Snapshot {
    let links = [vec![1], vec![0, 2], vec![1]];
    let node = |place: usize| {
        let mut node = NodeSnap::lonely(name(place));
        node.alive_ms = 3_600_000;
        node.dials = links[place].iter().filter(|peer| **peer > place).map(|peer| addr(*peer)).collect();
        node.links = links[place].iter().map(|peer| link(*peer)).collect();
        node.adverts = (0..3).map(|origin| advert(origin, 5, &links[origin])).collect();
        let others = (0..3).filter(|other| *other != place);
        node.routes = others.clone().map(|dst| route(dst, place.abs_diff(dst) as u32, toward(place, dst))).collect();
        node.forwards = others
            .flat_map(|dst| {
                let from = links[place].iter().map(|peer| Some(*peer)).chain([None]);
                from.map(move |from| forward(dst, from, Some(toward(place, dst)).filter(|next| Some(*next) != from)))
            })
            .collect();
        node
    };
    Snapshot { at_ms: 3_600_000, nodes: (0..3).map(node).collect(), cut_ms: vec![0; 9], wire_ms: 0 }
}

/// The same mesh some time later, having said no more than it must.
pub(super) fn later(snapshot: &Snapshot, by_ms: u64) -> Snapshot {
    let mut later = snapshot.clone();
    later.at_ms += by_ms;
    for node in &mut later.nodes {
        node.alive_ms += by_ms;
        node.counts.frames_out += by_ms / node.timers.heartbeat_ms;
    }
    later
}

fn toward(from: usize, dst: usize) -> usize {
    if dst > from { from + 1 } else { from - 1 }
}

pub(super) fn link(peer: usize) -> LinkSnap {
    LinkSnap { peer: name(peer), addr: addr(peer), life: Incarnation(1), session: 1, cost: 1, queued: 0 }
}

pub(super) fn advert(origin: usize, seq: u64, neighbours: &[usize]) -> AdvertSnap {
    let neighbours = neighbours.iter().map(|node| (addr(*node), 1)).collect();
    AdvertSnap { origin: addr(origin), life: Incarnation(1), seq, transit: true, neighbours }
}

pub(super) fn route(dst: usize, cost: u32, first_hop: usize) -> RouteSnap {
    RouteSnap { dst: addr(dst), cost, first_hops: vec![addr(first_hop)] }
}

pub(super) fn forward(dst: usize, from: Option<usize>, to: Option<usize>) -> ForwardSnap {
    ForwardSnap { dst: addr(dst), flow: 0, from: from.map(addr), to: to.map(addr) }
}

/// Node 0 has sent [`KEY`] to node 2 and asked for the outcome, as [`TOKEN`], within a second of time zero.
pub(super) fn oracle() -> Oracle {
    let mut oracle = Oracle::default();
    for host in 0..3 {
        oracle.started(HostId(host), Incarnation(1));
    }
    assert_eq!(oracle.next_key(HostId(0)), Some(KEY));
    oracle.sent(KEY, letter(None), false);
    let request = Request { message: Some(KEY), what: "send", fresh: false };
    oracle.asked(HostId(0), TOKEN, Some(Time::from_secs(1)), request);
    oracle
}

/// What [`KEY`] is, for this client of node 2.
pub(super) fn letter(to_client: Option<&str>) -> Letter {
    let (to, to_client) = (Receivers::These(vec![HostId(2)]), to_client.map(Arc::from));
    Letter { from: addr(0), from_client: None, to, to_client }
}

/// The message [`KEY`] as its receiver gets it.
pub(super) fn message() -> Message {
    Message {
        from: addr(0),
        incarnation: Incarnation(1),
        seq: Seq(1),
        from_client: None,
        to_client: None,
        payload: KEY.payload(20),
    }
}

pub(super) fn fact<'a>(node: HostId, local: Time, spec: &'a HostSpec, what: What<'a>) -> Fact<'a> {
    Fact { at_ms: local.as_nanos() / 1_000_000, node, life: Incarnation(1), local, spec, what }
}
