//! What a call that timed out or was cancelled is told of its progress is true: one that runs was given to a handler, and
//! for no longer than it was asked for; one that streams got so many items.
//!
//! RC1 and RC5: an end that says how far it got.

use proto_core::rpc::{Completion, Progress};

use super::{Fact, Held, Invariant};
use crate::oracle::Oracle;

#[derive(Debug)]
pub(super) struct RcProgress;

impl Invariant for RcProgress {
    fn id(&self) -> &'static str {
        "rc_progress"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((key, Completion::Timeout(progress) | Completion::Cancelled(progress))) = fact.completion(oracle)
        else {
            return Ok(());
        };
        let Some(called) = oracle.calls().call(key) else { return Ok(()) };
        let wrong = |what: &str| Err(format!("the call {key} is told {progress:?}, {what}: {called:?}"));
        // Two clocks differ, and a run that several calls share may have begun before this one.
        let passed = (fact.local - called.asked).mul_f64(1.2);
        let ran = oracle.calls().sharing(key).any(|(_, other)| !other.ran.is_empty());
        match progress {
            Progress::Running { .. } | Progress::Streaming { .. } if !ran => wrong("and never ran"),
            Progress::Running { time, .. } if called.key.is_none() && *time > passed => wrong("which is too long"),
            Progress::Running { told, .. } | Progress::Queued { told, .. } if *told > passed => wrong("too long ago"),
            Progress::Streaming { items } if *items != called.items => wrong("and got other items"),
            Progress::NotSent | Progress::Sent | Progress::Delivered | Progress::Queued { .. } if called.items > 0 => {
                wrong("and got items")
            }
            Progress::NotSent
            | Progress::Sent
            | Progress::Delivered
            | Progress::Queued { .. }
            | Progress::Running { .. }
            | Progress::Streaming { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use io_sim::HostId;

    use super::{super::sample, *};

    fn ends(oracle: &mut Oracle, progress: Progress) -> Held {
        sample::ends(&mut RcProgress, oracle, Completion::Timeout(progress))
    }

    fn running(time: Duration) -> Progress {
        Progress::Running { time, told: Duration::ZERO }
    }

    #[test]
    fn fires_on_a_run_that_never_was_or_was_shorter() {
        let mut oracle = sample::called(None);
        assert!(ends(&mut oracle.clone(), running(Duration::ZERO)).is_err());
        let invocation = sample::invocation(sample::KEY);
        assert_eq!(sample::runs(&mut RcProgress, &mut oracle, HostId(2), invocation), Ok(()));
        assert!(ends(&mut oracle.clone(), running(Duration::from_secs(1))).is_err());
        assert_eq!(ends(&mut oracle, running(Duration::ZERO)), Ok(()));
    }

    #[test]
    fn fires_on_a_wrong_number_of_items() {
        let mut oracle = sample::streaming();
        let invocation = sample::invocation(sample::KEY);
        assert_eq!(sample::runs(&mut RcProgress, &mut oracle, HostId(2), invocation), Ok(()));
        assert!(ends(&mut oracle.clone(), Progress::Streaming { items: 1 }).is_err());
        let item = io_sim::item_of(&sample::KEY.payload(20), 0);
        assert_eq!(sample::item(&mut RcProgress, &mut oracle, item), Ok(()));
        assert!(ends(&mut oracle.clone(), Progress::Delivered).is_err());
        assert_eq!(ends(&mut oracle, Progress::Streaming { items: 1 }), Ok(()));
    }
}
