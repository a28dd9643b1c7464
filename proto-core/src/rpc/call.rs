//! A call as its caller sees it: what it asks for, and how it ends.

use alloc::sync::Arc;
use core::{fmt, time::Duration};

use bytes::Bytes;

use super::ServiceName;
use crate::{error::Rejected, id::NodeAddr, limits::IDEMPOTENCY_KEY_MAX};

/// A call of this node. Never used twice in the node's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct CallId(pub u64);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Call {
    /// The service.
    pub service: ServiceName,
    /// Who shall serve it.
    pub to: Target,
    /// The client of this node that calls; `None`: the node itself.
    pub from_client: Option<Arc<str>>,
    /// What the handler gets.
    pub payload: Bytes,
    /// How long it may take, a streaming reply included.
    pub deadline: Duration,
    /// What kind of answer is wanted.
    pub mode: Mode,
}

/// Who shall serve a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Target {
    /// Whoever serves it at that node; of several, the one with the least to do.
    Node(NodeAddr),
    /// This provider.
    Provider(Provider),
    /// Any provider in the mesh. A call that is definitely not run by one may be tried at another.
    Balanced(Balance),
}

/// A provider: a node, or one of its clients.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Provider {
    /// The node.
    pub node: NodeAddr,
    /// The client; `None`: the node itself.
    pub client: Option<Arc<str>>,
}

/// Which of several providers is called. One that just refused a call is chosen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Balance {
    /// The one that costs least to reach; of equals, the one with the fewest calls of this node.
    Nearest,
    /// One after the other.
    RoundRobin,
    /// The one with the fewest unanswered calls of this node; of equals, the one that last told the least load.
    LeastPending,
}

/// What kind of answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Mode {
    /// One answer.
    Unary {
        /// Calls of one caller (client and node, whatever its life) to one provider with the same key run once, for
        /// [`IDEMPOTENCY_TTL`](crate::limits::IDEMPOTENCY_TTL); the others get the same answer. A balanced call with a key
        /// is tried once, and goes to the same provider as the one before unless providers came or went. A key holds at one
        /// life of a provider.
        key: Option<Key>,
    },
    /// Items, then one answer.
    Streaming,
}

/// An idempotency key: 1 to 64 bytes that the caller chose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Key(Bytes);

impl Key {
    /// Takes a key; `None` if it is empty or too long.
    #[must_use]
    pub fn new(bytes: Bytes) -> Option<Self> {
        (1..=IDEMPOTENCY_KEY_MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How a call ends. Each call ends exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Completion {
    /// The handler's result.
    Ok(Bytes),
    /// The handler's error.
    AppError(AppError),
    /// Nobody serves it, there or anywhere.
    NoResponder,
    /// Refused: too much to do.
    Overloaded(Overload),
    /// The deadline has passed.
    Timeout(Progress),
    /// The caller wanted no answer any more.
    Cancelled(Progress),
    /// The node is out of reach.
    Unreachable {
        /// Whether the call was on its way before.
        sent: bool,
    },
    /// The node that served it has restarted, or how the call fared there cannot be told any more.
    PeerRestarted,
    /// A handler may have run, and there is no result.
    Lost(Loss),
    /// It could not be sent, for another reason.
    Rejected(Rejected),
}

impl Completion {
    /// Whether a handler has seen the call, or may have. If not, it never will.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        match self {
            Self::Ok(_) | Self::AppError(_) | Self::PeerRestarted | Self::Lost(_) => true,
            Self::NoResponder | Self::Overloaded(_) | Self::Rejected(_) => false,
            Self::Timeout(progress) | Self::Cancelled(progress) => !matches!(progress, Progress::NotSent),
            Self::Unreachable { sent } => *sent,
        }
    }
}

/// An error that a handler reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct AppError {
    /// Its code; the application's.
    pub code: u32,
    /// Its words; cut after [`CALL_ERROR_MESSAGE_MAX`](crate::limits::CALL_ERROR_MESSAGE_MAX) bytes.
    pub message: Arc<str>,
    /// What it adds.
    pub payload: Bytes,
}

impl AppError {
    /// An error that adds nothing to its code and its words.
    #[must_use]
    pub fn new(code: u32, message: &str) -> Self {
        Self { code, message: Arc::from(message), payload: Bytes::new() }
    }
}

/// What was full. The handler has not seen the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Overload {
    /// The provider runs as many calls as it may, and as many wait as may.
    #[error("the provider's queue is full")]
    QueueFull,
    /// The provider's node runs as many calls, of everybody or of this caller, as it may.
    #[error("too many calls are under way at the provider's node")]
    TooManyCalls,
    /// The provider's node remembers as many idempotency keys as it may.
    #[error("the provider's node remembers too many idempotency keys")]
    TooManyKeys,
    /// The provider's node shuts down.
    #[error("the provider's node is shutting down")]
    ShuttingDown,
    /// Too much waits to be sent to the provider's node.
    #[error("too much waits to be sent to the provider's node")]
    Transport,
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Loss {
    /// The handler went away while it ran.
    #[error("the handler went away while it ran the call")]
    HandlerGone,
    /// It ran before under the same idempotency key, and the result is not kept.
    #[error("the call ran before under this key, and its result is not kept")]
    ResultForgotten,
    /// It ran, and its answer was lost on its way: too much waited to be sent.
    #[error("the call ran, and its answer was lost: too much waited to be sent")]
    AnswerLost,
    /// Items of a streaming reply are missing.
    #[error("a part of the streaming reply was lost")]
    ItemsMissing,
}

/// How far a call got, as far as its caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Progress {
    /// It never left.
    NotSent,
    /// It is on its way.
    Sent,
    /// The provider's node has it.
    Delivered,
    /// It waits at the provider.
    Queued {
        /// Calls that waited before it.
        behind: u32,
        /// How long ago the provider said so.
        told: Duration,
    },
    /// A handler runs it.
    Running {
        /// For how long, if it still runs.
        time: Duration,
        /// How long ago the provider said so.
        told: Duration,
    },
    /// A handler answers it with items.
    Streaming {
        /// How many came.
        items: u64,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => f.write_str("not sent"),
            Self::Sent => f.write_str("sent"),
            Self::Delivered => f.write_str("delivered"),
            Self::Queued { behind, .. } => write!(f, "queued behind {behind}"),
            Self::Running { time, .. } => write!(f, "running {}.{}s", time.as_secs(), time.subsec_millis() / 100),
            Self::Streaming { items } => write!(f, "streaming, {items} items received"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn progress_reads_as_people_say_it() {
        let told = Duration::ZERO;
        let running = Progress::Running { time: Duration::from_millis(4_150), told };
        let all = [Progress::Sent, Progress::Queued { behind: 34, told }, running];
        assert_eq!(all.map(|progress| progress.to_string()), ["sent", "queued behind 34", "running 4.1s"]);
    }

    #[test]
    fn only_a_definite_end_says_that_nothing_ran() {
        assert!(!Completion::Timeout(Progress::NotSent).may_have_run());
        assert!(Completion::Timeout(Progress::Sent).may_have_run());
        assert!(!Completion::Unreachable { sent: false }.may_have_run());
        assert!(Completion::PeerRestarted.may_have_run());
    }

    #[test]
    fn a_key_has_1_to_64_bytes() {
        assert_eq!(Key::new(Bytes::new()), None);
        assert!(Key::new(Bytes::from_static(&[1; 64])).is_some());
        assert_eq!(Key::new(Bytes::from_static(&[1; 65])), None);
    }
}
