//! One direction between two hosts: its parameters, its state, and what becomes of a packet on it.

use core::time::Duration;

use super::{
    partition::Partition,
    spec::{LinkSpec, Loss},
    stream::{RTO_MAX, RTO_MIN},
};
use crate::{
    canary,
    host::HostId,
    rng::{Dice, Draws, Label},
    time::{SimTime, nanos},
};

/// Time between a host and itself.
const LOOPBACK: Duration = Duration::from_micros(20);

/// One direction between two hosts.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// What it is like.
    pub(crate) spec: LinkSpec,
    /// How many partitions cut it at present.
    cuts: u32,
    /// Flip a bit of the next bytes that a stream delivers.
    pub(super) flip_next: bool,
    /// The bad state of [`Loss::GilbertElliott`].
    bad: bool,
    /// When the last byte that waits for its rate is out.
    busy_until: SimTime,
    /// Packets so far, which names the draws of the next one.
    packets: u64,
    /// Other decisions so far.
    decisions: u64,
}

impl Path {
    pub(super) fn new(spec: LinkSpec) -> Self {
        Self { spec, cuts: 0, flip_next: false, bad: false, busy_until: SimTime::ZERO, packets: 0, decisions: 0 }
    }

    /// The draws of the next packet.
    pub(super) const fn next_packet(&mut self, dice: Dice, src: u32, dst: u32) -> Draws {
        self.packets += 1;
        dice.draws(Label::Packet, src, dst, self.packets)
    }

    /// The draws of the next other decision.
    pub(super) const fn next_decision(&mut self, dice: Dice, label: Label, src: u32, dst: u32) -> Draws {
        self.decisions += 1;
        dice.draws(label, src, dst, self.decisions)
    }

    /// Whether a partition cuts it.
    pub(crate) const fn is_cut(&self) -> bool {
        self.cuts > 0
    }

    /// Whether one more packet is lost by chance.
    pub(super) const fn loses(&mut self, draws: &mut Draws) -> bool {
        match self.spec.loss {
            Loss::None => false,
            Loss::Bernoulli { per_mille } => draws.chance(per_mille),
            Loss::GilbertElliott { to_bad_per_mille, to_good_per_mille, good_per_mille, bad_per_mille } => {
                let turns = draws.chance(if self.bad { to_good_per_mille } else { to_bad_per_mille });
                self.bad ^= turns;
                draws.chance(if self.bad { bad_per_mille } else { good_per_mille })
            }
        }
    }

    /// Bytes that wait for the path's rate.
    pub(super) fn backlog(&self, now: SimTime) -> u64 {
        let wait = u128::from(nanos(self.busy_until.since(now)));
        u64::try_from(wait * u128::from(self.spec.rate_bytes_per_s) / 1_000_000_000).unwrap_or(u64::MAX)
    }

    /// When `len` bytes handed over at `now` have left, after all that was handed over before.
    pub(super) fn depart(&mut self, now: SimTime, len: u64) -> SimTime {
        if self.spec.rate_bytes_per_s == 0 {
            return now;
        }
        let takes = u128::from(len) * 1_000_000_000 / u128::from(self.spec.rate_bytes_per_s);
        let takes = Duration::from_nanos(u64::try_from(takes).unwrap_or(u64::MAX));
        self.busy_until = self.busy_until.max(now) + takes;
        self.busy_until
    }

    /// When a packet that left at `departed` arrives: always later.
    pub(super) fn arrive(&self, departed: SimTime, draws: &mut Draws) -> SimTime {
        departed + (self.spec.latency + draws.up_to(self.spec.jitter)).max(Duration::from_nanos(1))
    }
}

/// All paths. A world has its own; an overlay over another simulator's network makes one with [`Paths::of_hosts`], so that
/// both lose and delay alike.
#[derive(Debug)]
pub struct Paths {
    rows: Vec<Vec<Path>>,
    usual: LinkSpec,
    pub(super) dice: Dice,
    canary: bool,
}

impl Paths {
    pub(super) const fn new(usual: LinkSpec, dice: Dice, canary: bool) -> Self {
        Self { rows: Vec::new(), usual, dice, canary }
    }

