//! How far away is the peer, and how much gets lost? Numbers pings, matches their answers, and smooths both.
//!
//! The round trip is smoothed after RFC 6298, in integers. Loss is the smoothed share of pings that nothing answered in
//! time; on a reliable channel that means stalls. Only what this node remembers of its own pings counts: an answer that
//! was never asked for changes nothing, so a peer can make itself look farther away but not closer.
//!
//! Bounds: [`PINGS_OPEN_MAX`] pings are remembered. One more makes the oldest count as lost.

use core::time::Duration;

use smallvec::SmallVec;

use crate::{
    limits::PINGS_OPEN_MAX,
    time::Time,
    wire::v1::{Ping, Pong},
};

/// All pings lost, in the unit of [`Meter::loss`].
const ALL: u32 = 1_000_000;
/// A new ping moves the smoothed loss by one part in this many.
const LOSS_WEIGHT: u32 = 16;

/// Measures one link.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    last_id: u32,
    open: SmallVec<[Open; PINGS_OPEN_MAX]>,
    smoothed: Option<Smoothed>,
    /// In millionths.
    loss: u32,
}

/// A ping that is not answered yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u32,
    sent: Time,
}

/// The two figures of RFC 6298.
#[derive(Clone, Copy, Debug)]
struct Smoothed {
    srtt: Duration,
    variance: Duration,
}

impl Meter {
    /// The next ping.
    pub(super) fn ask(&mut self, now: Time) -> Ping {
        if self.open.len() >= PINGS_OPEN_MAX {
            self.open.remove(0);
            self.loss += (ALL - self.loss) / LOSS_WEIGHT;
        }
        self.last_id = self.last_id.wrapping_add(1);
        self.open.push(Open { id: self.last_id, sent: now });
        Ping { id: self.last_id, stamp: now.as_nanos() }
    }

    /// Takes an answer in, and says whether it told something new.
    pub(super) fn answered(&mut self, now: Time, pong: Pong) -> bool {
        let Some(index) = self.open.iter().position(|open| open.id == pong.id) else { return false };
        let open = self.open.remove(index);
        self.loss -= self.loss / LOSS_WEIGHT;
        self.sample(now.since(open.sent));
        true
    }

    /// Takes a measured round trip in.
    pub(super) fn sample(&mut self, rtt: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => Smoothed { srtt: rtt, variance: rtt / 2 },
            Some(Smoothed { srtt, variance }) => {
                Smoothed { srtt: srtt - srtt / 8 + rtt / 8, variance: variance - variance / 4 + srtt.abs_diff(rtt) / 4 }
            }
        });
    }

    /// The smoothed round trip, once there was one.
    pub(super) fn srtt(&self) -> Option<Duration> {
        self.smoothed.map(|smoothed| smoothed.srtt)
    }

    /// How much the round trip varies, once there was one.
    pub(super) fn variance(&self) -> Option<Duration> {
        self.smoothed.map(|smoothed| smoothed.variance)
    }

    /// The smoothed share of pings without an answer, in thousandths.
    pub(super) const fn loss_per_mille(&self) -> u32 {
        self.loss / (ALL / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    const fn answer(ping: Ping) -> Pong {
        Pong { id: ping.id, stamp: ping.stamp }
    }

    #[test]
    fn the_first_sample_counts_whole_and_later_ones_an_eighth() {
        let mut meter = Meter::default();
        let ping = meter.ask(at(0));
        assert!(meter.answered(at(80), answer(ping)));
        assert_eq!(
            (meter.srtt(), meter.variance()),
            (Some(Duration::from_millis(80)), Some(Duration::from_millis(40)))
        );
        let ping = meter.ask(at(1_000));
        assert!(meter.answered(at(1_160), answer(ping)));
        assert_eq!(
            (meter.srtt(), meter.variance()),
            (Some(Duration::from_millis(90)), Some(Duration::from_millis(50)))
        );
    }

    #[test]
    fn only_own_pings_count_and_only_once() {
        let mut meter = Meter::default();
        let ping = meter.ask(at(0));
        assert!(!meter.answered(at(1), Pong { id: 99, stamp: 0 }));
        assert!(meter.answered(at(5), Pong { id: ping.id, stamp: u64::MAX }), "the stamp is not believed");
        assert!(!meter.answered(at(6), answer(ping)));
        assert_eq!(meter.srtt(), Some(Duration::from_millis(5)));
    }

    #[test]
    fn unanswered_pings_count_as_lost_after_four_more() {
        let mut meter = Meter::default();
        for second in 0..4 {
            meter.ask(Time::from_secs(second));
        }
        assert_eq!(meter.loss_per_mille(), 0);
        meter.ask(Time::from_secs(4));
        assert_eq!(meter.loss_per_mille(), 62);
        for second in 5..100 {
            meter.ask(Time::from_secs(second));
        }
        assert_eq!(meter.loss_per_mille(), 997);
        for second in 100..200 {
            let ping = meter.ask(Time::from_secs(second));
            meter.answered(Time::from_secs(second), answer(ping));
        }
        assert!(meter.loss_per_mille() < 5, "{}", meter.loss_per_mille());
    }

    proptest! {
        #[test]
        fn the_smoothed_round_trip_stays_between_the_extremes(samples in prop::collection::vec(0..10_000_000_000u64, 1..50)) {
            let mut meter = Meter::default();
            for &sample in &samples {
                meter.sample(Duration::from_nanos(sample));
            }
            let srtt = u64::try_from(meter.srtt().unwrap().as_nanos()).unwrap();
            let (low, high) = (*samples.iter().min().unwrap(), *samples.iter().max().unwrap());
            // Two divisions round down in each step.
            prop_assert!(low.saturating_sub(16) <= srtt && srtt <= high + 16, "{low} {srtt} {high}");
        }
    }
}
