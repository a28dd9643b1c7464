//! What people may see of the flows.

use core::time::Duration;

use crate::id::{Incarnation, NodeAddr, Seq};

/// One flow from this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutflowView {
    /// The receiver.
    pub to: NodeAddr,
    /// Which life of it; `None` until it was within reach.
    pub incarnation: Option<Incarnation>,
    /// Whether it is within reach.
    pub reachable: bool,
    /// Messages never transmitted yet.
    pub waiting: usize,
    /// Messages transmitted and not answered.
    pub in_flight: usize,
    /// Bytes of payload of both.
    pub bytes: usize,
    /// How many more messages the receiver takes.
    pub receiver_window: u32,
    /// How many messages in flight the way seems to carry.
    pub pace: u64,
    /// The smoothed round trip, once measured.
    pub round_trip: Option<Duration>,
    /// Silence after which messages are sent again.
    pub retry_after: Duration,
    /// Transmissions beyond the first of each message.
    pub retransmissions: u64,
}

/// What a sender has waiting or unanswered for one receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Messages.
    pub messages: usize,
    /// Bytes of their payload.
    pub bytes: usize,
}

/// What the application has before it, and who may be written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxView {
    /// Messages in the node's own mailbox.
    pub messages: usize,
    /// Bytes of their payload.
    pub bytes: usize,
    /// Bytes that all flows together hold back.
    pub waiting_bytes: usize,
    /// The mailboxes of the clients.
    pub clients: ClientsView,
}

/// The mailboxes of all clients together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientsView {
    /// Clients that are here.
    pub count: usize,
    /// Messages in their mailboxes.
    pub messages: usize,
    /// Messages in the fullest one.
    pub most: usize,
    /// Bytes of their payload.
    pub bytes: usize,
}

/// One flow to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflowView {
    /// The sender.
    pub from: NodeAddr,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The message whose turn it is.
    pub next: Seq,
    /// Messages that wait for others before them, or for room in the inbox.
    pub waiting: usize,
    /// Bytes held for them.
    pub waiting_bytes: usize,
    /// Refused messages whose sender may not know it yet.
    pub refused: usize,
}
