//! Watching what happens to a node.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use proto_core::node::Event;

use crate::feed::Feed;

/// The events of a node from the moment of subscription: links, reachability, conflicts. A subscriber that does not keep
/// up misses the oldest and is told how many. It does not keep the node running.
#[derive(Debug)]
pub struct Events {
    feed: Arc<Feed<Event>>,
    taken: VecDeque<Event>,
}

/// One thing that a subscriber is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something happened.
    Event(Event),
    /// The subscriber was too slow: this many events before the next one are gone.
    Missed(u64),
}

impl Events {
    pub(crate) const fn new(feed: Arc<Feed<Event>>) -> Self {
        Self { feed, taken: VecDeque::new() }
    }

    /// What happens next; `None` once the node is over.
    pub async fn recv(&mut self) -> Option<Notice> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Notice>> {
        if self.taken.is_empty() {
            match ready!(self.feed.poll_take(cx, &mut self.taken)) {
                None => return Poll::Ready(None),
                Some(0) => {}
                Some(missed) => return Poll::Ready(Some(Notice::Missed(missed))),
            }
        }
        Poll::Ready(self.taken.pop_front().map(Notice::Event))
    }
}

impl Stream for Events {
    type Item = Notice;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notice>> {
        self.get_mut().poll_recv(cx)
    }
}
