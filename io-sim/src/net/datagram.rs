//! What becomes of a datagram: loss, delay, duplication, reordering, rate, size and flipped bits.
//!
//! A pure function of the path's state and the datagram's own draws. The order is that of a real way: size, queue and
//! rate at the sender; then loss; then delay, duplication and damage.

use super::path::Path;
use crate::{rng::Draws, time::SimTime};

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives.
    Deliver {
        /// When.
        at: SimTime,
        /// When it arrives once more, if it does.
        again: Option<SimTime>,
        /// Which bit of it is flipped, if one is. Both copies have it.
        flipped: Option<usize>,
    },
    /// It does not.
    Drop(DropReason),
}

/// Why a datagram did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Larger than the path takes.
    TooLarge,
    /// No room in the queue of a limited path.
    QueueFull,
    /// By chance.
    Lost,
    /// By a partition.
    Partitioned,
}

impl Path {
    /// Sends a datagram of `len` bytes, headers included.
    pub(crate) fn datagram(&mut self, now: SimTime, len: usize, draws: &mut Draws) -> Verdict {
        if len > usize::from(self.spec.mtu) {
            return Verdict::Drop(DropReason::TooLarge);
        }
        if self.spec.rate_bytes_per_s > 0 && self.backlog(now).saturating_add(len as u64) > self.spec.queue_bytes {
            return Verdict::Drop(DropReason::QueueFull);
        }
        let departed = self.depart(now, len as u64);
        if self.is_cut() {
            return Verdict::Drop(DropReason::Partitioned);
        }
        if self.loses(draws) {
            return Verdict::Drop(DropReason::Lost);
        }
        let mut at = self.arrive(departed, draws);
        if draws.chance(self.spec.reorder_per_mille) {
            at += self.spec.reorder_by;
        }
        let again = draws.chance(self.spec.duplicate_per_mille).then(|| self.arrive(departed, draws));
        let flipped = (len > 0 && draws.chance(self.spec.corrupt_per_mille)).then(|| bit(len, draws));
        Verdict::Deliver { at, again, flipped }
    }
}

