//! A call that failed definitely was given to no handler, and never is. One that succeeded was.
//!
//! RC3: a definite error means that the handler did not and will not run.

use proto_core::rpc::Completion;

use super::{Fact, Held, Invariant};
use crate::oracle::{Key, Oracle};

#[derive(Debug)]
pub(super) struct RcDefinite;

impl Invariant for RcDefinite {
    fn id(&self) -> &'static str {
        "rc_definite"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let told = fact.completion(oracle).map(|(key, _)| key);
        let run = fact.invocation().and_then(|invocation| Key::of(&invocation.payload));
        let Some(key) = told.or(run) else { return Ok(()) };
        let Some(called) = oracle.calls().call(key) else { return Ok(()) };
        if let Some(end) = called.ended.iter().find(|end| !end.may_have_run() && !called.ran.is_empty()) {
            return Err(format!("the call {key} ended as {end:?}, and ran at {:?}", called.ran));
        }
        let ok = called.ended.iter().any(|end| matches!(end, Completion::Ok(_)));
        if ok && oracle.calls().sharing(key).all(|(_, other)| other.ran.is_empty()) {
            return Err(format!("the call {key} succeeded, and never ran"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::rpc::Progress;

    use super::{super::sample, *};

    fn runs(oracle: &mut Oracle) -> Held {
        sample::runs(&mut RcDefinite, oracle, HostId(2), sample::invocation(sample::KEY))
    }

    fn ends(oracle: &mut Oracle, completion: Completion) -> Held {
        sample::ends(&mut RcDefinite, oracle, completion)
    }

    #[test]
    fn fires_on_a_definite_failure_of_what_ran_before() {
        let mut oracle = sample::called(None);
        assert_eq!(runs(&mut oracle), Ok(()));
        assert!(ends(&mut oracle, Completion::NoResponder).is_err());
    }

    #[test]
    fn fires_on_a_run_after_a_definite_failure() {
        let mut oracle = sample::called(None);
        assert_eq!(ends(&mut oracle, Completion::Unreachable { sent: false }), Ok(()));
        assert!(runs(&mut oracle).is_err());
    }

    #[test]
    fn an_indefinite_failure_says_nothing() {
        let mut oracle = sample::called(None);
        assert_eq!(ends(&mut oracle, Completion::Timeout(Progress::Sent)), Ok(()));
        assert_eq!(runs(&mut oracle), Ok(()));
    }

    #[test]
    fn fires_on_success_without_a_run() {
        assert!(ends(&mut sample::called(None), Completion::Ok(sample::KEY.payload(20))).is_err());
    }
}
