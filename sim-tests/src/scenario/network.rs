//! What the network of a scenario is like.

use serde::{Deserialize, Serialize};

use super::NodeIx;

/// The network while nothing is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Every direction of every pair that `links` does not name.
    pub default: LinkShape,
    /// Directions that differ.
    pub links: Vec<ShapedLink>,
}

/// One direction between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapedLink {
    /// From.
    pub from: NodeIx,
    /// To.
    pub to: NodeIx,
    /// What it is like.
    pub shape: LinkShape,
}

/// What one direction between two nodes is like.
///
/// A stream survives loss, duplication and reordering: there they are delay. Datagrams feel them as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkShape {
    /// Least one-way delay, in microseconds.
    pub latency_us: u32,
    /// Up to so much is added to it, in microseconds.
    pub jitter_us: u32,
    /// Packets lost, in thousandths.
    pub loss_per_mille: u32,
    /// Packets sent twice, in thousandths.
    pub duplicate_per_mille: u32,
    /// Packets that are overtaken, in thousandths.
    pub reorder_per_mille: u32,
    /// Bytes per second; 0: as many as come.
    pub bytes_per_sec: u32,
}

impl LinkShape {
    /// A good local network.
    pub const LAN: Self = Self {
        latency_us: 200,
        jitter_us: 100,
        loss_per_mille: 0,
        duplicate_per_mille: 0,
        reorder_per_mille: 0,
        bytes_per_sec: 0,
    };
}
