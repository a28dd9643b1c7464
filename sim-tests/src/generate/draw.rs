//! Draws for the generators. Integers only, so that a seed means the same on every platform.

use std::time::Duration;

use io_sim::HostId;
use proto_core::rng::Rng;

/// A seeded generator with the distributions that scenarios need.
#[derive(Clone, Debug)]
pub(crate) struct Draw(Rng);

impl Draw {
    pub(crate) fn new(family: &str, seed: u64) -> Self {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&seed.to_le_bytes());
        Self(Rng::new(root).fork(family))
    }

    /// A generator of its own for one part, so that a new draw in one part shifts no other.
    pub(crate) fn part(&self, label: &str) -> Self {
        Self(self.0.fork(label))
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high.saturating_sub(low) + 1)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between_u32(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.between(low.into(), high.into())).unwrap_or(high)
    }

    /// From `low` to `high` with each doubling equally likely: small values are as frequent as large ones.
    pub(crate) fn scale(&mut self, low: u64, high: u64) -> u64 {
        let doublings = (high / low.max(1)).max(1).ilog2();
        let base = low.max(1) << self.between(0, doublings.into());
        self.between(base, (2 * base).min(high).max(base)).clamp(low, high)
    }

    /// As [`Draw::scale`].
    pub(crate) fn scale_u32(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.scale(low.into(), high.into())).unwrap_or(high)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    /// A place in a list of this length.
    pub(crate) fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.0.below(len as u64)).unwrap_or(0)
    }

    /// As [`Draw::scale`], in microseconds.
    pub(crate) fn scale_us(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.scale(low, high))
    }

    /// A host of so many.
    pub(crate) fn host(&mut self, hosts: u32) -> HostId {
        HostId(u32::try_from(self.0.below(hosts.into())).unwrap_or(0))
    }

    /// Two different hosts of so many.
    pub(crate) fn pair(&mut self, hosts: u32) -> (HostId, HostId) {
        let a = self.host(hosts);
        let b = (a.0 + 1 + self.host(hosts - 1).0) % hosts;
        (a, HostId(b))
    }

    /// Some of the hosts, `least` to `most` of them, in order.
    pub(crate) fn some(&mut self, hosts: u32, least: u32, most: u32) -> Vec<HostId> {
        let count = self.between(least.into(), most.into());
        let mut all = self.shuffled(hosts);
        all.truncate(usize::try_from(count).unwrap_or(0));
        all.sort_unstable();
        all
    }

    /// All hosts in random order.
    pub(crate) fn shuffled(&mut self, hosts: u32) -> Vec<HostId> {
        let mut all: Vec<_> = (0..hosts).map(HostId).collect();
        for last in (1..all.len()).rev() {
            let other = self.place(last + 1);
            all.swap(last, other);
        }
        all
    }

    /// One of several, by weight; `None` if every weight is 0.
    pub(crate) fn weighted<T: Copy>(&mut self, choices: &[(T, u32)]) -> Option<T> {
        let total: u64 = choices.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = self.0.below(total);
        for (choice, weight) in choices {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return Some(*choice),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_in_range() {
        let mut draw = Draw::new("test", 1);
        for _ in 0..2_000 {
            assert!((3..=9).contains(&draw.between(3, 9)));
            assert!((10..=1_000).contains(&draw.scale(10, 1_000)));
            let (a, b) = draw.pair(3);
            assert!(a != b && a.0 < 3 && b.0 < 3);
            assert!((1..=2).contains(&draw.some(4, 1, 2).len()));
            assert_eq!(draw.weighted(&[('a', 0), ('b', 2), ('c', 0)]), Some('b'));
        }
        assert_eq!(draw.weighted(&[('a', 0)]), None);
    }

    #[test]
    fn scaled_draws_are_small_as_often_as_large() {
        let mut draw = Draw::new("test", 2);
        let small = (0..1_000).filter(|_| draw.scale(1, 1_000_000) < 1_000).count();
        assert!((400..=600).contains(&small), "{small}");
    }
}
