//! One TCP connection: what waits to be written, and what was read.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read as _, Write as _},
};

use bytes::{Buf as _, Bytes, BytesMut};
use mio::net::TcpStream;
use proto_core::id::{ChannelId, DialId};

/// Bytes read in one go.
const READ_SIZE: usize = 64 * 1_024;
/// Most pieces written in one go.
const PIECES: usize = 32;

/// A connection, from the attempt to the end.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) channel: ChannelId,
    /// The dial that it answers; `None` once it is open, and for accepted ones.
    pub(crate) dialling: Option<DialId>,
    pub(crate) stream: TcpStream,
    queue: VecDeque<Bytes>,
    /// Close once the queue is empty.
    pub(crate) closing: bool,
}

/// What a read found.
pub(crate) enum Readable {
    /// Bytes; there may be more.
    Bytes(BytesMut),
    /// Nothing at present.
    Nothing,
    /// The end, or a failure.
    Ended,
}

impl Socket {
    pub(crate) fn new(channel: ChannelId, dialling: Option<DialId>, stream: TcpStream) -> Self {
        Self { channel, dialling, stream, queue: VecDeque::new(), closing: false }
    }

    /// Takes bytes to be written. Bounded by the core: it writes no more than its channel window ahead.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.queue.push_back(bytes);
    }

    /// Whether everything is written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.queue.is_empty()
    }

    /// Writes what the kernel takes, several pieces a call, and tells how many bytes that were.
    pub(crate) fn flush(&mut self) -> io::Result<u64> {
        let mut written = 0;
        while !self.queue.is_empty() {
            let pieces: Vec<IoSlice<'_>> = self.queue.iter().take(PIECES).map(|bytes| IoSlice::new(bytes)).collect();
            match self.stream.write_vectored(&pieces) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    written += count as u64;
                    self.advance(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Reads once.
    pub(crate) fn read(&mut self) -> Readable {
        let mut bytes = BytesMut::zeroed(READ_SIZE);
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Readable::Ended,
                Ok(count) => {
                    bytes.truncate(count);
                    return Readable::Bytes(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Readable::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Readable::Ended,
            }
        }
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.queue.front_mut() {
            if count < front.len() {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.queue.pop_front();
        }
    }
}
