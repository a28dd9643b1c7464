//! How long to wait for an acknowledgement before sending again: RFC 6298 with bounds of our own.
//!
//! Constant memory. The estimate follows the round trips of messages that were sent once (Karn's rule); every timeout
//! doubles the wait. A round trip takes the doubling back, and so does another way. An answer to what was sent twice takes
//! back all but two doublings, or nothing while no round trip is known: it may be an answer to the first time, on a way
//! that is slower than the wait.

use core::time::Duration;

use crate::limits::{RETRY_INITIAL, RETRY_MIN};

/// The least that is added to the smoothed round trip, so that a steady way does not time out by a hair.
const SLACK: Duration = Duration::from_millis(1);

/// Doublings that an answer to what was sent twice leaves: a way may become so much slower, all at once, without everything
/// being sent twice from then on; and where much is lost the wait does not grow although answers come.
const DOUBLINGS_KEPT: u32 = 2;

/// The retransmission timeout of one flow.
#[derive(Clone, Debug)]
pub(super) struct Rto {
    measured: Option<Measured>,
    backoff: u32,
    /// A timeout has passed since the last sign of life.
    silent: bool,
    max: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    smoothed: Duration,
    variation: Duration,
}

impl Rto {
    /// Nothing measured yet. `max`: the longest timeout.
    pub(super) fn new(max: Duration) -> Self {
        Self { measured: None, backoff: 0, silent: false, max: max.max(RETRY_MIN) }
    }

    /// Takes in the round trip of a message that was sent once: no doubling.
    pub(super) fn sample(&mut self, round_trip: Duration) {
        self.forgive();
        self.measured = Some(match self.measured {
            None => Measured { smoothed: round_trip, variation: round_trip / 2 },
            Some(Measured { smoothed, variation }) => Measured {
                smoothed: (smoothed * 7 + round_trip) / 8,
                variation: (variation * 3 + smoothed.abs_diff(round_trip)) / 4,
            },
        });
    }

    /// A timeout passed: the next one is twice as long.
    pub(super) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
        self.silent = true;
    }

    /// The receiver is heard of: the way is not silent, though it may be slower than was thought.
    pub(super) fn heard(&mut self) {
        self.silent = false;
        if self.measured.is_some() {
            self.backoff = self.backoff.min(DOUBLINGS_KEPT);
        }
    }

    /// What was doubled says nothing of the way as it is now: no doubling.
    pub(super) const fn forgive(&mut self) {
        self.backoff = 0;
        self.silent = false;
    }

    /// Whether a timeout has passed since the last sign of life.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// The timeout for what is sent now.
    pub(super) fn current(&self) -> Duration {
        let base = match self.measured {
            None => RETRY_INITIAL,
            Some(Measured { smoothed, variation }) => smoothed + (variation * 4).max(SLACK),
        };
        base.max(RETRY_MIN).saturating_mul(1 << self.backoff.min(16)).min(self.max)
    }

    /// The smoothed round trip, once one was measured.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.measured.map(|measured| measured.smoothed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_first_round_trip_sets_the_timeout_to_three_times_itself() {
        let mut rto = Rto::new(ms(5_000));
        assert_eq!(rto.current(), ms(200));
        rto.sample(ms(100));
        assert_eq!((rto.current(), rto.smoothed()), (ms(300), Some(ms(100))));
        rto.sample(ms(100));
        assert_eq!(rto.current(), ms(250));
    }

    #[test]
    fn timeouts_double_up_to_the_bound_until_forgiven() {
        let mut rto = Rto::new(ms(1_500));
        rto.back_off();
        assert_eq!(rto.current(), ms(400));
        for _ in 0..100 {
            rto.back_off();
        }
        assert_eq!(rto.current(), ms(1_500));
        rto.forgive();
        assert_eq!(rto.current(), ms(200));
    }

    #[test]
    fn an_answer_to_what_was_sent_twice_breaks_the_silence_and_keeps_the_doubling() {
        let mut rto = Rto::new(ms(5_000));
        rto.back_off();
        rto.back_off();
        assert!(rto.is_silent());
        rto.heard();
        assert_eq!((rto.is_silent(), rto.current()), (false, ms(800)));
        rto.sample(ms(600));
        assert_eq!(rto.current(), ms(1_800));
        (0..4).for_each(|_| rto.back_off());
        rto.heard();
        assert_eq!(rto.current(), ms(5_000));
        rto.sample(ms(10));
        let base = rto.current();
        (0..4).for_each(|_| rto.back_off());
        rto.heard();
        assert_eq!(rto.current(), (4 * base).min(ms(5_000)));
    }

    #[test]
    fn a_fast_way_keeps_the_least_timeout() {
        let mut rto = Rto::new(ms(5_000));
        rto.sample(Duration::from_micros(80));
        assert_eq!(rto.current(), ms(50));
        assert_eq!(Rto::new(Duration::ZERO).current(), ms(50));
    }
}
