//! Taking messages that arrive.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use proto_core::node::{Command, Mailbox, Message};

use crate::{feed::Feed, mesh::Inner};

/// Taken messages are told to the node when this many have gathered, or none is left, or it waits for room.
const TELL_AFTER: u64 = 256;

/// The messages of a node, or of one client at it, in the order in which they arrived. There is one consumer at a time.
///
/// Messages wait until they are taken. What waits and what the application holds here together is bounded by the room of
/// its mailbox. Beyond that the senders to a node are held back, until nothing was taken for some seconds; those to a
/// client are told that it is busy. Dropping it leaves a node's messages waiting for the next consumer; a client's
/// messages are dropped, unless [`Incoming::leave`] took them, and its senders are told that there is no such client.
#[derive(Debug)]
pub struct Incoming {
    feed: Arc<Feed<Message>>,
    taken: VecDeque<Message>,
    /// Given to the application and not told to the node: so many of one mailbox.
    untold: (Mailbox, u64),
    client: Option<Arc<str>>,
    /// The node knows that the client is not there any more.
    away: bool,
    inner: Arc<Inner>,
}

impl Incoming {
    pub(crate) const fn new(feed: Arc<Feed<Message>>, client: Option<Arc<str>>, inner: Arc<Inner>) -> Self {
        Self { feed, taken: VecDeque::new(), untold: (Mailbox::Node, 0), client, away: false, inner }
    }

    /// The next message; `None` once the node is over.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Appends the messages that are there, at most `max`, and waits for the first if there is none. Answers how many;
    /// zero once the node is over.
    pub async fn recv_many(&mut self, into: &mut Vec<Message>, max: usize) -> usize {
        let max = max.max(1);
        let Some(first) = self.recv().await else { return 0 };
        into.push(first);
        let more = self.taken.len().min(max - 1);
        for _ in 0..more {
            into.extend(self.give());
        }
        more + 1
    }

    /// The next message, if there is one now.
    pub fn try_recv(&mut self) -> Option<Message> {
        if self.taken.is_empty() {
            self.feed.try_take(&mut self.taken);
        }
        self.give()
    }

    /// The messages that are there, without taking them: the next one first.
    pub fn peek(&mut self) -> impl ExactSizeIterator<Item = &Message> {
        let mut more = VecDeque::new();
        self.feed.try_take(&mut more);
        self.taken.append(&mut more);
        self.taken.iter()
    }

    /// Takes the client away, and gives back what arrived for it and was not taken, the next one first. Nothing arrives for
    /// it afterwards; another consumer can come once this is dropped. The node counts the messages as taken: their senders
    /// know that they arrived, so whoever drops them loses them.
    ///
    /// A node's own messages wait for the next consumer: none are given back.
    pub async fn leave(&mut self) -> Vec<Message> {
        let Some(client) = &self.client else { return Vec::new() };
        let client = Arc::clone(client);
        // Once this is answered, whatever the node accepted for the client is in the queue. A node that is over accepts nothing.
        let _ = self.inner.ask(Command::SetClient { client, present: false }).await;
        self.away = true;
        let mut more = VecDeque::new();
        self.feed.try_take(&mut more);
        self.taken.append(&mut more);
        self.taken.drain(..).collect()
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Message>> {
        if self.taken.is_empty() && ready!(self.feed.poll_take(cx, &mut self.taken)).is_none() {
            return Poll::Ready(None);
        }
        Poll::Ready(self.give())
    }

    /// Hands a message to the application. The node is told in batches, and at once while it waits for room.
    fn give(&mut self) -> Option<Message> {
        let message = self.taken.pop_front()?;
        let mailbox = message.mailbox();
        if self.untold.0 != mailbox {
            self.tell();
            self.untold.0 = mailbox;
        }
        self.untold.1 += 1;
        if self.untold.1 >= TELL_AFTER || self.taken.is_empty() || self.inner.common.consumed.is_awaited() {
            self.tell();
        }
        Some(message)
    }

    fn tell(&mut self) {
        let (mailbox, messages) = self.untold;
        self.untold.1 = 0;
        self.inner.common.consume(mailbox, messages);
    }
}

impl Stream for Incoming {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.get_mut().poll_recv(cx)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.tell();
        let common = &self.inner.common;
        match &self.client {
            None => {
                self.feed.give_back(&mut self.taken);
                common.inboxes.release_main();
            }
            Some(client) => {
                if !self.away {
                    self.inner.tell(Command::SetClient { client: Arc::clone(client), present: false });
                }
                common.inboxes.release_client(client);
                let mut left = VecDeque::new();
                self.feed.try_take(&mut left);
                common.counters.messages_discarded.add((self.taken.len() + left.len()) as u64);
            }
        }
    }
}
