//! What is really so: who lives, who can reach whom, and since when. Nodes never see it; invariants compare with it.

use io_sim::{Fault, HostId, HostState, LinkSpec, Partition, time::SimTime};
use proto_core::id::Incarnation;

use super::theatre::Sight;
use crate::{
    scenario::Scenario,
    snapshot::{Alive, Snapshot},
};

/// Bytes that may be in a send buffer, and so on their way.
const SEND_BUFFER: u64 = 256 * 1_024;

/// The state of the world since when.
#[derive(Debug)]
pub(super) struct Reality {
    partitions: Vec<Partition>,
    hosts: Vec<Life>,
    /// Why and since when nothing that the first host sends can reach the second, row by row.
    cuts: Vec<Option<Cut>>,
    wire_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    since: SimTime,
    /// By a partition; otherwise the process does not run.
    partition: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    alive: Alive,
    number: Incarnation,
    since: SimTime,
    /// It was asked to stop.
    stopping: bool,
}

impl Reality {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let count = scenario.hosts.len();
        let life = Life { alive: Alive::Down, number: Incarnation(0), since: SimTime::ZERO, stopping: false };
        Self {
            partitions: Vec::new(),
            hosts: vec![life; count],
            cuts: vec![None; count * count],
            wire_ms: wire_ms(scenario),
        }
    }

    /// A fault is about to strike.
    pub(super) fn struck(&mut self, fault: &Fault) {
        match fault {
            Fault::Partition { kind } => self.partitions.push(kind.clone()),
            Fault::Heal => self.partitions.clear(),
            Fault::Stop { host } => {
                let life = &mut self.hosts[host.0 as usize];
                life.stopping = life.alive != Alive::Down;
            }
            Fault::Crash { .. }
            | Fault::Kill { .. }
            | Fault::Restart { .. }
            | Fault::Pause { .. }
            | Fault::Link { .. }
            | Fault::ClockRate { .. }
            | Fault::CutStreams { .. }
            | Fault::Corrupt { .. }
            | Fault::SlowApplication { .. }
            | Fault::StuckClient { .. }
            | Fault::FailDisk { .. } => {}
        }
    }

    /// Whether a partition takes what one host sends to another.
    pub(super) fn cuts(&self, from: HostId, to: HostId) -> bool {
        self.partitions.iter().any(|partition| partition.cuts(from, to))
    }

    /// Whether a host was asked to stop and has not ended yet.
    pub(super) fn is_stopping(&self, host: HostId) -> bool {
        self.hosts[host.0 as usize].stopping
    }

    /// Looks at a host; tells its new life if it has begun one since the last look.
    pub(super) fn look(&mut self, world: &impl Sight, host: HostId) -> Option<Incarnation> {
        let (now, life) = (world.now(), world.life(host));
        let alive = match world.state(host) {
            HostState::Up => Alive::Running,
            HostState::Paused { .. } => Alive::Paused,
            HostState::Down => Alive::Down,
        };
        let known = &mut self.hosts[host.0 as usize];
        let reborn = known.number != life;
        if known.alive != alive || reborn {
            let stopping = known.stopping && !reborn && alive != Alive::Down;
            *known = Life { alive, number: life, since: now, stopping };
            // Who was awake for a moment only may have said something in it.
            self.look_around(now);
        }
        (reborn && alive != Alive::Down).then_some(life)
    }

    /// Looks at who can reach whom.
    pub(super) fn look_around(&mut self, now: SimTime) {
        let count = self.hosts.len();
        for from in 0..count {
            for to in 0..count {
                let mute = self.hosts[from].alive != Alive::Running;
                let partition = self.cuts(HostId(from as u32), HostId(to as u32));
                let cut = &mut self.cuts[from * count + to];
                let since = match *cut {
                    // A kernel whose process is frozen still sends what the partition held back: its next attempt
                    // comes after at most as long again.
                    Some(before) if before.partition && !partition => now + now.since(before.since),
                    Some(before) => before.since,
                    None => now,
                };
                *cut = (mute || partition).then_some(Cut { since, partition });
            }
        }
    }

    /// Fills in what is really so.
    pub(super) fn tell(&self, now: SimTime, snapshot: &mut Snapshot) {
        let ms = |since: SimTime| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        for (node, life) in snapshot.nodes.iter_mut().zip(&self.hosts) {
            (node.alive, node.alive_ms, node.life) = (life.alive, ms(life.since), life.number);
        }
        snapshot.cut_ms.clear();
        snapshot.cut_ms.extend(self.cuts.iter().map(|cut| cut.map_or(0, |cut| ms(cut.since))));
        snapshot.wire_ms = self.wire_ms;
    }
}

/// The longest that bytes may be on their way, over every path that the scenario has at any time.
fn wire_ms(scenario: &Scenario) -> u64 {
    let changed = scenario.faults.iter().filter_map(|timed| match &timed.fault {
        Fault::Link { spec, .. } => Some(spec),
        Fault::Crash { .. }
        | Fault::Kill { .. }
        | Fault::Stop { .. }
        | Fault::Restart { .. }
        | Fault::Pause { .. }
        | Fault::Partition { .. }
        | Fault::Heal
        | Fault::ClockRate { .. }
        | Fault::CutStreams { .. }
        | Fault::Corrupt { .. }
        | Fault::SlowApplication { .. }
        | Fault::StuckClient { .. }
        | Fault::FailDisk { .. } => None,
    });
    let specs =
        changed.chain(scenario.network.links.iter().map(|link| &link.spec)).chain([&scenario.network.options.link]);
    let slowest = |spec: &LinkSpec| {
        let travel = u64::try_from((spec.latency + spec.jitter).as_millis()).unwrap_or(u64::MAX);
        let backlog = (SEND_BUFFER + spec.queue_bytes) * 1_000;
        travel + backlog.checked_div(spec.rate_bytes_per_s).unwrap_or(0)
    };
    specs.map(slowest).max().unwrap_or(0)
}
