//! The operating system's TCP through tokio.

use std::{io, net::SocketAddr};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tracing::debug;

use super::Net;

/// Bytes that the kernel takes beyond what it has sent. What waits beyond that waits in the node's lanes, where a
/// heartbeat still overtakes a large transfer.
const NOT_SENT_LOW_WATER: u32 = 128 * 1024;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// The operating system's TCP: no Nagle, no keep-alive (links have their own heartbeat), little unsent in the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioNet;

impl Net for TokioNet {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((name, port)).await?.collect())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(addr).await?;
        tune(&stream);
        Ok(stream)
    }

    async fn bind(&self, addr: SocketAddr) -> io::Result<TcpListener> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, remote) = listener.accept().await?;
        tune(&stream);
        Ok((stream, remote))
    }

    fn local_addr(&self, listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }
}

/// Sets what makes a stream faster. One that cannot be set is used as it is: it may be reset already, which reading it
/// will tell.
fn tune(stream: &TcpStream) {
    let mut tuned = stream.set_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        tuned = tuned.and_then(|()| SockRef::from(stream).set_tcp_notsent_lowat(NOT_SENT_LOW_WATER));
    }
    if let Err(error) = tuned {
        debug!(%error, "cannot tune a socket");
    }
}
