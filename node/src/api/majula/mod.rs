//! `/majula`: for unmodified programs of that system. Same paths, parameters and packages; every path takes GET and POST,
//! and a client's name behind it where Majula's does.
//!
//! What differs, on purpose: whoever asks is answered, also if nothing came of it; a call under a client's name does not
//! end that client; a token is needed unless `api.majula.token` is `optional`; and GET changes something only where
//! `api.majula.get_changes_state` allows it.

mod gate;
mod later;
mod names;
mod native;
mod package;
mod params;
mod rpc;
mod send;
mod services;
mod stream;
mod topics;
mod upgrade;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodFilter, MethodRouter, get, on},
};

use super::{
    Api,
    gate::{method_not_allowed, not_found},
};

/// The surface, to stand below `/majula`.
pub(super) fn router(api: &Arc<Api>) -> Router {
    let mut router = Router::new()
        .route("/ws", get(upgrade::upgrade))
        .route("/ws/{target}", get(upgrade::upgrade))
        .route("/node", both(send::node));
    let gated = [
        ("/h", both(stream::packages)),
        ("/sub", both(topics::as_stream)),
        ("/pub", both(topics::over_http)),
        ("/send", both(send::send)),
        ("/rpc", both(rpc::over_http)),
        ("/list_rpc", both(rpc::list)),
    ];
    for (path, methods) in gated {
        router = router.route(path, methods.clone()).route(&format!("{path}/{{target}}"), methods);
    }
    for (path, what) in later::PATHS {
        router = router.route(path, both(move |params| later::answer(what, params)));
    }
    router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(api), gate::gate))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(api))
}

/// One handler for both methods.
fn both<H, T>(handler: H) -> MethodRouter<Arc<Api>>
where
    H: axum::handler::Handler<T, Arc<Api>>,
    T: 'static,
{
    on(MethodFilter::GET.or(MethodFilter::POST), handler)
}
