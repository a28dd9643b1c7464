//! What breaks, how often, and when it is mended again.

use super::draw::Draw;
use crate::scenario::{Fault, LinkShape, NodeIx, Partition, TimedFault};

/// Kinds of faults that a swarm switches on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Crash,
    Stop,
    Pause,
    Split,
    OneWay,
    Bridge,
    Ring,
    Lossy,
    Slow,
    Far,
    Flap,
    Clock,
    Cut,
    Corrupt,
}

/// Every kind.
pub(super) const ALL: [Kind; 14] = [
    Kind::Crash,
    Kind::Stop,
    Kind::Pause,
    Kind::Split,
    Kind::OneWay,
    Kind::Bridge,
    Kind::Ring,
    Kind::Lossy,
    Kind::Slow,
    Kind::Far,
    Kind::Flap,
    Kind::Clock,
    Kind::Cut,
    Kind::Corrupt,
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
    pub(super) fn faults(&self, draw: &mut Draw, nodes: u16, shape: LinkShape, until_ms: u64) -> Vec<TimedFault> {
        let mut list = List { faults: Vec::new(), until_ms, nodes, shape };
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
    nodes: u16,
    shape: LinkShape,
}

impl List {
    fn push(&mut self, at_ms: u64, fault: Fault) {
        if at_ms <= self.until_ms {
            self.faults.push(TimedFault { at_ms, fault });
        }
    }

    fn add(&mut self, draw: &mut Draw, kind: Kind, at_ms: u64) {
        let mended_ms = at_ms + draw.scale(20, 10_000);
        let node = draw.node(self.nodes);
        let (from, to) = draw.pair(self.nodes);
        match kind {
            Kind::Crash => self.down(draw, at_ms, mended_ms, node, Fault::Crash { node }),
            Kind::Stop => self.down(draw, at_ms, mended_ms, node, Fault::Stop { node }),
            Kind::Pause => self.push(at_ms, Fault::Pause { node, for_ms: draw.scale_u32(10, 10_000) }),
            Kind::Split | Kind::OneWay | Kind::Bridge | Kind::Ring => {
                self.push(at_ms, Fault::Partition(self.partition(draw, kind)));
                self.push(mended_ms, Fault::Heal);
            }
            Kind::Lossy | Kind::Slow | Kind::Far => {
                let shape = worse(draw, kind, self.shape);
                let both = draw.percent(50);
                self.reshape(at_ms, from, to, both, shape);
                self.reshape(mended_ms, from, to, both, self.shape);
            }
            Kind::Flap => {
                let period = draw.scale(20, 2_000);
                for beat in 0..draw.between(2, 10) {
                    self.push(at_ms + beat * period, Fault::CutStreams { a: from, b: to });
                }
            }
            Kind::Clock => self.push(at_ms, Fault::ClockRate { node, ppm: drift(draw) }),
            Kind::Cut => self.push(at_ms, Fault::CutStreams { a: from, b: to }),
            Kind::Corrupt => self.push(at_ms, Fault::Corrupt { from, to }),
        }
    }

    fn down(&mut self, draw: &mut Draw, at_ms: u64, mended_ms: u64, node: NodeIx, fault: Fault) {
        self.push(at_ms, fault);
        if draw.percent(85) {
            self.push(mended_ms, Fault::Restart { node });
        }
    }

    fn reshape(&mut self, at_ms: u64, from: NodeIx, to: NodeIx, both: bool, shape: LinkShape) {
        self.push(at_ms, Fault::Shape { from, to, shape });
        if both {
            self.push(at_ms, Fault::Shape { from: to, to: from, shape });
        }
    }

    fn partition(&self, draw: &mut Draw, kind: Kind) -> Partition {
        let most = (self.nodes / 2).max(1);
        let side = draw.some(self.nodes, 1, most);
        match kind {
            Kind::OneWay => Partition::OneWay { mute: side },
            Kind::Bridge => Partition::Bridge { side, bridge: draw.node(self.nodes) },
            Kind::Ring => Partition::Ring { order: draw.shuffled(self.nodes) },
            Kind::Split
            | Kind::Crash
            | Kind::Stop
            | Kind::Pause
            | Kind::Lossy
            | Kind::Slow
            | Kind::Far
            | Kind::Flap
            | Kind::Clock
            | Kind::Cut
            | Kind::Corrupt => Partition::Split { side },
        }
    }
}

/// A direction that is worse than usual in one way.
fn worse(draw: &mut Draw, kind: Kind, usual: LinkShape) -> LinkShape {
    let mut shape = usual;
    if kind == Kind::Lossy {
        shape.loss_per_mille = draw.scale_u32(5, 300);
        shape.duplicate_per_mille = draw.scale_u32(1, 200);
        shape.reorder_per_mille = draw.scale_u32(1, 200);
    } else if kind == Kind::Slow {
        shape.bytes_per_sec = draw.scale_u32(16 * 1_024, 1_024 * 1_024);
    } else {
        shape.latency_us = draw.scale_u32(5_000, 400_000);
        shape.jitter_us = draw.scale_u32(100, 100_000);
    }
    shape
}

/// A clock that is off: mostly as quartz is, sometimes as a bad virtual machine is.
pub(super) fn drift(draw: &mut Draw) -> i32 {
    let size = if draw.percent(70) { draw.between_u32(0, 200) } else { draw.scale_u32(200, 50_000) };
    let size = i32::try_from(size).unwrap_or(0);
    if draw.percent(50) { size } else { -size }
}
