//! What went wrong, as HTTP says it: RFC 9457 problems with a code of the catalogue.
//!
//! A handler answers with an [`ApiError`]. It travels as an extension of an empty response until the outermost layer,
//! which knows the request's number, path and language, writes the body; so every surface can write it in its own way.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::{Code, HandlerError, Lang, Problem};

/// The media type of problems.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// What came of the request: the most useful thing to know before a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    /// Nothing was done.
    NotApplied,
    /// Nobody knows whether it was done.
    Unknown,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The status.
    pub(crate) status: StatusCode,
    /// The code.
    pub(crate) code: Code,
    /// What happened, in one line.
    pub(crate) detail: String,
    /// What to try.
    pub(crate) hint: Option<String>,
    /// What came of the request.
    pub(crate) effect: Effect,
    /// Whether the same request may work later.
    pub(crate) retryable: bool,
    /// How long to wait before.
    pub(crate) retry_after: Option<Duration>,
    /// What the handler of a call said.
    pub(crate) handler: Option<Box<HandlerError>>,
}

/// The body of a problem.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDoc {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The code in words.
    pub(crate) title: &'static str,
    /// The status of the response.
    pub(crate) status: u16,
    /// The stable code.
    pub(crate) code: Code,
    /// What happened this time.
    pub(crate) detail: String,
    /// The path that was asked for.
    pub(crate) instance: String,
    /// The number of the request, as in the log.
    pub(crate) request_id: String,
    /// Whether the same request may work later.
    pub(crate) retryable: bool,
    /// How long to wait before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
    /// What came of the request.
    pub(crate) outcome: Effect,
    /// What to try.
    pub(crate) hint: String,
    /// What the handler of a call answered with: the application's own code and words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handler: Option<HandlerError>,
}

/// The status of each code that the API gives, whether the request may work later, and whether its effect is known.
const STATUS: &[(Code, StatusCode, bool, Effect)] = {
    use Effect::{NotApplied, Unknown};
    &[
        (Code::E0203, StatusCode::BAD_GATEWAY, false, NotApplied),
        (Code::E0308, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E0310, StatusCode::INTERNAL_SERVER_ERROR, false, Unknown),
        (Code::E0401, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E0402, StatusCode::NOT_FOUND, true, NotApplied),
        (Code::E0403, StatusCode::GATEWAY_TIMEOUT, false, Unknown),
        (Code::E0404, StatusCode::PAYLOAD_TOO_LARGE, false, NotApplied),
        (Code::E0405, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E0406, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E0407, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E0409, StatusCode::BAD_GATEWAY, false, NotApplied),
        (Code::E0410, StatusCode::NOT_FOUND, true, NotApplied),
        (Code::E0411, StatusCode::BAD_REQUEST, false, NotApplied),
        (Code::E0412, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E0413, StatusCode::CONFLICT, true, NotApplied),
        (Code::E0414, StatusCode::BAD_GATEWAY, false, NotApplied),
        (Code::E0415, StatusCode::BAD_REQUEST, false, NotApplied),
        (Code::E0502, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E0503, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E0504, StatusCode::GATEWAY_TIMEOUT, false, Unknown),
        (Code::E0505, StatusCode::UNPROCESSABLE_ENTITY, false, Unknown),
        (Code::E0506, StatusCode::BAD_GATEWAY, false, Unknown),
        (Code::E0507, StatusCode::GATEWAY_TIMEOUT, true, NotApplied),
        (Code::E0508, StatusCode::BAD_REQUEST, false, NotApplied),
        (Code::E0509, StatusCode::BAD_GATEWAY, false, Unknown),
        (Code::E0510, StatusCode::CONFLICT, false, NotApplied),
        (Code::E1501, StatusCode::BAD_REQUEST, false, NotApplied),
        (Code::E1502, StatusCode::BAD_REQUEST, false, NotApplied),
        (Code::E1503, StatusCode::UNSUPPORTED_MEDIA_TYPE, false, NotApplied),
        (Code::E1504, StatusCode::NOT_ACCEPTABLE, false, NotApplied),
        (Code::E1505, StatusCode::METHOD_NOT_ALLOWED, false, NotApplied),
        (Code::E1506, StatusCode::NOT_FOUND, false, NotApplied),
        (Code::E1507, StatusCode::PAYLOAD_TOO_LARGE, false, NotApplied),
        (Code::E1508, StatusCode::TOO_MANY_REQUESTS, true, NotApplied),
        (Code::E1509, StatusCode::UNPROCESSABLE_ENTITY, false, NotApplied),
        (Code::E1510, StatusCode::CONFLICT, true, NotApplied),
        (Code::E1511, StatusCode::FORBIDDEN, false, NotApplied),
        (Code::E1512, StatusCode::NOT_IMPLEMENTED, false, NotApplied),
        (Code::E1513, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E1514, StatusCode::SERVICE_UNAVAILABLE, true, NotApplied),
        (Code::E1515, StatusCode::UNAUTHORIZED, false, NotApplied),
        (Code::E1516, StatusCode::FORBIDDEN, false, NotApplied),
    ]
};

