//! Outcomes are true: a message that was reported as delivered had been handed over before, one that was reported as
//! rejected is never handed over, before or after, and not for a reason that is none: no client that was there all the
//! time is called missing, no application busy that never let messages lie and has room for all that was sent to it.
//!
//! `Unknown` is the one outcome that may mean either (design §5; the oracle rule that timed-out is unknown, never
//! absent).

use std::collections::BTreeMap;

use io_sim::HostId;
use proto_core::{error::Rejected, limits::FLOW_WINDOW, node::Outcome};

use super::{Fact, Held, Invariant, What};
use crate::oracle::{Key, Oracle, Sent};

/// The part of its places, or of the most that one sender may have under way, that an application must have left lying
/// once to be called busy. Otherwise the sender must have sent as many as there are places: then they may be under way.
const BUSY_PART: u64 = 8;

#[derive(Debug, Default)]
pub(super) struct MsgOutcomeTruth {
    /// The places of each node's inbox.
    places: BTreeMap<HostId, usize>,
}

impl Invariant for MsgOutcomeTruth {
    fn id(&self) -> &'static str {
        "msg_outcome_truth"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let find = |key: Option<Key>| key.and_then(|key| Some((key, oracle.message(key)?)));
        match fact.what {
            What::Started => {
                self.places.insert(fact.node, fact.spec.template.inbox);
                Ok(())
            }
            What::Handed { key, .. } => find(key).map_or(Ok(()), |(key, sent)| check(key, sent)),
            What::Answered { token, .. } => {
                let key = oracle.request(fact.node, token).and_then(|asked| asked.message);
                let Some((key, sent)) = find(key) else { return Ok(()) };
                check(key, sent)?;
                self.reasons(key, sent, oracle)
            }
            What::Struck(_) | What::Dialled { .. } | What::Told(_) | What::Turned { .. } => Ok(()),
        }
    }
}

impl MsgOutcomeTruth {
    /// Whether the reasons of refusals can be true. Judged when they are told.
    fn reasons(&self, key: Key, sent: &Sent, oracle: &Oracle) -> Held {
        for (node, outcome) in &sent.told {
            let client = sent.letter.to_client.as_deref();
            let no_client = *outcome == Outcome::Rejected(Rejected::NoSuchClient);
            if no_client && client.is_none_or(|client| oracle.had_since(*node, client, sent)) {
                return Err(format!("{key} was reported as for no client of {node}; it was for {client:?}"));
            }
            if *outcome == Outcome::Rejected(Rejected::ReceiverBusy) && !self.may_be_busy(*node, key, oracle) {
                let most = oracle.most_held(*node);
                return Err(format!("{key} was reported as {node} being busy, which never let more than {most} lie"));
            }
        }
        Ok(())
    }

    fn may_be_busy(&self, node: HostId, key: Key, oracle: &Oracle) -> bool {
        let places = self.places.get(&node).copied().unwrap_or(usize::MAX).min(FLOW_WINDOW) as u64;
        let held = oracle.most_held(node);
        held * BUSY_PART >= places || held + oracle.sent_to(node, key) >= places
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
    use std::sync::Arc;

    use proto_core::{
        id::{Incarnation, Token},
        node::Answer,
        time::Time,
    };

    use super::{super::sample, *};

    fn answered(oracle: &mut Oracle, outcome: Outcome) -> Held {
        let (answer, spec) = (Answer::Sent(outcome), sample::spec());
        oracle.answered(HostId(0), sample::TOKEN, &answer, 0, |_| None);
        let what = What::Answered { token: sample::TOKEN, answer: &answer };
        MsgOutcomeTruth::default().fact(&sample::fact(HostId(0), Time::ZERO, &spec, what), oracle)
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
        assert!(MsgOutcomeTruth::default().fact(&sample::fact(HostId(2), Time::ZERO, &spec, what), &oracle).is_err());
    }

    #[test]
    fn fires_on_a_client_called_missing_that_was_there_all_the_time() {
        let missing = Outcome::Rejected(Rejected::NoSuchClient);
        assert!(answered(&mut sample::oracle(), missing).is_err(), "it was for no client");
        let ann: Arc<str> = Arc::from("ann");
        let told = |comes_first: bool, leaves: bool| {
            let mut oracle = sample::oracle();
            let comes = |oracle: &mut Oracle| {
                oracle.client(HostId(2), Token(20), &ann, true);
                oracle.answered(HostId(2), Token(20), &Answer::Accepted, 0, |_| None);
            };
            if comes_first {
                comes(&mut oracle);
            }
            oracle.sent(sample::KEY, sample::letter(Some("ann")), false);
            if !comes_first {
                comes(&mut oracle);
            }
            if leaves {
                oracle.client(HostId(2), Token(21), &ann, false);
            }
            answered(&mut oracle, missing)
        };
        assert!(told(true, false).is_err());
        assert_eq!((told(false, false), told(true, true)), (Ok(()), Ok(())));
    }

    #[test]
    fn fires_on_an_application_called_busy_that_took_all_at_once() {
        let told = |consumes: bool| {
            let (mut oracle, mut invariant, spec) = (sample::oracle(), MsgOutcomeTruth::default(), sample::spec());
            let started = sample::fact(HostId(2), Time::ZERO, &spec, What::Started);
            assert_eq!(invariant.fact(&started, &oracle), Ok(()));
            for serial in 0..FLOW_WINDOW as u32 {
                oracle.handed(HostId(2), Key { life: Incarnation(9), serial, ..sample::KEY });
                oracle.consumed(HostId(2), consumes.into());
            }
            let answer = Answer::Sent(Outcome::Rejected(Rejected::ReceiverBusy));
            oracle.answered(HostId(0), sample::TOKEN, &answer, 0, |_| None);
            let what = What::Answered { token: sample::TOKEN, answer: &answer };
            invariant.fact(&sample::fact(HostId(0), Time::ZERO, &spec, what), &oracle)
        };
        assert!(told(true).is_err());
        assert_eq!(told(false), Ok(()));
    }

    #[test]
    fn an_unknown_outcome_may_be_either() {
        let mut oracle = sample::oracle();
        assert_eq!(answered(&mut oracle, Outcome::Unknown), Ok(()));
        oracle.handed(HostId(2), sample::KEY);
        assert_eq!(answered(&mut oracle, Outcome::Unknown), Ok(()));
    }
}
