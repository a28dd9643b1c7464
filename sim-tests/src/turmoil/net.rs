//! The shell's network and clock on the simulator.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use io_sim::{HostId, PORT};
use io_tokio::{clock::Clock, net::Net};
use proto_core::{
    id::DialId,
    node::{Endpoint, Output},
    time::{Time, WallTime},
};
use tokio::time::sleep;

use super::{hub::Hub, log::Log, stream::SimStream};

/// How often a connection whose handshake cannot be answered is looked at.
const ANSWER_POLL: Duration = Duration::from_millis(100);
/// What the calendar says when the simulation begins: the start of 2026.
const WALL_START_MS: u64 = 1_767_225_600_000;

/// One host's sockets.
#[derive(Clone, Debug)]
pub(super) struct TurmoilNet {
    hub: Arc<Hub>,
    log: Arc<Log>,
    host: HostId,
}

impl TurmoilNet {
    pub(super) const fn new(hub: Arc<Hub>, log: Arc<Log>, host: HostId) -> Self {
        Self { hub, log, host }
    }

    fn host_at(&self, ip: IpAddr) -> io::Result<HostId> {
        self.hub.host_at(ip).ok_or_else(|| io::ErrorKind::NetworkUnreachable.into())
    }

    fn stream(&self, inner: ::turmoil::net::TcpStream, there: HostId) -> SimStream {
        SimStream::new(inner, Arc::clone(&self.hub), self.hub.tap(self.host, there))
    }

    async fn thawed(&self) {
        poll_fn(|cx| self.hub.poll_thawed(self.host, cx)).await;
    }
}

impl Net for TurmoilNet {
    type Stream = SimStream;
    type Listener = ::turmoil::net::TcpListener;

    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new(::turmoil::lookup(name), port)])
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<SimStream> {
        let there = self.host_at(addr.ip())?;
        if let Some(name) = self.hub.name(there) {
            let endpoint = Endpoint::new(&format!("tcp://{name}:{PORT}"));
            self.log.output(&self.hub, self.host, Output::Dial { dial: DialId(0), endpoint });
        }
        let stream = ::turmoil::net::TcpStream::connect(addr).await?;
        // The simulator answers a handshake by magic; really the answer must come back.
        while self.hub.is_cut(there, self.host) {
            sleep(ANSWER_POLL).await;
        }
        self.thawed().await;
        Ok(self.stream(stream, there))
    }

    async fn bind(&self, addr: SocketAddr) -> io::Result<Self::Listener> {
        ::turmoil::net::TcpListener::bind(addr).await
    }

    async fn accept(&self, listener: &Self::Listener) -> io::Result<(SimStream, SocketAddr)> {
        let (stream, remote) = listener.accept().await?;
        self.thawed().await;
        Ok((self.stream(stream, self.host_at(remote.ip())?), remote))
    }

    fn local_addr(&self, listener: &Self::Listener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }
}

/// One host's clock.
#[derive(Clone, Debug)]
pub(super) struct HostClock {
    hub: Arc<Hub>,
    host: HostId,
}

impl HostClock {
    pub(super) const fn new(hub: Arc<Hub>, host: HostId) -> Self {
        Self { hub, host }
    }
}

impl Clock for HostClock {
    fn now(&mut self) -> Time {
        self.hub.local(self.host)
    }

    fn wall(&mut self) -> WallTime {
        WallTime(WALL_START_MS + self.hub.now().as_millis())
    }
}
