//! The engine's side of the subscriptions: which publication goes where.
//!
//! Bounds: one entry per subscription. Publications for a subscription whose owner does not know it yet wait here; its
//! credit bounds them.

use std::{mem, sync::Arc};

use proto_core::{
    collections::DetMap,
    id::Token,
    node::{Answer, Command, Input, TopicCommand, TopicEvent},
    pubsub::{Publication, Subscribe, SubscriptionId},
};
use tokio::sync::oneshot;

use super::subscriber::{Delivery, Item, Registered, Subscriber, What};
use crate::{common::Common, pending::Pending};

/// After so many publications that went into the node or came out of it, those who take them have a turn, though they share
/// a thread with the engine: otherwise their queues would run over without their fault.
const TURN_AFTER: usize = 1_024;

/// Every subscription and where it delivers.
#[derive(Debug)]
pub(crate) struct TopicDesk {
    asked: DetMap<Token, Asked>,
    routes: DetMap<SubscriptionId, Route>,
    /// What came for subscriptions that are not answered yet.
    early: Vec<(SubscriptionId, Arc<Publication>)>,
    /// Those who have something new, and are not awake.
    asleep: Vec<Arc<Subscriber>>,
    /// Publications that moved since those who take them had a turn.
    moved: usize,
}

#[derive(Debug)]
struct Asked {
    to: Delivery,
    answer: oneshot::Sender<Result<Registered, Answer>>,
}

#[derive(Debug)]
struct Route {
    delivery: Delivery,
    dropped: u64,
}

impl TopicDesk {
    /// No subscriptions.
    pub(crate) fn new() -> Self {
        Self {
            asked: DetMap::with_seed(0),
            routes: DetMap::with_seed(0),
            early: Vec::new(),
            asleep: Vec::new(),
            moved: 0,
        }
    }

    /// Asks the node for a subscription.
    pub(crate) fn subscribe(
        &mut self,
        token: Token,
        subscribe: Box<Subscribe>,
        to: Delivery,
        answer: oneshot::Sender<Result<Registered, Answer>>,
    ) -> Input {
        self.asked.insert(token, Asked { to, answer });
        Input::Command { token, command: Command::Topic(TopicCommand::Subscribe(subscribe)) }
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&mut self, subscription: SubscriptionId) -> Input {
        if let Some(Route { delivery, .. }) = self.routes.remove(&subscription) {
            push(&mut self.asleep, &delivery.to, Item { subscription, tell_at: delivery.tell_at, what: What::Gone });
        }
        Input::Command { token: Pending::NOBODY, command: Command::Topic(TopicCommand::Unsubscribe { subscription }) }
    }

    /// Takes an answer of the node, unless it is somebody else's.
    pub(crate) fn answer(&mut self, common: &Arc<Common>, token: Token, answer: Answer) -> Option<Answer> {
        let Some(Asked { to, answer: whom }) = self.asked.remove(&token) else { return Some(answer) };
        let Answer::Subscribed(subscribed) = answer else {
            // One who gave up waiting misses nothing.
            let _ = whom.send(Err(answer));
            return None;
        };
        self.routes.insert(subscribed.id, Route { delivery: to, dropped: 0 });
        for (subscription, publication) in mem::take(&mut self.early) {
            self.publication(subscription, publication);
        }
        let registered = Registered { id: subscribed.id, recovery: subscribed.recovery, common: Arc::clone(common) };
        // If nobody waits any more, dropping it ends the subscription.
        drop(whom.send(Ok(registered)));
        None
    }

    /// A publication for a subscription.
    #[inline]
    pub(crate) fn publication(&mut self, subscription: SubscriptionId, publication: Arc<Publication>) {
        match self.routes.get(&subscription) {
            Some(route) => {
                self.moved += 1;
                let tell_at = route.delivery.tell_at;
                let item = Item { subscription, tell_at, what: What::Publication(publication) };
                push(&mut self.asleep, &route.delivery.to, item);
            }
            None if self.asked.is_empty() => {}
            None => self.early.push((subscription, publication)),
        }
    }

    /// What else the node says of a subscription.
    pub(crate) fn event(&mut self, event: &TopicEvent) {
        match event {
            TopicEvent::Ended { subscription, reason, .. } => {
                if let Some(Route { delivery, .. }) = self.routes.remove(subscription) {
                    let what = What::Ended(*reason);
                    let item = Item { subscription: *subscription, tell_at: delivery.tell_at, what };
                    push(&mut self.asleep, &delivery.to, item);
                }
            }
            TopicEvent::Slow { subscription, dropped, .. } => {
                if let Some(route) = self.routes.get_mut(subscription) {
                    route.delivery.to.note_dropped(dropped.saturating_sub(route.dropped));
                    route.dropped = *dropped;
                }
            }
            TopicEvent::SlowNode { .. } | TopicEvent::Publication { .. } => {}
        }
    }

    /// Whether the engine must let others run now. Says it once.
    pub(crate) fn must_yield(&mut self) -> bool {
        let must = self.moved >= TURN_AFTER;
        if must {
            self.moved = 0;
        }
        must
    }

    /// Counts publications that went into the node.
    pub(crate) const fn note_published(&mut self, publications: usize) {
        self.moved += publications;
    }

    /// Wakes everybody who got something.
    pub(crate) fn flush(&mut self) {
        self.asleep.drain(..).for_each(|subscriber| subscriber.feed.wake());
    }
}

fn push(asleep: &mut Vec<Arc<Subscriber>>, to: &Arc<Subscriber>, item: Item) {
    if to.feed.push(item) {
        asleep.push(Arc::clone(to));
    }
}
