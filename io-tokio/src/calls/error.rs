//! How a call can fail.

use proto_core::{
    error::Rejected,
    id::BadName,
    rpc::{AppError, BadService, Completion, Loss, Overload, Progress},
};

use crate::error::Stopped;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The service's name is none.
    #[error(transparent)]
    BadService(#[from] BadService),
    /// The name of the node that shall serve it is none.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// An idempotency key has 1 to 64 bytes.
    #[error("an idempotency key has 1 to 64 bytes")]
    BadKey,
    /// The handler's error.
    #[error("the handler says: {} (code {})", .0.message, .0.code)]
    App(AppError),
    /// Nobody serves it, there or anywhere.
    #[error("nobody serves it")]
    NoResponder,
    /// Refused: too much to do.
    #[error("refused: {0}")]
    Overloaded(#[from] Overload),
    /// The deadline has passed, and so far the call had got.
    #[error("the deadline has passed: {0}")]
    Timeout(Progress),
    /// It was cancelled, and so far it had got.
    #[error("cancelled: {0}")]
    Cancelled(Progress),
    /// The node is out of reach.
    #[error("the node is out of reach{}", if *.sent { ", the call was on its way before" } else { "" })]
    Unreachable {
        /// Whether the call was on its way before.
        sent: bool,
    },
    /// The node that served it has restarted.
    #[error("the node that served it has restarted")]
    PeerRestarted,
    /// A handler may have run, and there is no result.
    #[error(transparent)]
    Lost(#[from] Loss),
    /// It could not be sent.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// This node is over; nothing more is known.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// What should be sent cannot be written as JSON.
    #[error("no JSON: {0}")]
    NoJson(String),
    /// The answer cannot be read as what was expected.
    #[error("malformed answer: {0}")]
    Malformed(String),
}

impl CallError {
    /// Whether a handler has seen the call, or may have. If not, it never will, and calling again does no harm.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        match self {
            Self::BadService(_)
            | Self::BadName(_)
            | Self::BadKey
            | Self::NoJson(_)
            | Self::NoResponder
            | Self::Overloaded(_)
            | Self::Rejected(_) => false,
            Self::App(_) | Self::PeerRestarted | Self::Lost(_) | Self::Stopped(_) | Self::Malformed(_) => true,
            Self::Timeout(progress) | Self::Cancelled(progress) => !matches!(progress, Progress::NotSent),
            Self::Unreachable { sent } => *sent,
        }
    }

    /// How far the call got, if it ran out of time or was cancelled.
    #[must_use]
    pub const fn progress(&self) -> Option<Progress> {
        match self {
            Self::Timeout(progress) | Self::Cancelled(progress) => Some(*progress),
            Self::BadService(_)
            | Self::BadName(_)
            | Self::BadKey
            | Self::App(_)
            | Self::NoResponder
            | Self::Overloaded(_)
            | Self::Unreachable { .. }
            | Self::PeerRestarted
            | Self::Lost(_)
            | Self::Rejected(_)
            | Self::Stopped(_)
            | Self::NoJson(_)
            | Self::Malformed(_) => None,
        }
    }
}

/// The result of a call that ended so.
pub(super) fn result(completion: Completion) -> Result<bytes::Bytes, CallError> {
    Err(match completion {
        Completion::Ok(payload) => return Ok(payload),
        Completion::AppError(error) => CallError::App(error),
        Completion::NoResponder => CallError::NoResponder,
        Completion::Overloaded(why) => CallError::Overloaded(why),
        Completion::Timeout(progress) => CallError::Timeout(progress),
        Completion::Cancelled(progress) => CallError::Cancelled(progress),
        Completion::Unreachable { sent } => CallError::Unreachable { sent },
        Completion::PeerRestarted => CallError::PeerRestarted,
        Completion::Lost(why) => CallError::Lost(why),
        Completion::Rejected(why) => CallError::Rejected(why),
    })
}
