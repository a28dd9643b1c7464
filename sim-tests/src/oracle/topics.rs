//! What was published, who had subscribed, and who was handed what.
//!
//! Everything that the oracle is told has a place in the order of things. Before and after are meant by that order.

use std::{collections::BTreeMap, sync::Arc};

use io_sim::HostId;
use proto_core::{
    id::{Incarnation, NodeAddr, Token},
    node::Answer,
    pubsub::{Position, Publication, Recovery, Report, SubscriptionId, Topic},
};

use super::Key;
use crate::scenario::Service;

/// Names one subscription for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionKey {
    /// Whose.
    pub node: HostId,
    /// Which life of it.
    pub life: Incarnation,
    /// Which one of that life.
    pub id: SubscriptionId,
}

/// A publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What it is about.
    pub topic: Arc<str>,
    /// The node that published it.
    pub from: NodeAddr,
    /// When.
    pub place: u64,
    /// Published after the calm had come: the nodes that it surely reaches. `None`: in the storm.
    pub sure: Option<Vec<HostId>>,
    /// Every subscription that was handed it, in order.
    pub got: Vec<SubscriptionKey>,
    /// The receipt.
    pub report: Option<Report>,
}

/// What a subscription wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its pattern.
    pub pattern: Arc<str>,
    /// Its queue group.
    pub group: Option<Arc<str>>,
    /// Whether it has so much room that it drops nothing in the calm.
    pub roomy: bool,
    /// Publications that it may hold unconsumed.
    pub credit: u32,
    /// The client that it belongs to.
    pub client: Option<Arc<str>>,
    /// When its client was said to go while this was not answered: maybe it was made before, and ended with it.
    pub doubtful: Option<u64>,
    /// The last that was had of each topic, if it goes on there.
    pub after: Option<BTreeMap<String, Position>>,
    /// When it was asked for.
    pub asked: u64,
}

/// A subscription that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What it wants.
    pub wish: Wish,
    /// Since when everybody within reach has surely known of it.
    pub known: Option<u64>,
    /// When its end was asked for.
    pub leaving: Option<u64>,
    /// Since when it is surely over.
    pub over: Option<u64>,
    /// What it got from before, as it was told.
    pub recovery: Option<Recovery>,
    /// Whether it was told that it dropped something.
    pub slow: bool,
    /// Publications that it was handed and that were not consumed.
    pub held: u32,
}

/// Requests of one life of a node that are not answered.
#[derive(Clone, Debug, Default)]
struct Requests {
    life: Incarnation,
    wishes: BTreeMap<Token, Wish>,
    leaving: BTreeMap<Token, Vec<SubscriptionId>>,
    known: BTreeMap<Token, u64>,
}

/// The books of the topics.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    published: BTreeMap<Key, Published>,
    subscriptions: BTreeMap<SubscriptionKey, Subscription>,
    requests: BTreeMap<HostId, Requests>,
    /// The last position that subscriptions of a node to a pattern had of each topic.
    seen: BTreeMap<(HostId, Arc<str>), BTreeMap<String, Position>>,
}

/// Room from which on a subscription drops nothing in the calm.
const ROOMY: (u32, u32) = (256, 64);

impl Topics {
    /// A node started a life.
    pub(super) fn started(&mut self, node: HostId, life: Incarnation) {
        self.requests.insert(node, Requests { life, ..Requests::default() });
    }

