//! A call as its handler sees it.

use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;

use super::{AppError, ServiceName};
use crate::id::{Incarnation, NodeAddr};

/// A call that a handler of this node runs. Never used twice in the node's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct InvocationId(pub u64);

/// What a handler is given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Invocation {
    /// Names it in the answer.
    pub id: InvocationId,
    /// The service.
    pub service: ServiceName,
    /// The client whose handler it is; `None`: the node itself.
    pub client: Option<Arc<str>>,
    /// Who calls.
    pub caller: Caller,
    /// What the caller gave.
    pub payload: Bytes,
    /// Time left until the deadline.
    pub left: Duration,
    /// The room that the caller has for items before the answer; `None`: it takes none.
    pub room: Option<Room>,
}

/// Room for the items of a streaming reply, counted from the first: one more may be sent while fewer than so many were, of
/// fewer than so many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Room {
    /// Items.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Room {
    /// Whether one more item may be sent after so much.
    #[must_use]
    pub const fn takes_more(self, sent: Self) -> bool {
        sent.items < self.items && sent.bytes < self.bytes
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Caller {
    /// The node.
    pub node: NodeAddr,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The client; `None`: the node itself.
    pub client: Option<Arc<str>>,
}

/// What a handler answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Reply {
    /// One item of a streaming reply; more follows.
    Item(Bytes),
    /// The result; the last answer.
    Done(Bytes),
    /// An error; the last answer.
    Error(AppError),
}

/// Why an answer was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum NotTaken {
    /// The call is over: answered, cancelled or too late.
    #[error("the call is over")]
    Over,
    /// The caller has no room for another item; [`Effect::Writable`](super::Effect::Writable) tells when it has.
    #[error("the caller has no room for another item")]
    NoCredit,
    /// The caller wants one answer and no items.
    #[error("the caller does not take items")]
    NotStreaming,
    /// Larger than any message.
    #[error("the payload of {len} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

/// Why a handler shall stop. It still answers, and keeps its place until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Stop {
    /// The caller wants no answer any more.
    Cancelled,
    /// The deadline has passed.
    DeadlinePassed,
    /// The caller has restarted.
    CallerRestarted,
}
