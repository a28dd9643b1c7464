//! What crossing a link costs, and when a change of it is worth telling the mesh.
//!
//! Every change of a cost makes every node compute its routes anew, so small and short changes are kept here: a new
//! cost is announced when it has differed from the announced one by more than a quarter and more than [`MARGIN`], for
//! [`SAMPLES`] samples in a row and at least [`HOLD`].

use core::time::Duration;

use crate::{limits::LINK_COST_MAX, node::Metric, time::Time};

/// Difference that is never announced: 1 ms in [`Metric::Latency`].
const MARGIN: u32 = 10;
/// Samples in a row that must differ.
const SAMPLES: u32 = 3;
/// Time for which they must differ.
const HOLD: Duration = Duration::from_secs(2);

/// The cost of a link with this smoothed round trip; between 1 and [`LINK_COST_MAX`]. `configured` is 0 where nothing is
/// configured.
pub(super) fn cost(metric: Metric, srtt: Option<Duration>, configured: u32) -> u32 {
    let measured = match metric {
        Metric::Latency => srtt.map_or(0, |srtt| u32::try_from(srtt.as_micros() / 100).unwrap_or(u32::MAX)),
        Metric::Hops => 1,
        Metric::Cost => 0,
    };
    measured.saturating_add(configured).clamp(1, LINK_COST_MAX)
}

/// The announced cost of one link.
#[derive(Clone, Debug)]
pub(super) struct Announced {
    cost: u32,
    differs: u32,
    since: Time,
}

impl Announced {
    /// `cost` was announced with the link.
    pub(super) const fn new(cost: u32) -> Self {
        Self { cost, differs: 0, since: Time::ZERO }
    }

    /// What was announced last.
    pub(super) const fn cost(&self) -> u32 {
        self.cost
    }

    /// Takes a sample in; the new cost if it is to be announced.
    pub(super) fn observe(&mut self, now: Time, cost: u32) -> Option<u32> {
        let difference = self.cost.abs_diff(cost);
        if difference <= MARGIN || difference <= self.cost / 4 {
            self.differs = 0;
            return None;
        }
        if self.differs == 0 {
            self.since = now;
        }
        self.differs = self.differs.saturating_add(1);
        if self.differs < SAMPLES || now.since(self.since) < HOLD {
            return None;
        }
        *self = Self::new(cost);
        Some(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_cost_is_at_least_one_and_at_most_the_limit() {
        let millis = |millis| Some(Duration::from_millis(millis));
        assert_eq!(cost(Metric::Latency, None, 0), 1);
        assert_eq!(cost(Metric::Latency, millis(25), 7), 257);
        assert_eq!(cost(Metric::Latency, Some(Duration::MAX), u32::MAX), LINK_COST_MAX);
        assert_eq!((cost(Metric::Hops, millis(25), 0), cost(Metric::Hops, millis(25), 4)), (1, 5));
        assert_eq!((cost(Metric::Cost, millis(25), 0), cost(Metric::Cost, millis(25), 4)), (1, 4));
    }

    #[test]
    fn a_lasting_change_is_announced_once() {
        let mut announced = Announced::new(100);
        assert_eq!(announced.observe(at(0), 200), None);
        assert_eq!(announced.observe(at(1_000), 200), None);
        assert_eq!(announced.observe(at(2_000), 210), Some(210));
        assert_eq!(announced.observe(at(3_000), 210), None);
        assert_eq!(announced.cost(), 210);
    }

    #[test]
    fn a_short_change_is_not_announced() {
        let mut announced = Announced::new(100);
        for second in 0..100 {
            let cost = if second % 3 == 2 { 100 } else { 500 };
            assert_eq!(announced.observe(Time::from_secs(second), cost), None);
        }
        assert_eq!(announced.observe(at(199_000), 100), None);
        for millis in 0..199 {
            assert_eq!(announced.observe(at(200_000 + millis * 10), 500), None);
        }
        assert_eq!(announced.observe(at(202_000), 500), Some(500));
    }

    #[test]
    fn a_small_change_is_not_announced() {
        let mut announced = Announced::new(100);
        assert!((0..100).all(|second| announced.observe(Time::from_secs(second), 125).is_none()));
        let mut announced = Announced::new(1);
        assert!((0..100).all(|second| announced.observe(Time::from_secs(second), 11).is_none()));
    }
}
