//! A subscription of one client.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::Stream as _;
use io_tokio::{Policy, Publication, SubscribeOptions, Subscription};

use super::News;
use crate::{
    api::Api,
    config::{SlowClient, SlowPolicy},
    errors::Problem,
};

/// Publications that are handed to a client's task before it has taken any.
const CREDIT: u32 = 256;

/// The subscription, and what happens when its client does not keep up.
#[derive(Debug)]
pub(in crate::api) struct Wanted {
    subscription: Subscription,
    /// What is done with publications that the client does not take.
    pub(in crate::api) policy: SlowPolicy,
}

impl Wanted {
    /// Subscribes for a client. Without a policy of its own, that of the topics, or else that of all clients holds.
    ///
    /// # Errors
    /// It cannot.
    pub(in crate::api) async fn make(
        api: &Api,
        client: &str,
        pattern: &str,
        policy: Option<SlowPolicy>,
        options: SubscribeOptions,
    ) -> Result<Self, Problem> {
        let SlowClient { messages, bytes, policy: usual } = api.config.slow_client;
        let policy = policy.map_or_else(|| api.session.slow_policy(pattern, core(usual)), core);
        let options = options.client(client).policy(policy).queue(messages, bytes).credit(CREDIT);
        let subscription = api.session.subscribe(pattern, options).await?;
        Ok(Self { subscription, policy: ours(policy) })
    }

    /// The subscription itself.
    pub(in crate::api) const fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// The next publication; `None` at its end.
    pub(in crate::api) async fn recv(&mut self) -> Option<Arc<Publication>> {
        self.subscription.recv().await
    }

    /// Another publication, if it is there.
    pub(in crate::api) fn more(&mut self) -> Option<Arc<Publication>> {
        self.subscription.try_recv()
    }

    /// What comes next. A node that is over ends it without a reason.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, at: usize, name: &str) -> Poll<News> {
        let next = ready!(Pin::new(&mut self.subscription).poll_next(cx));
        Poll::Ready(match next {
            Some(publication) => News::Publication(at, publication),
            None => News::Ended(name.to_owned(), self.subscription.ended()),
        })
    }
}

const fn core(policy: SlowPolicy) -> Policy {
    match policy {
        SlowPolicy::Disconnect => Policy::Disconnect,
        SlowPolicy::DropOldest => Policy::DropOldest,
        SlowPolicy::DropNewest => Policy::DropNewest,
    }
}

const fn ours(policy: Policy) -> SlowPolicy {
    match policy {
        Policy::Disconnect => SlowPolicy::Disconnect,
        Policy::DropOldest => SlowPolicy::DropOldest,
        Policy::DropNewest => SlowPolicy::DropNewest,
    }
}
