//! Accepts connections: checks the source before anything is read, runs the TLS handshake, hands the stream over.
//!
//! Bounds, of all listeners of a node together: [`HANDSHAKES_AT_ONCE`] TLS handshakes at a time, of strangers
//! [`OF_STRANGERS`], each with a time limit; more connections are refused.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use crate::{
    admission::{Admission, Permit, Refusal},
    arrival::Arrival,
    channel::Opened,
    clock::Clock,
    counters::ShellCounters,
    net::{Host, Net, Scheme, Target},
    tls::{self, Tls},
    transport::Transport,
};

/// Most TLS handshakes under way at a time.
const HANDSHAKES_AT_ONCE: usize = 256;
/// Most of them with strangers: the rest are for peers.
const OF_STRANGERS: usize = HANDSHAKES_AT_ONCE / 4 * 3;
/// Pause after an error of the listening socket, such as having no file descriptors left.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// A bound listener.
pub(crate) struct Listener<N: Net> {
    net: N,
    socket: N::Listener,
    scheme: Scheme,
    /// Where it is bound.
    pub(crate) addr: SocketAddr,
}

/// What all listeners of a node share.
pub(crate) struct Reception<S> {
    pub(crate) tls: Tls,
    pub(crate) limit: Duration,
    pub(crate) admission: Arc<Admission>,
    pub(crate) places: Places,
    pub(crate) counters: Arc<ShellCounters>,
    pub(crate) arrivals: mpsc::Sender<Arrival<S>>,
}

impl<S> Clone for Reception<S> {
    fn clone(&self) -> Self {
        Self {
            tls: self.tls.clone(),
            limit: self.limit,
            admission: Arc::clone(&self.admission),
            places: self.places.clone(),
            counters: Arc::clone(&self.counters),
            arrivals: self.arrivals.clone(),
        }
    }
}

impl<N: Net> Listener<N> {
    /// Binds. A name is resolved, and its first address that can be bound is taken.
    pub(crate) async fn bind(net: N, target: &Target) -> io::Result<Self> {
        let addrs = match &target.host {
            Host::Ip(ip) => vec![SocketAddr::new(*ip, target.port)],
            Host::Name(name) => net.resolve(name, target.port).await?,
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for addr in addrs {
            match net.bind(addr).await {
                Ok(socket) => {
                    let addr = net.local_addr(&socket)?;
                    return Ok(Self { net, socket, scheme: target.scheme, addr });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Accepts until its task is ended.
    pub(crate) async fn run(self, mut clock: impl Clock, reception: Reception<N::Stream>) {
        let mut handshakes = tokio::task::JoinSet::new();
        loop {
            while handshakes.try_join_next().is_some() {}
            let (stream, remote) = match self.net.accept(&self.socket).await {
                Ok(accepted) => accepted,
                Err(error) => {
                    reception.counters.accept_errors.add(1);
                    if is_of_one_connection(&error) {
                        continue;
                    }
                    warn!(listener = %self.addr, %error, "cannot accept");
                    sleep(PAUSE_AFTER_ERROR).await;
                    continue;
                }
            };
            let permit = match reception.admission.admit(clock.now(), remote) {
                Ok(permit) => permit,
                Err(refusal) => {
                    count(&reception.counters, refusal);
                    debug!(%remote, ?refusal, "refused a connection");
                    continue;
                }
            };
            match self.scheme {
                Scheme::Tcp => {
                    let opened = plain(stream, remote, permit);
                    if reception.arrivals.send(Arrival::Accepted(opened)).await.is_err() {
                        return;
                    }
                }
                Scheme::Tls => match reception.places.take(permit.known) {
                    Some(place) => {
                        let reception = reception.clone();
                        handshakes.spawn(async move {
                            handshake(stream, remote, permit, reception).await;
                            drop(place);
                        });
                    }
                    None => reception.counters.refused_too_many.add(1),
                },
            }
        }
    }
}

/// Places for TLS handshakes. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    of_strangers: Arc<Semaphore>,
}

/// A place that is held.
struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_strangers: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// All of them free.
    pub(crate) fn new() -> Self {
        let [all, of_strangers] = [HANDSHAKES_AT_ONCE, OF_STRANGERS].map(|places| Arc::new(Semaphore::new(places)));
        Self { all, of_strangers }
    }

    /// A place; `None` if none is left for such as this one.
    fn take(&self, known: bool) -> Option<Place> {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let of_strangers = if known { None } else { Some(take(&self.of_strangers)?) };
        Some(Place { _of_all: take(&self.all)?, _of_strangers: of_strangers })
    }
}

/// Whether an error says something of the connection that was to be accepted, and nothing of the listening socket.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

fn plain<S>(stream: S, remote: SocketAddr, permit: Permit) -> Opened<S> {
    let remote = Arc::from(remote.to_string());
    Opened { transport: Transport::Plain(stream), remote, exporter: None, permit: Some(permit) }
}

async fn handshake<S>(stream: S, remote: SocketAddr, permit: Permit, reception: Reception<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let accepted = match timeout(reception.limit, reception.tls.accept(stream)).await {
        Ok(accepted) => accepted.and_then(|stream| Ok((tls::exporter(&stream)?, stream))),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    match accepted {
        Ok((exporter, stream)) => {
            let (transport, remote) = (Transport::Tls(Box::new(stream)), Arc::from(remote.to_string()));
            let opened = Opened { transport, remote, exporter: Some(exporter), permit: Some(permit) };
            // Nobody listens only when the node is over.
            let _ = reception.arrivals.send(Arrival::Accepted(opened)).await;
        }
        Err(error) => {
            reception.counters.tls_failed.add(1);
            debug!(%remote, %error, "a TLS handshake failed");
        }
    }
}

fn count(counters: &ShellCounters, refusal: Refusal) {
    match refusal {
        Refusal::NotAllowed => counters.refused_not_allowed.add(1),
        Refusal::TooMany => counters.refused_too_many.add(1),
        Refusal::TooFast => counters.refused_too_fast.add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_leave_places_for_peers() {
        let places = Places::new();
        let of_another_listener = places.clone();
        let mut held: Vec<_> = std::iter::from_fn(|| places.take(false)).collect();
        assert_eq!(held.len(), OF_STRANGERS);
        assert!(of_another_listener.take(false).is_none(), "all listeners share them");
        held.extend(std::iter::from_fn(|| places.take(true)));
        assert_eq!(held.len(), HANDSHAKES_AT_ONCE);
        held.clear();
        assert!(places.take(false).is_some());
    }
}
