//! All surfaces together, and what every request of them passes through.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method},
    middleware,
    routing::get,
};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

use super::{Api, envelope, errors_doc, gate, majula, v1, ws};
use crate::admin;

/// How long a browser may remember what it may do.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// Everything that the listener serves.
pub(super) fn router(api: &Arc<Api>) -> Router {
    let session = &api.session;
    let (readiness, mailboxes) = (Arc::clone(&session.readiness), Arc::clone(&session.mailboxes));
    let health = admin::Admin { mesh: session.mesh.clone(), readiness, mailboxes };
    let gated = |router: Router| router.layer(middleware::from_fn_with_state(Arc::clone(api), gate::gate));
    let native = gated(v1::router(api))
        .merge(ws::router(api))
        .route("/docs/errors/{code}", get(errors_doc::explain))
        .method_not_allowed_fallback(gate::method_not_allowed)
        .fallback(gate::not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(api), envelope::native));
    let mut router = Router::new().merge(native);
    if api.config.majula.enabled {
        let majula = majula::router(api).layer(middleware::from_fn_with_state(Arc::clone(api), envelope::majula));
        router = router.nest("/majula", majula);
    }
    router.layer(cors(&api.config.cors)).merge(admin::health(health))
}

/// Tells browsers which pages may read the answers.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let names = |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        // The headers of publications may have any name.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list(names(&[
            "x-request-id",
            "idempotency-replayed",
            "ratelimit",
            "ratelimit-policy",
            "retry-after",
            "x-mesh-answered-by",
        ])))
        .max_age(PREFLIGHT_AGE)
}
