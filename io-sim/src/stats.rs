//! What a world has done so far, in numbers.

use serde::{Deserialize, Serialize};

/// What a world has done so far. Part of no decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Turns of engines.
    pub turns: u64,
    /// Inputs that nodes were told.
    pub inputs: u64,
    /// Outputs that nodes made.
    pub outputs: u64,
    /// Bytes that send buffers took over.
    pub bytes_sent: u64,
    /// Bytes that reached a node.
    pub bytes_delivered: u64,
    /// Pieces of streams and control packets that were sent.
    pub segments: u64,
    /// Those of them that were lost.
    pub segments_lost: u64,
    /// Times that something lost was sent again.
    pub retransmits: u64,
    /// Resets that were sent.
    pub resets: u64,
    /// Connections given up for want of acknowledgement.
    pub streams_timed_out: u64,
    /// Dials.
    pub dials: u64,
    /// Dials that a host without a process refused.
    pub dials_refused: u64,
    /// Dials that nobody answered.
    pub dials_timed_out: u64,
    /// Messages that applications took.
    pub messages_consumed: u64,
    /// Writes to disks that became durable; several records may be one.
    pub syncs: u64,
    /// Records that a crash took before they were durable.
    pub records_lost: u64,
    /// Starts of hosts.
    pub starts: u64,
}
