//! What a host's clock shows, which runs a little fast or slow.
//!
//! Each start of a host has its own epoch: its clock shows zero at that moment. From then on it runs at a fixed rate,
//! `1_000_000 + ppm` local microseconds per true second, until the rate is changed; what it shows never steps and never
//! goes back. It counts on while the host is paused. All conversions are integer arithmetic, so they are the same on
//! every platform.

use proto_core::time::Time;

use crate::time::SimTime;

/// Parts in a million.
const MILLION: u64 = 1_000_000;

/// The clock of one start of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    since: SimTime,
    shown: u64,
    ppm: i32,
}

impl Clock {
    /// The largest deviation of a clock, in parts per million. Larger ones are clamped.
    pub const PPM_MAX: i32 = 50_000;

    /// A clock that shows zero at `boot` and runs `ppm` parts per million fast (slow, if negative).
    #[must_use]
    pub fn new(boot: SimTime, ppm: i32) -> Self {
        Self { since: boot, shown: 0, ppm: ppm.clamp(-Self::PPM_MAX, Self::PPM_MAX) }
    }

    /// What the clock shows at a true moment; its epoch for moments before its start or its last change of rate.
    #[must_use]
    pub fn local(&self, at: SimTime) -> Time {
        let passed = at.as_nanos().saturating_sub(self.since.as_nanos());
        let rate = self.rate();
        // Split, so that the product fits 64 bits; exactly floor(passed * rate / MILLION).
        let whole = (passed / MILLION).saturating_mul(rate);
        let part = passed % MILLION * rate / MILLION;
        Time::from_nanos(self.shown.saturating_add(whole).saturating_add(part))
    }

    /// The first true moment at which the clock shows `local` or more.
    #[must_use]
    pub fn true_at(&self, local: Time) -> SimTime {
        let ahead = u128::from(local.as_nanos().saturating_sub(self.shown));
        let passed = (ahead * u128::from(MILLION)).div_ceil(u128::from(self.rate()));
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        SimTime::from_nanos(self.since.as_nanos().saturating_add(passed))
    }

    /// Changes the rate from `now` on. What the clock shows goes on without a step.
    pub fn set_ppm(&mut self, now: SimTime, ppm: i32) {
        *self = Self { shown: self.local(now).as_nanos(), ..Self::new(now, ppm) };
    }

    /// How fast it runs, in parts per million too much.
    #[must_use]
    pub const fn ppm(&self) -> i32 {
        self.ppm
    }

    fn rate(&self) -> u64 {
        MILLION.saturating_add_signed(i64::from(self.ppm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_shows_more_and_a_slow_one_less() {
        let boot = SimTime::from_secs(10);
        let at = SimTime::from_secs(110);
        assert_eq!(Clock::new(boot, 0).local(at), Time::from_secs(100));
        assert_eq!(Clock::new(boot, 50_000).local(at), Time::from_secs(105));
        assert_eq!(Clock::new(boot, -50_000).local(at), Time::from_secs(95));
        assert_eq!(Clock::new(boot, 200).local(SimTime::from_secs(5)), Time::ZERO);
    }

    #[test]
    fn a_deadline_comes_at_the_first_moment_the_clock_shows_it() {
        for ppm in [-50_000, -200, -1, 0, 1, 37, 200, 50_000] {
            let clock = Clock::new(SimTime::from_nanos(123_456_789), ppm);
            for local in [0, 1, 2, 3, 999_999, 1_000_000, 1_000_001, 86_400_000_000_007] {
                let local = Time::from_nanos(local);
                let due = clock.true_at(local);
                assert!(clock.local(due) >= local, "{ppm} ppm: early at {due}");
                if due > SimTime::from_nanos(123_456_789) {
                    let before = SimTime::from_nanos(due.as_nanos() - 1);
                    assert!(clock.local(before) < local, "{ppm} ppm: late at {due}");
                }
            }
        }
    }

    #[test]
    fn a_change_of_rate_makes_no_step() {
        let mut clock = Clock::new(SimTime::ZERO, 50_000);
        clock.set_ppm(SimTime::from_secs(100), -50_000);
        assert_eq!(clock.local(SimTime::from_secs(100)), Time::from_secs(105));
        assert_eq!(clock.local(SimTime::from_secs(200)), Time::from_secs(200));
        assert_eq!(clock.true_at(Time::from_secs(200)), SimTime::from_secs(200));
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let clock = Clock::new(SimTime::ZERO, 50_000);
        assert_eq!(clock.local(SimTime::MAX), Time::MAX);
        assert_eq!(Clock::new(SimTime::from_secs(1), -50_000).true_at(Time::MAX), SimTime::MAX);
    }
}
