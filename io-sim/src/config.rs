//! A host as data: what a scenario says of it.

use core::time::Duration;
use std::sync::Arc;

use proto_core::{
    id::{Incarnation, NodeName},
    limits,
    node::{Config, Endpoint, LinkConfig, MessageConfig, Metric, Peer, RouteConfig, Suite},
    pubsub::{HistoryRule, Pattern},
    secure::{Identity, Provider, Psk, PublicKey},
};
use serde::{Deserialize, Serialize};

use crate::time::SimTime;

/// The port that every host listens on.
pub const PORT: u16 = 29_090;

/// A host to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSpec {
    /// Its node's name, which is also how others dial it. Unique.
    pub name: NodeName,
    /// How its node is configured.
    #[serde(default)]
    pub template: HostConfig,
    /// How fast its clock runs, in parts per million too much.
    #[serde(default)]
    pub clock_ppm: i32,
    /// When it starts for the first time.
    #[serde(default)]
    pub start_at: SimTime,
}

impl HostSpec {
    /// A host with every default, which starts at once.
    #[must_use]
    pub fn new(name: NodeName) -> Self {
        Self { name, template: HostConfig::default(), clock_ppm: 0, start_at: SimTime::ZERO }
    }
}

/// A peer to dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSpec {
    /// The peer's host.
    pub name: NodeName,
    /// Added to the measured cost of the link.
    #[serde(default)]
    pub cost: u32,
}

/// How a host's node, disk and application are. What is not named in a scenario file has its default, which is the
/// node's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostConfig {
    /// The mesh's token.
    pub token: String,
    /// The mesh's name.
    pub network: String,
    /// Cipher suite that it dials with.
    pub suite: Suite,
    /// Peers to dial.
    pub peers: Vec<PeerSpec>,
    /// Names that may link; empty: any.
    pub allow: Vec<String>,
    /// Whether it forwards for others.
    pub transit: bool,
    /// What a link costs.
    pub metric: Metric,
    /// Links a frame may cross.
    pub max_hops: u8,
    /// Silence after which a link is pinged.
    pub heartbeat: Duration,
    /// Silence after which a link is given up.
    pub dead_after: Duration,
    /// Time that a dial may take.
    pub dial_timeout: Duration,
    /// Time a handshake may take.
    pub handshake_timeout: Duration,
    /// First pause before dialling again.
    pub reconnect_initial: Duration,
    /// Longest pause before dialling again.
    pub reconnect_max: Duration,
    /// Accepted channels per second.
    pub accepts_per_sec: u32,
    /// Frames that may wait on the data lane of a link.
    pub send_queue: usize,
    /// Least time between two adverts of this node.
    pub advert_interval_min: Duration,
    /// Time after which an unchanged advert is sent anew.
    pub advert_refresh: Duration,
    /// Age at which an advert is dropped.
    pub advert_expiry: Duration,
    /// Largest payload, in bytes.
    pub max_payload: usize,
    /// Most messages handed to the application and not yet consumed.
    pub inbox: usize,
    /// Longest retransmission timeout of messages.
    pub retry_max: Duration,
    /// Publications of each topic that are kept for subscribers that come late; 0: none.
    pub history: usize,
    /// How long the application leaves messages lying before it takes all that have come, and how
    /// long its handlers run. Long: a slow application.
    pub consume_after: Duration,
    /// How long the disk takes to make something durable.
    pub sync_latency: Duration,
    /// How long a graceful stop may take.
    pub drain: Duration,
}

