//! What a path between two hosts is like, as data.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// One direction between two hosts. What is not named in a scenario file has its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSpec {
    /// Time that every packet takes.
    pub latency: Duration,
    /// Most that is added to it, drawn evenly for each packet.
    pub jitter: Duration,
    /// Which packets are lost.
    pub loss: Loss,
    /// Datagrams that arrive twice, in thousandths.
    pub duplicate_per_mille: u32,
    /// Datagrams that are held back and so overtaken, in thousandths.
    pub reorder_per_mille: u32,
    /// How long they are held back.
    pub reorder_by: Duration,
    /// Capacity in bytes per second; zero: unlimited.
    pub rate_bytes_per_s: u64,
    /// Bytes that may wait for a limited path. A datagram that finds no room is dropped; a stream waits.
    pub queue_bytes: u64,
    /// Largest packet in bytes. A larger datagram is dropped; streams are cut to fit.
    pub mtu: u16,
    /// Packets with one bit flipped on the way, in thousandths. A datagram arrives so; of a stream the packet is lost,
    /// since the checksum catches it. ([`Fault::Corrupt`](crate::Fault::Corrupt) is for what a checksum misses.)
    pub corrupt_per_mille: u32,
}

impl Default for LinkSpec {
    /// A quiet data centre: half a millisecond, a little jitter, nothing lost.
    fn default() -> Self {
        Self {
            latency: Duration::from_micros(500),
            jitter: Duration::from_micros(100),
            loss: Loss::None,
            duplicate_per_mille: 0,
            reorder_per_mille: 0,
            reorder_by: Duration::from_millis(5),
            rate_bytes_per_s: 0,
            queue_bytes: 256 * 1_024,
            mtu: 1_500,
            corrupt_per_mille: 0,
        }
    }
}

impl LinkSpec {
    /// A path that only takes time.
    #[must_use]
    pub fn with_latency(latency: Duration) -> Self {
        Self { latency, jitter: Duration::ZERO, ..Self::default() }
    }

    /// The same path, losing packets evenly.
    #[must_use]
    pub fn with_loss(self, per_mille: u32) -> Self {
        Self { loss: Loss::Bernoulli { per_mille }, ..self }
    }
}

/// Which packets are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each one with the same chance.
    Bernoulli {
        /// The chance, in thousandths.
        per_mille: u32,
    },
    /// In bursts: the path is good or bad, changes now and then, and loses more when it is bad.
    GilbertElliott {
        /// Chance per packet that a good path turns bad, in thousandths.
        to_bad_per_mille: u32,
        /// Chance per packet that a bad path turns good, in thousandths.
        to_good_per_mille: u32,
        /// Packets lost while good, in thousandths.
        good_per_mille: u32,
        /// Packets lost while bad, in thousandths.
        bad_per_mille: u32,
    },
}

impl Loss {
    /// Whether no packet ever gets through.
    #[must_use]
    pub const fn is_total(self) -> bool {
        match self {
            Self::None => false,
            Self::Bernoulli { per_mille } => per_mille >= 1_000,
            Self::GilbertElliott { good_per_mille, bad_per_mille, .. } => {
                good_per_mille >= 1_000 && bad_per_mille >= 1_000
            }
        }
    }
}