    /// Something was asked of a node.
    pub(super) fn asked(&mut self, token: Token, service: &Service, place: u64) {
        let Some(requests) = self.requests.get_mut(&service.from()) else { return };
        match service {
            Service::Subscribe { at, pattern, group, queue, credit, resume, client, .. } => {
                let roomy = *queue >= ROOMY.0 && *credit >= ROOMY.1;
                let seen = || self.seen.get(&(*at, pattern.clone())).cloned().unwrap_or_default();
                let (group, after, client) = (group.clone(), resume.then(seen), client.clone());
                let (pattern, credit) = (pattern.clone(), *credit);
                let wish = Wish { pattern, group, roomy, credit, client, doubtful: None, after, asked: place };
                requests.wishes.insert(token, wish);
            }
            Service::Unsubscribe { at, pattern } => {
                let Some(id) = self.oldest(*at, pattern) else { return };
                let Some(requests) = self.requests.get_mut(at) else { return };
                requests.leaving.insert(token, vec![id]);
                let key = SubscriptionKey { node: *at, life: requests.life, id };
                if let Some(subscription) = self.subscriptions.get_mut(&key) {
                    subscription.leaving = Some(place);
                }
            }
            Service::Known { .. } => _ = requests.known.insert(token, place),
            Service::Publish { .. }
            | Service::Register { .. }
            | Service::Unregister { .. }
            | Service::Call { .. }
            | Service::Cancel { .. } => {}
        }
    }

    /// A client was said to go: with the answer, what it had subscribed to is over.
    pub(super) fn leaves(&mut self, node: HostId, token: Token, client: &Arc<str>, place: u64) {
        let Some(requests) = self.requests.get_mut(&node) else { return };
        for wish in requests.wishes.values_mut().filter(|wish| wish.client.as_ref() == Some(client)) {
            wish.doubtful = Some(place);
        }
        let its_own = self.subscriptions.iter_mut().filter(|(key, subscription)| {
            (key.node, key.life) == (node, requests.life) && subscription.wish.client.as_ref() == Some(client)
        });
        let all = its_own.map(|(key, subscription)| {
            subscription.leaving.get_or_insert(place);
            key.id
        });
        requests.leaving.insert(token, all.collect());
    }

    /// The oldest subscription of this pattern that a node has and did not give up.
    #[must_use]
    pub fn oldest(&self, node: HostId, pattern: &str) -> Option<SubscriptionId> {
        let life = self.requests.get(&node)?.life;
        let all = self.subscriptions.iter().filter(|(key, subscription)| {
            (key.node, key.life) == (node, life)
                && subscription.over.or(subscription.leaving).is_none()
                && &*subscription.wish.pattern == pattern
        });
        all.min_by_key(|(_, subscription)| subscription.wish.asked).map(|(key, _)| key.id)
    }

    /// A request was answered.
    pub(super) fn answered(&mut self, node: HostId, token: Token, answer: &Answer, place: u64) {
        let Some(requests) = self.requests.get_mut(&node) else { return };
        let life = requests.life;
        if let (Some(wish), Answer::Subscribed(made)) = (requests.wishes.remove(&token), answer) {
            let recovery = made.recovery;
            let leaving = wish.doubtful;
            let subscription = Subscription { wish, known: None, leaving, over: None, recovery, slow: false, held: 0 };
            self.subscriptions.insert(SubscriptionKey { node, life, id: made.id }, subscription);
        }
        let accepted = *answer == Answer::Accepted;
        for id in requests.leaving.remove(&token).filter(|_| accepted).unwrap_or_default() {
            self.over(SubscriptionKey { node, life, id }, place);
        }
        let Some(requests) = self.requests.get_mut(&node) else { return };
        if let Some(asked) = requests.known.remove(&token).filter(|_| accepted) {
            let of_node = self.subscriptions.iter_mut().filter(|(key, _)| (key.node, key.life) == (node, life));
            for (_, subscription) in of_node.filter(|(_, subscription)| subscription.wish.asked < asked) {
                subscription.known.get_or_insert(place);
            }
        }
    }

    /// A subscription is over.
    pub(super) fn over(&mut self, key: SubscriptionKey, place: u64) {
        if let Some(subscription) = self.subscriptions.get_mut(&key) {
            subscription.over.get_or_insert(place);
        }
    }

