//! The headers of protocol version 1. Frozen: field order and enum order are the format.
//!
//! postcard has no schema evolution, so a header never changes. What is new gets a new kind, a new variant at the end
//! of an enum, or a new version. Every variant has a golden vector in `wire/golden/`, checked both ways.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::id::{Incarnation, NodeAddr, NodeName, Seq};

/// First frame of each side on an authenticated channel. Names and keys were proven in the handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest protocol version the sender speaks.
    pub version_min: u8,
    /// Newest protocol version the sender speaks.
    pub version_max: u8,
    /// Feature bits the sender offers; both sides use the intersection. None is defined yet.
    pub features: u64,
    /// Which life of the sender this is.
    pub incarnation: Incarnation,
    /// The sender's silence before a ping, in milliseconds.
    pub heartbeat_ms: u32,
    /// The sender's silence before it gives up, in milliseconds.
    pub dead_after_ms: u32,
}

/// Asks for a [`Pong`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Counts up, so that losses show.
    pub id: u32,
    /// The sender's clock; opaque to the receiver.
    pub stamp: u64,
}

/// Answers a [`Ping`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The ping's id.
    pub id: u32,
    /// The ping's stamp.
    pub stamp: u64,
}

/// Last frame on a link: why the sender closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// The reason.
    pub code: ByeCode,
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ByeCode {
    /// Shutting down, or closed by the user.
    Closed,
    /// Another link to the same node won.
    Superseded,
    /// A newer incarnation of the receiver is known.
    StaleIncarnation,
    /// No protocol version in common.
    VersionMismatch,
    /// Not on the allow list.
    NotAllowed,
    /// The name is pinned to another key.
    KeyConflict,
    /// The sender dialled itself.
    SelfDial,
    /// Too many links.
    TooManyLinks,
    /// The receiver broke the protocol.
    Violation,
    /// The receiver takes too little.
    TooSlow,
    /// Another node answered than expected.
    WrongPeer,
    /// Nothing was heard for too long.
    Silent,
}

/// An advert is on its way through the mesh. The payload is an [`AdvertBody`] followed by its 64-byte signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advert {
    /// Time since its origin sent it, in milliseconds, as far as the way here is known.
    pub age_ms: u32,
}

/// What a node says of itself and its links; signed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertBody {
    /// Whose it is.
    pub origin: NodeName,
    /// The key it is signed with (Ed25519).
    pub key: [u8; 32],
    /// Which life of the origin.
    pub incarnation: Incarnation,
    /// Counts up within an incarnation. (incarnation, seq) orders adverts.
    pub seq: u64,
    /// Whether others may send through the origin.
    pub transit: bool,
    /// The origin's links that are up, in order of address, each once.
    pub neighbours: alloc::vec::Vec<Neighbour>,
}

/// One link in an [`AdvertBody`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The other end.
    pub node: NodeAddr,
    /// What crossing it costs; at least 1.
    pub cost: u32,
}

/// Which adverts the sender holds. The payload is a run of [`Held`], in order of address; a full summary may need
/// several frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// What this frame covers.
    pub scope: SummaryScope,
}

/// What a [`Summary`] covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SummaryScope {
    /// A hash over everything held; no payload. A receiver that differs answers with its full summary.
    Digest(u64),
    /// Every advert held whose origin is from `first` to `last`, both included.
    Range {
        /// The lowest address covered.
        first: NodeAddr,
        /// The highest address covered.
        last: NodeAddr,
    },
}

/// One line of a [`Summary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// Whose advert.
    pub origin: NodeAddr,
    /// Of which life.
    pub incarnation: Incarnation,
    /// Which one.
    pub seq: u64,
}

/// Asks for adverts. The payload is a run of [`NodeAddr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {}

/// Asks neighbours for a node that the sender does not know; whoever has its advert sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// The node sought.
    pub target: NodeAddr,
    /// How many more links the question may cross.
    pub hops_left: u8,
}

/// The beginning of every header of kind 16 and above: all that a forwarding node reads. 19 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transit {
    /// How many more links the frame may cross, after the one it is sent on. First, so that forwarding rewrites one byte
    /// in place.
    pub hops_left: u8,
    /// Where it goes.
    pub dst: NodeAddr,
    /// Where it comes from.
    pub src: NodeAddr,
    /// Frames of one flow keep to one of several equal paths.
    #[serde(with = "postcard::fixint::le")]
    pub flow: u16,
}

/// A message. The payload is the application's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data<'a> {
    /// The route's part.
    pub transit: Transit,
    /// The sender's life.
    pub src_incarnation: Incarnation,
    /// The life of the receiver that this flow is with.
    pub dst_incarnation: Incarnation,
    /// The message's number in the flow, from 1.
    pub seq: Seq,
    /// How far below `seq` the oldest message lies whose outcome the sender still awaits; the receiver expects nothing
    /// older any more.
    pub behind: u32,
    /// The client of the receiving node that it is for; empty: the node itself.
    pub to_client: &'a str,
    /// The client of the sending node that it is from; empty: the node itself.
    pub from_client: &'a str,
}

/// Answers [`Data`]: what was handed to the application, what was refused, how much more may come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The route's part.
    pub transit: Transit,
    /// The life of the one that answers.
    pub src_incarnation: Incarnation,
    /// The life of the sender of the messages.
    pub dst_incarnation: Incarnation,
    /// Every message up to this one was delivered, refused before, or given up by its sender.
    pub upto: Seq,
    /// Bit `i`: message `upto + 2 + i` has arrived and waits for the ones before it.
    pub beyond: u64,
    /// How many messages after `upto` the receiver takes.
    pub window: u32,
    /// Messages that were refused, among those that this answer newly covers.
    pub refused: SmallVec<[Refusal; 2]>,
}

/// One refused message in an [`Ack`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which message.
    pub seq: Seq,
    /// Why.
    pub code: RefusalCode,
}

/// Why a receiver refused a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefusalCode {
    /// No client of that name.
    NoSuchClient,
    /// The application does not keep up.
    ReceiverBusy,
    /// The node shuts down.
    ShuttingDown,
    /// Policy.
    Forbidden,
    /// Larger than the receiver allows.
    TooLarge,
}

/// Asks the nodes on the way, or only the last, to answer with a [`ProbeReply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The route's part.
    pub transit: Transit,
    /// Chosen by the source.
    pub id: u64,
    /// Whether every node on the way answers, or only the destination.
    pub every_hop: bool,
    /// The hop limit it started with, so that a node knows how far along the way it is.
    pub hops_start: u8,
}

/// Answers a [`Probe`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReply {
    /// The route's part.
    pub transit: Transit,
    /// The probe's id.
    pub id: u64,
    /// How many links the probe had crossed when it came here.
    pub hop: u8,
    /// Who answers.
    pub name: NodeName,
    /// Whether this is the destination.
    pub last: bool,
    /// Why the probe went no further, if it did not and this is not the destination.
    pub stopped: Option<Stopped>,
}

/// Why a [`Probe`] went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stopped {
    /// No route to the destination.
    NoRoute,
    /// Hop limit reached.
    HopLimit,
    /// The only way on was the way back.
    WouldReturn,
    /// This node does not forward for others.
    NoTransit,
    /// The lane was full.
    QueueFull,
}
