//! Once the mesh has settled, everything that is asked of it is done: every message delivered, every node found, every
//! trace answered.
//!
//! The liveness half of the harness: a mesh that is always safe because it does nothing would pass all else.

use proto_core::node::{Answer, Outcome};

use super::{Fact, Held, Invariant, What};
use crate::{
    oracle::{Asked, Oracle},
    snapshot::Snapshot,
};

#[derive(Debug)]
pub(super) struct MsgDeliveredAfterCalm;

impl Invariant for MsgDeliveredAfterCalm {
    fn id(&self) -> &'static str {
        "msg_delivered_after_calm"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let What::Answered { token, answer } = fact.what else { return Ok(()) };
        match oracle.request(fact.node, token) {
            Some(asked) if asked.fresh && !good(answer) => {
                Err(format!("{} asked a settled mesh for a {} and got {answer:?}", fact.spec.name, asked.what))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn finally(&mut self, snapshot: &Snapshot, oracle: &Oracle) -> Held {
        let owed = |asked: &Asked| asked.fresh && asked.answers.is_empty();
        for (host, node) in snapshot.survivors() {
            if let Some((_, asked)) = oracle.requests(host).find(|(_, asked)| owed(asked)) {
                return Err(format!("{} asked a settled mesh for a {} and got no answer", node.name, asked.what));
            }
        }
        Ok(())
    }
}

fn good(answer: &Answer) -> bool {
    match answer {
        Answer::Sent(outcome) => *outcome == Outcome::Delivered,
        Answer::SentMany(outcomes) => outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Delivered),
        Answer::Traced { reached } => *reached,
        Answer::Found(found) => found.as_ref().is_some_and(|found| found.cost.is_some()),
        Answer::Accepted => true,
        Answer::Rejected(_) | Answer::Drained { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{error::Rejected, id::Token, time::Time};

    use super::{super::sample, *};
    use crate::oracle::Request;

    fn asked() -> Oracle {
        let mut oracle = sample::oracle();
        let request = Request { message: None, what: "look-up", fresh: true };
        oracle.asked(HostId(1), Token(20), Some(Time::from_secs(1)), request);
        oracle
    }

    fn answered(answer: &Answer) -> Held {
        let (mut oracle, spec) = (asked(), sample::spec());
        oracle.answered(HostId(1), Token(20), answer, |_| None);
        let what = What::Answered { token: Token(20), answer };
        MsgDeliveredAfterCalm.fact(&sample::fact(HostId(1), Time::ZERO, &spec, what), &oracle)
    }

    #[test]
    fn fires_when_a_settled_mesh_does_not_serve() {
        for answer in [
            Answer::Sent(Outcome::Unknown),
            Answer::Rejected(Rejected::Busy),
            Answer::Traced { reached: false },
            Answer::Found(None),
            Answer::SentMany(vec![(sample::addr(2), Outcome::Rejected(Rejected::NoRoute))]),
        ] {
            assert!(answered(&answer).is_err(), "{answer:?}");
        }
        assert_eq!(answered(&Answer::Sent(Outcome::Delivered)), Ok(()));
    }

    #[test]
    fn fires_when_no_answer_comes_at_all() {
        assert!(MsgDeliveredAfterCalm.finally(&sample::line(), &asked()).is_err());
    }
}
