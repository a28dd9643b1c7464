//! What there is to see of links and dialers: for people, metrics and checkers.

use alloc::sync::Arc;
use core::time::Duration;

use super::{Attempt, LinkId};
use crate::{
    error::CloseReason,
    id::{ChannelId, Incarnation, NodeAddr, NodeName},
    node::Endpoint,
    time::Time,
};

/// A link that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView<'a> {
    /// Which.
    pub link: LinkId,
    /// The channel under it.
    pub channel: ChannelId,
    /// The session's number, equal at both ends.
    pub session: u64,
    /// The node at the other end.
    pub peer: &'a NodeName,
    /// Its address.
    pub addr: NodeAddr,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Its transport address.
    pub remote: &'a Arc<str>,
    /// Whether this node dialled it.
    pub dialled: bool,
    /// Since when it is up.
    pub up_since: Time,
    /// Its smoothed round trip, once measured.
    pub srtt: Option<Duration>,
    /// How much the round trip varies.
    pub rtt_variance: Option<Duration>,
    /// The smoothed share of pings without an answer, in thousandths.
    pub loss_per_mille: u32,
    /// The cost announced last.
    pub cost: u32,
    /// Frames received.
    pub frames_in: u64,
    /// Frames put on its lanes.
    pub frames_out: u64,
    /// Bytes received on its channel.
    pub bytes_in: u64,
    /// Bytes written to its channel.
    pub bytes_out: u64,
    /// Frames that wait on its lanes: control, data, bulk.
    pub queued: [usize; 3],
    /// Bytes that wait on its lanes.
    pub queued_bytes: usize,
}

/// A peer that this node dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialerView<'a> {
    /// Its name, if it is configured or known from an earlier answer.
    pub peer: Option<&'a NodeName>,
    /// The endpoint that is dialled now, or next.
    pub endpoint: Option<&'a Endpoint>,
    /// How far it is.
    pub state: DialerState,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last attempt or link ended.
    pub last_reason: Option<CloseReason>,
    /// When the next dial comes, if one is due without anything else happening.
    pub next_attempt: Option<Time>,
}

/// How far a dialer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialerState {
    /// A link to the peer is up, whoever opened it.
    Linked(LinkId),
    /// An attempt, or the pause before the next.
    Trying(Attempt),
}
