//! Small meshes in the simulator, with what is asked of them and what breaks in the order of the input.
//!
//! The input is read from the front: how many hosts, who dials whom, settings, a seed; then lines of how much later, what,
//! and with whom. A byte changed in the middle leaves what comes before it as it was, so coverage guides the order of
//! events. Sweeps by seed reach further; this reaches what lies next to something interesting.
//!
//! Property: that of every scenario, see `docs/INVARIANTS.md`. A panic shows the scenario, which `sim-tests` replays and
//! shrinks.

use core::time::Duration;

use arbitrary::{Result, Unstructured};
use io_sim::{Fault, HostConfig, HostId, HostSpec, LinkSpec, Loss, Partition, PeerSpec, WorldOptions};
use proto_core::{
    id::NodeName,
    node::{Metric, Suite},
};
use sim_tests::{
    run::{self, Options},
    scenario::{Network, Op, Scenario, TimedFault, TimedOp},
    verdict::Verdict,
};

/// Most hosts.
const HOSTS_MAX: u32 = 4;
/// Most lines of one script. More: the rest is left out.
const LINES_MAX: usize = 48;
/// Longest storm.
const STORM_MAX_MS: u64 = 8_000;
/// Longest that recovery may take: as generated scenarios have it, for these timers.
const SETTLE_MS: u64 = 40_000;
/// How long the settled mesh is watched.
const WATCH_MS: u64 = 1_500;

/// Runs a scenario.
///
/// # Panics
/// If an invariant does not hold.
pub fn run(bytes: &[u8]) {
    let Ok(scenario) = scenario(&mut Unstructured::new(bytes)) else { return };
    assert_eq!(scenario.check(), Ok(()));
    if let Verdict::Violation(violation) = run::run(&scenario, Options::default()) {
        panic!("{violation}\n{}", scenario.to_json().unwrap_or_default());
    }
}

fn scenario(u: &mut Unstructured<'_>) -> Result<Scenario> {
    let count = 2 + u32::from(u.arbitrary::<u8>()?) % (HOSTS_MAX - 1);
    let (dials, settings, seed) = (u.arbitrary::<u16>()?, u.arbitrary::<u8>()?, u.arbitrary::<u8>()?);
    let spared = u.arbitrary::<u8>()?;
    let mut script = Script { count, at_ms: 0, workload: Vec::new(), faults: Vec::new() };
    for _ in 0..LINES_MAX {
        if u.is_empty() || script.at_ms >= STORM_MAX_MS {
            break;
        }
        script.line(u)?;
    }
    let chop_per_mille = if settings & 8 == 0 { 0 } else { 200 };
    let spurious_wakes_per_mille = if settings & 16 == 0 { 0 } else { 20 };
    let options = WorldOptions { chop_per_mille, spurious_wakes_per_mille, ..WorldOptions::default() };
    Ok(Scenario {
        name: "fuzz".to_owned(),
        seed: seed.into(),
        note: String::new(),
        hosts: hosts(count, dials, settings),
        network: Network { options, links: Vec::new() },
        workload: script.workload,
        faults: script.faults,
        calm_at_ms: script.at_ms + 1,
        survivors: survivors(count, spared),
        settle_ms: SETTLE_MS,
        watch_ms: WATCH_MS,
    })
}

/// Hosts in a row, and what `dials` adds to that: a bit for each ordered pair.
fn hosts(count: u32, dials: u16, settings: u8) -> Vec<HostSpec> {
    let ms = Duration::from_millis;
    let template = HostConfig {
        suite: if settings & 1 == 0 { Suite::AesGcm } else { Suite::ChaChaPoly },
        metric: [Metric::Hops, Metric::Latency, Metric::Cost, Metric::Hops][usize::from(settings >> 1 & 3)],
        heartbeat: ms(250),
        dead_after: ms(800),
        handshake_timeout: ms(1_000),
        reconnect_initial: ms(50),
        reconnect_max: ms(400),
        advert_interval_min: ms(20),
        advert_refresh: ms(5_000),
        advert_expiry: ms(11_000),
        retry_max: ms(1_000),
        drain: ms(500),
        send_queue: if settings & 32 == 0 { 1_024 } else { 4 },
        inbox: if settings & 64 == 0 { 1_024 } else { 4 },
        ..HostConfig::default()
    };
    let dialled = |from: u32| {
        let also = move |to: &u32| dials >> (from * HOSTS_MAX + to) & 1 == 1 && *to != from;
        (0..count).filter(move |to| *to == from + 1 || also(to))
    };
    let peers = |from| dialled(from).map(|to| PeerSpec { name: name(to), cost: 0 }).collect();
    // The last one may be a leaf.
    let transit = |host| settings & 128 == 0 || host + 1 < count;
    let spec = |host| HostSpec {
        template: HostConfig { peers: peers(host), transit: transit(host), ..template.clone() },
        ..HostSpec::new(name(host))
    };
    (0..count).map(spec).collect()
}