    /// The paths between so many hosts. Equal seeds give equal fates; `canary`: nondeterministic on purpose.
    #[must_use]
    pub fn of_hosts(hosts: usize, usual: LinkSpec, seed: u64, canary: bool) -> Self {
        let mut paths = Self::new(usual, Dice::new(seed), canary);
        (0..hosts).for_each(|_| paths.add_host());
        paths
    }

    /// One more host, with paths to and from all others.
    pub(super) fn add_host(&mut self) {
        for row in &mut self.rows {
            row.push(Path::new(self.usual));
        }
        let count = self.rows.len();
        let mut row = vec![Path::new(self.usual); count + 1];
        row[count].spec = LinkSpec::with_latency(LOOPBACK);
        self.rows.push(row);
    }

    /// The path from `src` to `dst`.
    pub(crate) fn get(&self, src: u32, dst: u32) -> &Path {
        &self.rows[src as usize][dst as usize]
    }

    /// The path from `src` to `dst`, to change.
    pub(crate) fn get_mut(&mut self, src: u32, dst: u32) -> &mut Path {
        &mut self.rows[src as usize][dst as usize]
    }

    /// Changes what one direction is like.
    pub fn reshape(&mut self, from: HostId, to: HostId, spec: LinkSpec) {
        self.get_mut(from.0, to.0).spec = spec;
    }

    /// Lets a partition begin.
    pub fn partition(&mut self, partition: &Partition) {
        self.cut(|src, dst| partition.cuts(HostId(src), HostId(dst)));
    }

    /// Whether some partition cuts this direction.
    #[must_use]
    pub fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.get(from.0, to.0).is_cut()
    }

    /// How long a sender waits until it sends something lost again: a round trip if the receiver asks for it, the
    /// timeout otherwise, which doubles with every loss in a row.
    #[must_use]
    pub fn retransmit_after(&self, from: HostId, to: HostId, losses: u32, lost: Lost) -> Duration {
        let round_trip = self.get(from.0, to.0).spec.latency + self.get(to.0, from.0).spec.latency;
        let timeout = (round_trip * 2).max(RTO_MIN).saturating_mul(1 << losses.min(16)).min(RTO_MAX);
        if lost.noticed { round_trip } else { timeout }
    }

    /// Cuts every path that `cuts` names, once more.
    pub(super) fn cut(&mut self, cuts: impl Fn(u32, u32) -> bool) {
        for (src, row) in (0..).zip(&mut self.rows) {
            for (dst, path) in (0..).zip(row) {
                path.cuts += u32::from(cuts(src, dst));
            }
        }
    }

    /// Ends every cut.
    pub fn heal(&mut self) {
        self.rows.iter_mut().flatten().for_each(|path| path.cuts = 0);
    }

    /// Sends the packets that `len` bytes of a stream need, and tells when the last of them arrives.
    ///
    /// # Errors
    /// [`Lost`] if one of them is lost.
    pub fn carry(&mut self, now: SimTime, from: HostId, to: HostId, len: usize) -> Result<SimTime, Lost> {
        let (dice, canary, src, dst) = (self.dice, self.canary, from.0, to.0);
        let path = self.get_mut(src, dst);
        let mut draws = path.next_packet(dice, src, dst);
        let payload = usize::from(path.spec.mtu).saturating_sub(HEADERS).max(1);
        let packets = len.div_ceil(payload).max(1);
        let corrupt = path.spec.corrupt_per_mille;
        // The last one that is lost decides: three more behind it make the receiver ask for it at once.
        let lost = (0..packets).filter(|_| path.loses(&mut draws) || draws.chance(corrupt)).last();
        let departed = path.depart(now, (len + packets * HEADERS) as u64);
        if path.is_cut() {
            return Err(Lost { noticed: false });
        }
        match lost {
            Some(index) => Err(Lost { noticed: packets - index > 3 }),
            None if canary => Ok(path.arrive(departed, &mut draws) + canary::noise()),
            None => Ok(path.arrive(departed, &mut draws)),
        }
    }
}

/// Bytes of a packet that carry no payload: IPv4 and TCP with timestamps.
const HEADERS: usize = 52;

/// A packet of a stream was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Packets behind it arrived, so the sender learns of it within a round trip.
    pub noticed: bool,
}
