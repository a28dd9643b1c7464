//! A call ends exactly once, by its deadline, and as its handler answered: what comes back is what was asked of a handler
//! that gives back what it is given, or what a call with the same idempotency key asked.
//!
//! RC1 and RC2: one outcome, and the right one. That it comes by its deadline is `msg_one_answer`'s business.

use proto_core::rpc::Completion;

use super::{Fact, Held, Invariant};
use crate::{oracle::Oracle, snapshot::Snapshot};

#[derive(Debug)]
pub(super) struct RcOneCompletion;

impl Invariant for RcOneCompletion {
    fn id(&self) -> &'static str {
        "rc_one_completion"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((key, completion)) = fact.completion(oracle) else { return Ok(()) };
        let Some(called) = oracle.calls().call(key) else {
            return Err(format!("{} completes {key}, which is no call: {completion:?}", fact.spec.name));
        };
        if called.ended.len() > 1 {
            return Err(format!("the call {key} ended more than once: {:?}", called.ended));
        }
        match completion {
            Completion::Ok(payload) if !oracle.calls().sharing(key).any(|(_, other)| other.payload == *payload) => {
                Err(format!("the call {key} was answered {} bytes that belong to another", payload.len()))
            }
            Completion::AppError(error) => Err(format!("the call {key} failed as no handler said: {error:?}")),
            Completion::Ok(_)
            | Completion::NoResponder
            | Completion::Overloaded(_)
            | Completion::Timeout(_)
            | Completion::Cancelled(_)
            | Completion::Unreachable { .. }
            | Completion::PeerRestarted
            | Completion::Lost(_)
            | Completion::Rejected(_) => Ok(()),
        }
    }

    fn finally(&mut self, snapshot: &Snapshot, oracle: &Oracle) -> Held {
        for (host, node) in snapshot.survivors() {
            let mut calls = oracle.calls().all().filter(|(key, _)| key.from == host && key.life == node.life);
            let answered = |token| oracle.request(host, token).is_none_or(|asked| !asked.answers.is_empty());
            if let Some((key, _)) = calls.find(|(_, called)| !answered(called.token) && oracle.open(host) == 0) {
                return Err(format!("the call {key} never ended"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{super::sample, *};
    use crate::oracle::Key;

    fn ends(oracle: &mut Oracle, completion: Completion) -> Held {
        sample::ends(&mut RcOneCompletion, oracle, completion)
    }

    fn good() -> Completion {
        Completion::Ok(sample::KEY.payload(20))
    }

    #[test]
    fn fires_on_a_second_end() {
        let mut oracle = sample::called(None);
        assert_eq!(ends(&mut oracle, good()), Ok(()));
        assert!(ends(&mut oracle, good()).is_err());
    }

    #[test]
    fn fires_on_the_answer_to_another_call() {
        assert!(ends(&mut sample::called(None), Completion::Ok(Bytes::from_static(b"other"))).is_err());
        let other = Key { serial: 2, ..sample::KEY };
        for (key, holds) in [(None, false), (Some(1), true), (Some(2), false)] {
            let mut oracle = sample::called(Some(1));
            sample::call(&mut oracle, other, key);
            let held = ends(&mut oracle, Completion::Ok(other.payload(20)));
            assert_eq!(held.is_ok(), holds, "{key:?}");
        }
    }

    #[test]
    fn fires_on_a_call_that_nobody_made() {
        assert!(ends(&mut sample::oracle(), Completion::NoResponder).is_err());
    }
}
