//! Publishing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use proto_core::{
    error::Rejected,
    node::Answer,
    pubsub::{Publish, Report, Topic},
};
use tokio::{sync::oneshot, time::timeout};

use super::press::{NotPrinted, Printed};
use crate::{
    error::{PublishError, Stopped, TryPostError},
    mesh::{Inner, Mesh},
};

/// Publishes to one topic. Cheap to clone; the publications of all clones, and of the [`Mesh`], go out in the order in
/// which they were published.
#[derive(Clone, Debug)]
pub struct Publisher {
    topic: Topic,
    options: PublishOptions,
    inner: Arc<Inner>,
}

/// What may be said about a publication beside topic and payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishOptions {
    /// Headers of the application's own, passed on as they are.
    pub headers: Bytes,
    /// The client of this node that publishes.
    pub client: Option<Arc<str>>,
    /// How long it may take; `None`: what the node was started with.
    pub deadline: Option<Duration>,
    /// Whether the subscriptions of the one who publishes get it as well.
    pub echo: bool,
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self { headers: Bytes::new(), client: None, deadline: None, echo: true }
    }
}

impl PublishOptions {
    /// With headers.
    #[must_use]
    pub fn headers(mut self, headers: impl Into<Bytes>) -> Self {
        self.headers = headers.into();
        self
    }

    /// On behalf of a client of this node.
    #[must_use]
    pub fn client(mut self, client: impl Into<Arc<str>>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// With a deadline of its own.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Not for the subscriptions of the one who publishes.
    #[must_use]
    pub const fn no_echo(mut self) -> Self {
        self.echo = false;
        self
    }
}

impl Publisher {
    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Publishes from here on with more said about each publication.
    #[must_use]
    pub fn with(mut self, options: PublishOptions) -> Self {
        self.options = options;
        self
    }

    /// Publishes without asking who gets it: the fast way. It is retried and delivered in order like any other. Waits,
    /// at most as long as the publication may take, while too many publications wait to go out.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish(&self, payload: impl Into<Bytes>) -> Result<(), PublishError> {
        self.inner.print(self.printed(payload.into(), None)).await
    }

    /// Publishes, and waits until it is known who got it, at most as long as it may take.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_acked(&self, payload: impl Into<Bytes>) -> Result<Report, PublishError> {
        let (receipt, report) = oneshot::channel();
        self.inner.print(self.printed(payload.into(), Some(receipt))).await?;
        match report.await.map_err(|_| Stopped)? {
            Answer::Published(report) => Ok(*report),
            Answer::Rejected(rejected) => Err(rejected.into()),
            // The node answers a publication with nothing else.
            Answer::Sent(_)
            | Answer::SentMany(_)
            | Answer::Traced { .. }
            | Answer::Found(_)
            | Answer::Subscribed(_)
            | Answer::Called { .. }
            | Answer::NotTaken(_)
            | Answer::Accepted
            | Answer::Drained { .. } => Err(Stopped.into()),
        }
    }

    /// Publishes without waiting for anything.
    ///
    /// # Errors
    /// [`TryPostError::Full`] with the payload, if too many publications wait to go out.
    pub fn try_publish(&self, payload: impl Into<Bytes>) -> Result<(), TryPostError> {
        match self.inner.common.press.try_print(self.printed(payload.into(), None)) {
            Ok(first) => {
                self.inner.common.ring_if(first);
                Ok(())
            }
            Err(NotPrinted::Full(printed)) => Err(TryPostError::Full(printed.publish.payload)),
            Err(NotPrinted::Stopped) => Err(TryPostError::Stopped),
        }
    }

    fn printed(&self, payload: Bytes, receipt: Option<oneshot::Sender<Answer>>) -> Printed {
        let PublishOptions { headers, client, deadline, echo } = &self.options;
        let publish = Publish {
            topic: self.topic.clone(),
            headers: headers.clone(),
            payload,
            from_client: client.clone(),
            deadline: deadline.unwrap_or(self.inner.deadline),
            receipt: receipt.is_some(),
            echo: *echo,
        };
        Printed { publish: Box::new(publish), receipt }
    }
}

impl Mesh {
    /// Publishes without asking who gets it: see [`Publisher::publish`]. Many publications to one topic go faster through
    /// a [`Publisher`].
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish(&self, topic: &str, payload: impl Into<Bytes>) -> Result<(), PublishError> {
        self.publisher(topic)?.publish(payload).await
    }

    /// Publishes, and waits until it is known who got it: how many subscriptions on how many nodes.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_acked(&self, topic: &str, payload: impl Into<Bytes>) -> Result<Report, PublishError> {
        self.publisher(topic)?.publish_acked(payload).await
    }

    /// As [`Mesh::publish_acked`], with more said about the publication.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_with(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        options: PublishOptions,
    ) -> Result<Report, PublishError> {
        self.publisher(topic)?.with(options).publish_acked(payload).await
    }

    /// A publisher to one topic. Nobody need have subscribed to it.
    ///
    /// # Errors
    /// [`PublishError::BadTopic`].
    pub fn publisher(&self, topic: &str) -> Result<Publisher, PublishError> {
        let inner = Arc::clone(&self.inner);
        Ok(Publisher { topic: Topic::new(topic)?, options: PublishOptions::default(), inner })
    }
}

impl Inner {
    /// Hands a publication to the engine as soon as there is room.
    async fn print(&self, printed: Printed) -> Result<(), PublishError> {
        let (len, limit) = (printed.len(), self.max_payload);
        if len > limit {
            // The node would refuse it, and nobody would hear of that.
            return Err(Rejected::TooLarge { len: len as u64, limit: limit as u64 }.into());
        }
        let first = match self.common.press.try_print(printed) {
            Ok(first) => first,
            Err(NotPrinted::Stopped) => return Err(Stopped.into()),
            Err(NotPrinted::Full(printed)) => {
                let bound = printed.publish.deadline;
                let taken = timeout(bound, self.common.press.print(printed)).await.map_err(|_| PublishError::Busy)?;
                taken.map_err(|_| Stopped)?
            }
        };
        self.common.ring_if(first);
        Ok(())
    }
}
