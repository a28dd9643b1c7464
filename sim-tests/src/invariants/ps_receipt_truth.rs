//! A receipt tells the truth. It counts every subscription that was handed the publication at the nodes that answered, and
//! no subscription that did not take it. A node that is said not to have got it never hands it over.
//!
//! PS6 (accounting) and the definite half of an outcome, for publications.

use std::collections::BTreeSet;

use io_sim::HostId;
use proto_core::pubsub::{Missing, Report};

use super::{Fact, Held, Invariant};
use crate::{
    oracle::{
        Key, Oracle,
        topics::{Published, Subscription, SubscriptionKey},
    },
    snapshot::{Alive, Snapshot},
};

#[derive(Debug)]
pub(super) struct PsReceiptTruth;

impl Invariant for PsReceiptTruth {
    fn id(&self) -> &'static str {
        "ps_receipt_truth"
    }

    fn finally(&mut self, snapshot: &Snapshot, oracle: &Oracle) -> Held {
        for (key, published) in oracle.topics().publications() {
            if let Some(report) = &published.report {
                check(snapshot, oracle, published, report)
                    .map_err(|what| format!("of the publication {key} to {}: {what}: {report:?}", published.topic))?;
            }
        }
        Ok(())
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((_, publication)) = fact.publication() else { return Ok(()) };
        let published = Key::of(&publication.payload).and_then(|key| oracle.topics().publication(key));
        let Some(report) = published.and_then(|published| published.report.as_ref()) else { return Ok(()) };
        let here = fact.spec.name.addr();
        match report.missing.iter().find(|(node, why)| *node == here && matches!(why, Missing::Rejected(_))) {
            Some(_) => Err(format!("{} was handed what it never got, as the publisher was told", fact.spec.name)),
            None => Ok(()),
        }
    }
}

fn check(snapshot: &Snapshot, oracle: &Oracle, published: &Published, report: &Report) -> Held {
    let is_missing = |host: HostId, definite: bool| {
        let addr = snapshot.nodes.get(host.0 as usize).map(|node| node.addr);
        let counts = |why: &Missing| !definite || matches!(why, Missing::Rejected(_));
        report.missing.iter().any(|(node, why)| Some(*node) == addr && counts(why))
    };
    if published.got.iter().any(|to| is_missing(to.node, true)) {
        return Err(format!("handed over where it is said never to have come: {:?}", published.got));
    }
    // What a subscription has from before is no answer's business.
    let live = |to: &SubscriptionKey| {
        oracle.topics().subscription(*to).is_none_or(|subscription| subscription.wish.after.is_none())
    };
    let counted: Vec<_> = published.got.iter().filter(|to| live(to) && !is_missing(to.node, false)).collect();
    let nodes: BTreeSet<_> = counted.iter().map(|to| to.node).collect();
    if counted.len() as u64 > report.subscribers || nodes.len() > report.nodes {
        return Err(format!("handed to more: {:?}", published.got));
    }
    let untold = oracle.topics().subscribed(&published.topic).filter(|(to, subscription)| {
        !published.got.contains(to) && may_have_lost(snapshot, published, *to, subscription)
    });
    let most = (published.got.len() + untold.count()) as u64;
    if report.subscribers > most || report.nodes as u64 > report.subscribers {
        return Err(format!("at most {most} took it, {:?} have it", published.got));
    }
    Ok(())
}

/// Whether a subscription may have taken a publication and have never handed it over: it dropped it for a newer one, or
/// ended, or its node did.
fn may_have_lost(snapshot: &Snapshot, published: &Published, to: SubscriptionKey, subscription: &Subscription) -> bool {
    let ended_before = subscription.over.is_some_and(|over| over < published.place);
    let lives = snapshot
        .nodes
        .get(to.node.0 as usize)
        .is_some_and(|node| node.survivor && node.alive == Alive::Running && node.life == to.life);
    let stayed = lives && subscription.leaving.is_none() && subscription.over.is_none();
    !ended_before && (!stayed || !subscription.wish.roomy)
}

#[cfg(test)]
mod tests {
    use proto_core::{error::Rejected, node::Answer};

    use super::{super::sample, *};

    fn told(got: bool, subscribers: u64, missing: Option<Missing>) -> Held {
        let mut oracle = sample::published("a.b");
        if got {
            oracle.heard(HostId(2), &sample::event("a.b"));
        }
        let missing = missing.map(|why| (sample::addr(2), why)).into_iter().collect();
        let report = Report { subscribers, nodes: subscribers as usize, missing, unserved: Vec::new() };
        oracle.answered(HostId(0), sample::TOKEN, &Answer::Published(Box::new(report)), 0, |_| None);
        PsReceiptTruth.finally(&sample::line(), &oracle)
    }

    #[test]
    fn a_true_receipt_holds() {
        assert_eq!(told(true, 1, None), Ok(()));
        assert_eq!(told(true, 0, Some(Missing::NoAnswer)), Ok(()));
        assert_eq!(told(false, 0, Some(Missing::Rejected(Rejected::Busy))), Ok(()));
    }

    #[test]
    fn fires_on_a_count_that_is_too_small_or_too_large() {
        assert!(told(true, 0, None).is_err());
        assert!(told(true, 2, None).is_err());
        assert!(told(false, 1, None).is_err());
    }

    #[test]
    fn fires_on_a_publication_that_came_where_it_never_came() {
        assert!(told(true, 0, Some(Missing::Rejected(Rejected::Busy))).is_err());
    }

    #[test]
    fn fires_as_soon_as_it_is_handed_over() {
        let mut oracle = sample::published("a.b");
        let missing = vec![(sample::spec().name.addr(), Missing::Rejected(Rejected::Busy))];
        let report = Report { missing, ..Report::default() };
        oracle.answered(HostId(0), sample::TOKEN, &Answer::Published(Box::new(report)), 0, |_| None);
        assert!(sample::handed(&mut PsReceiptTruth, &oracle, sample::publication("a.b")).is_err());
    }
}
