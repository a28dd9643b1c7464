//! What a subscriber counts, and what a publisher tells.

use std::io;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{monotonic, payload};

/// Shortest latency that is told apart, in nanoseconds.
const LATENCY_MIN: u64 = 100;
/// Longest latency that is told apart, in nanoseconds.
const LATENCY_MAX: u64 = 120_000_000_000;

/// Checks messages as they arrive.
#[derive(Debug)]
pub struct Tally {
    count: u64,
    sample: u64,
    /// The number that comes next if all goes well.
    next: u64,
    seen: Vec<u64>,
    distinct: u64,
    duplicates: u64,
    disordered: u64,
    strange: u64,
    last: u64,
    latency: Histogram<u64>,
}

/// What has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arrived {
    /// Different messages.
    pub distinct: u64,
    /// Messages that never came.
    pub lost: u64,
    /// Messages that came more than once.
    pub duplicates: u64,
    /// Messages that came after a later one.
    pub disordered: u64,
    /// Messages that nobody published.
    pub strange: u64,
    /// When the last one came, on the monotonic clock.
    pub last_ns: u64,
    /// How long they took.
    pub latency: Latency,
}

/// How long messages took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Messages whose time was taken.
    pub samples: u64,
    /// Half of them took no longer.
    pub p50_us: f64,
    /// 99 of 100 took no longer.
    pub p99_us: f64,
    /// 999 of 1,000 took no longer.
    pub p999_us: f64,
    /// None took longer.
    pub max_us: f64,
}

/// What came of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// Calls that were answered with what they carried.
    pub answered: u64,
    /// The others.
    pub failed: u64,
    /// When the first call was made, on the monotonic clock.
    pub start_ns: u64,
    /// When the last one was over.
    pub end_ns: u64,
    /// How long they took.
    pub latency: Latency,
}

/// What was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// When the first message was published, on the monotonic clock.
    pub start_ns: u64,
    /// When the last one was answered for.
    pub end_ns: u64,
    /// Whether it was.
    pub confirmed: bool,
}

impl Tally {
    /// Waits for `count` messages and takes the time of one in `sample`.
    ///
    /// # Errors
    /// If there is no room for the histogram.
    pub fn new(count: u64, sample: u64) -> io::Result<Self> {
        let words = usize::try_from(count.div_ceil(64)).unwrap_or(usize::MAX);
        let latency = histogram()?;
        Ok(Self {
            count,
            sample: sample.max(1),
            next: 0,
            seen: vec![0; words],
            distinct: 0,
            duplicates: 0,
            disordered: 0,
            strange: 0,
            last: 0,
            latency,
        })
    }

    /// Takes a message. Whether all are there.
    pub fn take(&mut self, payload: &[u8]) -> bool {
        let Some((number, due)) = payload::read(payload).filter(|(number, _)| *number < self.count) else {
            self.strange += 1;
            return false;
        };
        // `count` words were allocated for `count` numbers.
        let word = usize::try_from(number / 64).ok().and_then(|index| self.seen.get_mut(index));
        let Some(word) = word else { return false };
        let bit = 1 << (number % 64);
        if *word & bit != 0 {
            self.duplicates += 1;
            return false;
        }
        *word |= bit;
        self.distinct += 1;
        if number < self.next {
            self.disordered += 1;
        } else {
            self.next = number + 1;
        }
        if due != 0 && number.is_multiple_of(self.sample) {
            let took = monotonic().saturating_sub(due);
            self.latency.saturating_record(took);
        }
        let done = self.distinct == self.count;
        if done {
            self.last = monotonic();
        }
        done
    }

    /// Adds what another one took, of the same messages.
    ///
    /// # Errors
    /// If their times cannot be added.
    pub fn join(&mut self, other: &Self) -> io::Result<()> {
        self.count += other.count;
        self.distinct += other.distinct;
        self.duplicates += other.duplicates;
        self.disordered += other.disordered;
        self.strange += other.strange;
        // One that is not done has not come to its last message.
        self.last = if self.last == 0 || other.last == 0 { 0 } else { self.last.max(other.last) };
        self.latency.add(&other.latency).map_err(io::Error::other)
    }

    /// The result.
    #[must_use]
    pub fn finish(&self) -> Arrived {
        Arrived {
            distinct: self.distinct,
            lost: self.count - self.distinct,
            duplicates: self.duplicates,
            disordered: self.disordered,
            strange: self.strange,
            last_ns: if self.last == 0 { monotonic() } else { self.last },
            latency: Latency::of(&self.latency),
        }
    }
}

