//! One node of a scenario.

use proto_core::node::Metric;
use serde::{Deserialize, Serialize};

use super::NodeIx;

/// One node: whom it dials and how it is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its name; unique.
    pub name: String,
    /// Whom it dials. A pair of nodes that dial each other opens links from both sides at once.
    pub dials: Vec<Dial>,
    /// Its timers.
    pub timers: Timers,
    /// Whether it forwards for others.
    pub transit: bool,
    /// What a link costs.
    pub metric: Metric,
    /// By how many millionths its clock is too fast.
    pub clock_ppm: i32,
    /// Frames that may wait on the data lane of a link.
    pub send_queue: u32,
    /// Messages that may wait for its application.
    pub inbox: u32,
    /// How its application takes messages.
    pub app: App,
}

/// A peer that a node dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dial {
    /// Whom.
    pub to: NodeIx,
    /// Added to the measured cost of the link.
    pub cost: u32,
}

/// How an application takes the messages that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum App {
    /// At once.
    Prompt,
    /// So many per second.
    Slow {
        /// Messages per second; at least 1.
        per_sec: u32,
    },
}

/// The timers of a node, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timers {
    /// Silence after which a link is pinged.
    pub heartbeat_ms: u32,
    /// Silence after which a link is given up.
    pub dead_after_ms: u32,
    /// Time a handshake may take.
    pub handshake_ms: u32,
    /// First pause before dialling again.
    pub reconnect_initial_ms: u32,
    /// Longest pause before dialling again.
    pub reconnect_max_ms: u32,
    /// Least time between two adverts of the node.
    pub advert_interval_ms: u32,
    /// Time after which an unchanged advert is sent anew.
    pub advert_refresh_ms: u32,
    /// Age at which an advert is dropped.
    pub advert_expiry_ms: u32,
}

impl Default for Timers {
    /// Faster than the defaults for people, so that a minute of simulated time holds several failures.
    fn default() -> Self {
        Self {
            heartbeat_ms: 500,
            dead_after_ms: 2_000,
            handshake_ms: 2_000,
            reconnect_initial_ms: 200,
            reconnect_max_ms: 2_000,
            advert_interval_ms: 100,
            advert_refresh_ms: 10_000,
            advert_expiry_ms: 30_000,
        }
    }
}
