//! May this channel be accepted? The first thing asked of a stranger, before anything is computed or remembered for it.
//!
//! A limit on the rate (GCRA: one stamp, no buckets to fill), and one on how many handshakes are under way. What is over
//! either is closed at once.

use core::time::Duration;

use crate::{limits::HALF_OPEN_MAX, time::Time};

/// Bursts are this many seconds' worth of accepts.
const BURST_SECS: u32 = 2;

/// Lets accepted channels in.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// Time that one accept takes up.
    interval: Duration,
    /// How far the accepts may run ahead of their rate.
    tolerance: Duration,
    /// When the accepts so far will be paid off.
    paid_off: Time,
    half_open: usize,
}

impl Gate {
    /// A gate for `per_sec` accepts a second, at least one.
    pub(super) fn new(per_sec: u32) -> Self {
        let per_sec = per_sec.max(1);
        let interval = Duration::from_secs(1) / per_sec;
        let tolerance = interval * per_sec.saturating_mul(BURST_SECS).saturating_sub(1);
        Self { interval, tolerance, paid_off: Time::ZERO, half_open: 0 }
    }

    /// Lets one in, if the limits allow it. Then it counts as half open until [`Gate::settled`].
    #[must_use]
    pub(super) fn enter(&mut self, now: Time) -> bool {
        let start = self.paid_off.max(now);
        if self.half_open >= HALF_OPEN_MAX || start.since(now) > self.tolerance {
            return false;
        }
        self.paid_off = start + self.interval;
        self.half_open += 1;
        true
    }

    /// One that was let in is up, or gone.
    pub(super) fn settled(&mut self) {
        debug_assert!(self.half_open > 0, "settled once for each that entered");
        self.half_open = self.half_open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut gate = Gate::new(10);
        let burst = (0..100).filter(|_| gate.enter(at(0))).count();
        assert_eq!(burst, 20);
        assert!(!gate.enter(at(99)));
        assert!(gate.enter(at(100)));
        assert!(!gate.enter(at(100)));
        let in_ten_seconds = (101..=10_100).filter(|millis| gate.enter(at(*millis))).count();
        assert_eq!(in_ten_seconds, 100);
    }

    #[test]
    fn handshakes_under_way_are_limited_whatever_the_rate() {
        let mut gate = Gate::new(1_000_000);
        assert_eq!((0..HALF_OPEN_MAX + 5).filter(|_| gate.enter(at(0))).count(), HALF_OPEN_MAX);
        gate.settled();
        assert!(gate.enter(at(0)));
        assert!(!gate.enter(at(0)));
    }

    #[test]
    fn a_rate_of_zero_counts_as_one() {
        let mut gate = Gate::new(0);
        assert_eq!((0..5).filter(|_| gate.enter(at(0))).count(), 2);
    }
}
