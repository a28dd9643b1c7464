//! A network that breaks the shell on purpose: the tier must catch it.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use io_tokio::net::Net;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads of a connection until something goes wrong with it.
const SOUND_READS: u32 = 20;

/// How the shell is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A piece that was read is dropped.
    Drop,
    /// A piece that was read is given out after the next one.
    Swap,
    /// A piece that was read is given out twice.
    Repeat,
    /// From some moment on the connection never says again that there is something to read.
    Sleep,
}

/// A network whose connections are broken after a while.
#[derive(Clone, Debug)]
pub(super) struct Broken<N> {
    net: N,
    sabotage: Sabotage,
}

impl<N> Broken<N> {
    pub(super) const fn new(net: N, sabotage: Sabotage) -> Self {
        Self { net, sabotage }
    }

    fn stream<S>(&self, inner: S) -> BrokenStream<S> {
        BrokenStream { inner, sabotage: self.sabotage, reads: 0, held: VecDeque::new() }
    }
}

impl<N: Net> Net for Broken<N> {
    type Stream = BrokenStream<N::Stream>;
    type Listener = N::Listener;

    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.net.resolve(name, port).await
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
        Ok(self.stream(self.net.connect(addr).await?))
    }

    async fn bind(&self, addr: SocketAddr) -> io::Result<Self::Listener> {
        self.net.bind(addr).await
    }

    async fn accept(&self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        let (stream, remote) = self.net.accept(listener).await?;
        Ok((self.stream(stream), remote))
    }

    fn local_addr(&self, listener: &Self::Listener) -> io::Result<SocketAddr> {
        self.net.local_addr(listener)
    }
}

/// A connection that is broken after a while.
#[derive(Debug)]
pub(super) struct BrokenStream<S> {
    inner: S,
    sabotage: Sabotage,
    reads: u32,
    /// Pieces that are given out before anything else is read.
    held: VecDeque<Vec<u8>>,
}

impl<S: AsyncRead + Unpin> BrokenStream<S> {
    fn poll_piece(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<Vec<u8>>> {
        let mut piece = vec![0; room];
        let mut buf = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf))?;
        let len = buf.filled().len();
        piece.truncate(len);
        self.reads += u32::from(len > 0);
        Poll::Ready(Ok(piece))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BrokenStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(piece) = self.held.pop_front() {
            buf.put_slice(&piece);
            return Poll::Ready(Ok(()));
        }
        if self.reads > SOUND_READS && self.sabotage == Sabotage::Sleep {
            return Poll::Pending;
        }
        let piece = ready!(self.poll_piece(cx, buf.remaining()))?;
        if self.reads == SOUND_READS {
            match self.sabotage {
                Sabotage::Drop => return self.poll_read(cx, buf),
                Sabotage::Repeat => self.held.push_back(piece.clone()),
                Sabotage::Swap => {
                    self.reads += 1;
                    let Poll::Ready(Ok(next)) = self.poll_piece(cx, buf.remaining()) else {
                        // Nothing to swap with yet: later.
                        self.reads = SOUND_READS - 1;
                        buf.put_slice(&piece);
                        return Poll::Ready(Ok(()));
                    };
                    self.held.push_back(piece);
                    buf.put_slice(&next);
                    return Poll::Ready(Ok(()));
                }
                Sabotage::Sleep => {}
            }
        }
        buf.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BrokenStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
