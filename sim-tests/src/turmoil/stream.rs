//! A connection on the simulator's TCP, with what the simulator's own does not have: frozen processes, resets, flipped
//! bits, and sockets that take only a part of what is written.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::hub::{Access, Hub, Tap};

/// Most bytes of one segment. The simulator bounds a connection by segments, so this bounds its bytes.
const SEGMENT_MAX: usize = 16 * 1_024;

/// A connection.
#[derive(Debug)]
pub(super) struct SimStream {
    inner: ::turmoil::net::TcpStream,
    hub: Arc<Hub>,
    tap: Arc<Tap>,
}

impl SimStream {
    pub(super) const fn new(inner: ::turmoil::net::TcpStream, hub: Arc<Hub>, tap: Arc<Tap>) -> Self {
        Self { inner, hub, tap }
    }

    fn poll_access(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        match self.hub.access(&self.tap, cx) {
            Access::Open => Poll::Ready(Ok(())),
            Access::Frozen => Poll::Pending,
            Access::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncRead for SimStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_access(cx))?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.hub.damage(&self.tap, &mut buf.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_access(cx))?;
        let len = self.hub.chop(bytes.len().min(SEGMENT_MAX));
        Pin::new(&mut self.inner).poll_write(cx, &bytes[..len])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut joined = Vec::new();
        for slice in slices {
            let room = SEGMENT_MAX - joined.len();
            joined.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        self.poll_write(cx, &joined)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_access(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_access(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
