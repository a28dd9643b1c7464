//! A provider is never given more calls at once than it said it runs. A handler that was told to stop counts no more here,
//! nor does one whose service was withdrawn meanwhile.
//!
//! RC8: what is in flight at one provider is bounded.

use std::sync::Arc;

use super::{Fact, Held, Invariant};
use crate::oracle::Oracle;

#[derive(Debug)]
pub(super) struct RcCapacity;

impl Invariant for RcCapacity {
    fn id(&self) -> &'static str {
        "rc_capacity"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some(invocation) = fact.invocation() else { return Ok(()) };
        let served = (Arc::from(invocation.service.as_str()), invocation.client.clone());
        let (running, most) = oracle.calls().running(fact.node, fact.life, &served);
        if running > most as usize {
            return Err(format!("{} runs {running} calls of {served:?}, which takes {most}", fact.spec.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::rpc::InvocationId;

    use super::{super::sample, *};

    #[test]
    fn fires_on_one_more_than_there_may_be() {
        let mut oracle = sample::called(None);
        sample::register(&mut oracle, HostId(2), 2);
        let mut runs = |number| {
            let mut invocation = sample::invocation(sample::KEY);
            invocation.id = InvocationId(number);
            sample::runs(&mut RcCapacity, &mut oracle, HostId(2), invocation)
        };
        assert_eq!((runs(1), runs(2)), (Ok(()), Ok(())));
        assert!(runs(3).is_err());
    }

    #[test]
    fn fires_on_a_call_of_a_service_that_is_not_there() {
        let mut oracle = sample::called(None);
        let invocation = sample::invocation(sample::KEY);
        assert!(sample::runs(&mut RcCapacity, &mut oracle, HostId(2), invocation).is_err());
    }
}
