//! The pauses between attempts at a link: they double from the first to the longest, each spread by chance so that peers
//! which lost the same node do not come back in step.

use core::time::Duration;

use crate::rng::Rng;

/// A ladder of pauses.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    initial: Duration,
    max: Duration,
    jitter_per_mille: u32,
    failures: u32,
}

impl Backoff {
    /// At the foot of the ladder.
    pub(super) fn new(initial: Duration, max: Duration, jitter_per_mille: u32) -> Self {
        // No pause at all would dial without end.
        let initial = initial.max(Duration::from_millis(1));
        Self { initial, max: max.max(initial), jitter_per_mille, failures: 0 }
    }

    /// The pause after one more failure.
    pub(super) fn next(&mut self, rng: &mut Rng) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let pause = self.initial.saturating_mul(factor).min(self.max);
        self.failures = self.failures.saturating_add(1);
        rng.jitter(pause, self.jitter_per_mille)
    }

    /// The longest pause, for a failure that only a person can mend.
    pub(super) fn longest(&mut self, rng: &mut Rng) -> Duration {
        self.failures = self.failures.saturating_add(1);
        rng.jitter(self.max, self.jitter_per_mille)
    }

    /// Back to the foot of the ladder.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last reset.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_reset() {
        let mut rng = Rng::new([1; 32]);
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30), 0);
        let pauses: Vec<_> = (0..9).map(|_| backoff.next(&mut rng).as_millis()).collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff.longest(&mut rng), Duration::from_secs(30));
        backoff.reset();
        assert_eq!(backoff.next(&mut rng), Duration::from_millis(500));
    }

    #[test]
    fn the_ladder_never_ends() {
        let mut rng = Rng::new([1; 32]);
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO, 0);
        for _ in 0..100 {
            assert_eq!(backoff.next(&mut rng), Duration::from_millis(1));
        }
        assert_eq!(backoff.failures(), 100);
    }

    #[test]
    fn chance_spreads_a_pause_to_both_sides() {
        let mut rng = Rng::new([1; 32]);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(1), 300);
        let pauses: Vec<_> = (0..1_000).map(|_| backoff.next(&mut rng).as_millis()).collect();
        assert!(pauses.iter().all(|pause| (700..=1_300).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause < 800) && pauses.iter().any(|pause| *pause > 1_200));
    }
}
