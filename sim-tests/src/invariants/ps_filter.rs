//! A subscription gets only what its pattern wants, by a matcher written apart from the core, and nothing once its end was
//! answered or told.
//!
//! PS2 and the safety half of PS8: filter, as etcd's watches are checked.

use super::{Fact, Held, Invariant};
use crate::oracle::{Oracle, topics::matches};

#[derive(Debug)]
pub(super) struct PsFilter;

impl Invariant for PsFilter {
    fn id(&self) -> &'static str {
        "ps_filter"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((key, publication)) = fact.publication() else { return Ok(()) };
        let (name, topic) = (&fact.spec.name, publication.topic.as_str());
        let Some(subscription) = oracle.topics().subscription(key) else {
            return Err(format!("{name} hands {topic} to {:?}, which was never made", key.id));
        };
        let pattern = &subscription.wish.pattern;
        if subscription.over.is_some() {
            return Err(format!("{name} hands {topic} to a subscription to {pattern} that is over"));
        }
        if !matches(pattern, topic) {
            return Err(format!("{name} hands {topic} to a subscription to {pattern}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{
        id::Token,
        node::{Answer, Event, TopicEvent},
        pubsub::Ended,
    };

    use super::{super::sample, *};
    use crate::{oracle::Oracle, scenario::Service};

    fn handed(oracle: &Oracle, topic: &str) -> Held {
        sample::handed(&mut PsFilter, oracle, sample::publication(topic))
    }

    #[test]
    fn fires_on_a_topic_that_is_not_wanted() {
        let oracle = sample::published("a.b");
        assert_eq!(handed(&oracle, "a.b"), Ok(()));
        assert!(handed(&oracle, "b.a").is_err());
    }

    #[test]
    fn fires_on_a_subscription_that_was_never_made() {
        assert!(handed(&sample::oracle(), "a.b").is_err());
    }

    #[test]
    fn fires_on_a_subscription_that_is_over() {
        let mut left = sample::published("a.b");
        let pattern = sample::PATTERN.into();
        left.service(Token(30), &Service::Unsubscribe { at: HostId(2), pattern });
        assert_eq!(handed(&left, "a.b"), Ok(()));
        left.answered(HostId(2), Token(30), &Answer::Accepted, 0, |_| None);
        assert!(handed(&left, "a.b").is_err());

        for (client, is_over) in [(None, false), (Some("bob"), false), (Some("ann"), true)] {
            let mut gone = sample::oracle();
            sample::subscribe_for(&mut gone, HostId(2), None, client);
            gone.client(HostId(2), Token(31), &"ann".into(), false);
            assert_eq!(handed(&gone, "a.b"), Ok(()), "not answered yet");
            gone.answered(HostId(2), Token(31), &Answer::Accepted, 0, |_| None);
            assert_eq!(handed(&gone, "a.b").is_err(), is_over, "{client:?}");
        }

        let mut ended = sample::published("a.b");
        let reason = Ended::TooSlow { queued: 1, bytes: 1 };
        let event = TopicEvent::Ended { subscription: sample::subscription(), client: None, reason };
        ended.heard(HostId(2), &Event::Topic(event));
        assert!(handed(&ended, "a.b").is_err());
    }
}
