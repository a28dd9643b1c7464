//! Sockets behind a trait, so that the same shell runs on the operating system's and on a simulator's.

mod endpoint;
mod tokio_net;

pub use endpoint::{BadEndpoint, Host, Scheme, Target};
pub use tokio_net::TokioNet;

use std::{future::Future, io, net::SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};

/// A network: resolves names, connects, listens. Cheap to clone.
pub trait Net: Clone + Send + Sync + 'static {
    /// A connected byte stream. Vectored writes are used where it says that it has them.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A bound socket that accepts streams.
    type Listener: Send + Sync + 'static;

    /// All addresses of a host name.
    fn resolve(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Opens a stream.
    fn connect(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Listens at an address; port 0 takes any free one.
    fn bind(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Waits for the next stream at a listener, and tells where it comes from.
    fn accept(&self, listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// The address that a listener is bound to.
    ///
    /// # Errors
    /// What the platform says.
    fn local_addr(&self, listener: &Self::Listener) -> io::Result<SocketAddr>;
}
