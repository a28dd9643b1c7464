//! What every node believes, and what is really so, at one moment. Invariants over state see this and nothing else, so a
//! test can make up a bad one.

use std::time::Duration;

use io_sim::{HostConfig, HostId};
use proto_core::id::{Incarnation, NodeAddr, NodeName};

/// All nodes at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The simulated moment.
    pub at_ms: u64,
    /// The nodes, in the scenario's order.
    pub nodes: Vec<NodeSnap>,
    /// For every pair, how long nothing that `from` sends has been able to reach `to`; 0 if it can. See
    /// [`Snapshot::cut_ms`].
    pub cut_ms: Vec<u64>,
    /// The longest that what is on its way may take to arrive.
    pub wire_ms: u64,
}

/// What a process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alive {
    /// It runs.
    #[default]
    Running,
    /// It is frozen.
    Paused,
    /// There is none.
    Down,
}

/// One node at one moment. Of a node that is down, only the first part has a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSnap {
    /// Its name.
    pub name: NodeName,
    /// Its address.
    pub addr: NodeAddr,
    /// Whether it runs.
    pub alive: Alive,
    /// How long it has been in that state.
    pub alive_ms: u64,
    /// The present life, or the last one.
    pub life: Incarnation,
    /// Whether it must be well after the calm.
    pub survivor: bool,
    /// Whether it forwards for others.
    pub transit: bool,
    /// Its timers.
    pub timers: Timers,
    /// Whom it dials.
    pub dials: Vec<NodeAddr>,
    /// Most of what is its own to bound.
    pub bounds: Bounds,

    /// Its links.
    pub links: Vec<LinkSnap>,
    /// Its routes.
    pub routes: Vec<RouteSnap>,
    /// The adverts it holds, its own included.
    pub adverts: Vec<AdvertSnap>,
    /// Where it would send frames: of every flow that is followed when the mesh should have settled, else of one.
    pub forwards: Vec<ForwardSnap>,
    /// How large its tables and queues are.
    pub sizes: Sizes,
    /// What it has counted in this life.
    pub counts: NodeCounts,
}

/// How much a node of this configuration in this scenario may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Messages before its application.
    pub inbox: usize,
    /// Bytes of one payload.
    pub payload: usize,
    /// Clients that its application ever names.
    pub clients: usize,
}

/// How large the tables and queues of a node are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Messages in the node's own mailbox.
    pub inbox: usize,
    /// Bytes of them.
    pub inbox_bytes: usize,
    /// Bytes of messages that wait for others, or for room before the application.
    pub waiting_bytes: usize,
    /// Clients that are here.
    pub clients: usize,
    /// Messages before all of them.
    pub clients_messages: usize,
    /// Messages before the one that has most.
    pub clients_most: usize,
    /// Bytes before all of them.
    pub clients_bytes: usize,
    /// Nodes that it sends messages to.
    pub flows_out: usize,
    /// Nodes that it gets messages from.
    pub flows_in: usize,
    /// Most messages transmitted and not answered for one receiver.
    pub in_flight: usize,
    /// Most messages waiting or not answered for one receiver.
    pub backlog: usize,
    /// Most bytes of those.
    pub backlog_bytes: usize,
    /// Most messages of one sender that wait.
    pub early: usize,
    /// Most refusals that one sender may not know of.
    pub refused: usize,
    /// Names with a key.
    pub pins: usize,
    /// Peers to dial.
    pub dialers: usize,
    /// Dials under way.
    pub dials: usize,
    /// Channels.
    pub channels: usize,
}

/// The timers of a node that bounds depend on, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    /// Silence after which a link is pinged.
    pub heartbeat_ms: u64,
    /// Silence after which a link is given up.
    pub dead_after_ms: u64,
    /// Time after which an unchanged advert is sent anew.
    pub advert_refresh_ms: u64,
    /// Age at which an advert is dropped.
    pub advert_expiry_ms: u64,
}

impl Timers {
    /// The timers of a configuration.
    #[must_use]
    pub fn of(config: &HostConfig) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            heartbeat_ms: ms(config.heartbeat),
            dead_after_ms: ms(config.dead_after),
            advert_refresh_ms: ms(config.advert_refresh),
            advert_expiry_ms: ms(config.advert_expiry),
        }
    }
}

impl Bounds {
    /// The bounds of a configuration, and of an application that names so many clients.
    #[must_use]
    pub const fn of(config: &HostConfig, clients: usize) -> Self {
        Self { inbox: config.inbox, payload: config.max_payload, clients }
    }
}