/// Any bit of `len` bytes.
fn bit(len: usize, draws: &mut Draws) -> usize {
    usize::try_from(draws.below(len as u64 * 8)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::{
        net::{LinkSpec, Loss},
        rng::Dice,
    };

    const QUIET: LinkSpec = LinkSpec {
        latency: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss: Loss::None,
        duplicate_per_mille: 0,
        reorder_per_mille: 0,
        reorder_by: Duration::from_millis(5),
        rate_bytes_per_s: 0,
        queue_bytes: 10_000,
        mtu: 1_500,
        corrupt_per_mille: 0,
    };

    /// Sends `count` datagrams of 100 bytes, one every millisecond.
    fn send(spec: LinkSpec, count: u64) -> Vec<Verdict> {
        let (mut path, dice) = (Path::new(spec), Dice::new(42));
        let mut one = |n| {
            let mut draws = path.next_packet(dice, 0, 1);
            path.datagram(SimTime::from_millis(n), 100, &mut draws)
        };
        (0..count).map(&mut one).collect()
    }

    fn arrivals(verdicts: &[Verdict]) -> Vec<SimTime> {
        let at = |verdict: &Verdict| match verdict {
            Verdict::Deliver { at, .. } => Some(*at),
            Verdict::Drop(_) => None,
        };
        verdicts.iter().filter_map(at).collect()
    }

    #[test]
    fn a_quiet_path_only_takes_time() {
        let plain = Verdict::Deliver { at: SimTime::from_millis(11), again: None, flipped: None };
        assert_eq!(send(QUIET, 2)[1], plain);
    }

    #[test]
    fn jitter_stays_in_its_range_and_reaches_both_ends() {
        let verdicts = send(LinkSpec { jitter: Duration::from_millis(4), ..QUIET }, 10_000);
        let delays: Vec<_> =
            (0..).zip(arrivals(&verdicts)).map(|(n, at)| at.since(SimTime::from_millis(n)).as_micros()).collect();
        assert!((10_000..10_050).contains(delays.iter().min().unwrap()));
        assert!((13_950..=14_000).contains(delays.iter().max().unwrap()));
    }

    #[test]
    fn as_many_are_lost_as_configured() {
        let verdicts = send(QUIET.with_loss(300), 20_000);
        let lost = verdicts.iter().filter(|verdict| **verdict == Verdict::Drop(DropReason::Lost)).count();
        assert!((5_700..6_300).contains(&lost), "{lost}");
    }

    #[test]
    fn gilbert_elliott_loses_in_bursts() {
        let loss = Loss::GilbertElliott {
            to_bad_per_mille: 10,
            to_good_per_mille: 100,
            good_per_mille: 0,
            bad_per_mille: 1_000,
        };
        let verdicts = send(LinkSpec { loss, ..QUIET }, 100_000);
        let lost = |verdict: &Verdict| *verdict == Verdict::Drop(DropReason::Lost);
        let bursts: Vec<_> = verdicts.chunk_by(|a, b| lost(a) == lost(b)).filter(|run| lost(&run[0])).collect();
        let total: usize = bursts.iter().map(|burst| burst.len()).sum();
        // Bad one time in eleven, ten packets at a stretch.
        assert!((8_000..10_200).contains(&total), "{total}");
        assert!((9..=11).contains(&(total / bursts.len())), "{}", total / bursts.len());
    }

    #[test]
    fn duplicates_corruption_and_reordering_happen_as_often_as_configured() {
        let spec = LinkSpec { duplicate_per_mille: 100, corrupt_per_mille: 50, reorder_per_mille: 200, ..QUIET };
        let (mut doubles, mut flips) = (0, 0);
        let verdicts = send(spec, 20_000);
        for verdict in &verdicts {
            if let Verdict::Deliver { again, flipped, .. } = verdict {
                doubles += usize::from(again.is_some());
                flips += usize::from(flipped.is_some());
                assert!(flipped.is_none_or(|bit| bit < 800));
            }
        }
        let overtaken = arrivals(&verdicts).windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((1_850..2_150).contains(&doubles), "{doubles}");
        assert!((900..1_100).contains(&flips), "{flips}");
        // One is overtaken when it is held back and the next one is not: 0.2 * 0.8 of them.
        assert!((3_000..3_400).contains(&overtaken), "{overtaken}");
    }

    #[test]
    fn a_limited_path_queues_and_then_drops_the_tail() {
        let spec = LinkSpec { rate_bytes_per_s: 50_000, queue_bytes: 1_000, ..QUIET };
        let verdicts = send(spec, 1_000);
        let arrived = arrivals(&verdicts);
        // 100 bytes every 2 ms go out, one comes every millisecond.
        assert!((500..=520).contains(&arrived.len()), "{}", arrived.len());
        assert!(arrived.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_millis(2)));
        assert!(verdicts.contains(&Verdict::Drop(DropReason::QueueFull)));
        assert_eq!(verdicts[0], Verdict::Deliver { at: SimTime::from_millis(12), again: None, flipped: None });
    }

    #[test]
    fn what_is_too_large_or_cut_off_does_not_arrive() {
        let mut path = Path::new(QUIET);
        let mut draws = path.next_packet(Dice::new(1), 0, 1);
        assert_eq!(path.datagram(SimTime::ZERO, 1_501, &mut draws), Verdict::Drop(DropReason::TooLarge));
        let mut paths = super::super::path::Paths::new(QUIET, Dice::new(1), false);
        (0..2).for_each(|_| paths.add_host());
        paths.cut(|src, dst| (src, dst) == (0, 1));
        let cut = paths.get_mut(0, 1).datagram(SimTime::ZERO, 100, &mut draws);
        assert_eq!(cut, Verdict::Drop(DropReason::Partitioned));
        assert!(matches!(paths.get_mut(1, 0).datagram(SimTime::ZERO, 100, &mut draws), Verdict::Deliver { .. }));
        paths.heal();
        assert!(matches!(paths.get_mut(0, 1).datagram(SimTime::ZERO, 100, &mut draws), Verdict::Deliver { .. }));
    }
}
