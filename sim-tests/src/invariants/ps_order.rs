//! What one life of a publisher publishes to one topic comes to each subscription in the order in which it was published.
//! A publication that was tried again for a queue group comes when it comes, so members of groups are left out.
//!
//! PS3: per-publisher order.

use std::collections::BTreeMap;

use io_sim::HostId;
use proto_core::id::Incarnation;

use super::{Fact, Held, Invariant};
use crate::oracle::{Key, Oracle, topics::SubscriptionKey};

/// A publisher's life, its topic, and who gets it.
type Flow = (SubscriptionKey, HostId, Incarnation, String);

#[derive(Debug, Default)]
pub(super) struct PsOrder {
    /// The last serial of each flow.
    last: BTreeMap<Flow, u32>,
}

impl Invariant for PsOrder {
    fn id(&self) -> &'static str {
        "ps_order"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((to, publication)) = fact.publication() else { return Ok(()) };
        let Some(key) = Key::of(&publication.payload) else { return Ok(()) };
        if oracle.topics().subscription(to).is_none_or(|subscription| subscription.wish.group.is_some()) {
            return Ok(());
        }
        let topic = publication.topic.as_str().to_owned();
        match self.last.insert((to, key.from, key.life, topic), key.serial) {
            Some(before) if before > key.serial => {
                Err(format!("{} was handed the publication {key} after {before}", fact.spec.name))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto_core::pubsub::Publication;

    use super::{super::sample, *};

    fn handed(invariant: &mut PsOrder, oracle: &Oracle, topic: &str, serial: u32) -> Held {
        let payload = Key { serial, ..sample::KEY }.payload(20);
        sample::handed(invariant, oracle, Publication { payload, ..sample::publication(topic) })
    }

    #[test]
    fn fires_on_an_older_one_after_a_newer_one() {
        let (mut invariant, oracle) = (PsOrder::default(), sample::published("a.b"));
        for serial in [1, 3] {
            assert_eq!(handed(&mut invariant, &oracle, "a.b", serial), Ok(()));
        }
        assert_eq!(handed(&mut invariant, &oracle, "a.c", 2), Ok(()), "another topic");
        assert!(handed(&mut invariant, &oracle, "a.b", 2).is_err());
    }

    #[test]
    fn a_group_keeps_no_order() {
        let (mut invariant, mut oracle) = (PsOrder::default(), sample::oracle());
        sample::subscribe(&mut oracle, HostId(2), Some("group"));
        for serial in [3, 2] {
            assert_eq!(handed(&mut invariant, &oracle, "a.b", serial), Ok(()));
        }
    }
}
