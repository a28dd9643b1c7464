//! The pauses between attempts at a link.
//!
//! They double from the first to the longest. What is waited is drawn anew each time, from a range that is as wide as the
//! pauses are long: peers that lost the same node at the same moment come back one by one, and those that were too many at
//! once are not again (full jitter, as in Brooker, "Exponential Backoff and Jitter", 2015, with the first pause as the
//! least). A link that was lost after it had been up for long is tried again soon, but not by everybody at once either.

use core::time::Duration;

use crate::rng::Rng;

/// A ladder of pauses.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    initial: Duration,
    max: Duration,
    /// How far the pauses are spread: not at all at 0, over all that is allowed at 1,000.
    jitter_per_mille: u32,
    failures: u32,
}

impl Backoff {
    /// At the foot of the ladder.
    pub(super) fn new(initial: Duration, max: Duration, jitter_per_mille: u32) -> Self {
        // No pause at all would dial without end.
        let initial = initial.max(Duration::from_millis(1));
        Self { initial, max: max.max(initial), jitter_per_mille: jitter_per_mille.min(1_000), failures: 0 }
    }

    /// The pause before the first attempt at a peer whose link was up for long: at most the first of the ladder. Not a
    /// failure.
    pub(super) fn first(&self, rng: &mut Rng) -> Duration {
        between(rng, Duration::ZERO, self.spread(self.initial))
    }

    /// The pause after one more failure: never less than the first of the ladder.
    pub(super) fn next(&mut self, rng: &mut Rng) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let pause = self.initial.saturating_mul(factor).min(self.max);
        self.failures = self.failures.saturating_add(1);
        let spread = self.spread(pause);
        let least = (pause - spread).max(self.initial);
        between(rng, least, pause.saturating_add(spread * 2).min(self.max).max(least))
    }

    /// About the longest pause, for a failure that only a person can mend.
    pub(super) fn longest(&mut self, rng: &mut Rng) -> Duration {
        self.failures = self.failures.saturating_add(1);
        between(rng, self.max - self.spread(self.max) / 2, self.max)
    }

    /// Back to the foot of the ladder.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last reset.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    fn spread(&self, pause: Duration) -> Duration {
        pause / 1_000 * self.jitter_per_mille
    }
}

/// A duration from `least` to `most`.
fn between(rng: &mut Rng, least: Duration, most: Duration) -> Duration {
    let width = u64::try_from((most - least).as_nanos()).unwrap_or(u64::MAX);
    least + Duration::from_nanos(rng.below(width.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{RECONNECT_INITIAL, RECONNECT_JITTER_PER_MILLE, RECONNECT_MAX};
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
    fn chance_spreads_a_pause_over_its_length_and_never_below_the_first() {
        let mut rng = Rng::new([1; 32]);
        let mut range = |failures, jitter| {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), jitter);
            backoff.failures = failures;
            let pauses = (0..2_000).map(|_| backoff.clone().next(&mut rng).as_millis() / 100);
            pauses.fold((u128::MAX, 0), |(least, most), pause| (least.min(pause), most.max(pause)))
        };
        assert_eq!(
            [range(0, 1_000), range(1, 1_000), range(2, 1_000), range(9, 1_000)],
            [(10, 29), (10, 59), (10, 119), (10, 299)]
        );
        assert_eq!([range(0, 300), range(2, 300)], [(10, 15), (28, 63)]);
    }

    /// When each of a thousand peers dials a node that is lost at zero and there again, for whoever asks, at `back`; in
    /// milliseconds.
    fn dials_of_a_thousand(back: u64) -> Vec<u64> {
        let mut dials = Vec::new();
        for peer in 0..1_000 {
            let mut rng = Rng::new([9; 32]).fork(&std::format!("{peer}"));
            let mut backoff = Backoff::new(RECONNECT_INITIAL, RECONNECT_MAX, RECONNECT_JITTER_PER_MILLE);
            let mut at = backoff.first(&mut rng);
            loop {
                let millis = u64::try_from(at.as_millis()).unwrap();
                dials.push(millis);
                if millis >= back {
                    break;
                }
                at += backoff.next(&mut rng);
            }
        }
        dials.sort_unstable();
        dials
    }

    /// The most dials within a tenth of a second, from a moment on.
    fn most_at_once(dials: &[u64], from: u64) -> usize {
        let later = &dials[dials.partition_point(|dial| *dial < from)..];
        let until = |first: &u64| later.partition_point(|dial| *dial < first + 100);
        later.iter().enumerate().map(|(place, first)| until(first) - place).max().unwrap()
    }

    #[test]
    fn a_thousand_peers_of_a_node_that_restarts_do_not_come_back_at_once() {
        for (back, most) in [(0, 250), (1_000, 150), (5_000, 45), (20_000, 25)] {
            let dials = dials_of_a_thousand(back);
            assert!(most_at_once(&dials, 0) <= 250, "{}", most_at_once(&dials, 0));
            assert!(most_at_once(&dials, back) <= most, "{back}: {}", most_at_once(&dials, back));
            // One that is there again at once is dialled soon; the longest pause bounds all others.
            let last = *dials.last().unwrap();
            assert!(last <= if back == 0 { 500 } else { back + 30_000 }, "{back}: {last}");
        }
    }
}
