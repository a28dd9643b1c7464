//! Outcomes are true: a message that was reported as delivered had been handed over before, one that was reported as
//! rejected is never handed over, before or after.
//!
//! `Unknown` is the one outcome that may mean either (design §5; the oracle rule that timed-out is unknown, never
//! absent).

use proto_core::node::Outcome;

use super::{Fact, Held, Invariant, What};
use crate::oracle::{Key, Oracle, Sent};

#[derive(Debug)]
pub(super) struct MsgOutcomeTruth;

impl Invariant for MsgOutcomeTruth {
    fn id(&self) -> &'static str {
        "msg_outcome_truth"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let key = match fact.what {
            What::Handed { key, .. } => key,
            What::Answered { token, .. } => oracle.request(fact.node, token).and_then(|asked| asked.message),
            What::Started | What::Struck(_) | What::Dialled { .. } | What::Told(_) | What::Turned { .. } => None,
        };
        let Some((key, sent)) = key.and_then(|key| Some((key, oracle.message(key)?))) else { return Ok(()) };
        check(key, sent)
    }
}

fn check(key: Key, sent: &Sent) -> Held {
    for (node, outcome) in &sent.told {
        let handed = sent.handed.iter().any(|(receiver, _)| receiver == node);
        match outcome {
            Outcome::Delivered if !handed => {
                return Err(format!("{key} was reported as delivered to {node}, which never got it"));
            }
            Outcome::Rejected(reason) if handed => {
                return Err(format!("{key} was reported as rejected ({reason}), and {node} got it"));
            }
            Outcome::Delivered | Outcome::Rejected(_) | Outcome::Unknown => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{error::Rejected, node::Answer, time::Time};

    use super::{super::sample, *};

    fn answered(oracle: &mut Oracle, outcome: Outcome) -> Held {
        let (answer, spec) = (Answer::Sent(outcome), sample::spec());
        oracle.answered(HostId(0), sample::TOKEN, &answer, |_| None);
        let what = What::Answered { token: sample::TOKEN, answer: &answer };
        MsgOutcomeTruth.fact(&sample::fact(HostId(0), Time::ZERO, &spec, what), oracle)
    }

    #[test]
    fn fires_on_a_delivery_that_never_was() {
        assert!(answered(&mut sample::oracle(), Outcome::Delivered).is_err());
    }

    #[test]
    fn fires_on_a_rejection_of_what_was_handed_over() {
        let mut oracle = sample::oracle();
        oracle.handed(HostId(2), sample::KEY);
        assert!(answered(&mut oracle, Outcome::Rejected(Rejected::NoRoute)).is_err());
    }

    #[test]
    fn fires_on_a_delivery_after_the_rejection() {
        let mut oracle = sample::oracle();
        assert_eq!(answered(&mut oracle, Outcome::Rejected(Rejected::NoRoute)), Ok(()));
        oracle.handed(HostId(2), sample::KEY);
        let (message, spec) = (sample::message(), sample::spec());
        let what = What::Handed { message: &message, key: Some(sample::KEY), before: None };
        assert!(MsgOutcomeTruth.fact(&sample::fact(HostId(2), Time::ZERO, &spec, what), &oracle).is_err());
    }

    #[test]
    fn an_unknown_outcome_may_be_either() {
        let mut oracle = sample::oracle();
        assert_eq!(answered(&mut oracle, Outcome::Unknown), Ok(()));
        oracle.handed(HostId(2), sample::KEY);
        assert_eq!(answered(&mut oracle, Outcome::Unknown), Ok(()));
    }
}
