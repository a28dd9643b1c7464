//! Lines of JSON with raw bytes behind them, bounded in length.

use std::io;

use bytes::Bytes;
use proto_core::limits;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Longest line of a caller, in bytes. Longer: the connection is closed.
pub(super) const REQUEST_MAX: usize = 64 * 1024;
/// Longest line of a node, in bytes: room for the routes of the largest mesh.
pub(super) const REPLY_MAX: usize = 16 * 1024 * 1024;

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Reads.
    pub(crate) reader: Reader,
    /// Writes.
    pub(crate) writer: Writer,
}

/// The reading half.
#[derive(Debug)]
pub(crate) struct Reader {
    inner: BufReader<OwnedReadHalf>,
    /// A line that is not complete yet, so that a dropped read loses nothing.
    partial: Vec<u8>,
    line_max: usize,
}

/// The writing half.
#[derive(Debug)]
pub(crate) struct Writer {
    inner: OwnedWriteHalf,
}

impl Lines {
    /// Speaks over a socket, and takes lines of up to `line_max` bytes.
    pub(crate) fn new(stream: UnixStream, line_max: usize) -> Self {
        let (read, write) = stream.into_split();
        Self {
            reader: Reader { inner: BufReader::new(read), partial: Vec::new(), line_max },
            writer: Writer { inner: write },
        }
    }
}

impl Reader {
    /// The next line; `None` once the other side has closed. Nothing is lost if the future is dropped.
    pub(crate) async fn line<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            let room = self.line_max.saturating_sub(self.partial.len());
            let available = self.inner.fill_buf().await?;
            if available.is_empty() {
                return if self.partial.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let take = end.map_or(available.len(), |end| end + 1);
            if take > room {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
            }
            self.partial.extend_from_slice(&available[..take]);
            self.inner.consume(take);
            if end.is_some() {
                let line = std::mem::take(&mut self.partial);
                return serde_json::from_slice(&line).map(Some).map_err(Into::into);
            }
        }
    }

    /// The bytes behind a line.
    pub(crate) async fn body(&mut self, len: u64) -> io::Result<Bytes> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > limits::PAYLOAD_HARD_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the body is too long"));
        }
        let mut body = vec![0; len];
        self.inner.read_exact(&mut body).await?;
        Ok(body.into())
    }
}

impl Writer {
    /// Writes a line and what follows it.
    pub(crate) async fn line(&mut self, line: &impl Serialize, body: &[u8]) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.inner.write_all(&text).await?;
        self.inner.write_all(body).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_and_bodies_alternate() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut here, mut there) = (Lines::new(here, 100), Lines::new(there, 100));
        here.writer.line(&7, b"\n{x").await.unwrap();
        here.writer.line(&"eight", b"").await.unwrap();
        drop(here);
        assert_eq!(there.reader.line::<u8>().await.unwrap(), Some(7));
        assert_eq!(there.reader.body(3).await.unwrap(), "\n{x");
        assert_eq!(there.reader.line::<String>().await.unwrap().unwrap(), "eight");
        assert_eq!(there.reader.line::<String>().await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_endless_line_is_refused() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut there = Lines::new(there, REQUEST_MAX);
        let write = tokio::spawn(async move {
            let mut here = Lines::new(here, REPLY_MAX);
            let _ = here.writer.line(&"x".repeat(REQUEST_MAX), b"").await;
        });
        assert!(there.reader.line::<String>().await.is_err());
        drop(there);
        write.await.unwrap();
    }
}