/// A link as one end sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSnap {
    /// The name that the other end has proven.
    pub peer: NodeName,
    /// Its address.
    pub addr: NodeAddr,
    /// Which life of it.
    pub life: Incarnation,
    /// The session's number, which both ends must agree on.
    pub session: u64,
    /// What crossing it costs.
    pub cost: u32,
    /// Frames that wait on its lanes.
    pub queued: u64,
}

/// A route as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSnap {
    /// Where to.
    pub dst: NodeAddr,
    /// Cost of the whole way.
    pub cost: u32,
    /// Neighbours that begin a way of that cost.
    pub first_hops: Vec<NodeAddr>,
}

/// An advert that a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertSnap {
    /// Whose.
    pub origin: NodeAddr,
    /// Of which life.
    pub life: Incarnation,
    /// Which one.
    pub seq: u64,
    /// Whether its origin forwards for others.
    pub transit: bool,
    /// The links it tells of, with their cost.
    pub neighbours: Vec<(NodeAddr, u32)>,
}

/// Where a node would send a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardSnap {
    /// Where the frame goes.
    pub dst: NodeAddr,
    /// Its flow.
    pub flow: u16,
    /// The neighbour it came from; `None` if it begins here.
    pub from: Option<NodeAddr>,
    /// The neighbour it is sent to; `None` if it would be dropped.
    pub to: Option<NodeAddr>,
}

/// What a node has counted in this life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// Frames forwarded for others.
    pub forwarded: u64,
    /// Frames dropped at the hop limit.
    pub dropped_hop_limit: u64,
    /// Inputs that broke the core's contract.
    pub misuse: u64,
    /// Requests of neighbours that were dropped as too many.
    pub over_budget: u64,
    /// Frames put on lanes.
    pub frames_out: u64,
    /// Messages whose outcome is awaited.
    pub unanswered: u64,
    /// Computations of paths.
    pub path_runs: u64,
}

impl Snapshot {
    /// For how long nothing that `from` sends has been able to reach `to`.
    #[must_use]
    pub fn cut_ms(&self, from: HostId, to: HostId) -> u64 {
        self.cut_ms.get(from.0 as usize * self.nodes.len() + to.0 as usize).copied().unwrap_or(0)
    }

    /// Every node with its host.
    pub fn hosts(&self) -> impl Iterator<Item = (HostId, &NodeSnap)> {
        (0..).map(HostId).zip(&self.nodes)
    }

    /// The node of an address, with its host.
    #[must_use]
    pub fn find(&self, addr: NodeAddr) -> Option<(HostId, &NodeSnap)> {
        self.hosts().find(|(_, node)| node.addr == addr)
    }

    /// Nodes that run.
    pub fn running(&self) -> impl Iterator<Item = (HostId, &NodeSnap)> {
        self.hosts().filter(|(_, node)| node.alive == Alive::Running)
    }

    /// Nodes that must be well after the calm.
    pub fn survivors(&self) -> impl Iterator<Item = (HostId, &NodeSnap)> {
        self.hosts().filter(|(_, node)| node.survivor)
    }
}

impl NodeSnap {
    /// A running node that knows nobody.
    #[must_use]
    pub fn lonely(name: NodeName) -> Self {
        Self {
            addr: name.addr(),
            name,
            alive: Alive::Running,
            alive_ms: 0,
            life: Incarnation(1),
            survivor: true,
            transit: true,
            timers: Timers::of(&HostConfig::default()),
            dials: Vec::new(),
            bounds: Bounds::of(&HostConfig::default(), 0),
            links: Vec::new(),
            routes: Vec::new(),
            adverts: Vec::new(),
            forwards: Vec::new(),
            sizes: Sizes::default(),
            counts: NodeCounts::default(),
        }
    }

    /// Its link to a node.
    #[must_use]
    pub fn link_to(&self, addr: NodeAddr) -> Option<&LinkSnap> {
        self.links.iter().find(|link| link.addr == addr)
    }

    /// Its route to a node.
    #[must_use]
    pub fn route_to(&self, addr: NodeAddr) -> Option<&RouteSnap> {
        self.routes.iter().find(|route| route.dst == addr)
    }

    /// The advert of a node that it holds.
    #[must_use]
    pub fn advert_of(&self, addr: NodeAddr) -> Option<&AdvertSnap> {
        self.adverts.iter().find(|advert| advert.origin == addr)
    }
}
