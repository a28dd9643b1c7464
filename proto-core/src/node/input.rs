//! Everything that can happen to a node.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{calls::CallCommand, config::Peer, mailbox::Mailbox, topics::TopicCommand};
use crate::{
    id::{ChannelId, DialId, NodeAddr, NodeName, Ticket, Token},
    time::WallTime,
};

/// One thing that happened, as the substrate or the application tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Input {
    /// The application asks for something. Its answer is an [`Event::Done`](super::Event::Done) with the same token.
    Command {
        /// Chosen by the application; comes back in the answer.
        token: Token,
        /// What it asks for.
        command: Command,
    },
    /// The application has taken messages out of one of its mailboxes: room for as many more.
    Consumed {
        /// Which mailbox: [`Message::mailbox`](super::Message::mailbox) says it.
        mailbox: Mailbox,
        /// How many.
        messages: u32,
    },
    /// Something happened to a channel.
    Channel {
        /// Which channel. The substrate numbers them and never uses a number twice.
        channel: ChannelId,
        /// What happened.
        event: ChannelEvent,
    },
    /// An [`Output::Dial`](super::Output::Dial) came to nothing.
    DialFailed {
        /// Which one.
        dial: DialId,
    },
    /// Everything up to a ticket is durable, or the store failed for good.
    Persisted {
        /// The last ticket that is covered.
        upto: Ticket,
        /// Whether it is durable. A failure is final: the substrate writes nothing more.
        durable: bool,
    },
    /// What the calendar says. Told at the start and when it jumps.
    Clock {
        /// The calendar's time.
        wall: WallTime,
    },
}

/// What happened to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum ChannelEvent {
    /// It is open. The first event of every channel.
    Opened {
        /// The dial that led to it; `None` if it was accepted.
        dial: Option<DialId>,
        /// The other end's transport address, for people.
        remote: Arc<str>,
        /// For a channel that is encrypted already (TLS, QUIC): keying material exported from it (RFC 9266), which binds
        /// the proof of identity to this very channel. Without it, the channel is secured by Noise.
        exporter: Option<[u8; 32]>,
    },
    /// Bytes arrived, in order.
    Received {
        /// The bytes. Opened in place.
        bytes: BytesMut,
    },
    /// The channel has taken over bytes of earlier [`Output::Write`](super::Output::Write)s and has room for as many.
    Written {
        /// How many bytes.
        bytes: u64,
    },
    /// It ended or failed. The last event of every channel, also of one that the node closed.
    Closed,
}

/// What an application asks a node for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Command {
    /// Sends a message to one node.
    Send(Send),
    /// Sends one message to several nodes. Answered when every receiver's outcome is known.
    SendMany {
        /// The receivers; a double counts once.
        to: Vec<NodeAddr>,
        /// The payload.
        payload: Bytes,
        /// How long it may take.
        deadline: Duration,
    },
    /// Sends one message to every node that is reachable now. Answered when every receiver's outcome is known.
    Broadcast {
        /// The payload.
        payload: Bytes,
        /// How long it may take.
        deadline: Duration,
    },
    /// Asks a node for an answer, or every node on the way to it.
    Trace {
        /// The node at the end of the way.
        to: NodeAddr,
        /// Whether the nodes on the way answer too.
        every_hop: bool,
        /// How long to wait for answers.
        deadline: Duration,
    },
    /// Looks a node up: in the link-state database, then by asking the neighbours.
    FindNode {
        /// The node sought.
        name: NodeName,
        /// How long to wait for answers.
        deadline: Duration,
    },
    /// Adds a peer to dial, or changes it.
    Connect(Peer),
    /// Removes a peer to dial and closes its link.
    Disconnect {
        /// Its name.
        peer: NodeName,
    },
    /// Names the clients of this node that messages may be for. One that goes takes what it owns with it: its subscriptions
    /// and services end, callers of its handlers learn that they are gone, and its own calls are cancelled.
    SetClient {
        /// The client's name.
        client: Arc<str>,
        /// Whether it is here now.
        present: bool,
    },
    /// Publishes or subscribes.
    Topic(TopicCommand),
    /// Calls, or serves calls.
    Call(CallCommand),
    /// Answered when every node within reach knows the subscriptions and services of this one, as they are now; rejected
    /// if that takes too long.
    AwaitKnown {
        /// How long to wait.
        deadline: Duration,
    },
    /// Shuts down: takes nothing new, waits until what is under way is answered or `deadline` has passed, says goodbye
    /// on every link, then answers.
    Drain {
        /// How long to wait.
        deadline: Duration,
    },
}

/// A message to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Send {
    /// The receiving node.
    pub to: NodeAddr,
    /// The client of that node; `None` for the node itself.
    pub to_client: Option<Arc<str>>,
    /// The client of this node that sends; `None` for the node itself.
    pub from_client: Option<Arc<str>>,
    /// The payload.
    pub payload: Bytes,
    /// How long it may take; after that the outcome is [`Outcome::Unknown`](super::Outcome::Unknown), or rejected if it
    /// never left.
    pub deadline: Duration,
    /// Whether the application wants the outcome. Without it a message costs less; failures are counted only.
    pub report: bool,
}
