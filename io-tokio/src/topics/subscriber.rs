//! What the engine's task and the owner of subscriptions share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use proto_core::pubsub::{Ended, Publication, Recovery, SubscriptionId};

use crate::{
    common::{Common, Ending},
    feed::Feed,
    orders::Order,
};

/// Where publications wait for the application. The credit of its subscriptions bounds it.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) feed: Feed<Item>,
    dropped: AtomicU64,
}

/// Something that waits there.
#[derive(Debug)]
pub(crate) struct Item {
    /// Whose it is.
    pub(crate) subscription: SubscriptionId,
    /// The node is told when so many of the subscription were taken.
    pub(crate) tell_at: u32,
    /// What it is.
    pub(crate) what: What,
}

/// What waits.
#[derive(Debug)]
pub(crate) enum What {
    /// A publication.
    Publication(Arc<Publication>),
    /// The node has ended the subscription.
    Ended(Ended),
    /// The subscription was ended by its owner: the last that comes of it.
    Gone,
}

/// Where the publications of one subscription go.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) to: Arc<Subscriber>,
    pub(crate) tell_at: u32,
}

/// A subscription that exists. Dropping this ends it.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) id: SubscriptionId,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) common: Arc<Common>,
}

impl Subscriber {
    /// Nothing waits.
    pub(crate) fn new() -> Self {
        Self { feed: Feed::new(usize::MAX), dropped: AtomicU64::new(0) }
    }

    /// Notes what the node says that it dropped.
    pub(crate) fn note_dropped(&self, more: u64) {
        self.dropped.fetch_add(more, Relaxed);
    }

    /// What the node said that it dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

impl Ending for Subscriber {
    fn end(&self) {
        self.feed.close();
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // A node that is over has no subscriptions.
        let _ = self.common.order(Order::Unsubscribe(self.id));
    }
}
