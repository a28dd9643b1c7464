//! Where a node keeps history, a subscription that was not told that it dropped something gets every publication of a
//! topic in the order of the positions, none left out; and one that went on after a position, and was told that nothing
//! is missing, begins with the next one.
//!
//! PS5 and PS11: reliable, or with a notice of the gap; resumable. Members of groups get what falls to them.

use std::collections::BTreeMap;

use proto_core::pubsub::Position;

use super::{Fact, Held, Invariant};
use crate::oracle::{
    Oracle,
    topics::{Subscription, SubscriptionKey},
};

#[derive(Debug, Default)]
pub(super) struct PsNoGap {
    last: BTreeMap<(SubscriptionKey, String), Position>,
}

impl Invariant for PsNoGap {
    fn id(&self) -> &'static str {
        "ps_no_gap"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((to, publication)) = fact.publication() else { return Ok(()) };
        let Some(position) = publication.position else { return Ok(()) };
        let subscription = oracle.topics().subscription(to);
        let Some(subscription) = subscription.filter(|subscription| subscription.wish.group.is_none()) else {
            return Ok(());
        };
        let (name, topic) = (&fact.spec.name, publication.topic.as_str());
        if position.epoch != fact.life {
            return Err(format!("{name} is in life {} and kept {topic} at {position:?}", fact.life));
        }
        let before = self.last.insert((to, topic.to_owned()), position);
        let before = before.or_else(|| begins_after(subscription, topic, position));
        match before {
            Some(before) if position.seq <= before.seq => {
                Err(format!("{name} was handed {topic} at {position:?} after {before:?}"))
            }
            Some(before) if position.seq != before.seq.next() && !subscription.slow => {
                let pattern = &subscription.wish.pattern;
                Err(format!("{name}, subscribed to {pattern}, was handed {topic} at {position:?} after {before:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What a subscription that goes on has had of a topic, if it was told that nothing is missing.
fn begins_after(subscription: &Subscription, topic: &str, first: Position) -> Option<Position> {
    let whole = subscription.recovery.is_some_and(|recovery| recovery.recovered);
    let after = subscription.wish.after.as_ref().filter(|_| whole)?;
    after.get(topic).copied().filter(|before| before.epoch == first.epoch)
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{
        id::{Incarnation, Seq},
        pubsub::{Publication, Recovery},
    };

    use super::{super::sample, *};

    fn handed(invariant: &mut PsNoGap, oracle: &Oracle, seq: u64) -> Held {
        let position = Some(Position { epoch: Incarnation(1), seq: Seq(seq) });
        sample::handed(invariant, oracle, Publication { position, ..sample::publication("a.b") })
    }

    #[test]
    fn fires_on_a_gap_and_on_a_step_back() {
        let (mut invariant, oracle) = (PsNoGap::default(), sample::published("a.b"));
        assert_eq!(handed(&mut invariant, &oracle, 5), Ok(()), "it came late");
        assert_eq!(handed(&mut invariant, &oracle, 6), Ok(()));
        assert!(handed(&mut invariant, &oracle, 6).is_err());
        assert!(handed(&mut invariant, &oracle, 8).is_err());
    }

    #[test]
    fn a_gap_that_is_told_is_none() {
        let (mut invariant, mut oracle) = (PsNoGap::default(), sample::published("a.b"));
        assert_eq!(handed(&mut invariant, &oracle, 5), Ok(()));
        sample::slow(&mut oracle, HostId(2));
        assert_eq!(handed(&mut invariant, &oracle, 8), Ok(()));
        assert!(handed(&mut invariant, &oracle, 7).is_err());
    }

    #[test]
    fn fires_on_a_new_beginning_that_leaves_something_out() {
        for (recovered, first, holds) in [(true, 6, true), (true, 7, false), (true, 5, false), (false, 7, true)] {
            let mut oracle = sample::oracle();
            let recovery = Recovery { recovered, replayed: 0, missing: 0 };
            sample::resume(&mut oracle, HostId(2), Position { epoch: Incarnation(1), seq: Seq(5) }, recovery);
            assert_eq!(handed(&mut PsNoGap::default(), &oracle, first).is_ok(), holds, "{recovered} {first}");
        }
    }
}