    /// Something was published.
    pub(super) fn published(&mut self, key: Key, published: Published) {
        self.published.insert(key, published);
    }

    /// A subscription was handed a publication.
    pub(super) fn handed(&mut self, key: Key, to: SubscriptionKey, publication: &Publication) {
        if let Some(published) = self.published.get_mut(&key) {
            published.got.push(to);
        }
        let Some(subscription) = self.subscriptions.get_mut(&to) else { return };
        subscription.held += 1;
        if let (Some(position), None) = (publication.position, &subscription.wish.group) {
            let seen = self.seen.entry((to.node, subscription.wish.pattern.clone())).or_default();
            seen.insert(publication.topic.as_str().to_owned(), position);
        }
    }

    /// The application of a node has done with publications of a subscription.
    pub(super) fn consumed(&mut self, key: SubscriptionKey, messages: u32) {
        if let Some(subscription) = self.subscriptions.get_mut(&key) {
            subscription.held = subscription.held.saturating_sub(messages);
        }
    }

    /// A subscription was told that it dropped something.
    pub(super) fn slow(&mut self, key: SubscriptionKey) {
        if let Some(subscription) = self.subscriptions.get_mut(&key) {
            subscription.slow = true;
        }
    }

    /// The last that subscriptions of a node to a pattern had of each topic.
    #[must_use]
    pub fn seen(&self, node: HostId, pattern: &Arc<str>) -> Vec<(Topic, Position)> {
        let seen = self.seen.get(&(node, pattern.clone())).into_iter().flatten();
        seen.filter_map(|(topic, position)| Some((Topic::new(topic).ok()?, *position))).collect()
    }

    /// A receipt came.
    pub(super) fn receipt(&mut self, key: Key, report: &Report) {
        if let Some(published) = self.published.get_mut(&key) {
            published.report = Some(report.clone());
        }
    }

    /// A publication, if it was ever published.
    #[must_use]
    pub fn publication(&self, key: Key) -> Option<&Published> {
        self.published.get(&key)
    }

    /// Every publication.
    pub fn publications(&self) -> impl Iterator<Item = (Key, &Published)> {
        self.published.iter().map(|(key, published)| (*key, published))
    }

    /// A subscription, if it was ever made.
    #[must_use]
    pub fn subscription(&self, key: SubscriptionKey) -> Option<&Subscription> {
        self.subscriptions.get(&key)
    }

    /// Every subscription to a topic, also those that are over.
    pub fn subscribed(&self, topic: &str) -> impl Iterator<Item = (SubscriptionKey, &Subscription)> {
        let all = self.subscriptions.iter().map(|(key, subscription)| (*key, subscription));
        all.filter(move |(_, subscription)| matches(&subscription.wish.pattern, topic))
    }
}

/// Whether a pattern wants a topic: written apart from the core, for comparison. `*` stands for one token, `>` at the end
/// for one or more.
#[must_use]
pub fn matches(pattern: &str, topic: &str) -> bool {
    let (pattern, topic): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), topic.split('.').collect());
    let same = |(want, token): (&&str, &&str)| *want == "*" || want == token;
    match pattern.split_last() {
        Some((&">", head)) => topic.len() > head.len() && head.iter().zip(&topic).all(same),
        Some(_) | None => pattern.len() == topic.len() && pattern.iter().zip(&topic).all(same),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matcher_knows_both_wildcards() {
        let wanted = [("a", "a"), ("a.*", "a.b"), ("*.b", "a.b"), (">", "a.b"), ("a.>", "a.b.c"), ("*.>", "a.b")];
        assert!(wanted.iter().all(|(pattern, topic)| matches(pattern, topic)));
        let unwanted = [("a", "b"), ("a", "a.b"), ("a.*", "a"), ("a.*", "a.b.c"), ("a.>", "a"), ("a.>", "b.a")];
        assert!(!unwanted.iter().any(|(pattern, topic)| matches(pattern, topic)));
    }
}
