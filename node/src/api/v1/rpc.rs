//! Services: who offers what, and calling it.
//!
//! In the mesh a service has one name. `/services/SERVICE/METHOD` is the service `SERVICE.METHOD`, `/services/SERVICE` the
//! service `SERVICE`.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use proto_core::limits::MESSAGE_DEADLINE_MAX;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    messages::client_name,
    page::{Page, Which},
    payload::Payload,
    reply,
};
use crate::{
    api::{
        Api,
        auth::Caller,
        extract::{self, Params, Parts1},
        negotiate,
        problem::ApiError,
    },
    config::Verb,
    control::{CallWish, Choice, ServiceDoc, views},
    errors::Code,
};

/// What may be said about a call.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wish {
    /// The node that shall answer; none: any.
    #[param(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    node: Option<String>,
    /// The client of that node that shall answer.
    #[param(min_length = 1, max_length = 64)]
    provider: Option<String>,
    /// How one of several providers is chosen, where no node is given.
    #[param(inline)]
    balance: Option<Choice>,
    /// The client of this node that calls.
    #[param(min_length = 1, max_length = 64)]
    from_client: Option<String>,
    /// How long it may take, in milliseconds.
    #[param(minimum = 1, maximum = 300000)]
    timeout_ms: Option<u64>,
}

/// Every service of the mesh.
#[utoipa::path(get, path = "/services", tag = "rpc", params(Which), responses((status = 200, body = Page<ServiceDoc>)))]
pub(super) async fn services(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(which): Params<Which>,
) -> Result<Json<Page<ServiceDoc>>, ApiError> {
    super::may_read(&caller)?;
    let services = api.answer(api.session.services()).await?.services;
    which.page(services, |service| service.service.clone()).map(Json)
}

/// One service with its providers.
#[utoipa::path(
    get,
    path = "/services/{service}",
    tag = "rpc",
    params(("service" = String, Path, min_length = 1, max_length = 128, description = "The service.")),
    responses((status = 200, body = ServiceDoc), (status = 404))
)]
pub(super) async fn service(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Parts1(service): Parts1<String>,
) -> Result<Json<ServiceDoc>, ApiError> {
    super::may_read(&caller)?;
    let services = api.answer(api.session.services()).await?.services;
    let found = services.into_iter().find(|one| one.service == service);
    let missing = || {
        let what = format!("nobody serves `{}`", service.escape_debug());
        ApiError::new(Code::E0502, what).status(axum::http::StatusCode::NOT_FOUND).hint("GET /api/v1/services")
    };
    found.map(Json).ok_or_else(missing)
}

/// Calls a service of this very name.
#[utoipa::path(
    post,
    path = "/services/{service}",
    tag = "rpc",
    params(("service" = String, Path, min_length = 1, max_length = 128, description = "The service."), Wish),
    request_body(content = Payload, description = "What the handler is given."),
    responses(
        (
            status = 200,
            description = "What the handler answered; as a stream, `item` for each item, then `done` or `error`.",
            content(
                (serde_json::Value = "application/json"),
                (String = "text/plain"),
                (String = "application/octet-stream"),
                (String = "text/event-stream"),
            )
        ),
        (status = 415),
        (status = 502),
        (status = 504)
    )
)]
pub(super) async fn call_service(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Parts1(service): Parts1<String>,
    Params(wish): Params<Wish>,
    headers: HeaderMap,
    Payload(payload): Payload,
) -> Result<Response, ApiError> {
    run(api, &caller, service, wish, &headers, payload).await
}

/// Calls a method of a service: the service `SERVICE.METHOD`.
#[utoipa::path(
    post,
    path = "/services/{service}/{method}",
    tag = "rpc",
    params(
        ("service" = String, Path, min_length = 1, max_length = 128, description = "The service."),
        ("method" = String, Path, min_length = 1, max_length = 128, description = "Its method."),
        Wish,
    ),
    request_body(content = Payload, description = "What the handler is given."),
    responses(
        (
            status = 200,
            description = "What the handler answered; as a stream, `item` for each item, then `done` or `error`.",
            content(
                (serde_json::Value = "application/json"),
                (String = "text/plain"),
                (String = "application/octet-stream"),
                (String = "text/event-stream"),
            )
        ),
        (status = 415),
        (status = 502),
        (status = 504)
    )
)]
pub(super) async fn call(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Parts1((service, method)): Parts1<(String, String)>,
    Params(wish): Params<Wish>,
    headers: HeaderMap,
    Payload(payload): Payload,
) -> Result<Response, ApiError> {
    run(api, &caller, format!("{service}.{method}"), wish, &headers, payload).await
}

async fn run(
    api: Arc<Api>,
    caller: &Caller,
    service: String,
    wish: Wish,
    headers: &HeaderMap,
    payload: Bytes,
) -> Result<Response, ApiError> {
    caller.may(Verb::Call, &service)?;
    let wish = wish.checked()?;
    if let Some(client) = &wish.from_client {
        caller.may(Verb::Receive, client)?;
    }
    let call = api.session.call(&service, payload, wish);
    if reply::wants_stream(headers) {
        if headers.contains_key("idempotency-key") {
            return Err(extract::wrong("the answer to a call with an `Idempotency-Key` cannot be a stream"));
        }
        return match call.stream() {
            Ok(items) => Ok(reply::stream(api, service, items, negotiate::language(headers))),
            Err(why) => Err(api.session.call_failed(why, &service).await.into()),
        };
    }
    match call.await {
        Ok(response) => Ok(reply::whole(&api.session.response(&service, &response), response.payload)),
        Err(why) => Err(api.session.call_failed(why, &service).await.into()),
    }
}

impl Wish {
    fn checked(self) -> Result<CallWish, ApiError> {
        if self.provider.is_some() && self.node.is_none() {
            return Err(extract::wrong("`provider` names a client of a `node`, which is missing"));
        }
        if self.balance.is_some() && self.node.is_some() {
            return Err(extract::wrong("`balance` chooses among nodes, and `node` names one"));
        }
        let deadline = extract::millis(self.timeout_ms, MESSAGE_DEADLINE_MAX)?;
        Ok(CallWish {
            node: self.node.map(|node| extract::node_name(&node).map(|name| name.as_str().to_owned())).transpose()?,
            provider: self.provider.map(client_name).transpose()?,
            balance: self.balance,
            from_client: self.from_client.map(client_name).transpose()?,
            deadline_ms: deadline.map(views::millis),
        })
    }
}
