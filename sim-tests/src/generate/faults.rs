//! What breaks, how often, and when it is mended again.

use std::time::Duration;

use io_sim::{Fault, HostId, LinkSpec, Loss, Partition};

use super::{draw::Draw, workload::client};
use crate::scenario::TimedFault;

/// Kinds of faults that a swarm switches on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Crash,
    Kill,
    Stop,
    Pause,
    Split,
    OneWay,
    Bridge,
    Ring,
    Isolate,
    Lossy,
    Slow,
    Far,
    Flap,
    Clock,
    Cut,
    Corrupt,
    SlowApplication,
    StuckClient,
    Disk,
}

/// Every kind.
const ALL: [Kind; 19] = [
    Kind::Crash,
    Kind::Kill,
    Kind::Stop,
    Kind::Pause,
    Kind::Split,
    Kind::OneWay,
    Kind::Bridge,
    Kind::Ring,
    Kind::Isolate,
    Kind::Lossy,
    Kind::Slow,
    Kind::Far,
    Kind::Flap,
    Kind::Clock,
    Kind::Cut,
    Kind::Corrupt,
    Kind::SlowApplication,
    Kind::StuckClient,
    Kind::Disk,
];

/// The mix of one seed.
#[derive(Clone, Debug)]
pub(super) struct Swarm {
    weights: Vec<(Kind, u32)>,
    gap_ms: u64,
}

impl Swarm {
    /// Each kind is on with even chance, with weights over two decades. The kinds of `always` are on in every seed, with
    /// the largest weight.
    pub(super) fn new(draw: &mut Draw, always: &[Kind]) -> Self {
        let weights = ALL
            .iter()
            .map(|kind| {
                let weight = draw.scale_u32(1, 100);
                let on = draw.percent(50);
                (*kind, if always.contains(kind) { 100 } else { weight * u32::from(on) })
            })
            .collect();
        Self { weights, gap_ms: draw.scale(200, 4_000) }
    }

    /// Faults up to `until_ms`, with what mends them, in order of time.
    pub(super) fn faults(&self, draw: &mut Draw, hosts: u32, usual: LinkSpec, until_ms: u64) -> Vec<TimedFault> {
        let mut list = List { faults: Vec::new(), until_ms, hosts, usual };
        // The mesh forms undisturbed in half of the seeds, and is hit while it forms in the others.
        let mut at_ms = if draw.percent(50) { draw.between(1_000, 5_000) } else { 0 };
        loop {
            at_ms += draw.between(1, 2 * self.gap_ms);
            if at_ms >= until_ms {
                break;
            }
            if let Some(kind) = draw.weighted(&self.weights) {
                list.add(draw, kind, at_ms);
            }
        }
        list.faults.sort_by_key(|timed| timed.at_ms);
        list.faults
    }
}

struct List {
    faults: Vec<TimedFault>,
    until_ms: u64,
    hosts: u32,
    usual: LinkSpec,
}

impl List {
    fn push(&mut self, at_ms: u64, fault: Fault) {
        if at_ms <= self.until_ms {
            self.faults.push(TimedFault { at_ms, fault });
        }
    }

    fn add(&mut self, draw: &mut Draw, kind: Kind, at_ms: u64) {
        let mended_ms = at_ms + draw.scale(20, 10_000);
        let host = draw.host(self.hosts);
        let (from, to) = draw.pair(self.hosts);
        match kind {
            Kind::Crash => self.down(draw, at_ms, mended_ms, host, Fault::Crash { host }),
            Kind::Kill => self.down(draw, at_ms, mended_ms, host, Fault::Kill { host }),
            Kind::Stop => self.down(draw, at_ms, mended_ms, host, Fault::Stop { host }),
            Kind::Pause => self.push(at_ms, Fault::Pause { host, for_ms: draw.scale(10, 10_000) }),
            Kind::Split | Kind::OneWay | Kind::Bridge | Kind::Ring | Kind::Isolate => {
                let kind = self.partition(draw, kind);
                self.push(at_ms, Fault::Partition { kind });
                self.push(mended_ms, Fault::Heal);
            }
            Kind::Lossy | Kind::Slow | Kind::Far => {
                let spec = worse(draw, kind, self.usual);
                let both = draw.percent(50);
                self.path(at_ms, from, to, both, spec);
                self.path(mended_ms, from, to, both, self.usual);
            }
            Kind::Flap => {
                let period = draw.scale(20, 2_000);
                for beat in 0..draw.between(2, 10) {
                    self.push(at_ms + beat * period, Fault::CutStreams { a: from, b: to });
                }
            }
            Kind::Clock => self.push(at_ms, Fault::ClockRate { host, ppm: drift(draw) }),
            Kind::Cut => self.push(at_ms, Fault::CutStreams { a: from, b: to }),
            Kind::Corrupt => self.push(at_ms, Fault::Corrupt { from, to }),
            Kind::SlowApplication => {
                let consume_after_ms = draw.scale(1, 4_000);
                self.push(at_ms, Fault::SlowApplication { host, consume_after_ms });
                self.push(mended_ms, Fault::SlowApplication { host, consume_after_ms: 0 });
            }
            Kind::StuckClient => {
                let client = client(draw);
                self.push(at_ms, Fault::StuckClient { host, client: client.clone(), stuck: true });
                // Half of them never take anything again while the storm lasts.
                if draw.percent(50) {
                    self.push(mended_ms, Fault::StuckClient { host, client, stuck: false });
                }
            }
            Kind::Disk => self.push(at_ms, Fault::FailDisk { host }),
        }
    }

