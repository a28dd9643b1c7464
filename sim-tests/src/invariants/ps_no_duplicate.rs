//! One publication comes to one subscription once, to one queue group in the whole mesh once, and not to two lives of a
//! node.
//!
//! PS4 and PS9 (at most once), as etcd's watches are checked for uniqueness.

use super::{Fact, Held, Invariant};
use crate::oracle::{Key, Oracle};

#[derive(Debug)]
pub(super) struct PsNoDuplicate;

impl Invariant for PsNoDuplicate {
    fn id(&self) -> &'static str {
        "ps_no_duplicate"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((to, publication)) = fact.publication() else { return Ok(()) };
        let topics = oracle.topics();
        let Some(key) = Key::of(&publication.payload) else { return Ok(()) };
        let Some(published) = topics.publication(key) else { return Ok(()) };
        let again = |what: &str| Err(format!("{} was handed the publication {key} {what}", fact.spec.name));
        if published.got.iter().filter(|other| **other == to).count() > 1 {
            return again("twice for one subscription");
        }
        if published.got.iter().any(|other| other.node == to.node && other.life != to.life) {
            return again("in two lives");
        }
        let group_of = |key| topics.subscription(key).and_then(|subscription| subscription.wish.group.as_deref());
        let Some(group) = group_of(to) else { return Ok(()) };
        if published.got.iter().filter(|other| group_of(**other) == Some(group)).count() > 1 {
            return again(&format!("for the group {group}, which got it before: {:?}", published.got));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::id::Incarnation;

    use super::{super::sample, *};

    fn handed(oracle: &mut Oracle, host: HostId) -> Held {
        oracle.heard(host, &sample::event("a.b"));
        sample::handed_at(&mut PsNoDuplicate, oracle, host, sample::publication("a.b"))
    }

    #[test]
    fn fires_on_the_second_time() {
        let mut oracle = sample::published("a.b");
        assert_eq!(handed(&mut oracle, HostId(2)), Ok(()));
        assert!(handed(&mut oracle, HostId(2)).is_err());
    }

    #[test]
    fn fires_on_a_second_life() {
        let mut oracle = sample::published("a.b");
        oracle.heard(HostId(2), &sample::event("a.b"));
        oracle.started(HostId(2), Incarnation(2));
        sample::subscribe(&mut oracle, HostId(2), None);
        oracle.heard(HostId(2), &sample::event("a.b"));
        let held = sample::handed_at(&mut PsNoDuplicate, &oracle, HostId(2), sample::publication("a.b"));
        assert!(held.is_err());
    }

    #[test]
    fn fires_on_a_second_member_of_a_group() {
        let mut oracle = sample::oracle();
        sample::publish(&mut oracle, "a.b");
        for host in [HostId(1), HostId(2)] {
            sample::subscribe(&mut oracle, host, Some("group"));
        }
        assert_eq!(handed(&mut oracle, HostId(1)), Ok(()));
        assert!(handed(&mut oracle, HostId(2)).is_err());
    }
}
