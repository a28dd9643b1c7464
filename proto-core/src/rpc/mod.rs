//! Remote calls: one end asks for a service by name, a handler somewhere in the mesh runs, and its answer comes back.
//!
//! # Life of a call
//!
//! A caller names a service and who shall serve it. The request goes to one provider: this node, or another over a flow
//! that delivers each message at most once, in order, to the life of the node that it was sent to. There it is refused, or
//! runs at once, or waits its turn; a handler that answers ends it. Exactly one [`Completion`] ends each call:
//!
//! * the handler's result or error;
//! * a **definite** failure: no handler has seen the call, and none will. A balanced call is tried at the next provider
//!   then, within its deadline, [`CALL_TRIES_MAX`](crate::limits::CALL_TRIES_MAX) and a budget of one further try in
//!   [`CALLS_PER_RETRY`](crate::limits::CALLS_PER_RETRY) calls;
//! * an **indefinite** one: a handler may have run. Nothing is tried again. [`Completion::may_have_run`] tells them apart.
//!
//! A call that takes longer is told about: its provider says after a tenth of a second, and every second from then on,
//! whether it waits, and behind how many, or runs, and for how long. A timeout carries the last such note.
//!
//! # What is certain
//!
//! 1. At most one run per call: a call has one number in its caller's life, is sent once per try, and is tried again only
//!    after a definite refusal. A request is never delivered twice, nor to another life of the provider. An idempotency
//!    key makes it one run per key, also across calls and lives of the caller, at one life of a provider.
//! 2. An answer counts only if it comes from the node that was asked, in the life that was asked or a later one.
//! 3. No handler begins after the deadline, and nothing is sent after it. What travels is the time left, measured when the
//!    request is handed to the flow; how long it is under way is not known and not counted.
//! 4. A provider runs at most as many calls at once as it said. A handler that was told to stop keeps its place until it
//!    answers or goes away, at most for [`HANDLER_STOP`](crate::limits::HANDLER_STOP).
//! 5. What is said of a call is not lost because too much waits to be sent: it is said again, in order, or the caller learns
//!    that the answer is lost.
//! 6. Items of a streaming reply come in order and without gaps, or the call ends as lost; one answer ends them. The
//!    handler sends only what the caller has room for.
//!
//! # Registry and directory
//!
//! A provider is this node or one of its clients. Registrations are replicated to every node by somebody else:
//! [`Effect::Announce`] out, [`Event::Announced`] in. So a call that nobody can serve ends at once, and the view of
//! providers is the whole mesh's.
//!
//! # Bounds
//!
//! Calls pending, per node and in all; registrations; calls running and waiting, per provider, per caller and in all; bytes
//! that wait; windows of streaming replies; idempotency keys and their results. `limits.rs` has each with its policy. A
//! choice among providers takes time linear in the providers of the service.

mod alarms;
mod budget;
mod call;
mod calls;
mod directory;
mod env;
mod invocation;
mod keys;
mod peers;
mod registry;
mod service;
mod services;
mod serving;
mod slots;
mod view;

#[cfg(test)]
mod tests;

pub use call::{AppError, Balance, Call, CallId, Completion, Key, Loss, Mode, Overload, Progress, Provider, Target};
pub use invocation::{Caller, Invocation, InvocationId, NotTaken, Reply, Room, Stop};
pub use service::{BadService, Capacity, Entry, Field, Meta, ServiceName};
pub use services::Rpc;
pub use view::{CallView, ProviderView, ServedView};

pub(crate) use env::without_payload;

use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;

use crate::{
    id::{Incarnation, NodeAddr, Token},
    node::Outcome,
    wire::{Head, v1},
};

/// What can happen to the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message of another node's calls arrived.
    Received {
        /// The node.
        from: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
        /// What it says.
        header: v1::Call<'a>,
        /// The payload.
        body: Bytes,
    },
    /// What became of a message whose outcome was asked for.
    Sent {
        /// The number from [`Effect::Send`].
        id: u64,
        /// The outcome.
        outcome: Outcome,
    },
    /// A node is within reach, in this life and at this cost; also when either changes.
    Reachable {
        /// The node.
        node: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
        /// What the way costs.
        cost: u32,
    },
    /// A node is out of reach.
    Unreachable {
        /// The node.
        node: NodeAddr,
    },
    /// A node says that it has a provider, or has it no more.
    Announced {
        /// The node.
        node: NodeAddr,
        /// The provider.
        entry: Entry,
        /// Whether it is there.
        present: bool,
    },
    /// Nothing is known of a node's providers any more.
    Forget {
        /// The node.
        node: NodeAddr,
    },
    /// A client of this node went away, with its handlers and its calls.
    ClientGone {
        /// Its name.
        client: Arc<str>,
    },
    /// The node shuts down: take no new calls, finish those that run.
    Drain,
}

/// What the calls ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a message in the flow to another node. With a number, its outcome comes back once, as [`Event::Sent`]: delivered
    /// or rejected as soon as that is certain, unknown at the deadline or as soon as the receiver is in another life. The
    /// flow's deadlines are to be handled before those of the calls: then a timeout knows whether the call ever left.
    /// Without one, what the flow does not take now is handed to it again, in order, until its deadline; should its payload
    /// be too much to keep until then, its caller is told that it was lost.
    Send {
        /// The node.
        to: NodeAddr,
        /// The number to report the outcome under; `None`: nobody wants to know.
        id: Option<u64>,
        /// The encoded [`v1::Call`].
        header: Head,
        /// The payload.
        body: Bytes,
        /// How long it may take.
        deadline: Duration,
    },
    /// Let a handler run a call; it answers by [`Rpc::reply`].
    Invoke(Invocation),
    /// Tell a handler to stop.
    CancelInvocation {
        /// The call.
        invocation: InvocationId,
        /// Why.
        why: Stop,
    },
    /// The caller of a streaming reply has more room.
    Writable {
        /// The call.
        invocation: InvocationId,
        /// The room, in all.
        room: Room,
    },
    /// An item of a streaming reply; the application gives its room back by [`Rpc::consumed`].
    Item {
        /// The call's token.
        token: Token,
        /// The call.
        call: CallId,
        /// The item.
        payload: Bytes,
    },
    /// A call has ended.
    Completed {
        /// The call's token.
        token: Token,
        /// The call.
        call: CallId,
        /// The provider that it went to last. For a call to a node as such, only the node is known.
        at: Option<Provider>,
        /// How it ended.
        completion: Completion,
    },
    /// Tell every node that this one has a provider, or has it no more.
    Announce {
        /// The provider.
        entry: Entry,
        /// Whether it is there.
        present: bool,
    },
}
