//! A queue from the engine's task to one consumer, handed over in batches: one lock and at most one wake-up per batch.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// The queue. Bounded by `limit`: at it the oldest items make room and are counted as missed.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    state: Mutex<State<T>>,
    limit: usize,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    consumer: Option<Waker>,
    missed: u64,
    closed: bool,
}

impl<T> Feed<T> {
    /// An empty queue of at most `limit` items.
    pub(crate) const fn new(limit: usize) -> Self {
        let state = State { queue: VecDeque::new(), consumer: None, missed: 0, closed: false };
        Self { state: Mutex::new(state), limit }
    }

    /// Appends a batch, leaving `batch` empty, and wakes the consumer. Answers how many items were dropped for it. Once
    /// the queue is closed nobody would take the batch: it stays where it is.
    pub(crate) fn push_all(&self, batch: &mut VecDeque<T>) -> u64 {
        let mut state = self.lock();
        if state.closed {
            return 0;
        }
        if state.queue.is_empty() {
            mem::swap(&mut state.queue, batch);
        } else {
            state.queue.append(batch);
        }
        let excess = state.queue.len().saturating_sub(self.limit);
        state.queue.drain(..excess);
        state.missed += excess as u64;
        let consumer = state.consumer.take();
        drop(state);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
        excess as u64
    }

    /// Appends an item and wakes nobody. Whether [`Feed::wake`] must follow: it is the first since the queue was empty.
    pub(crate) fn push(&self, item: T) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        let first = state.queue.is_empty();
        state.queue.push_back(item);
        first
    }

    /// Wakes the consumer.
    pub(crate) fn wake(&self) {
        let consumer = self.lock().consumer.take();
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }

    /// Takes everything, once there is something: swaps it with `into`, which must be empty. `None` once the queue is
    /// closed and empty. The number tells how many items were missed since the last time.
    pub(crate) fn poll_take(&self, cx: &Context<'_>, into: &mut VecDeque<T>) -> Poll<Option<u64>> {
        let mut state = self.lock();
        if !state.queue.is_empty() {
            mem::swap(&mut state.queue, into);
            return Poll::Ready(Some(mem::take(&mut state.missed)));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        if !state.consumer.as_ref().is_some_and(|consumer| consumer.will_wake(cx.waker())) {
            state.consumer = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes everything that is there now, without waiting.
    pub(crate) fn try_take(&self, into: &mut VecDeque<T>) {
        mem::swap(&mut self.lock().queue, into);
    }

    /// Puts items that were taken back in front.
    pub(crate) fn give_back(&self, items: &mut VecDeque<T>) {
        let mut state = self.lock();
        items.append(&mut state.queue);
        mem::swap(&mut state.queue, items);
    }

    /// Ends the queue: the consumer gets what is in it, then the end.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let consumer = state.consumer.take();
        drop(state);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn the_oldest_items_make_room_and_are_counted() {
        let feed = Feed::new(3);
        assert_eq!(feed.push_all(&mut VecDeque::from([1, 2])), 0);
        assert_eq!(feed.push_all(&mut VecDeque::from([3, 4, 5])), 2);
        let mut taken = VecDeque::new();
        assert_eq!(poll_fn(|cx| feed.poll_take(cx, &mut taken)).await, Some(2));
        assert_eq!(taken, [3, 4, 5]);
    }

    #[tokio::test]
    async fn a_closed_queue_is_emptied_before_it_ends() {
        let feed = Feed::new(3);
        feed.push_all(&mut VecDeque::from([1]));
        feed.close();
        let mut taken = VecDeque::new();
        assert_eq!(poll_fn(|cx| feed.poll_take(cx, &mut taken)).await, Some(0));
        taken.clear();
        assert_eq!(poll_fn(|cx| feed.poll_take(cx, &mut taken)).await, None);
    }

    #[test]
    fn a_closed_queue_takes_nothing_more() {
        let feed = Feed::new(3);
        feed.close();
        let mut batch = VecDeque::from([1, 2]);
        assert_eq!(feed.push_all(&mut batch), 0);
        assert_eq!(batch, [1, 2]);
    }
}
