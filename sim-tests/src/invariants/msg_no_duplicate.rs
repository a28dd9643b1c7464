//! No application is handed a message twice, also not by two lives of its node.
//!
//! Retransmission, re-routing and restarts may repeat frames; (incarnation, sequence) must tell (RT9; design §5: messages
//! are deduplicated).

use super::{Fact, Held, Invariant, What};
use crate::oracle::Oracle;

#[derive(Debug)]
pub(super) struct MsgNoDuplicate;

impl Invariant for MsgNoDuplicate {
    fn id(&self) -> &'static str {
        "msg_no_duplicate"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let What::Handed { key: Some(key), .. } = fact.what else { return Ok(()) };
        let Some(sent) = oracle.message(key) else { return Ok(()) };
        let times = sent.handed.iter().filter(|(node, _)| *node == fact.node).count();
        if times > 1 {
            return Err(format!("{} was handed {key} {times} times, in lives {:?}", fact.spec.name, sent.handed));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{id::Incarnation, time::Time};

    use super::{super::sample, *};

    fn check(oracle: &Oracle) -> Held {
        let (message, spec) = (sample::message(), sample::spec());
        let what = What::Handed { message: &message, key: Some(sample::KEY), before: None };
        MsgNoDuplicate.fact(&sample::fact(HostId(2), Time::ZERO, &spec, what), oracle)
    }

    #[test]
    fn fires_on_the_second_time() {
        let mut oracle = sample::oracle();
        oracle.handed(HostId(2), sample::KEY);
        assert_eq!(check(&oracle), Ok(()));
        oracle.handed(HostId(2), sample::KEY);
        assert!(check(&oracle).is_err());
    }

    #[test]
    fn fires_on_the_second_time_in_another_life() {
        let mut oracle = sample::oracle();
        oracle.handed(HostId(2), sample::KEY);
        oracle.started(HostId(2), Incarnation(2));
        oracle.handed(HostId(2), sample::KEY);
        assert!(check(&oracle).is_err());
    }
}