fn name(host: u32) -> NodeName {
    let Ok(name) = NodeName::new(&format!("n{host}")) else { panic!("a good name") };
    name
}

/// All hosts but those with a bit in `spared`, as long as most are left.
fn survivors(count: u32, spared: u8) -> Vec<HostId> {
    let most = count / 2 + 1;
    let left: Vec<HostId> = (0..count).filter(|host| spared >> host & 1 == 0).map(HostId).collect();
    if left.len() < most as usize { (0..count).map(HostId).collect() } else { left }
}

/// A storm in the making.
struct Script {
    count: u32,
    at_ms: u64,
    workload: Vec<TimedOp>,
    faults: Vec<TimedFault>,
}

impl Script {
    /// One line: how much later, and what.
    fn line(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let later = u64::from(u.arbitrary::<u8>()?);
        // Small steps are fine, large ones coarse.
        self.at_ms += if later < 128 { later } else { (later - 127) * 16 };
        let what = u.arbitrary::<u8>()?;
        if what & 1 == 0 {
            let op = self.op(what >> 1, u)?;
            self.workload.push(TimedOp { at_ms: self.at_ms, op });
        } else {
            let fault = self.fault(what >> 1, u)?;
            self.faults.push(TimedFault { at_ms: self.at_ms, fault });
        }
        Ok(())
    }

    fn op(&self, what: u8, u: &mut Unstructured<'_>) -> Result<Op> {
        let (from, to) = self.pair(u)?;
        let deadline_ms = (u32::from(u.arbitrary::<u8>()?) + 1) * 25;
        let bytes = u32::from(u.arbitrary::<u8>()?);
        let bytes = 16 + bytes * bytes;
        Ok(match what % 8 {
            0..=2 => Op::Send { from, to, bytes, deadline_ms, report: true },
            3 => Op::Send { from, to, bytes, deadline_ms, report: false },
            4 => Op::SendMany { from, to: self.others(from), bytes, deadline_ms },
            5 => Op::Broadcast { from, bytes, deadline_ms },
            6 => Op::Trace { from, to, every_hop: bytes % 2 == 0, deadline_ms },
            _ => Op::FindNode { from, to, deadline_ms },
        })
    }

    fn fault(&self, what: u8, u: &mut Unstructured<'_>) -> Result<Fault> {
        let (host, other) = self.pair(u)?;
        let (from, to, much) = (host, other, u.arbitrary::<u8>()?);
        let rest = || self.others(host);
        Ok(match what % 20 {
            0 => Fault::Crash { host },
            1 => Fault::Kill { host },
            2 => Fault::Stop { host },
            3..=5 => Fault::Restart { host },
            6 => Fault::Pause { host, for_ms: u64::from(much) * 10 },
            7 => Fault::Partition { kind: Partition::Isolate { host } },
            8 => Fault::Partition { kind: Partition::OneWay { from: vec![host], to: rest() } },
            9 => Fault::Partition { kind: Partition::OneWay { from: rest(), to: vec![host] } },
            10 => Fault::Partition { kind: Partition::OneWay { from: vec![from], to: vec![to] } },
            11 | 12 => Fault::Heal,
            13 => Fault::CutStreams { a: from, b: to },
            14 => Fault::Corrupt { from, to },
            15 => Fault::ClockRate { host, ppm: (i32::from(much) - 128) * 300 },
            16 => Fault::SlowApplication { host, consume_after_ms: u64::from(much) * 4 },
            17 => Fault::FailDisk { host },
            18 => Fault::Link { from, to, spec: LinkSpec::default() },
            _ => Fault::Link { from, to, spec: worse(much) },
        })
    }

    /// Two different hosts.
    fn pair(&self, u: &mut Unstructured<'_>) -> Result<(HostId, HostId)> {
        let chosen = u32::from(u.arbitrary::<u8>()?);
        let from = chosen % self.count;
        let to = (from + 1 + chosen / self.count % (self.count - 1)) % self.count;
        Ok((HostId(from), HostId(to)))
    }

    fn others(&self, host: HostId) -> Vec<HostId> {
        (0..self.count).map(HostId).filter(|other| *other != host).collect()
    }
}

/// A path that is worse than usual in one way.
fn worse(much: u8) -> LinkSpec {
    let (how, much) = (much % 4, u32::from(much / 4));
    let usual = LinkSpec::default();
    match how {
        0 => LinkSpec { loss: Loss::Bernoulli { per_mille: 4 * much }, ..usual },
        1 => LinkSpec { duplicate_per_mille: 2 * much, reorder_per_mille: 2 * much, corrupt_per_mille: much, ..usual },
        2 => LinkSpec { latency: Duration::from_millis(u64::from(4 * much)), ..usual },
        _ => LinkSpec { rate_bytes_per_s: 16 * 1_024 * u64::from(much + 1), queue_bytes: 64 * 1_024, ..usual },
    }
}
