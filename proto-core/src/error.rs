//! Errors, sorted by who can act on them (law L8).
//!
//! * [`Violation`]: the peer broke the protocol. Becomes a counter and, on a link, a [`CloseReason`].
//! * [`Misuse`]: the embedding code broke the contract.
//! * [`Rejected`]: a request was refused, and why.
//! * [`CloseReason`]: why a link ended.

use core::fmt;

use serde::{Deserialize, Serialize};

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Violation {
    /// A frame, record or header that cannot be decoded.
    #[error("malformed {what}")]
    Malformed {
        /// The part that could not be decoded.
        what: Part,
    },
    /// Something longer than its limit.
    #[error("{what} of {len} bytes exceeds the limit of {limit}")]
    TooLong {
        /// The part that is too long.
        what: Part,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A frame that has no place in this state of the link.
    #[error("unexpected frame of kind {kind}")]
    Unexpected {
        /// The frame's kind byte.
        kind: u8,
    },
    /// A record that does not authenticate.
    #[error("a record failed authentication")]
    BadSeal,
    /// A signature that does not verify.
    #[error("a signature does not verify")]
    BadSignature,
}

/// What a [`Violation`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Part {
    /// The bytes before and during the secure handshake.
    Handshake,
    /// A sealed record.
    Record,
    /// A lane segment in a record.
    Segment,
    /// A frame's prelude.
    Prelude,
    /// A frame's header.
    Header,
    /// A frame's payload.
    Payload,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "handshake",
            Self::Record => "record",
            Self::Segment => "segment",
            Self::Prelude => "prelude",
            Self::Header => "header",
            Self::Payload => "payload",
        })
    }
}

/// How the embedding code broke the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Misuse {
    /// The present moment went backwards.
    #[error("time went backwards")]
    TimeWentBackwards,
    /// An input names a channel that was never opened, or is closed.
    #[error("no such channel")]
    NoSuchChannel,
    /// An input names a dial that was never asked for, or is over.
    #[error("no such dial")]
    NoSuchDial,
    /// A ticket was acknowledged that was never issued, or out of order.
    #[error("no such ticket")]
    NoSuchTicket,
}

/// Why a request was refused. Nothing of it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Rejected {
    /// The payload is larger than this mesh carries.
    #[error("the payload of {len} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Too much is waiting already; try again later.
    #[error("too many messages are waiting")]
    Busy,
    /// No route to the node, up to the deadline.
    #[error("no route to the node")]
    NoRoute,
    /// The node has no client of this name.
    #[error("the node has no such client")]
    NoSuchClient,
    /// The receiving application did not take it in time.
    #[error("the receiver is overloaded")]
    ReceiverBusy,
    /// The receiving node is shutting down or the sender is.
    #[error("shutting down")]
    ShuttingDown,
    /// The deadline is zero or was already past.
    #[error("the deadline has passed")]
    DeadlinePassed,
    /// A list of receivers with nobody on it.
    #[error("no receiver was given")]
    NoReceiver,
    /// The receiver's policy forbids it.
    #[error("not permitted by the receiver")]
    Forbidden,
    /// A refusal that this version does not know; a newer peer said it.
    #[error("refused with the unknown code {0}")]
    Other(u8),
}

/// Why a link, or an attempt at one, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum CloseReason {
    /// This node shuts down, or its user closed the link.
    #[error("closed here")]
    Local,
    /// The peer said goodbye.
    #[error("closed by the peer")]
    Peer,
    /// The channel under it ended or failed.
    #[error("the connection was lost")]
    ChannelLost,
    /// The channel could not be opened.
    #[error("could not connect")]
    DialFailed,
    /// Nothing was heard for too long.
    #[error("silent for too long")]
    Silent,
    /// The handshake did not finish in time.
    #[error("the handshake timed out")]
    HandshakeTimeout,
    /// The handshake failed: another token, another network, or not this protocol.
    #[error("the handshake failed: wrong token, wrong network, or not a Firelink node")]
    HandshakeFailed,
    /// The name is pinned to another key.
    #[error("the name is pinned to another key")]
    KeyConflict,
    /// Another node answered than the one that was dialled.
    #[error("another node answered than the one expected")]
    WrongPeer,
    /// The node dialled itself.
    #[error("dialled itself")]
    SelfDial,
    /// The peer is not on the list of those allowed.
    #[error("not on the allow list")]
    NotAllowed,
    /// No protocol version in common.
    #[error("no protocol version in common")]
    VersionMismatch,
    /// Another link to the same node won.
    #[error("replaced by another link to the same node")]
    Superseded,
    /// An older life of the same node.
    #[error("a newer incarnation of the node is known")]
    StaleIncarnation,
    /// The table of links is full.
    #[error("too many links")]
    TooManyLinks,
    /// Control frames piled up: the peer takes nothing.
    #[error("the peer is too slow for control traffic")]
    TooSlow,
    /// The peer broke the protocol.
    #[error("protocol violation: {0}")]
    Violation(#[from] Violation),
}

/// Why a frame was dropped on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum DropReason {
    /// No route to its destination.
    #[error("no route")]
    NoRoute,
    /// It has crossed as many links as it may.
    #[error("hop limit reached")]
    HopLimit,
    /// The only way on was the way it came.
    #[error("would go back where it came from")]
    WouldReturn,
    /// This node does not forward for others.
    #[error("transit is not allowed here")]
    NoTransit,
    /// The lane was full.
    #[error("the queue of the link is full")]
    QueueFull,
}
