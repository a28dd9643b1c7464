//! Serving calls.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use proto_core::{
    id::Token,
    node::Answer,
    rpc::{AppError, Capacity, Entry, Meta, ServiceName},
};
use tokio::sync::oneshot;

use super::{
    flight::{Handler, Responder},
    request::{OpenRequest, Request},
};
use crate::{
    common::Ending,
    error::{ServeError, Stopped},
    feed::Feed,
    mesh::{Inner, Mesh},
    orders::Order,
};

/// How long a new service waits until every node within reach knows it.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);

/// What may be said about a service beside its name. [`ServeOptions::default`] gives every default; change what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// The client of this node that serves it.
    pub client: Option<Arc<str>>,
    /// How many calls run at once, and how many more wait.
    pub capacity: Capacity,
    /// What it says of itself.
    pub meta: Meta,
    /// How long serving waits until every node within reach knows of it. `None`: not at all.
    pub known_within: Option<Duration>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        let (capacity, meta) = (Capacity::default(), Meta::default());
        Self { client: None, capacity, meta, known_within: Some(KNOWN_WITHIN) }
    }
}

impl ServeOptions {
    /// On behalf of a client of this node.
    #[must_use]
    pub fn client(mut self, client: impl Into<Arc<str>>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// With at most so many calls running at once.
    #[must_use]
    pub const fn concurrency(mut self, calls: u32) -> Self {
        self.capacity.concurrency = calls;
        self
    }

    /// With at most so many calls waiting until they may run.
    #[must_use]
    pub const fn queue(mut self, calls: u32) -> Self {
        self.capacity.queue = calls;
        self
    }

    /// Saying this of itself.
    #[must_use]
    pub fn meta(mut self, meta: Meta) -> Self {
        self.meta = meta;
        self
    }
}

/// A service that is served here. Dropping it ends that: calls that wait are refused, calls that run may finish.
pub struct Service {
    token: Token,
    service: ServiceName,
    client: Option<Arc<str>>,
    known: bool,
    inner: Arc<Inner>,
}

impl Service {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &ServiceName {
        &self.service
    }

    /// Whether every node within reach knew of it when it was returned.
    #[must_use]
    pub const fn was_known(&self) -> bool {
        self.known
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("service", &self.service).field("client", &self.client).finish_non_exhaustive()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let (token, service, client) = (self.token, self.service.clone(), self.client.clone());
        // A node that is over serves nothing.
        let _ = self.inner.common.order(Order::Withdraw { token, service, client });
    }
}

/// The calls of a service, to be answered one by one, from wherever. Dropping it ends the service.
#[derive(Debug)]
pub struct Requests {
    service: Service,
    feed: Arc<RequestFeed>,
    taken: VecDeque<OpenRequest>,
}

#[derive(Debug)]
struct RequestFeed(Feed<OpenRequest>);

impl Ending for RequestFeed {
    fn end(&self) {
        self.0.close();
    }
}

impl Requests {
    /// The next call; `None` once the node is over.
    pub async fn recv(&mut self) -> Option<OpenRequest> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &Service {
        &self.service
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<OpenRequest>> {
        if self.taken.is_empty() && ready!(self.feed.0.poll_take(cx, &mut self.taken)).is_none() {
            return Poll::Ready(None);
        }
        Poll::Ready(self.taken.pop_front())
    }
}

impl Stream for Requests {
    type Item = OpenRequest;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<OpenRequest>> {
        self.get_mut().poll_recv(cx)
    }
}

impl Mesh {
    /// Serves a service: `handler` runs for each call, as a task of its own, at most so many at once as
    /// [`ServeOptions::capacity`] says. Its future is dropped when the caller cancels or the deadline passes. A panic is an
    /// error for the caller. When this returns, every node within reach knows of it; [`Service::was_known`] says if one did
    /// not within a second.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve<H, F, R>(&self, service: &str, handler: H) -> Result<Service, ServeError>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, AppError>> + Send + 'static,
        R: Into<Bytes>,
    {
        self.serve_with(service, ServeOptions::default(), handler).await
    }

    /// Serves a service, with more said about it.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve_with<H, F, R>(
        &self,
        service: &str,
        options: ServeOptions,
        handler: H,
    ) -> Result<Service, ServeError>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, AppError>> + Send + 'static,
        R: Into<Bytes>,
    {
        let handler = Arc::new(handler);
        let run: Handler = Arc::new(move |flight, invocation| {
            let (handler, request) = (Arc::clone(&handler), Request::new(invocation, Arc::clone(&flight)));
            let responder = Responder::new(Arc::clone(&flight));
            let task = tokio::spawn(async move {
                let result = handler(request).await;
                responder.finish(result.map(Into::into));
            });
            flight.run_by(task.abort_handle());
        });
        self.register(service, options, run).await
    }

    /// Serves a service whose calls are taken from what this returns, and answered by whoever holds them.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn requests(&self, service: &str, options: ServeOptions) -> Result<Requests, ServeError> {
        let feed = Arc::new(RequestFeed(Feed::new(usize::MAX)));
        self.inner.common.close_at_end(&feed);
        let to = Arc::downgrade(&feed);
        let run: Handler = Arc::new(move |flight, invocation| {
            let request = OpenRequest::new(invocation, flight);
            // If nobody takes calls any more, dropping it answers.
            if let Some(feed) = to.upgrade()
                && feed.0.push(request)
            {
                feed.0.wake();
            }
        });
        let service = self.register(service, options, run).await?;
        Ok(Requests { service, feed, taken: VecDeque::new() })
    }

    async fn register(&self, service: &str, options: ServeOptions, run: Handler) -> Result<Service, ServeError> {
        let service = ServiceName::new(service)?;
        let ServeOptions { client, capacity, meta, known_within } = options;
        let client = client.filter(|client| !client.is_empty());
        let entry = Entry { service: service.clone(), client: client.clone(), capacity, meta: Arc::new(meta) };
        let token = self.inner.common.orders.token();
        let (answer, served) = oneshot::channel();
        self.inner.common.order(Order::Serve { token, entry: Box::new(entry), handler: run, answer })?;
        // From here on, giving up withdraws it.
        let mut service = Service { token, service, client, known: false, inner: Arc::clone(&self.inner) };
        let known = known_within.map(|deadline| self.inner.await_known(deadline));
        match served.await {
            Ok(Answer::Rejected(rejected)) => return Err(rejected.into()),
            Ok(_) => {}
            Err(_) if self.inner.requests.is_closed() => return Err(Stopped.into()),
            Err(_) => return Err(ServeError::Taken),
        }
        if let Some(known) = known {
            service.known = matches!(known.await, Ok(Answer::Accepted));
        }
        Ok(service)
    }
}
