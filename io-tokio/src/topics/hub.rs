//! Many subscriptions that deliver to one consumer: what a server of many clients has for each of them.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use proto_core::{
    node::Mailbox,
    pubsub::{Ended, Publication, Recovery, SubscriptionId},
};

use super::{
    subscriber::{Item, Registered, Subscriber, What},
    subscription::SubscribeOptions,
};
use crate::{
    error::SubscribeError,
    mesh::{Inner, Mesh},
};

/// One consumer of many subscriptions: for a connection that serves a client with several, or a task that serves many
/// clients with few. What it holds is bounded by the credit of all its subscriptions together.
///
/// Each publication counts as taken when it is received here. So a consumer that waits for its client between two
/// receptions has the node apply the policy of that client's subscriptions, and slows down nobody else.
#[derive(Debug)]
pub struct SubscriptionHub {
    subscriber: Arc<Subscriber>,
    taken: VecDeque<Item>,
    untold: HashMap<SubscriptionId, u32>,
    inner: Arc<Inner>,
}

/// A subscription of a hub. Dropping it ends the subscription; what is on its way to the hub still comes.
#[derive(Debug)]
pub struct HubSubscription {
    registered: Registered,
    known: bool,
}

/// What comes to a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubEvent {
    /// A publication.
    Publication {
        /// The subscription that it is for.
        subscription: SubscriptionId,
        /// The publication.
        publication: Arc<Publication>,
    },
    /// The node has ended a subscription.
    Ended {
        /// The subscription.
        subscription: SubscriptionId,
        /// Why.
        reason: Ended,
    },
}

/// Makes subscriptions for a hub, from any task.
#[derive(Clone, Debug)]
pub struct HubHandle {
    subscriber: Arc<Subscriber>,
    inner: Arc<Inner>,
}

impl HubHandle {
    /// Subscribes, as [`Mesh::subscribe_with`] does. Publications may come to the hub before this returns.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe(&self, pattern: &str, options: SubscribeOptions) -> Result<HubSubscription, SubscribeError> {
        let (registered, known) = self.inner.register(pattern, &options, &self.subscriber).await?;
        Ok(HubSubscription { registered, known })
    }
}

impl HubSubscription {
    /// Names it in what comes to the hub.
    #[must_use]
    pub const fn id(&self) -> SubscriptionId {
        self.registered.id
    }

    /// How it was brought up to date, if that was asked for.
    #[must_use]
    pub const fn recovery(&self) -> Option<Recovery> {
        self.registered.recovery
    }

    /// Whether every node within reach knew of it when it was returned.
    #[must_use]
    pub const fn was_known(&self) -> bool {
        self.known
    }
}

impl SubscriptionHub {
    /// What makes its subscriptions.
    #[must_use]
    pub fn handle(&self) -> HubHandle {
        HubHandle { subscriber: Arc::clone(&self.subscriber), inner: Arc::clone(&self.inner) }
    }

    /// Subscribes: see [`HubHandle::subscribe`].
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe(&self, pattern: &str, options: SubscribeOptions) -> Result<HubSubscription, SubscribeError> {
        self.handle().subscribe(pattern, options).await
    }

    /// What comes next; `None` once the node is over.
    pub async fn recv(&mut self) -> Option<HubEvent> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Appends what is there, at most `max`, and waits for the first if there is nothing. Answers how many; zero once the
    /// node is over.
    pub async fn recv_many(&mut self, into: &mut Vec<HubEvent>, max: usize) -> usize {
        let Some(first) = self.recv().await else { return 0 };
        into.push(first);
        let mut count = 1;
        while count < max
            && let Some(next) = self.give()
        {
            into.push(next);
            count += 1;
        }
        count
    }

    /// What comes next, if it is there now.
    pub fn try_recv(&mut self) -> Option<HubEvent> {
        if self.taken.is_empty() {
            self.subscriber.feed.try_take(&mut self.taken);
        }
        self.give()
    }

    /// How many publications to all its subscriptions were dropped because they were not taken, as far as the node has
    /// told.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.subscriber.dropped()
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<HubEvent>> {
        loop {
            if let Some(event) = self.give() {
                return Poll::Ready(Some(event));
            }
            if ready!(self.subscriber.feed.poll_take(cx, &mut self.taken)).is_none() {
                return Poll::Ready(None);
            }
        }
    }

    /// The next of what was taken over from the engine.
    fn give(&mut self) -> Option<HubEvent> {
        while let Some(Item { subscription, tell_at, what }) = self.taken.pop_front() {
            match what {
                What::Publication(publication) => {
                    self.count(subscription, tell_at);
                    return Some(HubEvent::Publication { subscription, publication });
                }
                What::Ended(reason) => {
                    self.untold.remove(&subscription);
                    return Some(HubEvent::Ended { subscription, reason });
                }
                What::Gone => drop(self.untold.remove(&subscription)),
            }
        }
        None
    }

    /// Counts a publication as taken. The node is told before it could have to wait for that.
    fn count(&mut self, subscription: SubscriptionId, tell_at: u32) {
        let untold = self.untold.entry(subscription).or_default();
        *untold += 1;
        if *untold >= tell_at {
            self.inner.common.consume(Mailbox::Subscription(subscription), u64::from(*untold));
            *untold = 0;
        }
    }
}

impl Stream for SubscriptionHub {
    type Item = HubEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<HubEvent>> {
        self.get_mut().poll_recv(cx)
    }
}

impl Mesh {
    /// A consumer for many subscriptions, without any yet.
    #[must_use]
    pub fn hub(&self) -> SubscriptionHub {
        let subscriber = Arc::new(Subscriber::new());
        self.inner.common.close_at_end(&subscriber);
        let inner = Arc::clone(&self.inner);
        SubscriptionHub { subscriber, taken: VecDeque::new(), untold: HashMap::new(), inner }
    }
}