impl Default for HostConfig {
    fn default() -> Self {
        let (link, route, message) = (LinkConfig::default(), RouteConfig::default(), MessageConfig::default());
        Self {
            token: String::from("token"),
            network: String::from("default"),
            suite: link.suite,
            peers: Vec::new(),
            allow: Vec::new(),
            transit: route.transit,
            metric: route.metric,
            max_hops: route.max_hops,
            heartbeat: link.heartbeat,
            dead_after: link.dead_after,
            dial_timeout: link.dial_timeout,
            handshake_timeout: link.handshake_timeout,
            reconnect_initial: link.reconnect_initial,
            reconnect_max: link.reconnect_max,
            accepts_per_sec: link.accepts_per_sec,
            send_queue: link.send_queue,
            advert_interval_min: route.advert_interval_min,
            advert_refresh: route.advert_refresh,
            advert_expiry: route.advert_expiry,
            max_payload: message.max_payload,
            inbox: message.inbox,
            retry_max: message.retry_max,
            history: 0,
            consume_after: Duration::from_micros(50),
            sync_latency: Duration::from_millis(2),
            drain: limits::MESSAGE_DEADLINE,
        }
    }
}

/// What a start adds to a [`HostConfig`].
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) name: NodeName,
    pub(crate) identity: Arc<Identity>,
    pub(crate) incarnation: Incarnation,
    pub(crate) provider: &'static dyn Provider,
    pub(crate) seed: [u8; 32],
    pub(crate) secret_seed: [u8; 32],
    pub(crate) pins: Vec<(NodeName, PublicKey)>,
}

impl HostConfig {
    /// The node's configuration.
    pub(crate) fn node(&self, birth: Birth) -> Config {
        let Birth { name, identity, incarnation, provider, seed, secret_seed, pins } = birth;
        let mut config = Config::new(name, identity, incarnation, provider);
        config.network = Arc::from(self.network.as_str());
        config.psks = vec![Psk::from_token(self.token.as_bytes())];
        (config.seed, config.secret_seed, config.pins) = (seed, secret_seed, pins);
        config.peers = self.peers();
        (config.link, config.route, config.message) = (self.link(), self.route(), self.message());
        config.topics.history = self.history_rule().into_iter().collect();
        config
    }

    /// How the node's links are configured.
    #[must_use]
    pub fn link(&self) -> LinkConfig {
        LinkConfig {
            heartbeat: self.heartbeat,
            dead_after: self.dead_after,
            dial_timeout: self.dial_timeout,
            handshake_timeout: self.handshake_timeout,
            reconnect_initial: self.reconnect_initial,
            reconnect_max: self.reconnect_max,
            accepts_per_sec: self.accepts_per_sec,
            send_queue: self.send_queue,
            allow: self.allow.iter().map(|name| Arc::from(name.as_str())).collect(),
            suite: self.suite,
            ..LinkConfig::default()
        }
    }

    /// How the node's routing is configured.
    #[must_use]
    pub fn route(&self) -> RouteConfig {
        RouteConfig {
            metric: self.metric,
            transit: self.transit,
            max_hops: self.max_hops,
            advert_interval_min: self.advert_interval_min,
            advert_refresh: self.advert_refresh,
            advert_expiry: self.advert_expiry,
        }
    }

    /// How the node's messages are configured.
    #[must_use]
    pub fn message(&self) -> MessageConfig {
        MessageConfig { max_payload: self.max_payload, inbox: self.inbox, retry_max: self.retry_max }
    }

    /// What the node keeps of topics, if anything.
    fn history_rule(&self) -> Option<HistoryRule> {
        let pattern = Pattern::new(">").ok().filter(|_| self.history > 0)?;
        Some(HistoryRule { pattern, messages: self.history, bytes: limits::HISTORY_BYTES, age: None })
    }

    /// The peers that the node dials.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.peers.iter().map(peer).collect()
    }
}

/// Where a host is dialled.
pub(crate) fn endpoint(name: &NodeName) -> Endpoint {
    Endpoint::new(&format!("tcp://{name}:{PORT}"))
}

fn peer(spec: &PeerSpec) -> Peer {
    Peer { name: Some(spec.name.clone()), endpoints: vec![endpoint(&spec.name)], cost: spec.cost }
}
