//! Messages on their way from the application into the node, one queue per receiver.
//!
//! Posting is the fast path: a lock, a push, and a wake-up of the engine only for the first message since it last looked.
//! The engine takes a whole queue at a time by swapping it. It feeds a receiver's messages to the node only as far as
//! the node's own queue for that receiver has room, so a slow receiver slows down those who post to it and nobody else,
//! and nothing is refused as busy.
//!
//! Bounds: [`QUEUE_MESSAGES`] and [`QUEUE_BYTES`] per receiver, the same again on the engine's side; at them, posting
//! waits.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use proto_core::{id::NodeAddr, node::Answer};
use tokio::sync::{Notify, oneshot};

use crate::ready::ReadyList;

/// Most messages waiting for the engine to take them.
pub(crate) const QUEUE_MESSAGES: usize = 4_096;
/// Most payload bytes waiting for the engine to take them. A single larger payload passes an empty queue.
pub(crate) const QUEUE_BYTES: usize = 8 * 1_024 * 1_024;

/// A message of the application.
#[derive(Debug)]
pub(crate) struct Posted {
    /// The payload.
    pub(crate) payload: Bytes,
    /// What only some messages have.
    pub(crate) extra: Option<Box<Extra>>,
}

/// What makes a message more than a payload for a node.
#[derive(Debug)]
pub(crate) struct Extra {
    /// The client it is for.
    pub(crate) to_client: Option<Arc<str>>,
    /// The client it is from.
    pub(crate) from_client: Option<Arc<str>>,
    /// How long it may take.
    pub(crate) deadline: Option<Duration>,
    /// Who wants to know what became of it.
    pub(crate) report: Option<oneshot::Sender<Answer>>,
}

/// Why a message was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// No room at present.
    Full(Posted),
    /// The node is over.
    Stopped,
}

/// The queue for one receiver.
#[derive(Debug)]
pub(crate) struct Outlet {
    /// The receiver.
    pub(crate) to: NodeAddr,
    state: Mutex<State>,
    room: Notify,
    ready: Arc<ReadyList<Arc<Outlet>>>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Posted>,
    bytes: usize,
    /// The engine knows that there is something.
    listed: bool,
    /// Somebody waits for room.
    awaited: bool,
    closed: bool,
}

impl Outlet {
    /// An empty queue that lists itself at `ready` when there is something in it.
    pub(crate) fn new(to: NodeAddr, ready: Arc<ReadyList<Arc<Self>>>) -> Self {
        Self { to, state: Mutex::default(), room: Notify::new(), ready }
    }

    /// Takes a message if there is room.
    pub(crate) fn try_post(self: &Arc<Self>, posted: Posted) -> Result<(), NotTaken> {
        let mut state = self.lock();
        if state.closed {
            return Err(NotTaken::Stopped);
        }
        let len = posted.payload.len();
        let fits = state.queue.len() < QUEUE_MESSAGES && state.bytes.saturating_add(len) <= QUEUE_BYTES;
        if !fits && !state.queue.is_empty() {
            return Err(NotTaken::Full(posted));
        }
        state.bytes += len;
        state.queue.push_back(posted);
        let listed = mem::replace(&mut state.listed, true);
        drop(state);
        if !listed {
            self.ready.push(Arc::clone(self));
        }
        Ok(())
    }

    /// Takes a message as soon as there is room.
    pub(crate) async fn post(self: &Arc<Self>, posted: Posted) -> Result<(), NotTaken> {
        let mut posted = match self.try_post(posted) {
            Err(NotTaken::Full(posted)) => posted,
            done => return done,
        };
        loop {
            let room = self.room.notified();
            self.lock().awaited = true;
            posted = match self.try_post(posted) {
                Err(NotTaken::Full(posted)) => posted,
                done => return done,
            };
            room.await;
        }
    }

    /// Swaps the queue with `into`, which must be empty. `false` if there was nothing: the outlet will list itself again.
    pub(crate) fn take(&self, into: &mut VecDeque<Posted>) -> bool {
        let mut state = self.lock();
        if state.queue.is_empty() {
            state.listed = false;
            return false;
        }
        mem::swap(&mut state.queue, into);
        state.bytes = 0;
        let awaited = mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.room.notify_waiters();
        }
        true
    }

    /// How many messages the engine has not taken yet.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    fn outlet() -> (Arc<Outlet>, Arc<ReadyList<Arc<Outlet>>>) {
        let ready = Arc::new(ReadyList::new());
        (Arc::new(Outlet::new(NodeAddr(1), Arc::clone(&ready))), ready)
    }

    fn message(len: usize) -> Posted {
        Posted { payload: Bytes::from(vec![0; len]), extra: None }
    }

    fn listed(ready: &ReadyList<Arc<Outlet>>) -> usize {
        let mut taken = Vec::new();
        ready.take(&Context::from_waker(Waker::noop()), &mut taken);
        taken.len()
    }

    #[test]
    fn a_queue_lists_itself_once_until_it_was_found_empty() {
        let (outlet, ready) = outlet();
        outlet.try_post(message(1)).unwrap();
        outlet.try_post(message(1)).unwrap();
        assert_eq!(listed(&ready), 1);
        let mut taken = VecDeque::new();
        assert!(outlet.take(&mut taken));
        assert_eq!(taken.len(), 2);
        outlet.try_post(message(1)).unwrap();
        assert_eq!(listed(&ready), 0, "the engine still looks at it");
        taken.clear();
        assert!(outlet.take(&mut taken));
        taken.clear();
        assert!(!outlet.take(&mut taken));
        outlet.try_post(message(1)).unwrap();
        assert_eq!(listed(&ready), 1);
    }

    #[test]
    fn both_bounds_hold_and_one_large_message_passes() {
        let (outlet, _ready) = outlet();
        outlet.try_post(message(QUEUE_BYTES + 1)).unwrap();
        assert!(matches!(outlet.try_post(message(0)), Err(NotTaken::Full(_))));
        outlet.take(&mut VecDeque::new());
        for _ in 0..QUEUE_MESSAGES {
            outlet.try_post(message(0)).unwrap();
        }
        assert!(matches!(outlet.try_post(message(0)), Err(NotTaken::Full(_))));
    }

    #[tokio::test]
    async fn posting_waits_for_room_and_ends_with_the_node() {
        let (outlet, _ready) = outlet();
        outlet.try_post(message(QUEUE_BYTES)).unwrap();
        let waiting = tokio::spawn({
            let outlet = Arc::clone(&outlet);
            async move { outlet.post(message(1)).await.is_ok() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        outlet.take(&mut VecDeque::new());
        assert!(waiting.await.unwrap());
        outlet.try_post(message(QUEUE_BYTES - 1)).unwrap();
        let waiting = tokio::spawn({
            let outlet = Arc::clone(&outlet);
            async move { matches!(outlet.post(message(1)).await, Err(NotTaken::Stopped)) }
        });
        tokio::task::yield_now().await;
        outlet.close();
        assert!(waiting.await.unwrap());
    }
}
