//! Everything a node asks for and tells.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::Bytes;

use crate::{
    error::{CloseReason, Misuse, Rejected},
    id::{ChannelId, DialId, Incarnation, NodeAddr, NodeName, Ticket, Token},
    node::{
        config::Endpoint,
        mailbox::{Client, Mailbox},
    },
    secure::PublicKey,
    wire::v1::Stopped,
};

/// One thing that the substrate shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Output {
    /// Open a channel. Answered by [`ChannelEvent::Opened`](super::ChannelEvent::Opened) with this dial, or by
    /// [`Input::DialFailed`](super::Input::DialFailed).
    Dial {
        /// Names the attempt.
        dial: DialId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// Write bytes to a channel, after all bytes written before. Answered by
    /// [`ChannelEvent::Written`](super::ChannelEvent::Written), possibly for several at once.
    Write {
        /// The channel.
        channel: ChannelId,
        /// The bytes.
        bytes: Bytes,
    },
    /// Close a channel once everything written to it is out. Answered by
    /// [`ChannelEvent::Closed`](super::ChannelEvent::Closed).
    Close {
        /// The channel.
        channel: ChannelId,
    },
    /// Make something durable. Answered by [`Input::Persisted`](super::Input::Persisted), in order.
    Persist {
        /// Names the write.
        ticket: Ticket,
        /// What to write.
        record: Record,
    },
    /// Tell the application.
    Event(Event),
}

/// Every message of a batch is moved through queues of these.
const _: () = assert!(size_of::<Output>() <= 96, "what is large and rare goes into a box");

/// What a node keeps across restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Record {
    /// A name and the key that a handshake first proved for it. Comes back in [`Config::pins`](super::Config::pins).
    Pin {
        /// The name.
        name: NodeName,
        /// Its key.
        key: PublicKey,
    },
    /// A name has lost its pin; it does not come back.
    Unpin {
        /// The name.
        name: NodeName,
    },
}

/// What an application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Event {
    /// A message arrived. Takes one place in its mailbox until [`Input::Consumed`](super::Input::Consumed).
    Message(Message),
    /// The answer to a command.
    Done {
        /// The command's token.
        token: Token,
        /// The answer.
        answer: Box<Answer>,
    },
    /// A node on the way answered a [`Command::Trace`](super::Command::Trace).
    Hop {
        /// The command's token.
        token: Token,
        /// The answer.
        hop: Hop,
    },
    /// A link came up.
    LinkUp {
        /// The node at the other end.
        peer: NodeName,
        /// Which life of it.
        incarnation: Incarnation,
        /// Its transport address.
        remote: Arc<str>,
    },
    /// A link that was up ended.
    LinkDown {
        /// The node at the other end.
        peer: NodeName,
        /// Why.
        reason: CloseReason,
    },
    /// An attempt at a link failed.
    LinkFailed {
        /// The node that was expected, or that proved its name, if either is known.
        peer: Option<NodeName>,
        /// Its transport address, or the endpoint that was dialled.
        remote: Arc<str>,
        /// Why.
        reason: CloseReason,
        /// When it will be tried again, if it will.
        retry_in: Option<Duration>,
    },
    /// A node came within reach.
    Reachable {
        /// The node.
        node: NodeName,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A node is out of reach.
    Unreachable {
        /// The node.
        node: NodeName,
    },
    /// Somebody uses a name with another key than the one it is pinned to. Refused.
    KeyConflict {
        /// The name.
        name: NodeName,
        /// The key it is pinned to.
        pinned: PublicKey,
        /// The key that was shown.
        shown: PublicKey,
    },
    /// There was no room for another name, so that one which was not seen for long is no longer pinned.
    Unpinned {
        /// The name.
        name: NodeName,
        /// The key that it was pinned to.
        key: PublicKey,
    },
    /// Another process uses this node's own identity, or an older start of this one had a larger incarnation.
    IdentityInUse {
        /// The incarnation that was seen.
        incarnation: Incarnation,
    },
    /// The store failed; nothing is durable any more.
    StoreFailed,
    /// The embedding code broke the contract; the input was ignored.
    Misuse(Misuse),
}

/// A message as its receiver gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Message {
    /// The sending node.
    pub from: NodeAddr,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The message's number in that life's flow to this node.
    pub seq: crate::id::Seq,
    /// The client of the sending node; `None` for the node itself.
    pub from_client: Option<Arc<str>>,
    /// The client of this node; `None` for the node itself.
    pub to_client: Option<Client>,
    /// The payload.
    pub payload: Bytes,
}

impl Message {
    /// Where it has a place until it is consumed.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        self.to_client.as_ref().map_or(Mailbox::Node, |client| Mailbox::Client(client.id()))
    }
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Answer {
    /// To `Send`.
    Sent(Outcome),
    /// To `SendMany` and `Broadcast`: every receiver with its outcome, in order of address.
    SentMany(Vec<(NodeAddr, Outcome)>),
    /// To `Trace`: whether the destination answered before the deadline.
    Traced {
        /// It did.
        reached: bool,
    },
    /// To `FindNode`.
    Found(Option<Found>),
    /// To everything that can only be accepted or refused.
    Accepted,
    /// To any command: refused, nothing of it was done.
    Rejected(Rejected),
    /// To `Drain`: how many messages were still without an answer.
    Drained {
        /// How many.
        unanswered: u64,
    },
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Outcome {
    /// The receiving application has it.
    Delivered,
    /// It does not, and will not get it.
    Rejected(Rejected),
    /// It may or may not have it: no answer came before the deadline, or the receiver restarted in between.
    Unknown,
}

/// A node that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Found {
    /// Its name.
    pub name: NodeName,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Cost of the best way there; `None` if there is none at present.
    pub cost: Option<u32>,
    /// How many links that way has.
    pub hops: Option<u8>,
}

/// One node's answer to a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Hop {
    /// How many links away.
    pub hop: u8,
    /// Who answered.
    pub name: NodeName,
    /// Time between question and answer.
    pub rtt: Duration,
    /// Whether it is the destination.
    pub last: bool,
    /// Why the probe went no further, if it did not.
    pub stopped: Option<Stopped>,
}
