//! What a node is told once, at its start.

use alloc::{sync::Arc, vec::Vec};
use core::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    id::{Incarnation, NodeName},
    limits,
    secure::{Identity, Provider, Psk, PublicKey},
};

/// Everything that a node is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name.
    pub name: NodeName,
    /// Its key pair.
    pub identity: Arc<Identity>,
    /// Which life this is: larger than in every earlier start.
    pub incarnation: Incarnation,
    /// Nodes of different networks never link.
    pub network: Arc<str>,
    /// The mesh's secrets: the first is used, all are accepted. At least one.
    pub psks: Vec<Psk>,
    /// Where the cryptography comes from.
    pub provider: &'static dyn Provider,
    /// Seeds jitter, tie-breaks and sampling.
    pub seed: [u8; 32],
    /// Seeds keys and nonces; fresh and secret in production.
    pub secret_seed: [u8; 32],
    /// Names and keys from earlier starts.
    pub pins: Vec<(NodeName, PublicKey)>,
    /// Peers to dial.
    pub peers: Vec<Peer>,
    /// Links.
    pub link: LinkConfig,
    /// Routing.
    pub route: RouteConfig,
    /// Messages.
    pub message: MessageConfig,
}

impl Config {
    /// A configuration with every default.
    #[must_use]
    pub fn new(
        name: NodeName,
        identity: Arc<Identity>,
        incarnation: Incarnation,
        provider: &'static dyn Provider,
    ) -> Self {
        Self {
            name,
            identity,
            incarnation,
            network: Arc::from("default"),
            psks: Vec::new(),
            provider,
            seed: [0; 32],
            secret_seed: [0; 32],
            pins: Vec::new(),
            peers: Vec::new(),
            link: LinkConfig::default(),
            route: RouteConfig::default(),
            message: MessageConfig::default(),
        }
    }
}

/// How links behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Silence after which a link is pinged.
    pub heartbeat: Duration,
    /// Silence after which a link is given up; at least twice `heartbeat`.
    pub dead_after: Duration,
    /// Time that the substrate has for a dial; the node gives it up soon after.
    pub dial_timeout: Duration,
    /// Time a handshake may take.
    pub handshake_timeout: Duration,
    /// First pause before dialling again.
    pub reconnect_initial: Duration,
    /// Longest pause before dialling again.
    pub reconnect_max: Duration,
    /// Spread of the pauses, in thousandths.
    pub reconnect_jitter_per_mille: u32,
    /// Accepted channels per second; twice as many in a burst.
    pub accepts_per_sec: u32,
    /// Frames that may wait on the data lane of a link.
    pub send_queue: usize,
    /// Most links.
    pub max_links: usize,
    /// Names that may link; empty: any name with the right token. `*` stands for any run of characters.
    pub allow: Vec<Arc<str>>,
    /// Cipher suite that this node dials with.
    pub suite: Suite,
}

/// The AEAD of Noise links. Both are accepted; the dialling side chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Suite {
    /// `Noise_XXpsk3_25519_AESGCM_BLAKE2s`: fastest where the processor has AES instructions.
    AesGcm,
    /// `Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s`: fastest elsewhere.
    ChaChaPoly,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            heartbeat: limits::HEARTBEAT,
            dead_after: limits::DEAD_AFTER,
            dial_timeout: limits::DIAL_TIMEOUT,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            reconnect_initial: limits::RECONNECT_INITIAL,
            reconnect_max: limits::RECONNECT_MAX,
            reconnect_jitter_per_mille: limits::RECONNECT_JITTER_PER_MILLE,
            accepts_per_sec: limits::ACCEPTS_PER_SEC,
            send_queue: limits::LANE_DATA_FRAMES,
            max_links: limits::LINKS_MAX,
            allow: Vec::new(),
            suite: Suite::AesGcm,
        }
    }
}

/// How routes are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteConfig {
    /// What a link costs.
    pub metric: Metric,
    /// Whether this node forwards for others.
    pub transit: bool,
    /// Links a frame may cross.
    pub max_hops: u8,
    /// Least time between two adverts of this node.
    pub advert_interval_min: Duration,
    /// Time after which an unchanged advert is sent anew.
    pub advert_refresh: Duration,
    /// Age at which an advert is dropped; more than twice `advert_refresh`.
    pub advert_expiry: Duration,
}

/// What a link costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Metric {
    /// Its smoothed round-trip time, in units of 100 microseconds, plus the configured cost.
    Latency,
    /// One, plus the configured cost.
    Hops,
    /// The configured cost alone; one where none is configured.
    Cost,
}

impl Default for RouteConfig {
    fn default() -> Self {
        Self {
            metric: Metric::Latency,
            transit: true,
            max_hops: limits::HOPS_MAX,
            advert_interval_min: limits::ADVERT_INTERVAL_MIN,
            advert_refresh: limits::ADVERT_REFRESH,
            advert_expiry: limits::ADVERT_EXPIRY,
        }
    }
}

/// How messages are sent and taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageConfig {
    /// Largest payload, in bytes.
    pub max_payload: usize,
    /// Most messages handed to the application and not yet consumed: for the node itself, and again for all its clients.
    pub inbox: usize,
    /// Longest retransmission timeout.
    pub retry_max: Duration,
}

impl Default for MessageConfig {
    fn default() -> Self {
        Self { max_payload: limits::PAYLOAD_MAX, inbox: limits::INBOX_MESSAGES, retry_max: limits::RETRY_MAX }
    }
}

/// A peer to dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Who must answer; `None`: whoever holds the token.
    pub name: Option<NodeName>,
    /// Where it may be reached, tried in turn. Not empty.
    pub endpoints: Vec<Endpoint>,
    /// Added to the measured cost of the link.
    pub cost: u32,
}

/// Where to dial, as the substrate understands it: `tcp://10.0.0.1:29090`. Opaque to the core.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint(pub Arc<str>);

impl Endpoint {
    /// The endpoint of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::string::String::deserialize(deserializer)?;
        Ok(Self(Arc::from(text)))
    }
}