impl Arrived {
    /// Adds what another process took. Of the times, which lie apart by then, the longer ones count.
    pub fn join(&mut self, other: Self) {
        self.distinct += other.distinct;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.disordered += other.disordered;
        self.strange += other.strange;
        self.last_ns = self.last_ns.max(other.last_ns);
        self.latency = self.latency.worse(other.latency);
    }

    /// Whether every message came, once, in order, and nothing else.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.lost == 0 && self.duplicates == 0 && self.disordered == 0 && self.strange == 0
    }
}

impl Latency {
    /// The median of every figure, each for itself.
    #[must_use]
    pub fn median(all: impl Iterator<Item = Self> + Clone) -> Self {
        let of = |pick: fn(&Self) -> f64| median(all.clone().map(|it| pick(&it)));
        Self {
            samples: all.clone().map(|it| it.samples).sum(),
            p50_us: of(|it| it.p50_us),
            p99_us: of(|it| it.p99_us),
            p999_us: of(|it| it.p999_us),
            max_us: of(|it| it.max_us),
        }
    }

    /// The longer time of each figure.
    fn worse(self, other: Self) -> Self {
        Self {
            samples: self.samples + other.samples,
            p50_us: self.p50_us.max(other.p50_us),
            p99_us: self.p99_us.max(other.p99_us),
            p999_us: self.p999_us.max(other.p999_us),
            max_us: self.max_us.max(other.max_us),
        }
    }

    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        Self {
            samples: histogram.len(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(histogram.max()),
        }
    }
}

/// A histogram for times in nanoseconds.
///
/// # Errors
/// If there is no room for it.
pub(super) fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(LATENCY_MIN, LATENCY_MAX, 3).map_err(io::Error::other)
}

/// The value in the middle; zero of nothing.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Payloads;

    fn arrived(count: u64, numbers: &[u64]) -> Arrived {
        let mut tally = Tally::new(count, 1).unwrap();
        let mut payloads = Payloads::new(16);
        for &number in numbers {
            tally.take(&payloads.make(number, monotonic()));
        }
        tally.finish()
    }

    #[test]
    fn all_once_and_in_order_is_clean() {
        let all: Vec<u64> = (0..200).collect();
        let arrived = arrived(200, &all);
        assert!(arrived.is_clean(), "{arrived:?}");
        assert_eq!((arrived.distinct, arrived.latency.samples), (200, 200));
        let Latency { p50_us, max_us, .. } = arrived.latency;
        assert!(0.0 < max_us && p50_us <= max_us, "{:?}", arrived.latency);
    }

    #[test]
    fn what_is_missing_double_late_or_strange_is_counted() {
        let arrived = arrived(5, &[0, 2, 1, 2, 9]);
        let Arrived { distinct, lost, duplicates, disordered, strange, .. } = arrived;
        assert_eq!((distinct, lost, duplicates, disordered, strange), (3, 2, 1, 1, 1));
        assert!(!arrived.is_clean());
    }

    #[test]
    fn several_are_clean_together_only_if_each_is() {
        let mut payloads = Payloads::new(16);
        let mut tally = |numbers: &[u64]| {
            let mut tally = Tally::new(2, 1).unwrap();
            numbers.iter().for_each(|&number| _ = tally.take(&payloads.make(number, 0)));
            tally
        };
        let (mut whole, same, part) = (tally(&[0, 1]), tally(&[0, 1]), tally(&[1]));
        whole.join(&same).unwrap();
        assert_eq!((whole.finish().is_clean(), whole.finish().distinct), (true, 4));
        whole.join(&part).unwrap();
        assert_eq!((whole.finish().lost, whole.finish().distinct), (1, 5));
        let mut both = same.finish();
        both.join(part.finish());
        assert_eq!((both.lost, both.distinct), (1, 3));
    }

    #[test]
    fn the_last_message_ends_it() {
        let mut tally = Tally::new(2, 1).unwrap();
        let mut payloads = Payloads::new(16);
        assert!(!tally.take(&payloads.make(0, 0)));
        assert!(tally.take(&payloads.make(1, 0)));
        assert_eq!(tally.finish().latency.samples, 0, "nobody said when they were due");
    }
}
