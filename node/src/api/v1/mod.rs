//! `/api/v1`: the node and the mesh as resources. The OpenAPI document is made of the handlers: a route that is not
//! described cannot be added.

mod clients;
mod cursor;
mod events;
mod later;
mod mesh;
mod messages;
mod openapi;
mod page;
mod payload;
mod reply;
mod rpc;
mod subscribe;
mod system;
mod topics;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request},
    http::Method,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, auth::Caller, gate, idempotency, negotiate, problem::ApiError};
use crate::{config::Verb, errors::Code};

/// Where the surface begins.
const ROOT: &str = "/api/v1";
/// What a stream of events is.
const EVENT_STREAM: &str = "text/event-stream";

/// Every route, described.
fn routes() -> OpenApiRouter<Arc<Api>> {
    let routes = OpenApiRouter::new()
        .routes(routes!(system::status))
        .routes(routes!(system::version))
        .routes(routes!(events::events))
        .routes(routes!(mesh::peers))
        .routes(routes!(mesh::peer))
        .routes(routes!(mesh::routes))
        .routes(routes!(mesh::topology))
        .routes(routes!(mesh::node))
        .routes(routes!(mesh::ping))
        .routes(routes!(mesh::trace))
        .routes(routes!(clients::clients))
        .routes(routes!(clients::client))
        .routes(routes!(messages::send))
        .routes(routes!(messages::broadcast))
        .routes(routes!(topics::topics))
        .routes(routes!(topics::publish, subscribe::messages))
        .routes(routes!(rpc::services))
        .routes(routes!(rpc::service, rpc::call_service))
        .routes(routes!(rpc::call));
    OpenApiRouter::new().nest(ROOT, routes)
}

/// The surface.
pub(super) fn router(api: &Arc<Api>) -> Router {
    let (router, described) = routes().split_for_parts();
    let document = openapi::document(described);
    router
        .route("/api/v1/openapi.json", get(openapi::serve))
        .route("/api/v1/{*rest}", axum::routing::any(later::later))
        .method_not_allowed_fallback(gate::method_not_allowed)
        .layer(Extension(Arc::new(document)))
        .layer(middleware::from_fn_with_state(Arc::clone(api), idempotency::post))
        .layer(middleware::from_fn(acceptable))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(api))
}

/// Refuses callers that could not read the answer.
async fn acceptable(request: Request, next: Next) -> Response {
    let kinds = kinds(request.method(), request.uri().path());
    if kinds.iter().any(|kind| negotiate::accepts(request.headers(), kind)) {
        return next.run(request).await;
    }
    ApiError::new(Code::E1504, format!("the answer is `{}`", kinds.join("` or `"))).into_response()
}

/// What a route may answer with, where all goes well.
fn kinds(method: &Method, path: &str) -> &'static [&'static str] {
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let is_topic = path.starts_with("/topics/") && path.ends_with("/messages");
    match path {
        "/events" => &[EVENT_STREAM],
        _ if is_topic && method != Method::POST => &[EVENT_STREAM],
        _ if path.starts_with("/services/") && method == Method::POST => {
            &["application/json", "text/plain", "application/octet-stream", EVENT_STREAM]
        }
        _ => &["application/json"],
    }
}

/// Refuses callers that may not look.
fn may_read(caller: &Caller) -> Result<(), ApiError> {
    caller.may(Verb::Read, "")
}

/// The refusal of what this version does not have yet.
fn not_yet(what: &str) -> ApiError {
    ApiError::new(Code::E1512, format!("{what} is not available in this version"))
}
