//! What a handle tells of peers and routes: copies, free of the node.

use std::{sync::Arc, time::Duration};

use proto_core::{
    error::CloseReason,
    id::{Incarnation, NodeAddr, NodeName},
    link::{DialerState, DialerView, LinkView},
    node::{Endpoint, Node},
    route::Reason,
    time::Time,
};

/// A neighbour, or a peer that should be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its name, once known.
    pub name: Option<NodeName>,
    /// The link to it, if it is up.
    pub link: Option<LinkInfo>,
    /// How it is dialled, if this node dials it.
    pub dial: Option<DialInfo>,
}

/// A link that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Which life of the peer.
    pub incarnation: Incarnation,
    /// Its transport address.
    pub remote: Arc<str>,
    /// Whether this node dialled it.
    pub dialled: bool,
    /// How long it has been up.
    pub up_for: Duration,
    /// Its smoothed round trip, once measured.
    pub rtt: Option<Duration>,
    /// The smoothed share of pings without an answer, in thousandths.
    pub loss_per_mille: u32,
    /// What crossing it costs.
    pub cost: u32,
    /// Frames received.
    pub frames_in: u64,
    /// Frames put on its lanes.
    pub frames_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Frames that wait on its lanes: control, data, bulk.
    pub queued: [usize; 3],
    /// Bytes that wait on its lanes.
    pub queued_bytes: usize,
}

/// How a peer is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialInfo {
    /// The endpoint that is dialled now, or next.
    pub endpoint: Option<Endpoint>,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last attempt or link ended.
    pub last_reason: Option<CloseReason>,
    /// What the operating system or TLS said of the endpoint, if it could not be reached.
    pub last_error: Option<String>,
    /// How long until the next dial, if one is due without anything else happening.
    pub retry_in: Option<Duration>,
}

/// The way to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// The node.
    pub node: NodeName,
    /// Its address.
    pub addr: NodeAddr,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// What the way costs.
    pub cost: u32,
    /// How many links it has.
    pub hops: u8,
    /// The neighbours it may begin with, all equally good.
    pub via: Vec<NodeName>,
    /// Why this way.
    pub reason: Reason,
}

/// Every neighbour and every peer that is dialled: links first, then those without one.
pub(crate) fn peers(node: &Node, now: Time) -> Vec<PeerInfo> {
    let mut dialers: Vec<DialerView<'_>> = node.links().dialers().collect();
    let mut peers: Vec<PeerInfo> = node
        .links()
        .views()
        .map(|link| {
            let dialer =
                dialers.iter().position(|dialer| matches!(dialer.state, DialerState::Linked(id) if id == link.link));
            let dial = dialer.map(|at| dial(&dialers.remove(at), now));
            PeerInfo { name: Some(link.peer.clone()), link: Some(self::link(&link, now)), dial }
        })
        .collect();
    peers.extend(dialers.iter().map(|dialer| PeerInfo {
        name: dialer.peer.cloned(),
        link: None,
        dial: Some(dial(dialer, now)),
    }));
    peers
}

/// The ways to all other nodes within reach.
pub(crate) fn routes(node: &Node) -> Vec<RouteInfo> {
    let name = |addr: NodeAddr| node.name_of(addr).cloned();
    node.router()
        .routes()
        .map(|route| RouteInfo {
            node: route.name.clone(),
            addr: route.node,
            incarnation: route.incarnation,
            cost: route.cost,
            hops: route.hops,
            via: route.via.iter().filter_map(|via| name(via.peer)).collect(),
            reason: route.reason,
        })
        .collect()
}

fn link(link: &LinkView<'_>, now: Time) -> LinkInfo {
    LinkInfo {
        incarnation: link.incarnation,
        remote: Arc::clone(link.remote),
        dialled: link.dialled,
        up_for: now - link.up_since,
        rtt: link.srtt,
        loss_per_mille: link.loss_per_mille,
        cost: link.cost,
        frames_in: link.frames_in,
        frames_out: link.frames_out,
        bytes_in: link.bytes_in,
        bytes_out: link.bytes_out,
        queued: link.queued,
        queued_bytes: link.queued_bytes,
    }
}

fn dial(dialer: &DialerView<'_>, now: Time) -> DialInfo {
    DialInfo {
        endpoint: dialer.endpoint.cloned(),
        failures: dialer.failures,
        last_reason: dialer.last_reason,
        last_error: None,
        retry_in: dialer.next_attempt.map(|at| at - now),
    }
}
