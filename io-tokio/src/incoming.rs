//! Taking messages that arrive.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use proto_core::node::{Command, Message};

use crate::{feed::Feed, mesh::Inner};

/// Taken messages are told to the node when this many have gathered, or none is left.
const TELL_AFTER: u64 = 256;

/// The messages of a node, or of one client at it, in the order in which they arrived. There is one consumer at a time.
///
/// Messages wait until they are taken. What waits and what the application holds here together is bounded by the node's
/// inbox; beyond that, senders are held back. Dropping it leaves a node's messages waiting for the next consumer; a
/// client's messages are dropped, unless [`Incoming::leave`] took them, and its senders are told that there is no such client.
#[derive(Debug)]
pub struct Incoming {
    feed: Arc<Feed<Message>>,
    taken: VecDeque<Message>,
    /// Given to the application and not told to the node.
    untold: u64,
    client: Option<Arc<str>>,
    /// The node knows that the client is not there any more.
    away: bool,
    inner: Arc<Inner>,
}

impl Incoming {
    pub(crate) const fn new(feed: Arc<Feed<Message>>, client: Option<Arc<str>>, inner: Arc<Inner>) -> Self {
        Self { feed, taken: VecDeque::new(), untold: 0, client, away: false, inner }
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
        into.extend(self.taken.drain(..more));
        self.give(more as u64);
        more + 1
    }

    /// The next message, if there is one now.
    pub fn try_recv(&mut self) -> Option<Message> {
        if self.taken.is_empty() {
            self.feed.try_take(&mut self.taken);
        }
        let message = self.taken.pop_front()?;
        self.give(1);
        Some(message)
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
        let left: Vec<_> = self.taken.drain(..).collect();
        self.give(left.len() as u64);
        left
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Message>> {
        if self.taken.is_empty() && ready!(self.feed.poll_take(cx, &mut self.taken)).is_none() {
            return Poll::Ready(None);
        }
        let message = self.taken.pop_front();
        self.give(u64::from(message.is_some()));
        Poll::Ready(message)
    }

    fn give(&mut self, messages: u64) {
        self.untold += messages;
        if self.untold >= TELL_AFTER || self.taken.is_empty() {
            self.inner.common.consume(std::mem::take(&mut self.untold));
        }
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
                let left = (self.taken.len() + left.len()) as u64;
                common.counters.messages_discarded.add(left);
                self.untold += left;
            }
        }
        common.consume(self.untold);
    }
}