    fn down(&mut self, draw: &mut Draw, at_ms: u64, mended_ms: u64, host: HostId, fault: Fault) {
        self.push(at_ms, fault);
        if draw.percent(85) {
            self.push(mended_ms, Fault::Restart { host });
        }
    }

    fn path(&mut self, at_ms: u64, from: HostId, to: HostId, both: bool, spec: LinkSpec) {
        self.push(at_ms, Fault::Link { from, to, spec });
        if both {
            self.push(at_ms, Fault::Link { from: to, to: from, spec });
        }
    }

    fn partition(&self, draw: &mut Draw, kind: Kind) -> Partition {
        let one = draw.some(self.hosts, 1, (self.hosts / 2).max(1));
        let bridge = draw.host(self.hosts);
        let other: Vec<_> = (0..self.hosts).map(HostId).filter(|host| !one.contains(host)).collect();
        match kind {
            Kind::OneWay => Partition::OneWay { from: one, to: other },
            Kind::Bridge => Partition::Bridge { left: one, bridge, right: other },
            Kind::Ring => Partition::Ring { order: draw.shuffled(self.hosts) },
            Kind::Isolate => Partition::Isolate { host: bridge },
            Kind::Split
            | Kind::Crash
            | Kind::Kill
            | Kind::Stop
            | Kind::Pause
            | Kind::Lossy
            | Kind::Slow
            | Kind::Far
            | Kind::Flap
            | Kind::Clock
            | Kind::Cut
            | Kind::Corrupt
            | Kind::SlowApplication
            | Kind::StuckClient
            | Kind::Disk => Partition::Symmetric { left: one, right: other },
        }
    }
}

/// A direction that is worse than usual in one way.
fn worse(draw: &mut Draw, kind: Kind, usual: LinkSpec) -> LinkSpec {
    let mut spec = usual;
    if kind == Kind::Lossy {
        spec.loss = loss(draw);
        spec.duplicate_per_mille = draw.scale_u32(1, 200);
        spec.reorder_per_mille = draw.scale_u32(1, 200);
        spec.corrupt_per_mille = if draw.percent(50) { 0 } else { draw.scale_u32(1, 50) };
    } else if kind == Kind::Slow {
        spec.rate_bytes_per_s = draw.scale(16 * 1_024, 1_024 * 1_024);
        spec.queue_bytes = draw.scale(4 * 1_024, 1_024 * 1_024);
    } else {
        spec.latency = draw.scale_us(5_000, 400_000);
        spec.jitter = Duration::from_micros(draw.scale(100, 100_000));
    }
    spec
}

fn loss(draw: &mut Draw) -> Loss {
    if draw.percent(50) {
        return Loss::Bernoulli { per_mille: draw.scale_u32(5, 300) };
    }
    Loss::GilbertElliott {
        to_bad_per_mille: draw.scale_u32(1, 50),
        to_good_per_mille: draw.scale_u32(50, 500),
        good_per_mille: draw.between_u32(0, 10),
        bad_per_mille: draw.scale_u32(100, 800),
    }
}

/// A clock that is off: mostly as quartz is, sometimes as a bad virtual machine is.
pub(super) fn drift(draw: &mut Draw) -> i32 {
    let size = if draw.percent(70) { draw.between_u32(0, 200) } else { draw.scale_u32(200, 50_000) };
    let size = i32::try_from(size).unwrap_or(0);
    if draw.percent(50) { size } else { -size }
}
