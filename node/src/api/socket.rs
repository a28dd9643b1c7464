//! One WebSocket, of any surface. It never waits for the client to read: what is written waits in a bounded queue while
//! the socket is read and the client's messages are taken.
//!
//! Memory: buffers are small and grow with what passes through; an idle socket has nothing in them.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use futures_util::{Sink as _, Stream as _, StreamExt as _};
use tokio::time::{Instant, timeout};

use super::outbox::{Care, Outbox, Overflow};
use crate::config::{ApiLimits, SlowClient};

/// Silence after which a socket is pinged.
pub(super) const PING: Duration = Duration::from_secs(25);
/// Time for an answer to that. Anything counts as one.
pub(super) const PONG: Duration = Duration::from_secs(10);
/// Time in which the last words must have been written.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Time in which the client must have closed its side.
const GOODBYE: Duration = Duration::from_secs(1);
/// Bytes read at once.
const READ_BUFFER: usize = 512;
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 8 * 1_024;
/// How much larger than allowed a message may be to be refused with a reason.
const GRACE: usize = 64 * 1_024;

/// A socket with what waits to be written to it.
pub(super) struct Socket {
    ws: WebSocket,
    outbox: Outbox,
    unflushed: bool,
    ping: bool,
    /// Whether there was no room when somebody asked.
    crowded: bool,
    hearing: Hearing,
}

/// When the client was heard, and asked whether it is there.
#[derive(Debug)]
struct Hearing {
    /// When anything was heard last.
    heard: Instant,
    /// When it was pinged, if nothing was heard since.
    pinged: Option<Instant>,
    /// Whether the socket is read. If not, silence says nothing about the client.
    listens: bool,
}

/// What came from the client.
#[derive(Debug)]
pub(super) enum Frame {
    /// A message.
    Text(Utf8Bytes),
    /// A message that is no text.
    Binary,
    /// There is room again where there was none: see [`Socket::has_room`].
    Room,
    /// The client has left, or the connection is lost.
    Gone,
}

/// What silence calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing.
    Fine,
    /// The client is gone.
    Dead,
}

/// Sets sizes so that an idle connection costs little, and a large message is refused.
pub(super) fn sized(upgrade: WebSocketUpgrade, limits: &ApiLimits) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(limits.message + GRACE)
        .max_frame_size(limits.message + GRACE)
}

impl Socket {
    /// Takes a socket over.
    pub(super) fn new(ws: WebSocket, bounds: SlowClient) -> Self {
        let hearing = Hearing { heard: Instant::now(), pinged: None, listens: true };
        Self { ws, outbox: Outbox::new(bounds), unflushed: false, ping: false, crowded: false, hearing }
    }

    /// Has a message written as soon as the client reads.
    ///
    /// # Errors
    /// [`Overflow`]: the client is to be cut off.
    pub(super) fn push(&mut self, text: impl Into<Utf8Bytes>, care: Care) -> Result<(), Overflow> {
        self.outbox.push(text.into(), care)
    }

    /// Whether there is room for what can wait elsewhere. If not, [`Frame::Room`] tells when there is.
    pub(super) fn has_room(&mut self) -> bool {
        self.crowded = !self.outbox.has_room();
        !self.crowded
    }

    /// How many messages were dropped since the last time.
    pub(super) fn take_missed(&mut self) -> u64 {
        self.outbox.take_missed()
    }

    /// Writes what waits, and, if it is to be read, takes the next message of the client.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Frame> {
        if self.poll_write(cx).is_err() {
            return Poll::Ready(Frame::Gone);
        }
        if self.crowded && self.outbox.has_room() {
            self.crowded = false;
            return Poll::Ready(Frame::Room);
        }
        self.hearing.listens = read;
        if !read {
            return Poll::Pending;
        }
        loop {
            match Pin::new(&mut self.ws).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None | Some(Err(_)) | Some(Ok(Message::Close(_)))) => return Poll::Ready(Frame::Gone),
                Poll::Ready(Some(Ok(message))) => {
                    self.hearing.hear(Instant::now());
                    match message {
                        Message::Text(text) => return Poll::Ready(Frame::Text(text)),
                        Message::Binary(_) => return Poll::Ready(Frame::Binary),
                        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
                    }
                }
            }
        }
    }

    /// When silence must be looked at again.
    pub(super) fn due(&self) -> Instant {
        self.hearing.due()
    }

    /// Looks at how long the client has been silent.
    pub(super) fn look(&mut self, now: Instant) -> Silence {
        let pinged = self.hearing.pinged;
        let silence = self.hearing.look(now);
        self.ping |= pinged.is_none() && self.hearing.pinged.is_some();
        silence
    }

    /// Drops what waits, says last words and why, and leaves.
    pub(super) async fn close(&mut self, last: Option<String>, code: u16, reason: &'static str) {
        self.outbox.clear();
        let close = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let words = async {
            if let Some(last) = last {
                self.ws.send(Message::Text(last.into())).await?;
            }
            self.ws.send(Message::Close(Some(close))).await
        };
        if matches!(timeout(LAST_WORDS, words).await, Ok(Ok(()))) {
            let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = self.ws.next().await {} }).await;
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), axum::Error> {
        while self.ping || !self.outbox.is_empty() {
            match Pin::new(&mut self.ws).poll_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Ok(()),
            }
            let message = if std::mem::take(&mut self.ping) {
                Message::Ping(bytes::Bytes::new())
            } else {
                let Some(text) = self.outbox.pop() else { break };
                Message::Text(text)
            };
            Pin::new(&mut self.ws).start_send(message)?;
            self.unflushed = true;
        }
        if self.unflushed {
            match Pin::new(&mut self.ws).poll_flush(cx) {
                Poll::Ready(flushed) => {
                    flushed?;
                    self.unflushed = false;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }
}

impl Hearing {
    fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    fn due(&self) -> Instant {
        self.pinged.map_or(self.heard + PING, |at| at + PONG)
    }

    fn look(&mut self, now: Instant) -> Silence {
        if now < self.due() {
            return Silence::Fine;
        }
        if !self.listens {
            self.hear(now);
            return Silence::Fine;
        }
        if self.pinged.is_some() {
            return Silence::Dead;
        }
        self.pinged = Some(now);
        Silence::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_only_while_somebody_listens() {
        let begin = Instant::now();
        let at = |secs| begin + Duration::from_secs(secs);
        let mut hearing = Hearing { heard: begin, pinged: None, listens: true };
        assert_eq!((hearing.look(at(24)), hearing.due()), (Silence::Fine, at(25)));
        assert_eq!((hearing.look(at(25)), hearing.due()), (Silence::Fine, at(35)));
        hearing.listens = false;
        assert_eq!((hearing.look(at(35)), hearing.due()), (Silence::Fine, at(60)));
        hearing.listens = true;
        assert_eq!((hearing.look(at(60)), hearing.due()), (Silence::Fine, at(70)));
        assert_eq!(hearing.look(at(70)), Silence::Dead);
    }
}
