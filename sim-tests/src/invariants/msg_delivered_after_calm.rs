//! Once the mesh has settled, everything that is asked of it is done: every message delivered, every node found, every
//! trace answered, every client taken in. Only what is for a client that is not there is refused, as such.
//!
//! The liveness half of the harness: a mesh that is always safe because it does nothing would pass all else.

use proto_core::{
    error::Rejected,
    node::{Answer, Outcome},
};

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
            Some(asked) if asked.fresh && !good(answer, misdirected(asked, oracle, fact.at_ms)) => {
                Err(format!("{} asked a settled mesh for a {} and got {answer:?}", fact.spec.name, asked.what))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn finally(&mut self, snapshot: &Snapshot, oracle: &Oracle) -> Held {
        let owed = |asked: &Asked| asked.fresh && asked.due.is_some() && asked.answers.is_empty();
        for (host, node) in snapshot.survivors() {
            if let Some((_, asked)) = oracle.requests(host).find(|(_, asked)| owed(asked)) {
                return Err(format!("{} asked a settled mesh for a {} and got no answer", node.name, asked.what));
            }
        }
        Ok(())
    }
}

/// Whether a message is for a client that is surely not where it goes.
fn misdirected(asked: &Asked, oracle: &Oracle, at_ms: u64) -> bool {
    let sent = asked.message.and_then(|key| oracle.message(key));
    let to = sent.and_then(|sent| Some((sent.sole_receiver()?, sent.letter.to_client.as_ref()?)));
    to.is_some_and(|(node, client)| !oracle.may_have(node, client, at_ms))
}

fn good(answer: &Answer, misdirected: bool) -> bool {
    match answer {
        Answer::Sent(outcome) if misdirected => *outcome == Outcome::Rejected(Rejected::NoSuchClient),
        Answer::Sent(outcome) => *outcome == Outcome::Delivered,
        Answer::SentMany(outcomes) => outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Delivered),
        Answer::Traced { reached } => *reached,
        Answer::Found(found) => found.as_ref().is_some_and(|found| found.cost.is_some()),
        // What becomes of publications and calls is the business of other invariants.
        Answer::Published(_) | Answer::Called { .. } | Answer::Accepted | Answer::Subscribed(_) => true,
        Answer::Rejected(_) | Answer::NotTaken(_) | Answer::Drained { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{id::Token, time::Time};

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
        oracle.answered(HostId(1), Token(20), answer, 0, |_| None);
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
    fn fires_when_a_message_for_nobody_is_not_refused_as_such() {
        let refusal = Outcome::Rejected(Rejected::NoSuchClient);
        for (outcome, holds) in [(refusal, true), (Outcome::Delivered, false), (Outcome::Unknown, false)] {
            let (mut oracle, spec, token) = (sample::oracle(), sample::spec(), Token(30));
            oracle.sent(sample::KEY, sample::letter(Some("nobody")), true);
            let request = Request { message: Some(sample::KEY), what: "send", fresh: true };
            oracle.asked(HostId(0), token, Some(Time::from_secs(1)), request);
            let answer = Answer::Sent(outcome);
            let fact = sample::fact(HostId(0), Time::ZERO, &spec, What::Answered { token, answer: &answer });
            assert_eq!(MsgDeliveredAfterCalm.fact(&fact, &oracle).is_ok(), holds, "{outcome:?}");
        }
    }

    #[test]
    fn fires_when_no_answer_comes_at_all() {
        assert!(MsgDeliveredAfterCalm.finally(&sample::line(), &asked()).is_err());
    }
}
