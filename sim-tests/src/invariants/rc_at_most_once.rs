//! At most one handler in the mesh is given a call, once; and of the calls of one caller with one idempotency key at most
//! one in each life of a provider. What a handler is given was called, by that node and life, of that service, with
//! exactly these bytes.
//!
//! RC4: at most one execution, across retries and restarts.

use super::{Fact, Held, Invariant};
use crate::oracle::{Key, Oracle};

#[derive(Debug)]
pub(super) struct RcAtMostOnce;

impl Invariant for RcAtMostOnce {
    fn id(&self) -> &'static str {
        "rc_at_most_once"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some(invocation) = fact.invocation() else { return Ok(()) };
        let name = &fact.spec.name;
        let key = Key::of(&invocation.payload);
        let Some((key, called)) = key.and_then(|key| Some((key, oracle.calls().call(key)?))) else {
            return Err(format!("{name} runs a call that nobody made"));
        };
        let caller = &invocation.caller;
        let whose = (caller.node, caller.incarnation, &caller.client, invocation.service.as_str());
        if whose != (called.from, key.life, &called.client, &*called.service) {
            return Err(format!("{name} runs the call {key} as {invocation:?}; it was {called:?}"));
        }
        if called.ran.len() > 1 {
            return Err(format!("the call {key} ran more than once: {:?}", called.ran));
        }
        let here = (fact.node, fact.life);
        let sharing = oracle.calls().sharing(key).map(|(_, called)| called);
        let runs = sharing.flat_map(|called| &called.ran).filter(|ran| **ran == here).count();
        if runs > 1 {
            return Err(format!("{name} runs the call {key} though it ran one with its key {:?} before", called.key));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::id::Incarnation;

    use super::{super::sample, *};

    fn runs(oracle: &mut Oracle, host: HostId, key: Key) -> Held {
        sample::runs(&mut RcAtMostOnce, oracle, host, sample::invocation(key))
    }

    #[test]
    fn fires_on_a_second_run_anywhere() {
        for second in [HostId(1), HostId(2)] {
            let mut oracle = sample::called(None);
            assert_eq!(runs(&mut oracle, HostId(2), sample::KEY), Ok(()));
            assert!(runs(&mut oracle, second, sample::KEY).is_err());
        }
    }

    #[test]
    fn fires_on_a_second_run_under_one_key_in_one_life() {
        let other = Key { serial: 2, ..sample::KEY };
        let mut oracle = sample::called(Some(1));
        sample::call(&mut oracle, other, Some(1));
        assert_eq!(runs(&mut oracle, HostId(2), sample::KEY), Ok(()));
        assert!(runs(&mut oracle.clone(), HostId(2), other).is_err());
        oracle.started(HostId(2), Incarnation(2));
        assert_eq!(runs(&mut oracle, HostId(2), other), Ok(()), "a key holds at one life");
    }

    #[test]
    fn fires_on_a_call_that_nobody_made() {
        assert!(runs(&mut sample::oracle(), HostId(2), sample::KEY).is_err());
    }

    #[test]
    fn fires_on_a_call_of_somebody_else() {
        let mut other = sample::invocation(sample::KEY);
        other.caller.node = sample::addr(1);
        assert!(sample::runs(&mut RcAtMostOnce, &mut sample::called(None), HostId(2), other).is_err());
    }
}
