//! Sending to one receiver, its name resolved once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use proto_core::{
    id::NodeAddr,
    node::{Answer, Outcome},
};
use tokio::sync::oneshot;

use crate::{
    error::{Stopped, TryPostError},
    mesh::Inner,
    outlet::{Extra, NotTaken, Outlet, Posted},
};

/// Sends to one receiver. Cheap to clone; messages of all clones arrive in the order in which they were sent.
#[derive(Clone, Debug)]
pub struct Sender {
    outlet: Arc<Outlet>,
    /// Keeps the node running.
    _inner: Arc<Inner>,
}

/// What may be said about a message beside receiver and payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// The client of the receiving node that it is for.
    pub client: Option<Arc<str>>,
    /// The client of this node that it is from.
    pub from_client: Option<Arc<str>>,
    /// How long it may take; `None`: what the node was started with.
    pub deadline: Option<Duration>,
}

impl Sender {
    pub(crate) const fn new(outlet: Arc<Outlet>, inner: Arc<Inner>) -> Self {
        Self { outlet, _inner: inner }
    }

    /// The receiver.
    #[must_use]
    pub fn to(&self) -> NodeAddr {
        self.outlet.to
    }

    /// Sends, and waits until it is known what became of the message.
    ///
    /// # Errors
    /// [`Stopped`] if the node ended meanwhile: then nothing is known.
    pub async fn send(&self, payload: impl Into<Bytes>) -> Result<Outcome, Stopped> {
        self.send_with(payload, SendOptions::default()).await
    }

    /// Sends with more said about it, and waits until it is known what became of the message.
    ///
    /// # Errors
    /// [`Stopped`] if the node ended meanwhile: then nothing is known.
    pub async fn send_with(&self, payload: impl Into<Bytes>, options: SendOptions) -> Result<Outcome, Stopped> {
        let (report, outcome) = oneshot::channel();
        self.outlet.post(posted(payload.into(), options, Some(report))).await.map_err(|_| Stopped)?;
        match outcome.await {
            Ok(Answer::Sent(outcome)) => Ok(outcome),
            Ok(Answer::Rejected(rejected)) => Ok(Outcome::Rejected(rejected)),
            // The node answers a message with nothing else.
            Ok(
                Answer::SentMany(_)
                | Answer::Traced { .. }
                | Answer::Found(_)
                | Answer::Published(_)
                | Answer::Subscribed(_)
                | Answer::Called { .. }
                | Answer::NotTaken(_)
                | Answer::Accepted
                | Answer::Drained { .. },
            ) => Ok(Outcome::Unknown),
            Err(_) => Err(Stopped),
        }
    }

    /// Sends without asking what becomes of the message: the fast way. It is retried and delivered in order like any
    /// other. Waits only while too much is waiting for this receiver.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn post(&self, payload: impl Into<Bytes>) -> Result<(), Stopped> {
        self.outlet.post(Posted { payload: payload.into(), extra: None }).await.map_err(|_| Stopped)
    }

    /// Sends without asking what becomes of the message, and with more said about it.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn post_with(&self, payload: impl Into<Bytes>, options: SendOptions) -> Result<(), Stopped> {
        self.outlet.post(posted(payload.into(), options, None)).await.map_err(|_| Stopped)
    }

    /// Sends without waiting for anything.
    ///
    /// # Errors
    /// [`TryPostError::Full`] with the payload, if too much is waiting for this receiver.
    pub fn try_post(&self, payload: impl Into<Bytes>) -> Result<(), TryPostError> {
        self.outlet.try_post(Posted { payload: payload.into(), extra: None }).map_err(|not_taken| match not_taken {
            NotTaken::Full(posted) => TryPostError::Full(posted.payload),
            NotTaken::Stopped => TryPostError::Stopped,
        })
    }
}

fn posted(payload: Bytes, options: SendOptions, report: Option<oneshot::Sender<Answer>>) -> Posted {
    if report.is_none() && options == SendOptions::default() {
        return Posted { payload, extra: None };
    }
    let SendOptions { client, from_client, deadline } = options;
    Posted { payload, extra: Some(Box::new(Extra { to_client: client, from_client, deadline, report })) }
}