/// How long to wait where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl ApiError {
    /// A failure with the usual status of its code.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let row = STATUS.iter().find(|(known, ..)| *known == code);
        let (status, retryable, effect) = match row {
            Some((_, status, retryable, effect)) => (*status, *retryable, *effect),
            None => (StatusCode::INTERNAL_SERVER_ERROR, false, Effect::Unknown),
        };
        let retry_after = (retryable && status != StatusCode::NOT_FOUND).then_some(RETRY_AFTER);
        Self { status, code, detail: detail.into(), hint: None, effect, retryable, retry_after, handler: None }
    }

    /// With another status.
    pub(crate) const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With what to try.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With how long to wait.
    pub(crate) const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What to try: in this case, or else what the catalogue says of the code.
    pub(crate) fn what_to_try(&self, lang: Lang) -> &str {
        let remedy = || self.code.entry().map_or("", |entry| entry.remedy.in_lang(lang));
        self.hint.as_deref().unwrap_or_else(remedy)
    }

    /// The body of the problem.
    pub(crate) fn document(&self, lang: Lang, instance: &str, request_id: &str) -> ProblemDoc {
        let entry = self.code.entry();
        ProblemDoc {
            kind: format!("/docs/errors/{}", self.code),
            title: entry.map_or("", |entry| entry.title.in_lang(lang)),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            retryable: self.retryable,
            retry_after_ms: self.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            outcome: self.effect,
            hint: self.what_to_try(lang).to_owned(),
            handler: self.handler.as_deref().cloned(),
        }
    }

    /// Sets the headers that go with the problem, whatever its body looks like.
    pub(crate) fn set_headers(&self, response: &mut Response) {
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1_000).max(1) as u64));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"firelink\""));
        }
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        let mut error = Self::new(problem.code, problem.what);
        error.handler = problem.handler;
        let near = problem.notes.into_iter().find(|note| note.starts_with("did you mean"));
        // That is a flag of the command line; what the API has in its place stands in the catalogue.
        let other = problem.tries.into_iter().find(|hint| !hint.contains("--timeout"));
        match near.or(other) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_tells_a_client_whose_turn_it_is() {
        for (code, status, retryable, effect) in STATUS {
            assert!(status.is_client_error() || status.is_server_error(), "{code}");
            assert!(!(*retryable && *effect == Effect::Unknown), "{code}: a repetition might do it twice");
        }
    }

    #[test]
    fn a_hint_is_for_programs_and_not_for_the_command_line() {
        let problem = || Problem::new(Code::E0504, crate::errors::Exit::Unknown, "late");
        let hint = |problem: Problem| ApiError::from(problem).document(Lang::En, "/x", "1").hint;
        assert!(hint(problem().try_this("a longer --timeout")).contains("timeout_ms"));
        assert_eq!(hint(problem().try_this("a longer --timeout").try_this("node routes")), "node routes");
    }

    #[test]
    fn a_problem_is_told_in_the_language_of_the_caller() {
        let error = ApiError::new(Code::E0402, "b/till: no such client");
        let english = error.document(Lang::En, "/x", "1");
        let chinese = error.document(Lang::Zh, "/x", "1");
        assert_eq!((english.status, english.title), (404, "the node has no such client"));
        assert_eq!(chinese.title, "该节点没有这个客户端");
        assert_eq!(english.kind, "/docs/errors/E0402");
    }
}
