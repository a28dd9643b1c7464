//! When to look at which call. A heap that forgets lazily: nearly every call is over long before its deadline, and then
//! its alarm is only passed over.
//!
//! An alarm counts while its owner still says that moment; [`Alarms::tidy`] drops the others from the front, and all of
//! them once they outnumber what counts.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use crate::time::Time;

/// Alarms that do not count any more and are kept at least.
const SPARE: usize = 64;

/// The alarms of one kind of call.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    heap: BinaryHeap<Reverse<(Time, u64)>>,
}

impl Alarms {
    /// Adds an alarm. The owner keeps `due`, so that it knows which of its alarms counts.
    pub(super) fn set(&mut self, due: Time, number: u64) {
        self.heap.push(Reverse((due, number)));
    }

    /// The first alarm; it counts if [`Alarms::tidy`] was called since anything changed.
    pub(super) fn first(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes out the first alarm that is due at `now`.
    pub(super) fn take_due(&mut self, now: Time) -> Option<(Time, u64)> {
        self.first().filter(|due| *due <= now)?;
        self.heap.pop().map(|Reverse(alarm)| alarm)
    }

    /// Drops alarms that do not count. `live`: how many owners there are.
    pub(super) fn tidy(&mut self, live: usize, counts: impl Fn(Time, u64) -> bool) {
        while self.heap.peek().is_some_and(|Reverse((due, number))| !counts(*due, *number)) {
            self.heap.pop();
        }
        if self.heap.len() > 2 * live + SPARE {
            self.heap.retain(|Reverse((due, number))| counts(*due, *number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_count_is_passed_over() {
        let mut alarms = Alarms::default();
        alarms.set(Time::from_millis(1), 1);
        alarms.set(Time::from_millis(2), 2);
        alarms.tidy(1, |_, number| number == 2);
        assert_eq!(alarms.first(), Some(Time::from_millis(2)));
        assert_eq!(alarms.take_due(Time::from_millis(1)), None);
        assert_eq!(alarms.take_due(Time::from_millis(2)), Some((Time::from_millis(2), 2)));
    }

    #[test]
    fn alarms_that_do_not_count_stay_few() {
        let mut alarms = Alarms::default();
        for number in 0..10_000 {
            alarms.set(Time::from_millis(number), number);
            alarms.tidy(1, |_, number| number == 0);
        }
        assert!(alarms.heap.len() <= 2 + SPARE);
    }
}
