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

/// What nodes tell each other of what they offer; see [`crate::directory`]. The payload of `Offers` is a run of
/// [`Offer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// Tell me what you offer, in a round of this number.
    Want {
        /// Drawn by the one that asks.
        round: u64,
    },
    /// The round begins: whatever I told you before is void.
    Begin {
        /// Of the question.
        round: u64,
    },
    /// I offer this, or no longer do.
    Offers {
        /// Of the question.
        round: u64,
    },
}

/// One thing that a node offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offer<'a> {
    /// It wants to get publications.
    Interest {
        /// Which topics.
        pattern: &'a str,
        /// The queue group; empty: everybody there gets them.
        group: &'a str,
        /// How many members the group has there; 1 without a group. 0: it does not want them any more.
        members: u32,
    },
    /// It serves a service.
    #[serde(borrow)]
    Service(Provider<'a>),
    /// It serves it no more.
    NoService {
        /// The service.
        service: &'a str,
        /// The client that served it; empty: the node itself.
        client: &'a str,
    },
}

/// Which machine of a node a [`Parcel`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Port {
    /// [`crate::directory`]
    Directory,
    /// [`crate::rpc`]
    Calls,
    /// [`crate::pubsub`]
    Topics,
}

/// What one machine of a node says to the same machine of another, over a reliable flow of its own. The header goes on
/// with what that machine understands, up to its end; the payload is the machine's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The route's part.
    pub transit: Transit,
    /// Whose it is.
    pub port: Port,
    /// The sender's life.
    pub src_incarnation: Incarnation,
    /// The life of the receiver that this flow is with.
    pub dst_incarnation: Incarnation,
    /// The parcel's number in the flow, from 1.
    pub seq: Seq,
    /// As in [`Data`].
    pub behind: u32,
}

/// Answers [`Parcel`]s and [`Cast`]s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParcelAck {
    /// As for messages.
    pub ack: Ack,
    /// Whose flow it is about.
    pub port: Port,
}

/// A parcel for several nodes, of port [`Port::Topics`]. It crosses every link once: a node on the way sends it on in as
/// many copies as there are links towards those that are left. The header goes on as that of a [`Parcel`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    /// The route's part. `dst`: the receiver if there is one, otherwise [`NodeAddr::MANY`]. `flow` says nothing: each
    /// receiver's frames keep to the path of its own flow.
    pub transit: Transit,
    /// The sender's life.
    pub src_incarnation: Incarnation,
    /// The receivers, each with its place in its own flow.
    pub to: SmallVec<[CastTo; 4]>,
}

/// One receiver of a [`Cast`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CastTo {
    /// The receiver.
    pub node: NodeAddr,
    /// The life of it that the flow is with.
    pub incarnation: Incarnation,
    /// The number in the flow to it.
    pub seq: Seq,
    /// As in [`Data`].
    pub behind: u32,
}

/// A publication to a topic. What carries it names the publishing node, its life, and the groups that are meant; the body
/// is the publication's own headers, then its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication<'a> {
    /// The publication's number in its publisher's life, from 1.
    pub seq: Seq,
    /// Whether the publisher wants a [`Receipt`] in any case.
    pub receipt: bool,
    /// Whether only the named groups get it: the rest of the node was served before.
    pub groups_only: bool,
    /// How many bytes at the beginning of the body are headers.
    pub headers: u32,
    /// The topic.
    pub topic: &'a str,
    /// The client of the publishing node that it is from; empty: the node itself.
    pub from_client: &'a str,
}

/// Answers a [`Publication`]: how many got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt<'a> {
    /// The life of the publisher.
    pub incarnation: Incarnation,
    /// Which publication.
    pub seq: Seq,
    /// How many subscriptions took it.
    pub subscriptions: u32,
    /// The named groups that have no member here any more.
    #[serde(borrow)]
    pub vacant: SmallVec<[&'a str; 2]>,
}

