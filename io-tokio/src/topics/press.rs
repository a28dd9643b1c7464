//! Publications on their way from the application into the node: one queue, so that they keep the order in which they
//! were published.
//!
//! Publishing is a lock, a push, and a wake-up of the engine only for the first publication since it last looked; the
//! engine takes the whole queue at a time by swapping it. Bounds: [`QUEUE_MESSAGES`] and [`QUEUE_BYTES`], the same again
//! on the engine's side; at them, publishing waits.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use proto_core::{node::Answer, pubsub::Publish};
use tokio::sync::{Notify, oneshot};

use crate::outlet::{QUEUE_BYTES, QUEUE_MESSAGES};

/// A publication of the application.
#[derive(Debug)]
pub(crate) struct Printed {
    /// The publication.
    pub(crate) publish: Box<Publish>,
    /// Who wants to know who got it.
    pub(crate) receipt: Option<oneshot::Sender<Answer>>,
}

impl Printed {
    /// What it counts in the queue.
    pub(crate) fn len(&self) -> usize {
        self.publish.payload.len() + self.publish.headers.len()
    }
}

/// Why a publication was not taken.
#[derive(Debug)]
pub(crate) enum NotPrinted {
    /// No room at present.
    Full(Printed),
    /// The node is over.
    Stopped,
}

/// The queue. See the module's first lines.
#[derive(Debug, Default)]
pub(crate) struct Press {
    state: Mutex<State>,
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Printed>,
    bytes: usize,
    /// Somebody waits for room.
    awaited: bool,
    closed: bool,
}

impl Press {
    /// Takes a publication if there is room. Whether the engine must be woken.
    pub(crate) fn try_print(&self, printed: Printed) -> Result<bool, NotPrinted> {
        let mut state = self.lock();
        if state.closed {
            return Err(NotPrinted::Stopped);
        }
        let len = printed.len();
        let fits = state.queue.len() < QUEUE_MESSAGES && state.bytes.saturating_add(len) <= QUEUE_BYTES;
        if !fits && !state.queue.is_empty() {
            return Err(NotPrinted::Full(printed));
        }
        let first = state.queue.is_empty();
        state.bytes += len;
        state.queue.push_back(printed);
        Ok(first)
    }

    /// Takes a publication as soon as there is room. Whether the engine must be woken.
    pub(crate) async fn print(&self, mut printed: Printed) -> Result<bool, NotPrinted> {
        loop {
            let room = self.room.notified();
            self.lock().awaited = true;
            printed = match self.try_print(printed) {
                Err(NotPrinted::Full(printed)) => printed,
                done => return done,
            };
            room.await;
        }
    }

    /// Swaps the queue with `into`, which must be empty.
    pub(crate) fn take(&self, into: &mut VecDeque<Printed>) {
        let mut state = self.lock();
        mem::swap(&mut state.queue, into);
        state.bytes = 0;
        let awaited = mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.room.notify_waiters();
        }
    }

    /// How many publications the engine has not taken yet.
    pub(crate) fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Refuses everything from here on; what is in it is still taken.
    pub(crate) fn seal(&self) {
        self.lock().closed = true;
        self.room.notify_waiters();
    }

    /// Refuses everything from here on, and drops what is in it.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let dropped = mem::take(&mut state.queue);
        drop(state);
        drop(dropped);
        self.room.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
