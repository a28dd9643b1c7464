//! Messages to nodes and their clients. The body of a request is the payload, byte for byte.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode};
use io_tokio::SendOptions;
use proto_core::limits::{CLIENT_NAME_MAX, MESSAGE_DEADLINE_MAX};
use serde::Deserialize;
use utoipa::IntoParams;

use super::payload::Payload;
use crate::{
    api::{
        Api,
        auth::Caller,
        extract::{self, NodePath, Params},
        problem::ApiError,
    },
    config::Verb,
    control::{Receipt, Receipts},
};

/// What may be said about a message.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Address {
    /// The client of the node that it is for; none: the node itself.
    #[param(min_length = 1, max_length = 64)]
    client: Option<String>,
    /// The client of this node that it is from.
    #[param(min_length = 1, max_length = 64)]
    from_client: Option<String>,
    /// How long it may take, in milliseconds.
    #[param(minimum = 1, maximum = 300000)]
    timeout_ms: Option<u64>,
}

/// How long it may take.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Deadline {
    /// How long it may take, in milliseconds.
    #[param(minimum = 1, maximum = 300000)]
    timeout_ms: Option<u64>,
}

/// Sends a message to a node or to a client at it, and tells what became of it.
#[utoipa::path(
    post,
    path = "/nodes/{id}/messages",
    tag = "messages",
    params(("id" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}$", description = "The node."), Address),
    request_body(content = Payload, description = "The payload."),
    responses(
        (status = 200, description = "The receiver has it.", body = Receipt),
        (status = 404),
        (status = 415),
        (status = 502),
        (status = 504)
    )
)]
pub(super) async fn send(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    NodePath(node): NodePath,
    Params(address): Params<Address>,
    Payload(payload): Payload,
) -> Result<Json<Receipt>, ApiError> {
    let client = address.client.map(client_name).transpose()?;
    let from_client = address.from_client.map(client_name).transpose()?;
    let receiver = client.as_ref().map_or_else(|| node.to_string(), |client| format!("{node}/{client}"));
    caller.may(Verb::Send, &receiver)?;
    if let Some(from) = &from_client {
        caller.may(Verb::Receive, from)?;
    }
    let deadline = extract::millis(address.timeout_ms, MESSAGE_DEADLINE_MAX)?;
    let options = SendOptions { client: client.map(Into::into), from_client: from_client.map(Into::into), deadline };
    Ok(Json(api.session.send(node.as_str(), payload, options).await?))
}

/// Sends a message to every node within reach, and tells what became of it at each.
#[utoipa::path(
    post,
    path = "/broadcast",
    tag = "messages",
    params(Deadline),
    request_body(content = Payload, description = "The payload."),
    responses(
        (status = 200, description = "Every node has it.", body = Receipts),
        (status = 207, description = "Some nodes do not have it, or may not; the receipts tell which.", body = Receipts),
        (status = 415),
        (status = 502),
        (status = 504)
    )
)]
pub(super) async fn broadcast(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(deadline): Params<Deadline>,
    Payload(payload): Payload,
) -> Result<(StatusCode, Json<Receipts>), ApiError> {
    caller.may(Verb::Broadcast, "")?;
    let deadline = extract::millis(deadline.timeout_ms, MESSAGE_DEADLINE_MAX)?;
    let receipts = api.session.broadcast(payload, deadline).await?;
    let all = receipts.delivered == receipts.total;
    Ok((if all { StatusCode::OK } else { StatusCode::MULTI_STATUS }, Json(receipts)))
}

/// The name of a client.
///
/// # Errors
/// It is none.
pub(super) fn client_name(name: String) -> Result<String, ApiError> {
    if name.is_empty() || name.len() > CLIENT_NAME_MAX {
        return Err(extract::wrong(format!("the name of a client has 1 to {CLIENT_NAME_MAX} bytes")));
    }
    Ok(name)
}
