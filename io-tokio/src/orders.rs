//! What handles want of the engine on behalf of subscriptions, services and calls.
//!
//! Ordering is a lock, a push, and a wake-up of the engine only for the first order since it last looked; the engine takes
//! all of them at once. Bounds: every order belongs to somebody who waits for its answer, or ends something that exists, so
//! there are no more than waiting tasks, subscriptions, services and calls.

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use proto_core::{
    id::Token,
    node::{Answer, Command},
    pubsub::{Subscribe, SubscriptionId},
    rpc::{Call, Entry, InvocationId, Reply, ServiceName},
};
use tokio::sync::oneshot;

use crate::{
    calls::{Handler, ItemFeed},
    error::Stopped,
    topics::{Delivery, Registered},
};

/// The tokens of orders are above all tokens that the engine's task gives out.
const FIRST_TOKEN: u64 = 1 << 63;

/// One order.
pub(crate) enum Order {
    /// A command, and where its answer goes.
    Command {
        /// The command.
        command: Command,
        /// Its answer.
        answer: oneshot::Sender<Answer>,
    },
    /// A subscription, and where its publications go.
    Subscribe {
        /// What is subscribed to.
        subscribe: Box<Subscribe>,
        /// Where its publications go.
        to: Delivery,
        /// The subscription, or why there is none.
        answer: oneshot::Sender<Result<Registered, Answer>>,
    },
    /// The end of a subscription.
    Unsubscribe(SubscriptionId),
    /// A service, and who runs its calls.
    Serve {
        /// Names it when it is withdrawn.
        token: Token,
        /// What is told of it.
        entry: Box<Entry>,
        /// Runs its calls.
        handler: Handler,
        /// Whether it is served.
        answer: oneshot::Sender<Answer>,
    },
    /// The end of a service.
    Withdraw {
        /// The token that it was served with.
        token: Token,
        /// The service.
        service: ServiceName,
        /// On whose behalf it was served.
        client: Option<Arc<str>>,
    },
    /// A call.
    Call {
        /// Names it when it is cancelled.
        token: Token,
        /// The call.
        call: Box<Call>,
        /// Where the items of a streaming reply go.
        items: Option<Arc<ItemFeed>>,
        /// How it ended.
        answer: oneshot::Sender<Answer>,
    },
    /// Nobody waits for a call any more.
    Cancel(Token),
    /// Items of a streaming reply were taken.
    ItemsTaken {
        /// The call.
        token: Token,
        /// How many.
        items: u64,
        /// What they weigh.
        bytes: u64,
    },
    /// An answer of a handler.
    Reply {
        /// What it answers.
        invocation: InvocationId,
        /// The answer.
        reply: Reply,
    },
}

/// The orders that the engine did not take yet.
pub(crate) struct Orders {
    state: Mutex<State>,
    last_token: AtomicU64,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Order>,
    closed: bool,
}

impl Orders {
    /// None.
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), last_token: AtomicU64::new(FIRST_TOKEN) }
    }

    /// A token that nobody had before.
    pub(crate) fn token(&self) -> Token {
        Token(self.last_token.fetch_add(1, Relaxed))
    }

    /// Adds an order. Whether the engine must be woken.
    ///
    /// # Errors
    /// [`Stopped`] if the node is over: whoever waits for the answer learns of it.
    pub(crate) fn push(&self, order: Order) -> Result<bool, Stopped> {
        let mut state = self.lock();
        if state.closed {
            return Err(Stopped);
        }
        let first = state.queue.is_empty();
        state.queue.push_back(order);
        Ok(first)
    }

    /// Swaps the orders with `into`, which must be empty.
    pub(crate) fn take(&self, into: &mut VecDeque<Order>) {
        mem::swap(&mut self.lock().queue, into);
    }

    /// Takes none from here on, and drops those that wait.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let dropped = mem::take(&mut state.queue);
        drop(state);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orders").field("waiting", &self.lock().queue.len()).finish()
    }
}
