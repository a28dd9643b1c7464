//! `/pub` and `/sub`.

use axum::{Json, response::Response};
use serde_json::Value;

use super::{later::not_yet, params::Params};
use crate::{api::problem::ApiError, config::Verb};

/// `/pub`: publishes `msg` on `topic`.
pub(super) async fn publish(params: Params) -> Result<Json<Value>, ApiError> {
    let [topic, _message] = params.required(["topic", "msg"])?;
    params.may(Verb::Publish, &topic)?;
    Err(not_yet("publishing"))
}

/// `/sub`: streams what is published on `topic`.
pub(super) async fn subscribe(params: Params) -> Result<Response, ApiError> {
    let [topic] = params.required(["topic"])?;
    params.may(Verb::Subscribe, &topic)?;
    Err(not_yet("subscribing"))
}
