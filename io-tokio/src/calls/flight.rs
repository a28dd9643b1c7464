//! A call that runs here, as the engine's task and its handler share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto_core::{
    node::Answer,
    rpc::{AppError, Invocation, InvocationId, Reply, Stop},
};
use tokio::{
    sync::{Notify, oneshot},
    task::AbortHandle,
};

use super::request::{HANDLER_GONE, HANDLER_PANICKED, HANDLER_STOPPED};
use crate::{common::Common, orders::Order};

/// Begins to run a call. Called by the engine's task: it only hands the call on.
pub(crate) type Handler = Arc<dyn Fn(Arc<Flight>, Box<Invocation>) + Send + Sync>;

/// The call. See the module's first line.
#[derive(Debug)]
pub(crate) struct Flight {
    id: InvocationId,
    common: Arc<Common>,
    state: Mutex<State>,
    /// Told when the caller has room, or the handler shall stop.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    stop: Option<Stop>,
    task: Option<AbortHandle>,
}

impl Flight {
    /// A call that begins.
    pub(crate) fn new(id: InvocationId, common: Arc<Common>) -> Self {
        Self { id, common, state: Mutex::default(), changed: Notify::new() }
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

    /// Sends an item; the node says whether it took it.
    pub(crate) fn item(&self, item: Bytes) -> oneshot::Receiver<Answer> {
        let (taken, answer) = oneshot::channel();
        self.reply(Reply::Item(item), Some(taken));
        answer
    }

    /// Sends the last answer.
    pub(crate) fn finish(&self, result: Result<Bytes, AppError>) {
        self.reply(result.map_or_else(Reply::Error, Reply::Done), None);
    }

    fn reply(&self, reply: Reply, taken: Option<oneshot::Sender<Answer>>) {
        // A node that is over has told the callers nothing: they see that it is gone.
        let _ = self.common.order(Order::Reply { invocation: self.id, reply, taken });
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
