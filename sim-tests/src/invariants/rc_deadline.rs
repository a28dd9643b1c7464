//! No handler begins a call after its deadline, as far as its node can know: at the caller's own node by the same clock;
//! elsewhere there is time left, and no more than the caller gave.
//!
//! RC5. How long a call is under way nobody measures, so a handler elsewhere may begin that much late.

use std::time::Duration;

use super::{Fact, Held, Invariant};
use crate::oracle::{Key, Oracle};

#[derive(Debug)]
pub(super) struct RcDeadline;

impl Invariant for RcDeadline {
    fn id(&self) -> &'static str {
        "rc_deadline"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some(invocation) = fact.invocation() else { return Ok(()) };
        let Some(key) = Key::of(&invocation.payload) else { return Ok(()) };
        let Some(called) = oracle.calls().call(key) else { return Ok(()) };
        let (name, left) = (&fact.spec.name, invocation.left);
        // Calls that share a run give it the time of the one that has most.
        let given = oracle.calls().sharing(key).map(|(_, called)| called.deadline).max().unwrap_or_default();
        if left > given || left == Duration::ZERO {
            return Err(format!("{name} runs the call {key} with {left:?} left of {given:?}"));
        }
        let here = key.from == fact.node && key.life == fact.life && called.key.is_none();
        if here && called.asked + called.deadline <= fact.local {
            return Err(format!("{name} runs the call {key} of {} after {given:?}, at {}", called.asked, fact.local));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{
        node::{CallEvent, Event},
        rpc::Invocation,
        time::Time,
    };

    use super::{
        super::{What, sample},
        *,
    };

    fn runs(host: HostId, at_ms: u64, left: Duration) -> Held {
        let (oracle, spec) = (sample::called(None), sample::spec());
        let invocation = Invocation { left, ..sample::invocation(sample::KEY) };
        let event = Event::Call(CallEvent::Invoke(Box::new(invocation)));
        let fact = sample::fact(host, Time::from_millis(at_ms), &spec, What::Told(&event));
        RcDeadline.fact(&fact, &oracle)
    }

    #[test]
    fn fires_on_a_call_that_has_no_time_or_too_much() {
        assert_eq!(runs(HostId(2), 9_000, Duration::from_secs(1)), Ok(()));
        assert!(runs(HostId(2), 0, Duration::from_millis(1_001)).is_err());
        assert!(runs(HostId(2), 0, Duration::ZERO).is_err());
    }

    #[test]
    fn fires_on_a_late_run_at_the_callers_own_node() {
        assert_eq!(runs(HostId(0), 999, Duration::from_millis(1)), Ok(()));
        assert!(runs(HostId(0), 1_000, Duration::from_millis(1)).is_err());
    }
}
