//! The body of a request as a payload, byte for byte; it must be what it claims to be.

use axum::{
    extract::{FromRequest, Request},
    http::HeaderMap,
};
use bytes::Bytes;
use utoipa::ToSchema;

use crate::{
    api::{extract, problem::ApiError},
    errors::Code,
};

/// What may be a payload.
pub(super) const KINDS: [&str; 3] = ["application/json", "text/plain", "application/octet-stream"];

/// The payload of a request. In the description of the API, a body of this type stands for [`KINDS`].
#[derive(Debug, ToSchema)]
#[schema(value_type = String)]
pub(super) struct Payload(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await;
        checked(&headers, body.map_err(|why| ApiError::new(Code::E1501, why.body_text()))?).map(Self)
    }
}

fn checked(headers: &HeaderMap, body: Bytes) -> Result<Bytes, ApiError> {
    let unread = |what: String| ApiError::new(Code::E1501, what);
    match extract::media_type(headers).as_deref() {
        None | Some("application/octet-stream") => Ok(body),
        Some("application/json") => match serde_json::from_slice::<&serde_json::value::RawValue>(&body) {
            Ok(_) => Ok(body),
            Err(why) => Err(unread(format!("the body is no JSON: {why}"))),
        },
        Some("text/plain") => match std::str::from_utf8(&body) {
            Ok(_) => Ok(body),
            Err(why) => Err(unread(format!("the body is no UTF-8: {why}"))),
        },
        Some(other) => {
            let what = format!("`{}`; one of: {}", other.escape_debug(), KINDS.join(", "));
            Err(ApiError::new(Code::E1503, what))
        }
    }
}
