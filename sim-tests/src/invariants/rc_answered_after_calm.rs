//! In the calm, a call to a provider that everybody knows, and that is surely reached, succeeds.
//!
//! The liveness half of calls (RC1): a mesh that refuses every call would pass all else.

use proto_core::rpc::Completion;

use super::{Fact, Held, Invariant};
use crate::{oracle::Oracle, snapshot::Snapshot};

#[derive(Debug)]
pub(super) struct RcAnsweredAfterCalm;

impl Invariant for RcAnsweredAfterCalm {
    fn id(&self) -> &'static str {
        "rc_answered_after_calm"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((key, completion)) = fact.completion(oracle) else { return Ok(()) };
        match oracle.calls().call(key) {
            Some(called) if called.fresh && !matches!(completion, Completion::Ok(_)) => {
                Err(format!("{} called {:?} in a settled mesh, and got {completion:?}", fact.spec.name, called.to))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn finally(&mut self, _snapshot: &Snapshot, oracle: &Oracle) -> Held {
        match oracle.calls().all().find(|(_, called)| called.fresh && called.ended.is_empty()) {
            Some((key, called)) => Err(format!("the call {key} to {:?} in a settled mesh never ended", called.to)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::oracle::Key;

    #[test]
    fn fires_on_a_call_that_fails() {
        let mut oracle = sample::called_surely();
        let good = Completion::Ok(sample::KEY.payload(20));
        assert_eq!(sample::ends(&mut RcAnsweredAfterCalm, &mut oracle, good), Ok(()));
        let mut oracle = sample::called_surely();
        assert!(sample::ends(&mut RcAnsweredAfterCalm, &mut oracle, Completion::NoResponder).is_err());
    }

    #[test]
    fn fires_on_a_call_that_never_ends() {
        let oracle = sample::called_surely();
        assert!(RcAnsweredAfterCalm.finally(&sample::line(), &oracle).is_err());
        let mut stormy = sample::called(None);
        sample::call(&mut stormy, Key { serial: 2, ..sample::KEY }, None);
        assert_eq!(RcAnsweredAfterCalm.finally(&sample::line(), &stormy), Ok(()));
    }
}
