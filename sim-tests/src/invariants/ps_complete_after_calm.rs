//! In the calm, a publication reaches every subscription of which everybody surely knew when it was published, and exactly
//! one member of every such queue group; and its receipt names no node as missing that it surely reaches.
//!
//! PS8, interest convergence: what is published causally after a subscription is known is delivered to it. Left out are
//! nodes that are not surely reached, and subscriptions with so little room that they may drop.

use std::collections::BTreeMap;

use super::{Held, Invariant};
use crate::{
    oracle::{
        Key, Oracle,
        topics::{Published, Subscription, SubscriptionKey},
    },
    snapshot::{Alive, Snapshot},
};

#[derive(Debug)]
pub(super) struct PsCompleteAfterCalm;

impl Invariant for PsCompleteAfterCalm {
    fn id(&self) -> &'static str {
        "ps_complete_after_calm"
    }

    fn finally(&mut self, snapshot: &Snapshot, oracle: &Oracle) -> Held {
        for (key, published) in oracle.topics().publications() {
            if let Some(sure) = &published.sure {
                let missed = |what: String| format!("the publication {key} to {} {what}", published.topic);
                judge(snapshot, oracle, key, published).map_err(missed)?;
                let missing = published.report.iter().flat_map(|report| &report.missing);
                let found = |addr| snapshot.find(addr).is_some_and(|(host, _)| sure.contains(&host));
                if let Some((node, why)) = missing.into_iter().find(|(node, _)| found(*node)) {
                    return Err(missed(format!("got no answer from {node}: {why}")));
                }
            }
        }
        Ok(())
    }
}

fn judge(snapshot: &Snapshot, oracle: &Oracle, key: Key, published: &Published) -> Held {
    // Of each group, whether every member is sure, and how many got it.
    let mut groups: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
    for (to, subscription) in oracle.topics().subscribed(&published.topic) {
        let got = published.got.contains(&to);
        let sure = is_sure(snapshot, published, to, subscription);
        match &subscription.wish.group {
            None if sure && !got => {
                let name = snapshot.nodes.get(to.node.0 as usize).map(|node| &node.name);
                return Err(format!(
                    "of {:?} never came to {name:?}, subscribed to {}",
                    key.from, subscription.wish.pattern
                ));
            }
            None => {}
            Some(_) if is_gone(snapshot, published, to, subscription) => {}
            Some(group) => {
                let entry = groups.entry(group).or_insert((true, 0));
                *entry = (entry.0 && sure, entry.1 + usize::from(got));
            }
        }
    }
    match groups.iter().find(|(_, (sure, got))| *sure && *got != 1) {
        Some((group, (_, got))) => Err(format!("came to {got} members of the group {group}")),
        None => Ok(()),
    }
}

/// Whether it must get the publication if it is in no group.
fn is_sure(snapshot: &Snapshot, published: &Published, to: SubscriptionKey, subscription: &Subscription) -> bool {
    let sure = published.sure.as_ref().is_some_and(|sure| sure.contains(&to.node));
    let known = subscription.known.is_some_and(|known| known < published.place);
    let stays = subscription.leaving.is_none() && subscription.over.is_none();
    sure && known && stays && subscription.wish.roomy && lives(snapshot, to)
}

/// Whether it surely was no member any more.
fn is_gone(snapshot: &Snapshot, published: &Published, to: SubscriptionKey, subscription: &Subscription) -> bool {
    let node = snapshot.nodes.get(to.node.0 as usize);
    let over = subscription.over.is_some_and(|over| over < published.place);
    over && node.is_some_and(|node| node.survivor) || node.is_some_and(|node| node.survivor && node.life != to.life)
}

fn lives(snapshot: &Snapshot, to: SubscriptionKey) -> bool {
    let node = snapshot.nodes.get(to.node.0 as usize);
    node.is_some_and(|node| node.alive == Alive::Running && node.life == to.life)
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{node::Answer, pubsub::Report};

    use super::{super::sample, *};

    fn oracle(group: Option<&str>) -> Oracle {
        let mut oracle = sample::oracle();
        sample::subscribe(&mut oracle, HostId(2), group);
        sample::known(&mut oracle, HostId(2));
        sample::publish_surely(&mut oracle, "a.b");
        oracle
    }

    fn judged(oracle: &Oracle) -> Held {
        PsCompleteAfterCalm.finally(&sample::line(), oracle)
    }

    #[test]
    fn fires_on_a_publication_that_does_not_come() {
        for group in [None, Some("group")] {
            let mut oracle = oracle(group);
            assert!(judged(&oracle).is_err(), "{group:?}");
            oracle.heard(HostId(2), &sample::event("a.b"));
            assert_eq!(judged(&oracle), Ok(()), "{group:?}");
        }
    }

    #[test]
    fn fires_on_a_node_that_does_not_answer() {
        use proto_core::pubsub::Missing;
        let mut oracle = oracle(None);
        oracle.heard(HostId(2), &sample::event("a.b"));
        let missing = vec![(sample::addr(2), Missing::NoAnswer)];
        let report = Report { missing, ..Report::default() };
        oracle.answered(HostId(0), sample::TOKEN, &Answer::Published(Box::new(report)), 0, |_| None);
        assert!(judged(&oracle).is_err());
    }

    #[test]
    fn nobody_needs_know_of_a_subscription_at_once() {
        let mut oracle = sample::oracle();
        sample::subscribe(&mut oracle, HostId(2), None);
        sample::publish_surely(&mut oracle, "a.b");
        sample::known(&mut oracle, HostId(2));
        assert_eq!(judged(&oracle), Ok(()));
    }
}
