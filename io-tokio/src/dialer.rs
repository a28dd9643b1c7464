//! Opens channels: resolves, connects, runs the TLS handshake, within a time limit.
//!
//! Bounds: [`DIALS_AT_ONCE`] dials at a time, the rest wait their turn; [`ADDRS_MAX`] addresses of a name. Every dial ends
//! within the time limit, waiting included, with a channel or an error. So there is nothing to cancel, and no more dials
//! wait than the node begins within that time.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use proto_core::{id::DialId, node::Endpoint};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    admission::Admission,
    arrival::Arrival,
    channel::Opened,
    net::{BadEndpoint, Host, Net, Scheme, Target},
    tls::{self, Tls},
    transport::Transport,
};

/// Most dials under way at a time.
const DIALS_AT_ONCE: usize = 64;
/// Most addresses of a name that are tried. More: the rest is not.
const ADDRS_MAX: usize = 16;
/// Time between attempts at two addresses of a name.
const STAGGER: Duration = Duration::from_millis(250);

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
    /// Told where peers are.
    admission: Arc<Admission>,
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
    arrivals: mpsc::Sender<Arrival<N::Stream>>,
}

impl<N: Net> Dialer<N> {
    /// A dialer that gives each dial `limit`, reports to `arrivals`, and has whoever it dials let in by `admission`.
    pub(crate) fn new(
        net: N,
        tls: Tls,
        limit: Duration,
        admission: Arc<Admission>,
        arrivals: mpsc::Sender<Arrival<N::Stream>>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(DIALS_AT_ONCE));
        Self { net, tls, limit, admission, places, tasks: JoinSet::new(), arrivals }
    }

    /// Starts a dial.
    pub(crate) fn dial(&mut self, dial: DialId, endpoint: Endpoint) {
        while self.tasks.try_join_next().is_some() {}
        let (net, tls, limit) = (self.net.clone(), self.tls.clone(), self.limit);
        let (places, arrivals) = (Arc::clone(&self.places), self.arrivals.clone());
        let admission = Arc::clone(&self.admission);
        self.tasks.spawn(async move {
            let attempt = async {
                let _place = places.acquire().await;
                open(&net, &tls, &admission, &endpoint).await
            };
            let result = timeout(limit, attempt).await.unwrap_or(Err(DialError::Timeout(limit)));
            // Nobody listens only when the node is over.
            let _ = arrivals.send(Arrival::Dialled { dial, endpoint, result }).await;
        });
    }
}

async fn open<N: Net>(
    net: &N,
    tls: &Tls,
    admission: &Admission,
    at: &Endpoint,
) -> Result<Opened<N::Stream>, DialError> {
    let target: Target = at.0.parse()?;
    if target.port == 0 {
        return Err(DialError::NoPort);
    }
    let (stream, addr) = connect(net, admission, &target).await?;
    let remote = Arc::from(addr.to_string());
    match target.scheme {
        Scheme::Tcp => Ok(Opened { transport: Transport::Plain(stream), remote, exporter: None, permit: None }),
        Scheme::Tls => {
            let stream = tls.connect(&target.host, stream).await.map_err(DialError::Tls)?;
            let exporter = Some(tls::exporter(&stream).map_err(DialError::Tls)?);
            Ok(Opened { transport: Transport::Tls(Box::new(stream)), remote, exporter, permit: None })
        }
    }
}

/// Tries the addresses one after the other, each a little after the one before or as soon as that one failed, and takes
/// the first that answers (RFC 8305). An address that swallows everything so holds up the others only for a moment.
async fn connect<N: Net>(
    net: &N,
    admission: &Admission,
    target: &Target,
) -> Result<(N::Stream, SocketAddr), DialError> {
    let addrs = match &target.host {
        Host::Ip(ip) => vec![SocketAddr::new(*ip, target.port)],
        Host::Name(name) => net.resolve(name, target.port).await.map_err(DialError::Resolve)?,
    };
    let mut addrs = alternate(addrs);
    addrs.truncate(ADDRS_MAX);
    addrs.iter().for_each(|addr| admission.dialled(addr.ip()));
    let mut left = addrs.into_iter();
    let mut attempts = JoinSet::new();
    let mut last = DialError::Resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    loop {
        if let Some(addr) = left.next() {
            let net = net.clone();
            attempts.spawn(async move { (addr, net.connect(addr).await) });
        }
        tokio::select! {
            attempt = attempts.join_next() => match attempt {
                Some(Ok((addr, Ok(stream)))) => return Ok((stream, addr)),
                Some(Ok((addr, Err(source)))) => last = DialError::Connect { addr, source },
                Some(Err(ended)) => last = DialError::Resolve(io::Error::other(ended)),
                None => return Err(last),
            },
            () = sleep(STAGGER), if left.len() > 0 => {}
        }
    }
}

/// The addresses in the resolver's order, except that the families take turns: if one of them leads nowhere, the second
/// attempt is of the other.
fn alternate(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addrs.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addrs.into_iter().partition(|addr| addr.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    std::iter::from_fn(|| Some([first.next(), second.next()]))
        .take_while(|pair| pair.iter().any(Option::is_some))
        .flatten()
        .flatten()
        .collect()
}
