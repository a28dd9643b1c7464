//! What every request gets, and what every failure looks like. Outermost, so that nothing escapes it.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Api, negotiate,
    problem::{ApiError, PROBLEM_JSON},
};
use crate::errors::Code;

/// The header of a request's number.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest number that a caller may give.
const REQUEST_ID_MAX: usize = 64;

/// Numbers the request, and tells failures as problems.
pub(super) async fn native(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    run(&api, request, next, |error, headers, path, id| {
        let lang = negotiate::language(headers);
        let mut response = Json(error.document(lang, path, id)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(negotiate::tag(lang)));
        response
    })
    .await
}

/// Numbers the request, and tells failures as Majula does: `error`, with our code beside it.
pub(super) async fn majula(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    run(&api, request, next, |error, _, _, _| {
        Json(serde_json::json!({ "error": error.detail, "code": error.code })).into_response()
    })
    .await
}

async fn run(
    api: &Api,
    request: Request,
    next: Next,
    tell: impl FnOnce(&ApiError, &HeaderMap, &str, &str) -> Response,
) -> Response {
    let headers = request.headers().clone();
    let path = request.uri().path().to_owned();
    let id = given_id(&headers).unwrap_or_else(|| api.fresh_id());
    let mut response = next.run(request).await;
    let error = response.extensions_mut().remove::<ApiError>();
    let unexplained = response.status().is_client_error() || response.status().is_server_error();
    let error = error.or_else(|| {
        // A refusal of the framework; there should be none.
        let bare = unexplained && !response.headers().contains_key(header::CONTENT_TYPE);
        bare.then(|| ApiError::new(Code::E1502, "the request makes no sense").status(response.status()))
    });
    if let Some(error) = error {
        if error.status.is_server_error() {
            tracing::warn!(request = %id, code = %error.code, status = error.status.as_u16(), "{path}: {}", error.detail);
        } else {
            tracing::debug!(request = %id, code = %error.code, status = error.status.as_u16(), "{path}: {}", error.detail);
        }
        let mut told = tell(&error, &headers, &path, &id);
        // What the layers below said besides, such as which methods there are.
        let (parts, _) = response.into_parts();
        for (name, value) in &parts.headers {
            if !told.headers().contains_key(name) && name != header::CONTENT_LENGTH {
                told.headers_mut().insert(name, value.clone());
            }
        }
        error.set_headers(&mut told);
        response = told;
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if api.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The number that the caller gave: its own, or that of the trace it belongs to.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let plain = |id: &&str| {
        let fits = !id.is_empty() && id.len() <= REQUEST_ID_MAX;
        fits && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let own = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(plain);
    let trace = || {
        let parent = headers.get("traceparent")?.to_str().ok()?;
        let trace = parent.split('-').nth(1)?;
        (trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit())).then_some(trace)
    };
    own.or_else(trace).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &'static str, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        given_id(&headers)
    }

    #[test]
    fn a_number_of_the_caller_is_kept_if_it_is_plain() {
        assert_eq!(given("x-request-id", "abc-1.2_3").as_deref(), Some("abc-1.2_3"));
        assert_eq!(given("x-request-id", "a b"), None);
        assert_eq!(given("x-request-id", &"x".repeat(65)), None);
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(given("traceparent", parent).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(given("traceparent", "00-xyz-1-1"), None);
    }
}
