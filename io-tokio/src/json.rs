//! Values instead of bytes, as JSON: what programs in other languages read and write.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use proto_core::{pubsub::Publication, rpc::AppError};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    calls::{BAD_REQUEST, CallError, Request, ServeOptions, Service},
    error::{PublishError, ServeError, SubscribeError},
    mesh::Mesh,
    topics::{SubscribeOptions, Subscription},
};

/// The publications of a subscription, with their payloads read as JSON.
#[derive(Debug)]
pub struct JsonSubscription<T> {
    subscription: Subscription,
    of: PhantomData<fn() -> T>,
}

/// A publication with its payload read as JSON.
#[derive(Clone, Debug)]
pub struct JsonPublication<T> {
    /// What the payload says; or why it cannot be read.
    pub value: Result<T, Arc<serde_json::Error>>,
    /// The publication as it came.
    pub publication: Arc<Publication>,
}

impl<T: DeserializeOwned> JsonSubscription<T> {
    /// The next publication; `None` as [`Subscription::recv`] says it.
    pub async fn recv(&mut self) -> Option<JsonPublication<T>> {
        self.subscription.recv().await.map(read)
    }

    /// The subscription.
    #[must_use]
    pub const fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

impl<T: DeserializeOwned> Stream for JsonSubscription<T> {
    type Item = JsonPublication<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<JsonPublication<T>>> {
        let publication = ready!(Pin::new(&mut self.get_mut().subscription).poll_next(cx));
        Poll::Ready(publication.map(read))
    }
}

impl Mesh {
    /// Publishes a value: see [`Mesh::publish`].
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_json(&self, topic: &str, value: &impl Serialize) -> Result<(), PublishError> {
        let payload = serde_json::to_vec(value).map_err(|error| PublishError::NoJson(error.to_string()))?;
        self.publish(topic, payload).await
    }

    /// Subscribes to values: see [`Mesh::subscribe`].
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe_json<T: DeserializeOwned>(
        &self,
        pattern: &str,
    ) -> Result<JsonSubscription<T>, SubscribeError> {
        self.subscribe_json_with(pattern, SubscribeOptions::default()).await
    }

    /// Subscribes to values, with more said about it: see [`Mesh::subscribe_with`].
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe_json_with<T: DeserializeOwned>(
        &self,
        pattern: &str,
        options: SubscribeOptions,
    ) -> Result<JsonSubscription<T>, SubscribeError> {
        let subscription = self.subscribe_with(pattern, options).await?;
        Ok(JsonSubscription { subscription, of: PhantomData })
    }

    /// Serves a service that takes a value and gives one: see [`Mesh::serve`]. A payload that cannot be read is an error of
    /// code [`BAD_REQUEST`] for the caller, and no run of the handler.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve_json<H, F, Q, R>(&self, service: &str, handler: H) -> Result<Service, ServeError>
    where
        H: Fn(Q, Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, AppError>> + Send + 'static,
        Q: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
    {
        self.serve_json_with(service, ServeOptions::default(), handler).await
    }

    /// Serves a service that takes a value and gives one, with more said about it: see [`Mesh::serve_with`].
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve_json_with<H, F, Q, R>(
        &self,
        service: &str,
        options: ServeOptions,
        handler: H,
    ) -> Result<Service, ServeError>
    where
        H: Fn(Q, Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, AppError>> + Send + 'static,
        Q: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
    {
        let handler = Arc::new(handler);
        let bytes = move |request: Request| {
            let handler = Arc::clone(&handler);
            async move {
                let said = serde_json::from_slice(request.payload());
                let said = said.map_err(|error| AppError::new(BAD_REQUEST, &format!("malformed request: {error}")))?;
                let result = handler(said, request).await?;
                serde_json::to_vec(&result).map_err(|error| AppError::new(BAD_REQUEST, &format!("no JSON: {error}")))
            }
        };
        self.serve_with(service, options, bytes).await
    }

    /// Calls a service that takes a value and gives one: see [`Mesh::call`].
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call_json<Q: Serialize + Sync, R: DeserializeOwned>(
        &self,
        service: &str,
        value: &Q,
    ) -> Result<R, CallError> {
        let payload = serde_json::to_vec(value).map_err(|error| CallError::NoJson(error.to_string()))?;
        self.call(service, payload).await?.json()
    }
}

impl crate::Response {
    /// The payload, read as JSON.
    ///
    /// # Errors
    /// [`CallError::Malformed`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.payload).map_err(|error| CallError::Malformed(error.to_string()))
    }
}

fn read<T: DeserializeOwned>(publication: Arc<Publication>) -> JsonPublication<T> {
    JsonPublication { value: serde_json::from_slice(&publication.payload).map_err(Arc::new), publication }
}