/// One step of a remote call, between the node that calls and the node that serves. The payload is the application's.
/// Travels in a flow, so that each arrives at most once, in order, and in the life that it was sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call<'a> {
    /// Asks for a service. The payload: the call's.
    #[serde(borrow)]
    Request(Request<'a>),
    /// One item of a streaming reply. The payload: the item.
    Item {
        /// Which call.
        call: u64,
        /// The item's number, from 0.
        seq: u64,
    },
    /// The last answer: it went well. The payload: the result.
    Done {
        /// Which call.
        call: u64,
        /// How many items came before.
        items: u64,
        /// Calls that run or wait at the provider.
        load: u32,
    },
    /// The last answer: the handler reports an error. The payload: what it adds.
    Failed {
        /// Which call.
        call: u64,
        /// How many items came before.
        items: u64,
        /// Calls that run or wait at the provider.
        load: u32,
        /// The application's code.
        code: u32,
        /// The application's words.
        message: &'a str,
    },
    /// The last answer: no handler has seen the call, and none will.
    Refused {
        /// Which call.
        call: u64,
        /// Why.
        why: CallRefusal,
        /// Calls that run or wait at the provider.
        load: u32,
    },
    /// The last answer: a handler may have run, and there is no result.
    Lost {
        /// Which call.
        call: u64,
        /// Why.
        why: CallLoss,
    },
    /// How far a call got that is not answered yet.
    Progress {
        /// Which call.
        call: u64,
        /// How far.
        stage: CallStage,
    },
    /// The caller wants no answer any more.
    Cancel {
        /// Which call.
        call: u64,
    },
    /// The caller has room for more items of a streaming reply, counted from the beginning.
    Credit {
        /// Which call.
        call: u64,
        /// Items allowed in all.
        items: u64,
        /// Bytes allowed in all; the last item may exceed it.
        bytes: u64,
    },
}

/// Asks a node for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request<'a> {
    /// The caller's number of the call: never used twice in its life.
    pub call: u64,
    /// The service.
    pub service: &'a str,
    /// The client that shall serve it; empty: the node itself; `None`: whoever does at that node.
    pub to: Option<&'a str>,
    /// The client that calls; empty: the node itself.
    pub from_client: &'a str,
    /// Time left until the deadline, in microseconds.
    pub left_us: u64,
    /// Calls of one caller with the same key run once; empty: no key.
    pub key: &'a [u8],
    /// For a streaming reply: the items and bytes that may come before more credit is given.
    pub window: Option<(u32, u32)>,
}

/// Why a provider refused a call, which it did not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallRefusal {
    /// Nobody serves it there.
    NoSuchService,
    /// As many calls wait as may.
    QueueFull,
    /// The node runs as many calls, of everybody or of this caller, as it may.
    TooManyCalls,
    /// The table of idempotency keys is full.
    TooManyKeys,
    /// The node shuts down.
    ShuttingDown,
    /// The request makes no sense.
    Malformed,
}

/// Why there is no result of a call that a handler may have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallLoss {
    /// The handler went away.
    HandlerGone,
    /// It ran before under the same idempotency key, and the result is not kept.
    ResultForgotten,
    /// There was an answer, and no room to keep it until it could be sent.
    AnswerLost,
}

/// How far a call got at its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallStage {
    /// It waits.
    Queued {
        /// Calls that wait before it.
        behind: u32,
    },
    /// A handler runs it.
    Running {
        /// For how long, in microseconds.
        for_us: u64,
    },
}

/// What a provider says of a service that it serves, as it is replicated to every node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider<'a> {
    /// The service.
    pub service: &'a str,
    /// The client that serves it; empty: the node itself.
    pub client: &'a str,
    /// How many calls it runs at once.
    pub concurrency: u32,
    /// How many more may wait.
    pub queue: u32,
    /// For people: what it does.
    pub note: &'a str,
    /// What it takes.
    #[serde(borrow)]
    pub parameters: alloc::vec::Vec<Field<'a>>,
    /// What it gives.
    #[serde(borrow)]
    pub results: alloc::vec::Vec<Field<'a>>,
}

/// One parameter or result of a [`Provider`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type, in the provider's words.
    pub kind: &'a str,
    /// For people: what it means.
    pub note: &'a str,
}
