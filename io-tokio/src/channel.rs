//! The socket of one channel and the bytes on their way into it.
//!
//! Life: open, until the node closes it or the other end does. A channel that the node closes first writes what is
//! queued, then ends its sending side, then lingers: it reads and discards until the other end closes too, because
//! closing a socket with unread bytes makes the kernel throw away what the other end has not read yet.
//!
//! Bounds: the queue holds what the node has written; the node stops at its own window and goes on when told what was
//! taken over.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::{Buf, Bytes, BytesMut};
use proto_core::{id::ChannelId, time::Time};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::{admission::Permit, ready::ReadyList, transport::Transport};

/// Most pieces handed to the kernel in one call.
const SLICES: usize = 64;

/// What a stream that was just opened brings along.
pub(crate) struct Opened<S> {
    /// The stream.
    pub(crate) transport: Transport<S>,
    /// The other end's transport address.
    pub(crate) remote: Arc<str>,
    /// Keying material of TLS.
    pub(crate) exporter: Option<[u8; 32]>,
    /// For accepted ones: its place among the connections of its source.
    pub(crate) permit: Option<Permit>,
}

/// Where a channel is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Both ways are open.
    Open,
    /// The node has closed it; what is queued still goes out.
    Closing,
    /// Everything is out and the sending side is ended; the other end has not closed yet.
    Lingering,
}

/// What came of an attempt to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing is left.
    Done,
    /// The socket takes no more for now.
    Blocked,
}

/// One channel.
pub(crate) struct Channel<S> {
    transport: Transport<S>,
    pub(crate) remote: Arc<str>,
    pub(crate) phase: Phase,
    /// When a closing or lingering channel is given up.
    pub(crate) give_up_at: Time,
    pub(crate) wake: Arc<ChannelWake>,
    waker: Waker,
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Taken over by the socket and not told to the node yet.
    pub(crate) taken: u64,
    /// The socket said that it takes no more; it wakes the channel when it does.
    pub(crate) blocked: bool,
    /// TLS holds bytes that the socket did not take.
    unflushed: bool,
    /// On the table's list of channels with something to write.
    pub(crate) dirty: bool,
    _permit: Option<Permit>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    /// A channel over a stream that was just opened.
    pub(crate) fn new(id: ChannelId, opened: Opened<S>, ready: Arc<ReadyList<ChannelId>>) -> Self {
        let wake = Arc::new(ChannelWake { id, listed: AtomicBool::new(false), ready });
        Self {
            transport: opened.transport,
            remote: opened.remote,
            phase: Phase::Open,
            give_up_at: Time::MAX,
            waker: Waker::from(Arc::clone(&wake)),
            wake,
            queue: VecDeque::new(),
            queued: 0,
            taken: 0,
            blocked: false,
            unflushed: false,
            dirty: false,
            _permit: opened.permit,
        }
    }

    /// Puts bytes behind those that wait already.
    pub(crate) fn enqueue(&mut self, bytes: Bytes) {
        self.queued += bytes.len();
        self.queue.push_back(bytes);
    }

    /// How many bytes wait.
    pub(crate) const fn queued(&self) -> usize {
        self.queued
    }

    /// Writes as much as the socket takes at once.
    pub(crate) fn write(&mut self) -> io::Result<Progress> {
        let mut cx = Context::from_waker(&self.waker);
        self.blocked = true;
        while self.queued > 0 {
            let written = match write_some(&mut self.transport, &mut cx, &self.queue) {
                Poll::Ready(written) => written?,
                Poll::Pending => return Ok(Progress::Blocked),
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            advance(&mut self.queue, written);
            self.queued -= written;
            self.taken += written as u64;
            self.unflushed = matches!(self.transport, Transport::Tls(_));
        }
        self.queue.clear();
        if self.unflushed {
            match Pin::new(&mut self.transport).poll_flush(&mut cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => return Ok(Progress::Blocked),
            }
            self.unflushed = false;
        }
        self.blocked = false;
        Ok(Progress::Done)
    }

    /// Ends the sending side.
    pub(crate) fn finish(&mut self) -> io::Result<Progress> {
        let mut cx = Context::from_waker(&self.waker);
        self.blocked = true;
        match Pin::new(&mut self.transport).poll_shutdown(&mut cx) {
            Poll::Ready(done) => done?,
            Poll::Pending => return Ok(Progress::Blocked),
        }
        self.blocked = false;
        Ok(Progress::Done)
    }

    /// Reads into the spare room of `buffer`, once. Zero: the other end has closed.
    pub(crate) fn read(&mut self, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut cx = Context::from_waker(&self.waker);
        pin!(self.transport.read_buf(buffer)).poll(&mut cx)
    }
}

/// Lists its channel as ready, once until it is looked at.
pub(crate) struct ChannelWake {
    id: ChannelId,
    listed: AtomicBool,
    ready: Arc<ReadyList<ChannelId>>,
}

impl ChannelWake {
    /// Notes that the channel is looked at now; what happens from here on lists it again.
    pub(crate) fn unlist(&self) {
        self.listed.store(false, Ordering::Release);
    }
}

impl Wake for ChannelWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::AcqRel) {
            self.ready.push(self.id);
        }
    }
}

fn write_some<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    cx: &mut Context<'_>,
    queue: &VecDeque<Bytes>,
) -> Poll<io::Result<usize>> {
    let transport = Pin::new(transport);
    if queue.len() == 1 || !transport.is_write_vectored() {
        let first = queue.iter().find(|bytes| !bytes.is_empty());
        return transport.poll_write(cx, first.map_or(&[], |bytes| bytes));
    }
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut count = 0;
    for (slice, bytes) in slices.iter_mut().zip(queue.iter().filter(|bytes| !bytes.is_empty())) {
        *slice = IoSlice::new(bytes);
        count += 1;
    }
    transport.poll_write_vectored(cx, &slices[..count])
}

fn advance(queue: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(front) = queue.front_mut() {
        if front.len() > written {
            front.advance(written);
            return;
        }
        written -= front.len();
        queue.pop_front();
    }
}
