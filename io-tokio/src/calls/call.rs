//! Calling.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use proto_core::{
    id::{NodeName, Token},
    node::Answer,
    rpc::{Balance, Call, Key, Mode, Provider, ServiceName, Target},
};
use tokio::sync::oneshot;

use super::{
    error::{CallError, result},
    stream::ReplyStream,
};
use crate::{
    error::Stopped,
    feed::Feed,
    mesh::{Inner, Mesh},
    orders::Order,
};

/// Where the items of a streaming reply wait.
pub(crate) type ItemFeed = Feed<Bytes>;

/// A call that is not made yet: await it for one answer, or [`CallBuilder::stream`] it for many.
#[derive(Clone, Debug)]
#[must_use = "a call is made when it is awaited"]
pub struct CallBuilder {
    call: Result<Box<Call>, CallError>,
    inner: Arc<Inner>,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What the handler answered.
    pub payload: Bytes,
    /// Who served it.
    pub provider: Option<Provider>,
}

/// A call under way. Dropping it cancels the call: its handler is told to stop.
#[derive(Debug)]
#[must_use = "dropping it cancels the call"]
pub struct CallFuture(Result<Pending, Option<CallError>>);

/// A call that the node knows, or will.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) token: Token,
    answer: oneshot::Receiver<Answer>,
    /// It has not ended, as far as is known here.
    open: bool,
    pub(super) inner: Arc<Inner>,
}

impl CallBuilder {
    /// Whoever serves it at this node shall answer; of several there, the one with the least to do.
    pub fn at(self, node: &str) -> Self {
        let name = NodeName::new(node);
        if let Ok(name) = &name {
            self.inner.common.note_name(name);
        }
        self.change(|call| {
            call.to = Target::Node(name?.addr());
            Ok(())
        })
    }

    /// This provider shall answer: a node itself, or a client of it.
    pub fn at_provider(self, node: &str, client: Option<&str>) -> Self {
        let name = NodeName::new(node);
        self.change(|call| {
            call.to = Target::Provider(Provider { node: name?.addr(), client: client.map(Arc::from) });
            Ok(())
        })
    }

    /// How one of several providers is chosen. Without being told otherwise: the nearest.
    pub fn balance(self, balance: Balance) -> Self {
        self.change(|call| {
            call.to = Target::Balanced(balance);
            Ok(())
        })
    }

    /// How long it may take, a streaming reply included. Without being told otherwise: what the node was started with.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.change(|call| {
            call.deadline = deadline;
            Ok(())
        })
    }

    /// The client of this node that calls.
    pub fn client(self, client: impl Into<Arc<str>>) -> Self {
        self.change(|call| {
            call.from_client = Some(client.into());
            Ok(())
        })
    }

    /// Calls of the same caller with the same key run once. For calls with one answer only.
    pub fn idempotency_key(self, key: impl Into<Bytes>) -> Self {
        self.change(|call| {
            call.mode = Mode::Unary { key: Some(Key::new(key.into()).ok_or(CallError::BadKey)?) };
            Ok(())
        })
    }

    /// Makes the call, and takes its answer in items.
    ///
    /// # Errors
    /// [`CallError`] if it cannot be made; what happens later comes with the items.
    pub fn stream(self) -> Result<ReplyStream, CallError> {
        let mut call = self.call?;
        call.mode = Mode::Streaming;
        let items = Arc::new(Feed::new(usize::MAX));
        let pending = Pending::begin(self.inner, call, Some(Arc::clone(&items)))?;
        Ok(ReplyStream::new(pending, items))
    }

    fn change(mut self, change: impl FnOnce(&mut Call) -> Result<(), CallError>) -> Self {
        if let Ok(call) = &mut self.call
            && let Err(error) = change(call)
        {
            self.call = Err(error);
        }
        self
    }
}

impl IntoFuture for CallBuilder {
    type Output = Result<Response, CallError>;
    type IntoFuture = CallFuture;

    fn into_future(self) -> CallFuture {
        let pending = self.call.and_then(|call| Pending::begin(self.inner, call, None));
        CallFuture(pending.map_err(Some))
    }
}

impl Future for CallFuture {
    type Output = Result<Response, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(pending) => pending.poll_end(cx),
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(CallError::Stopped(Stopped)))),
        }
    }
}

impl Pending {
    fn begin(inner: Arc<Inner>, call: Box<Call>, items: Option<Arc<ItemFeed>>) -> Result<Self, CallError> {
        let token = inner.common.orders.token();
        let (sender, answer) = oneshot::channel();
        inner.common.order(Order::Call { token, call, items, answer: sender })?;
        Ok(Self { token, answer, open: true, inner })
    }

    /// The end of the call.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response, CallError>> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        self.open = false;
        Poll::Ready(match answer {
            Ok(Answer::Called { at: provider, completion }) => {
                result(completion).map(|payload| Response { payload, provider })
            }
            Ok(Answer::Rejected(rejected)) => Err(rejected.into()),
            // The node answers a call with nothing else.
            Ok(
                Answer::Sent(_)
                | Answer::SentMany(_)
                | Answer::Traced { .. }
                | Answer::Found(_)
                | Answer::Published(_)
                | Answer::Subscribed(_)
                | Answer::NotTaken(_)
                | Answer::Accepted
                | Answer::Drained { .. },
            )
            | Err(_) => Err(Stopped.into()),
        })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.open {
            // A node that is over runs no calls.
            let _ = self.inner.common.order(Order::Cancel(self.token));
        }
    }
}

impl Mesh {
    /// Calls a service, by default at the nearest provider: await what this returns, after saying more about the call if
    /// need be. A future that is dropped cancels the call.
    pub fn call(&self, service: &str, payload: impl Into<Bytes>) -> CallBuilder {
        let inner = Arc::clone(&self.inner);
        let call = ServiceName::new(service).map_err(CallError::from).map(|service| {
            Box::new(Call {
                service,
                to: Target::Balanced(Balance::Nearest),
                from_client: None,
                payload: payload.into(),
                deadline: inner.deadline,
                mode: Mode::Unary { key: None },
            })
        });
        CallBuilder { call, inner }
    }

    /// Calls a service that answers in items: see [`CallBuilder::stream`].
    ///
    /// # Errors
    /// [`CallError`] if the call cannot be made.
    pub fn call_stream(&self, service: &str, payload: impl Into<Bytes>) -> Result<ReplyStream, CallError> {
        self.call(service, payload).stream()
    }
}
