//! Every request is answered exactly once while its node lives, and by its deadline. A message whose sender wants no
//! outcome is answered at most once, by its refusal.
//!
//! An application that waits for an answer that never comes is stuck for good; one that gets two does something twice
//! (design §5). A frozen process answers when it wakes.

use std::collections::BTreeMap;

use io_sim::HostId;
use proto_core::{id::Token, node::Answer, time::Time};

use super::{Fact, Held, Invariant, What};
use crate::{oracle::Oracle, snapshot::Snapshot};

/// Inputs come before timers, so an answer may be a few turns late.
const SLACK_MS: u64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct MsgOneAnswer {
    /// The first moment at which each node was seen with an overdue answer, and to what.
    overdue: BTreeMap<HostId, (Token, u64)>,
}

impl Invariant for MsgOneAnswer {
    fn id(&self) -> &'static str {
        "msg_one_answer"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        match fact.what {
            What::Answered { token, answer } => match oracle.request(fact.node, token) {
                None => Err(format!("{} answers request {token}, which this life was never asked", fact.spec.name)),
                Some(asked) if asked.answers.len() > 1 => {
                    Err(format!("{} answered its {} {token} twice: {:?}", fact.spec.name, asked.what, asked.answers))
                }
                Some(asked) if asked.due.is_none() && !matches!(answer, Answer::Rejected(_)) => {
                    Err(format!("{} answers {answer:?} to a {} that wanted no answer", fact.spec.name, asked.what))
                }
                Some(_) => Ok(()),
            },
            What::Turned { .. } => self.late(fact, oracle.first_due(fact.node)),
            What::Started | What::Struck(_) | What::Dialled { .. } | What::Told(_) | What::Handed { .. } => Ok(()),
        }
    }

    fn finally(&mut self, snapshot: &Snapshot, oracle: &Oracle) -> Held {
        for (host, node) in snapshot.survivors() {
            // What is still within its deadline is no loss.
            if oracle.open(host) == 0 && node.counts.unanswered > 0 {
                let unanswered = node.counts.unanswered;
                return Err(format!("{} still works for {unanswered} messages that nobody waits for", node.name));
            }
        }
        Ok(())
    }
}

impl MsgOneAnswer {
    /// A node that has woken only now gets a moment: it is late when it has run that long and has still not answered.
    fn late(&mut self, fact: &Fact<'_>, first_due: Option<(Time, Token)>) -> Held {
        let Some((due, token)) = first_due.filter(|(due, _)| *due < fact.local) else {
            self.overdue.remove(&fact.node);
            return Ok(());
        };
        let since = self.overdue.entry(fact.node).or_insert((token, fact.at_ms));
        if since.0 != token {
            *since = (token, fact.at_ms);
        }
        if fact.at_ms > since.1 + SLACK_MS {
            return Err(format!("{} owes an answer to request {token} since {due}", fact.spec.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proto_core::node::Outcome;

    use super::{super::sample, *};
    use crate::oracle::Request;

    fn turned(invariant: &mut MsgOneAnswer, oracle: &Oracle, at_ms: u64) -> Held {
        let spec = sample::spec();
        let fact = sample::fact(HostId(0), Time::from_millis(at_ms), &spec, What::Turned { due: None });
        invariant.fact(&fact, oracle)
    }

    fn answered(oracle: &mut Oracle, token: Token) -> Held {
        let (answer, spec) = (Answer::Sent(Outcome::Unknown), sample::spec());
        oracle.answered(HostId(0), token, &answer, 0, |_| None);
        let what = What::Answered { token, answer: &answer };
        MsgOneAnswer::default().fact(&sample::fact(HostId(0), Time::ZERO, &spec, what), oracle)
    }

    #[test]
    fn fires_on_an_answer_that_does_not_come() {
        let (mut invariant, oracle) = (MsgOneAnswer::default(), sample::oracle());
        assert_eq!(turned(&mut invariant, &oracle, 1_100), Ok(()));
        assert_eq!(turned(&mut invariant, &oracle, 2_100), Ok(()));
        assert!(turned(&mut invariant, &oracle, 2_101).is_err());
    }

    #[test]
    fn a_process_that_wakes_late_still_gets_its_moment() {
        let (mut invariant, oracle) = (MsgOneAnswer::default(), sample::oracle());
        assert_eq!(turned(&mut invariant, &oracle, 900_000), Ok(()));
    }

    #[test]
    fn fires_on_a_second_answer() {
        let mut oracle = sample::oracle();
        assert_eq!(answered(&mut oracle, sample::TOKEN), Ok(()));
        assert!(answered(&mut oracle, sample::TOKEN).is_err());
    }

    #[test]
    fn fires_on_an_answer_to_nothing() {
        assert!(answered(&mut sample::oracle(), Token(99)).is_err());
    }

    #[test]
    fn fires_on_an_outcome_that_nobody_wanted() {
        let mut oracle = sample::oracle();
        let request = Request { message: None, what: "send", fresh: false };
        oracle.asked(HostId(0), Token(11), None, request);
        assert!(answered(&mut oracle, Token(11)).is_err());
    }

    #[test]
    fn fires_on_messages_that_are_never_forgotten() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].counts.unanswered = 2;
        assert!(MsgOneAnswer::default().finally(&snapshot, &sample::oracle()).is_err());
    }
}
