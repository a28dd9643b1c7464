//! The connections: accepted, bounded in number and time, and spoken HTTP/1.1 on.
//!
//! A connection that says nothing for [`HEADERS_TIME`] is closed. At `api.limits.connections` new ones wait in the
//! socket's backlog.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::Service as _};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use super::{Api, router};

/// Time in which the head of a request must have come.
const HEADERS_TIME: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const HEAD_MAX: usize = 16 * 1_024;
/// Pause after an error of a listening socket, such as having no file descriptors left.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Where a request comes from. Every request carries it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// The address of the caller.
    pub(crate) addr: SocketAddr,
    /// Whether the listener is for this machine only.
    pub(crate) local: bool,
}

/// A connection's place among those that there may be. A socket that a connection becomes keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Slot(#[expect(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>);

/// Serves all listeners until it is dropped.
pub(super) async fn serve(api: Arc<Api>, listeners: Vec<TcpListener>) {
    let room = Arc::new(Semaphore::new(api.config.limits.connections));
    let router = router::router(&api);
    let mut loops = JoinSet::new();
    for listener in listeners {
        loops.spawn(accept(listener, router.clone(), Arc::clone(&room)));
    }
    // They end only together with this.
    while loops.join_next().await.is_some() {}
}

async fn accept(listener: TcpListener, router: Router, room: Arc<Semaphore>) {
    let local = listener.local_addr().is_ok_and(|addr| addr.ip().is_loopback());
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, addr)) => {
                let slot = Slot(Arc::new(permit));
                connections.spawn(connection(stream, router.clone(), Peer { addr, local }, slot));
            }
            Err(why) => {
                tracing::warn!(%why, "cannot accept on the API listener");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, peer: Peer, slot: Slot) {
    // Small answers must not wait for more of them.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(slot.clone());
        let response = router.call(request.map(Body::new));
        async move { Ok::<_, Infallible>(response.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIME)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(why) = connection.await {
        tracing::debug!(%why, peer = %peer.addr, "an API connection ended");
    }
}
