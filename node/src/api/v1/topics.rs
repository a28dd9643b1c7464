//! Topics: publishing, and reading as a stream.

use axum::{Extension, response::Response};

use super::not_yet;
use crate::{
    api::{auth::Caller, extract::Parts1, problem::ApiError},
    config::Verb,
};

/// What the mesh subscribes to.
#[utoipa::path(get, path = "/topics", tag = "topics", responses((status = 501)))]
pub(super) async fn topics(Extension(caller): Extension<Caller>) -> Result<Response, ApiError> {
    super::may_read(&caller)?;
    Err(not_yet("the list of topics"))
}

/// Publishes a message.
#[utoipa::path(
    post,
    path = "/topics/{topic}/messages",
    tag = "topics",
    params(("topic" = String, Path, description = "The topic.")),
    request_body(content((String = "application/octet-stream"), (serde_json::Value = "application/json"))),
    responses((status = 501))
)]
pub(super) async fn publish(
    Extension(caller): Extension<Caller>,
    Parts1(topic): Parts1<String>,
) -> Result<Response, ApiError> {
    caller.may(Verb::Publish, &topic)?;
    Err(not_yet("publishing"))
}

/// Subscribes, and streams what is published.
#[utoipa::path(
    get,
    path = "/topics/{topic}/messages",
    tag = "topics",
    params(("topic" = String, Path, description = "The topic, or a filter.")),
    responses((status = 501))
)]
pub(super) async fn messages(
    Extension(caller): Extension<Caller>,
    Parts1(topic): Parts1<String>,
) -> Result<Response, ApiError> {
    caller.may(Verb::Subscribe, &topic)?;
    Err(not_yet("subscribing"))
}
