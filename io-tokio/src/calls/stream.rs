//! A reply that comes in items.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;

use super::{
    call::{ItemFeed, Pending, Response},
    error::CallError,
};
use crate::orders::Order;

/// The provider is given room again when so many items were taken.
const TELL_ITEMS: u64 = 16;
/// Likewise, so many bytes.
const TELL_BYTES: u64 = 256 * 1_024;

/// The items of a streaming reply, in order and without gaps, then how the call ended. The handler waits while too many
/// are not taken. Dropping it cancels the call.
#[derive(Debug)]
pub struct ReplyStream {
    pending: Pending,
    items: Arc<ItemFeed>,
    taken: VecDeque<Bytes>,
    /// Given to the application and not told to the node.
    untold: (u64, u64),
    end: Option<Result<Response, CallError>>,
    over: bool,
}

impl ReplyStream {
    pub(super) const fn new(pending: Pending, items: Arc<ItemFeed>) -> Self {
        Self { pending, items, taken: VecDeque::new(), untold: (0, 0), end: None, over: false }
    }

    /// The next item; `None` once the call has ended well: [`ReplyStream::response`] has the last answer then.
    ///
    /// # Errors
    /// [`CallError`], once, if it ended otherwise.
    pub async fn recv(&mut self) -> Option<Result<Bytes, CallError>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The answer that ended the call, once [`ReplyStream::recv`] said `None`.
    #[must_use]
    pub const fn response(&self) -> Option<&Response> {
        match &self.end {
            Some(Ok(response)) => Some(response),
            Some(Err(_)) | None => None,
        }
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, CallError>>> {
        loop {
            if let Some(item) = self.give() {
                return Poll::Ready(Some(Ok(item)));
            }
            if self.over {
                return Poll::Ready(None);
            }
            if self.end.is_none() {
                if self.items.poll_take(cx, &mut self.taken).is_ready() {
                    continue;
                }
                // Items come before the end: what is there once the end is known is all.
                self.end = Some(ready!(self.pending.poll_end(cx)));
                self.items.try_take(&mut self.taken);
                continue;
            }
            self.over = true;
            if let Some(Err(error)) = &self.end {
                return Poll::Ready(Some(Err(error.clone())));
            }
        }
    }

    fn give(&mut self) -> Option<Bytes> {
        let item = self.taken.pop_front()?;
        self.untold.0 += 1;
        self.untold.1 += item.len() as u64;
        if self.end.is_none() && (self.untold.0 >= TELL_ITEMS || self.untold.1 >= TELL_BYTES) {
            let (items, bytes) = std::mem::take(&mut self.untold);
            // A node that is over sends no more.
            let _ = self.pending.inner.common.order(Order::ItemsTaken { token: self.pending.token, items, bytes });
        }
        Some(item)
    }
}

impl Stream for ReplyStream {
    type Item = Result<Bytes, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx)
    }
}
