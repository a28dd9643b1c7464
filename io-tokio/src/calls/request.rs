//! A call as its handler sees it.

use std::{future::Future, ops::Deref, sync::Arc, time::Duration};

use bytes::Bytes;
use proto_core::rpc::{AppError, Caller, Invocation, InvocationId, NotTaken, ServiceName, Stop};

use super::flight::{Flight, Responder};

/// The code of the error that a caller gets when the handler went away without an answer.
pub const HANDLER_GONE: u32 = u32::MAX;
/// The code of the error that a caller gets when the handler panicked.
pub const HANDLER_PANICKED: u32 = u32::MAX - 1;
/// The code of the error that a caller would get when the handler was stopped, had it not given up.
pub const HANDLER_STOPPED: u32 = u32::MAX - 2;

/// The code of the error that a caller gets when a handler of values cannot read the request, or write its answer.
pub const BAD_REQUEST: u32 = u32::MAX - 3;

/// A call that a handler runs.
#[derive(Debug)]
pub struct Request {
    invocation: Box<Invocation>,
    flight: Arc<Flight>,
}

/// A call that waits for its answer. Dropping it answers with an error of code [`HANDLER_GONE`].
#[derive(Debug)]
pub struct OpenRequest {
    request: Request,
    responder: Responder,
}

/// Why an item was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// The node did not take it.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// The handler shall stop.
    #[error("the call was stopped: {0:?}")]
    Stopped(Stop),
    /// The node is over.
    #[error("the node has stopped")]
    NodeStopped,
}

impl Request {
    pub(super) const fn new(invocation: Box<Invocation>, flight: Arc<Flight>) -> Self {
        Self { invocation, flight }
    }

    /// What the caller gave.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.invocation.payload
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &ServiceName {
        &self.invocation.service
    }

    /// Who calls.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.invocation.caller
    }

    /// The client on whose behalf it is served.
    #[must_use]
    pub const fn client(&self) -> Option<&Arc<str>> {
        self.invocation.client.as_ref()
    }

    /// Names the call at this node.
    #[must_use]
    pub const fn id(&self) -> InvocationId {
        self.invocation.id
    }

    /// How much time there was until the deadline when the call began to run.
    #[must_use]
    pub const fn left(&self) -> Duration {
        self.invocation.left
    }

    /// Whether the caller takes items before the answer.
    #[must_use]
    pub const fn is_streaming(&self) -> bool {
        self.invocation.room.is_some()
    }

    /// Sends an item of a streaming reply, and waits while the caller has no room for it: as many go out at once as it has
    /// room for.
    ///
    /// # Errors
    /// [`ItemError`]: the item was not sent; unless it was too large, nothing can be sent any more.
    pub async fn item(&self, item: impl Into<Bytes>) -> Result<(), ItemError> {
        let item = item.into();
        loop {
            if let Some(why) = self.stop() {
                return Err(ItemError::Stopped(why));
            }
            // Before the item goes: the room may come right behind the refusal.
            let changed = self.flight.changed.notified();
            match self.flight.item(&item) {
                Ok(sent) => return sent.map_err(|_| ItemError::NodeStopped),
                Err(NotTaken::NoCredit) => changed.await,
                Err(why) => return Err(why.into()),
            }
        }
    }

    /// Why the handler shall stop, if it shall: nobody waits for its answer any more.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.flight.stopped()
    }

    /// Waits until the handler shall stop. The futures of [`Mesh::serve`](crate::Mesh::serve) need not: they are dropped.
    pub fn stopped(&self) -> impl Future<Output = Stop> + Send + 'static {
        let flight = Arc::clone(&self.flight);
        async move {
            loop {
                let changed = flight.changed.notified();
                if let Some(why) = flight.stopped() {
                    return why;
                }
                changed.await;
            }
        }
    }
}

impl OpenRequest {
    pub(super) fn new(invocation: Box<Invocation>, flight: Arc<Flight>) -> Self {
        let responder = Responder::new(Arc::clone(&flight));
        Self { request: Request::new(invocation, flight), responder }
    }

    /// Answers with a result.
    pub fn reply(self, payload: impl Into<Bytes>) {
        self.responder.finish(Ok(payload.into()));
    }

    /// Answers with an error.
    pub fn error(self, error: AppError) {
        self.responder.finish(Err(error));
    }
}

impl Deref for OpenRequest {
    type Target = Request;

    fn deref(&self) -> &Request {
        &self.request
    }
}
