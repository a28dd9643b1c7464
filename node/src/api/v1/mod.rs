//! `/api/v1`: the node and the mesh as resources. The OpenAPI document is made of the handlers: a route that is not
//! described cannot be added.

mod clients;
mod events;
mod later;
mod mesh;
mod messages;
mod openapi;
mod page;
mod rpc;
mod system;
mod topics;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, auth::Caller, gate, idempotency, negotiate, problem::ApiError};
use crate::{config::Verb, errors::Code};

/// Where the surface begins.
const ROOT: &str = "/api/v1";
/// The one route that answers with a stream.
const EVENTS: &str = "/api/v1/events";

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
        .routes(routes!(topics::publish, topics::messages))
        .routes(routes!(rpc::services))
        .routes(routes!(rpc::service))
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
    let stream = request.uri().path() == EVENTS;
    let kind = if stream { "text/event-stream" } else { "application/json" };
    if negotiate::accepts(request.headers(), kind) {
        return next.run(request).await;
    }
    ApiError::new(Code::E1504, format!("the answer is `{kind}`")).into_response()
}

/// Refuses callers that may not look.
fn may_read(caller: &Caller) -> Result<(), ApiError> {
    caller.may(Verb::Read, "")
}

/// The refusal of what this version does not have yet.
fn not_yet(what: &str) -> ApiError {
    ApiError::new(Code::E1512, format!("{what} is not available in this version"))
}
