//! `/ws`: the native protocol, `mesh.v1.json`. One JSON object per message, both ways; every message of a client that has
//! a number is answered under it, and nothing is dropped silently. The same port is to speak to clients of GoHub, which
//! name no subprotocol; until then they are told so.

mod direct;
mod envelope;
mod native;
mod rpc;
mod services;
mod topics;
mod upgrade;

use std::sync::Arc;

use axum::{Router, routing::get};

use super::{Api, gate};

/// The subprotocol.
const PROTOCOL: &str = "mesh.v1.json";

/// The surface.
pub(super) fn router(api: &Arc<Api>) -> Router {
    Router::new()
        .route("/ws", get(upgrade::upgrade))
        .method_not_allowed_fallback(gate::method_not_allowed)
        .with_state(Arc::clone(api))
}
