//! A call that runs here, as the engine's task and its handler share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto_core::rpc::{AppError, Invocation, InvocationId, NotTaken, Reply, Room, Stop};
use tokio::{sync::Notify, task::AbortHandle};

use super::request::{HANDLER_GONE, HANDLER_PANICKED, HANDLER_STOPPED};
use crate::{common::Common, error::Stopped, orders::Order};

/// Begins to run a call. Called by the engine's task: it only hands the call on.
pub(crate) type Handler = Arc<dyn Fn(Arc<Flight>, Box<Invocation>) + Send + Sync>;

/// The call. See the module's first line.
#[derive(Debug)]
pub(crate) struct Flight {
    id: InvocationId,
    common: Arc<Common>,
    limit: u64,
    state: Mutex<State>,
    /// Told when the caller has room, or the handler shall stop.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    stop: Option<Stop>,
    task: Option<AbortHandle>,
    /// The room that the caller has for items, and what was sent of them.
    room: Option<Room>,
    sent: Room,
}

impl Flight {
    /// A call that begins. `limit`: the largest payload.
    pub(crate) fn new(invocation: &Invocation, limit: u64, common: Arc<Common>) -> Self {
        let state = Mutex::new(State { room: invocation.room, ..State::default() });
        Self { id: invocation.id, common, limit, state, changed: Notify::new() }
    }

    /// The caller has more room for items.
    pub(crate) fn has_room(&self, room: Room) {
        self.lock().room = Some(room);
        self.changed.notify_waiters();
    }

    /// Says which task runs it, and is ended when the handler shall stop.
    pub(crate) fn run_by(&self, task: AbortHandle) {
        let mut state = self.lock();
        let stopped = state.stop.is_some();
        state.task = Some(task.clone());
        drop(state);
        if stopped {
            task.abort();
        }
    }

    /// The handler shall stop.
    pub(crate) fn stop(&self, why: Stop) {
        let mut state = self.lock();
        state.stop = Some(why);
        let task = state.task.clone();
        drop(state);
        // The handler's future may be dropped right here, and look at this.
        if let Some(task) = task {
            task.abort();
        }
        self.changed.notify_waiters();
    }

    /// Why the handler shall stop, if it shall.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.lock().stop
    }

    /// Sends an item. The node takes everything that the caller has room for, so nobody waits for its word.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was sent.
    pub(crate) fn item(&self, item: &Bytes) -> Result<Result<(), Stopped>, NotTaken> {
        let mut state = self.lock();
        let Some(room) = state.room else { return Err(NotTaken::NotStreaming) };
        let (len, limit) = (item.len() as u64, self.limit);
        if len > limit {
            return Err(NotTaken::TooLarge { len, limit });
        }
        if !room.takes_more(state.sent) {
            return Err(NotTaken::NoCredit);
        }
        state.sent.items += 1;
        state.sent.bytes += len;
        // Held meanwhile, so that the items go in the order in which they were counted.
        Ok(self.reply(Reply::Item(item.clone())))
    }

    /// Sends the last answer.
    pub(crate) fn finish(&self, result: Result<Bytes, AppError>) {
        // A node that is over has told the callers nothing: they see that it is gone.
        let _ = self.reply(result.map_or_else(Reply::Error, Reply::Done));
    }

    fn reply(&self, reply: Reply) -> Result<(), Stopped> {
        self.common.order(Order::Reply { invocation: self.id, reply })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees to it that a call is answered, whatever becomes of its handler.
#[derive(Debug)]
pub(crate) struct Responder {
    flight: Arc<Flight>,
    answered: bool,
}

impl Responder {
    /// Answers for a handler that goes away.
    pub(crate) const fn new(flight: Arc<Flight>) -> Self {
        Self { flight, answered: false }
    }

    /// Answers.
    pub(crate) fn finish(mut self, result: Result<Bytes, AppError>) {
        self.answered = true;
        self.flight.finish(result);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let error = if std::thread::panicking() {
            AppError::new(HANDLER_PANICKED, "the handler panicked")
        } else if self.flight.stopped().is_some() {
            AppError::new(HANDLER_STOPPED, "the handler was stopped")
        } else {
            AppError::new(HANDLER_GONE, "the handler went away without an answer")
        };
        self.flight.finish(Err(error));
    }
}
