//! Calls without a result, as programs are told of them: what is to be known before a repetition, how far the call got, and
//! what its handler said.

use io_tokio::{CallError, Progress};
use serde::Serialize;

pub(super) use super::held::Refused;
use super::problem::{ApiError, Effect};
use crate::{
    control::Session,
    errors::{Code, HandlerError},
};

/// Why a call has no result.
#[derive(Debug)]
pub(super) struct CallFailed {
    /// The failure.
    pub(super) error: ApiError,
    /// What the handler said.
    pub(super) handler: Option<HandlerError>,
    /// How far the call got.
    pub(super) progress: Option<ProgressDoc>,
}

/// How far a call got, as far as its caller's node knows.
#[derive(Debug, Default, Serialize)]
pub(super) struct ProgressDoc {
    stage: &'static str,
    /// Calls that waited before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    behind: Option<u32>,
    /// For how long its handler ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    ran_ms: Option<u64>,
    /// How long before the provider said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    told_ms: Option<u64>,
    /// Items that came.
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<u64>,
}

impl CallFailed {
    /// The failure of a call of this service.
    pub(super) async fn new(session: &Session, why: CallError, service: &str) -> Self {
        let (ran, progress) = (why.may_have_run(), why.progress().map(ProgressDoc::new));
        let refused = !ran && matches!(why, CallError::NoResponder | CallError::Overloaded(_));
        let away = matches!(why, CallError::Unreachable { sent: false } | CallError::Timeout(Progress::NotSent));
        let problem = session.call_failed(why, service).await;
        let handler = problem.handler.as_ref().map(|handler| HandlerError {
            code: handler.code,
            message: handler.message.clone(),
            payload: handler.payload.clone(),
        });
        let mut error = ApiError::from(problem);
        error.effect = if ran { Effect::Unknown } else { Effect::NotApplied };
        error.retryable = refused || away;
        Self { error, handler, progress }
    }
}

impl From<ApiError> for CallFailed {
    fn from(error: ApiError) -> Self {
        Self { error, handler: None, progress: None }
    }
}

impl ProgressDoc {
    fn new(progress: Progress) -> Self {
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).ok();
        match progress {
            Progress::NotSent => Self { stage: "not_sent", ..Self::default() },
            Progress::Sent => Self { stage: "sent", ..Self::default() },
            Progress::Delivered => Self { stage: "delivered", ..Self::default() },
            Progress::Queued { behind, told } => {
                Self { stage: "queued", behind: Some(behind), told_ms: ms(told), ..Self::default() }
            }
            Progress::Running { time, told } => {
                Self { stage: "running", ran_ms: ms(time), told_ms: ms(told), ..Self::default() }
            }
            Progress::Streaming { items } => Self { stage: "streaming", items: Some(items), ..Self::default() },
        }
    }
}

/// The refusal of more than a client may hold.
pub(super) fn held(why: Refused, what: &str) -> ApiError {
    match why {
        Refused::Double => ApiError::new(Code::E1502, format!("there is {what} already")),
        Refused::TooMany(most) => {
            ApiError::new(Code::E0405, format!("no more than {most}: there is no room for {what}"))
        }
    }
}
