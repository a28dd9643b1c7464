//! A subscription is never handed more publications than its credit allows before some of them are consumed.
//!
//! PS7: what a slow consumer holds is bounded.

use super::{Fact, Held, Invariant};
use crate::oracle::Oracle;

#[derive(Debug)]
pub(super) struct PsCredit;

impl Invariant for PsCredit {
    fn id(&self) -> &'static str {
        "ps_credit"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((to, _)) = fact.publication() else { return Ok(()) };
        let Some(subscription) = oracle.topics().subscription(to) else { return Ok(()) };
        let (held, most) = (subscription.held, subscription.wish.credit.max(1));
        if held > most {
            let pattern = &subscription.wish.pattern;
            return Err(format!(
                "the subscription of {} to {pattern} holds {held}; the most is {most}",
                fact.spec.name
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::node::{Input, Mailbox};

    use super::{super::sample, *};

    fn handed(oracle: &mut Oracle) -> Held {
        oracle.heard(HostId(2), &sample::event("a.b"));
        sample::handed(&mut PsCredit, oracle, sample::publication("a.b"))
    }

    #[test]
    fn fires_on_one_more_than_the_credit() {
        let mut oracle = sample::published("a.b");
        for _ in 0..256 {
            assert_eq!(handed(&mut oracle), Ok(()));
        }
        assert!(handed(&mut oracle.clone()).is_err());
        oracle
            .told(HostId(2), &Input::Consumed { mailbox: Mailbox::Subscription(sample::subscription()), messages: 1 });
        assert_eq!(handed(&mut oracle), Ok(()));
    }
}
