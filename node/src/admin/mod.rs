//! The admin listener: `/metrics`, `/livez`, `/readyz`, for this machine only.
//!
//! A page in a browser on this machine must not reach it under a name of its own (DNS rebinding), so the `Host` of every
//! request must name this machine.

mod metrics;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Query, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use io_tokio::Mesh;
use serde::Deserialize;
use tokio::{net::TcpListener, time::timeout};

use crate::{control::Mailboxes, run::Readiness};

/// A node that does not turn for so long is stuck for good.
const STUCK: Duration = Duration::from_secs(10);

/// What the listener tells about.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    /// The node.
    pub(crate) mesh: Mesh,
    /// What receivers left behind.
    pub(crate) mailboxes: Arc<Mailboxes>,
    /// Whether it takes messages.
    pub(crate) readiness: Arc<Readiness>,
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, admin: Admin) {
    let router = Router::new()
        .route("/metrics", get(scrape))
        .with_state(admin.clone())
        .merge(health(admin))
        .layer(middleware::from_fn(only_this_machine));
    if let Err(why) = axum::serve(listener, router).await {
        tracing::error!(%why, "the admin listener ended");
    }
}

/// Whether the node lives, and whether it takes messages. Every listener tells.
pub(crate) fn health(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/healthz", get(livez))
        .route("/readyz", get(readyz))
        .with_state(admin)
}

async fn only_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(is_this_machine) {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "this listener answers to localhost only\n").into_response()
    }
}

/// Whether a `Host` header names this machine, with or without a port.
pub(crate) fn is_this_machine(host: &str) -> bool {
    if let Ok(addr) = host.parse::<SocketAddr>() {
        return addr.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        Some(_) | None => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

async fn scrape(State(admin): State<Admin>) -> Response {
    let counters = admin.mesh.counters().await.map(|mut counters| {
        counters.insert("leftovers_dropped", admin.mailboxes.dropped());
        counters
    });
    match counters.map(metrics::render) {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n").into_response(),
    }
}

/// Fails only when nothing but a new process would help.
async fn livez(State(admin): State<Admin>) -> Response {
    match timeout(STUCK, admin.mesh.inspect(|_, _| ())).await {
        Ok(Ok(())) => "ok\n".into_response(),
        Ok(Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the node does not turn\n").into_response(),
    }
}

#[derive(Debug, Deserialize)]
struct Exclude {
    exclude: Option<String>,
}

async fn readyz(State(admin): State<Admin>, Query(query): Query<Exclude>) -> Response {
    let without_links = query.exclude.as_deref() == Some("links");
    if admin.readiness.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    let Ok(counters) = admin.mesh.counters().await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n").into_response();
    };
    if admin.readiness.wants_links() && !without_links && metrics::links(&counters) == 0 {
        return (StatusCode::SERVICE_UNAVAILABLE, "no link is up\n").into_response();
    }
    "ready\n".into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_let_in() {
        for host in ["localhost", "LOCALHOST:18081", "127.0.0.1:18081", "127.0.0.1", "[::1]:18081", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:80", "10.0.0.1:18081", "127.0.0.1.evil.example"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
