//! Opens channels: resolves, connects, runs the TLS handshake, within a time limit.
//!
//! Bounds: [`DIALS_AT_ONCE`] attempts at a time, the rest wait their turn. Every attempt ends within the time limit, with
//! a channel or an error; there is nothing to cancel.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use proto_core::{id::DialId, node::Endpoint};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};

use crate::{
    arrival::Arrival,
    channel::Opened,
    net::{BadEndpoint, Host, Net, Scheme, Target},
    tls::{self, Tls},
    transport::Transport,
};

/// Most attempts under way at a time.
const DIALS_AT_ONCE: usize = 64;

/// Why a dial came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// The endpoint makes no sense here.
    #[error("{0}")]
    BadEndpoint(#[from] BadEndpoint),
    /// Port 0 is for listening.
    #[error("port 0 cannot be dialled")]
    NoPort,
    /// The name has no address, or the resolver failed.
    #[error("cannot resolve the name: {0}")]
    Resolve(io::Error),
    /// No address answered; this is what the last one said.
    #[error("{addr}: {source}")]
    Connect { addr: SocketAddr, source: io::Error },
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// Nothing answered in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

/// Dials for a node.
pub(crate) struct Dialer<N: Net> {
    net: N,
    tls: Tls,
    limit: Duration,
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
    arrivals: mpsc::Sender<Arrival<N::Stream>>,
}

impl<N: Net> Dialer<N> {
    /// A dialer that gives each attempt `limit` and reports to `arrivals`.
    pub(crate) fn new(net: N, tls: Tls, limit: Duration, arrivals: mpsc::Sender<Arrival<N::Stream>>) -> Self {
        Self { net, tls, limit, places: Arc::new(Semaphore::new(DIALS_AT_ONCE)), tasks: JoinSet::new(), arrivals }
    }

    /// Starts an attempt.
    pub(crate) fn dial(&mut self, dial: DialId, endpoint: Endpoint) {
        while self.tasks.try_join_next().is_some() {}
        let (net, tls, limit) = (self.net.clone(), self.tls.clone(), self.limit);
        let (places, arrivals) = (Arc::clone(&self.places), self.arrivals.clone());
        self.tasks.spawn(async move {
            let _place = places.acquire().await;
            let result = open(&net, &tls, limit, &endpoint).await;
            // Nobody listens only when the node is over.
            let _ = arrivals.send(Arrival::Dialled { dial, endpoint, result }).await;
        });
    }
}

async fn open<N: Net>(net: &N, tls: &Tls, limit: Duration, at: &Endpoint) -> Result<Opened<N::Stream>, DialError> {
    let target: Target = at.0.parse()?;
    if target.port == 0 {
        return Err(DialError::NoPort);
    }
    let attempt = async {
        let (stream, addr) = connect(net, limit, &target).await?;
        let remote = Arc::from(addr.to_string());
        match target.scheme {
            Scheme::Tcp => Ok(Opened { transport: Transport::Plain(stream), remote, exporter: None, permit: None }),
            Scheme::Tls => {
                let stream = tls.connect(&target.host, stream).await.map_err(DialError::Tls)?;
                let exporter = Some(tls::exporter(&stream).map_err(DialError::Tls)?);
                Ok(Opened { transport: Transport::Tls(Box::new(stream)), remote, exporter, permit: None })
            }
        }
    };
    timeout(limit, attempt).await.unwrap_or(Err(DialError::Timeout(limit)))
}

/// Tries every address in turn, giving each its share of the time.
async fn connect<N: Net>(net: &N, limit: Duration, target: &Target) -> Result<(N::Stream, SocketAddr), DialError> {
    let addrs = match &target.host {
        Host::Ip(ip) => vec![SocketAddr::new(*ip, target.port)],
        Host::Name(name) => net.resolve(name, target.port).await.map_err(DialError::Resolve)?,
    };
    let share = limit / u32::try_from(addrs.len().max(1)).unwrap_or(u32::MAX);
    let mut last = DialError::Resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for addr in addrs {
        match timeout(share, net.connect(addr)).await {
            Ok(Ok(stream)) => return Ok((stream, addr)),
            Ok(Err(source)) => last = DialError::Connect { addr, source },
            Err(_) => last = DialError::Connect { addr, source: io::ErrorKind::TimedOut.into() },
        }
    }
    Err(last)
}
