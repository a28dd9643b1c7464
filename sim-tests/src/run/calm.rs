//! After the storm: heal the survivors, wait until they have settled, ask things of them, leave them alone, look again.

mod services;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use io_sim::{Fault, HostId, HostState, Partition, SimTime};
use proto_core::{limits::ADVERT_INTERVAL_MAX, node::Answer};

use super::{stage::Stage, theatre::Theatre};
use crate::{
    scenario::{Op, Scenario},
    snapshot::{NodeSnap, Snapshot},
    verdict::Violation,
};

/// Time between two looks whether the mesh has settled.
const POLL: Duration = Duration::from_millis(100);
/// How long what is asked of a settled mesh may take.
const FRESH_DEADLINE_MS: u32 = 10_000;
/// How long one trace may take.
const TRACE_DEADLINE_MS: u32 = 2_000;
/// How many traces may get lost, and one more.
const TRACE_ATTEMPTS: u32 = 3;
/// Time between two looks whether it stays so.
const LOOK: Duration = Duration::from_millis(500);
/// Costs drift, and links to what stays broken come and go: a mesh that has settled must have settled again within this
/// time, in which a change may have to wait for its turn to be told.
const UNSETTLED: Duration = Duration::from_secs(ADVERT_INTERVAL_MAX.as_secs() + 1);
/// The client that every survivor has then.
const CLIENT: &str = "calm";
/// A client that nobody ever has.
const NO_CLIENT: &str = "nobody";
/// Longer than any scenario.
const FOR_EVER_MS: u64 = 1 << 40;

/// Plays the calm; tells how long it took to settle.
pub(super) fn calm(stage: &mut Stage<'_, impl Theatre>) -> Result<u64, Violation> {
    heal(stage)?;
    wake(stage)?;
    let began = stage.world.now();
    let settled = settle(stage, notice(stage), Duration::from_millis(stage.scenario.settle_ms))?;
    serve(stage)?;
    let before = stage.sample()?.clone();
    watch(stage)?;
    stage.sample()?;
    stage.referee.idle(&before)?;
    settle(stage, Duration::ZERO, UNSETTLED)?;
    stage.referee.finally()?;
    Ok(u64::try_from(settled.since(began).as_millis()).unwrap_or(u64::MAX))
}

/// Mends everything among the survivors. What is broken at or towards anybody else stays as it is.
fn heal(stage: &mut Stage<'_, impl Theatre>) -> Result<(), Violation> {
    let scenario = stage.scenario;
    let both_survive = |a, b| scenario.survives(a) && scenario.survives(b);
    let pairs = || scenario.ids().flat_map(|from| scenario.ids().map(move |to| (from, to)));
    let still_cut: Vec<_> =
        pairs().filter(|(from, to)| !both_survive(*from, *to) && stage.referee.reality.cuts(*from, *to)).collect();
    stage.strike(&Fault::Heal)?;
    for (from, to) in still_cut {
        stage.strike(&Fault::Partition { kind: Partition::OneWay { from: vec![from], to: vec![to] } })?;
    }
    for (from, to) in reshaped(stage).into_iter().filter(|(from, to)| both_survive(*from, *to)) {
        let usual = scenario.network.links.iter().rev().find(|link| (link.from, link.to) == (from, to));
        let spec = usual.map_or(scenario.network.options.link, |link| link.spec);
        stage.strike(&Fault::Link { from, to, spec })?;
    }
    for host in scenario.ids() {
        match (scenario.survives(host), stage.world.state(host)) {
            (true, _) => {
                let usual = scenario.hosts[host.0 as usize].template.consume_after;
                let consume_after_ms = u64::try_from(usual.as_millis()).unwrap_or(u64::MAX);
                stage.strike(&Fault::SlowApplication { host, consume_after_ms })?;
                for client in stuck_clients(scenario, host) {
                    stage.strike(&Fault::StuckClient { host, client, stuck: false })?;
                }
            }
            (false, HostState::Paused { .. }) => stage.strike(&Fault::Pause { host, for_ms: FOR_EVER_MS })?,
            (false, HostState::Up | HostState::Down) => {}
        }
    }
    Ok(())
}

/// Clients of a host that some fault made stuck.
fn stuck_clients(scenario: &Scenario, host: HostId) -> BTreeSet<Arc<str>> {
    let faults = scenario.faults.iter();
    let clients = faults.filter_map(|timed| {
        if let Fault::StuckClient { host: at, client, .. } = &timed.fault { Some((*at, client)) } else { None }
    });
    clients.filter(|(at, _)| *at == host).map(|(_, client)| client.clone()).collect()
}

/// Directions that some fault changed.
fn reshaped(stage: &Stage<'_, impl Theatre>) -> BTreeSet<(HostId, HostId)> {
    let faults = stage.scenario.faults.iter();
    faults
        .filter_map(|timed| if let Fault::Link { from, to, .. } = &timed.fault { Some((*from, *to)) } else { None })
        .collect()
}

/// How long the survivor that is frozen longest stays so.
fn longest_pause(stage: &Stage<'_, impl Theatre>) -> Duration {
    let left = |host| match stage.world.state(host) {
        HostState::Paused { until } => until.since(stage.world.now()),
        HostState::Up | HostState::Down => Duration::ZERO,
    };
    stage.scenario.survivors.iter().map(|host| left(*host)).max().unwrap_or_default()
}

/// Waits until everything settled holds at a moment not before `at_least` has passed, and tells since when it held.
fn settle(stage: &mut Stage<'_, impl Theatre>, at_least: Duration, at_most: Duration) -> Result<SimTime, Violation> {
    let began = stage.world.now();
    let mut held_since = None;
    loop {
        let passed = stage.world.now().since(began);
        match stage.unsettled()? {
            None => {
                let since = *held_since.get_or_insert(stage.world.now());
                if passed >= at_least {
                    return Ok(since);
                }
            }
            Some(violation) if passed >= at_most => {
                let detail = format!("still, after {} s of calm: {}", at_most.as_secs(), violation.detail);
                return Err(Violation { detail, ..violation });
            }
            Some(_) => held_since = None,
        }
        stage.pass(POLL)?;
    }
}

/// Leaves the mesh alone. It may lose its rest, since costs change, but not for long.
fn watch(stage: &mut Stage<'_, impl Theatre>) -> Result<(), Violation> {
    let until = stage.world.now() + Duration::from_millis(stage.scenario.watch_ms);
    while stage.world.now() < until {
        stage.pass(LOOK)?;
        if stage.unsettled()?.is_some() {
            settle(stage, Duration::ZERO, UNSETTLED)?;
        }
    }
    Ok(())
}

/// Time in which the survivors notice what broke before the calm and looks whole still: a half-dead link may pass for a
/// live one until then.
fn notice(stage: &Stage<'_, impl Theatre>) -> Duration {
    let detection = |host: &HostId| {
        let config = &stage.scenario.hosts[host.0 as usize].template;
        (config.dead_after + config.heartbeat) * 21 / 20
    };
    stage.scenario.survivors.iter().map(detection).max().unwrap_or_default()
}

/// Waits until every survivor's process runs: thaws what is frozen, and starts again what was asked to stop.
fn wake(stage: &mut Stage<'_, impl Theatre>) -> Result<(), Violation> {
    stage.pass(longest_pause(stage))?;
    while stage.scenario.survivors.iter().any(|host| stage.referee.reality.is_stopping(*host)) {
        stage.pass(POLL)?;
        stage.referee.look(&stage.world)?;
    }
    for host in &stage.scenario.survivors {
        if stage.world.state(*host) == HostState::Down {
            stage.strike(&Fault::Restart { host: *host })?;
        }
    }
    stage.pass(Duration::ZERO)
}

/// Asks everything of everybody and waits for the answers.
fn serve(stage: &mut Stage<'_, impl Theatre>) -> Result<(), Violation> {
    for at in stage.scenario.survivors.clone() {
        let _ = stage.ask(&Op::Client { at, client: Arc::from(CLIENT), present: true }, true);
    }
    stage.pass(POLL)?;
    services::serve(stage)?;
    let (requests, traces): (Vec<_>, Vec<_>) =
        requests(stage.referee.snapshot()).into_iter().partition(|op| !matches!(op, Op::Trace { .. }));
    for op in requests {
        let _ = stage.ask(&op, true);
        stage.pass(Duration::from_millis(5))?;
    }
    for op in traces {
        trace(stage, &op)?;
    }
    let until = stage.world.now() + Duration::from_millis(u64::from(FRESH_DEADLINE_MS) + 1_000);
    while is_open(stage) && stage.world.now() < until {
        stage.pass(POLL)?;
    }
    Ok(())
}

/// Whether a survivor owes an answer.
fn is_open(stage: &Stage<'_, impl Theatre>) -> bool {
    stage.scenario.survivors.iter().any(|host| stage.referee.oracle.open(*host) > 0)
}

/// A probe is sent once and not again, and gets lost when a cost changes just then: one of a few must be answered.
fn trace(stage: &mut Stage<'_, impl Theatre>, op: &Op) -> Result<(), Violation> {
    for attempt in 1..=TRACE_ATTEMPTS {
        let Some(token) = stage.ask(op, attempt == TRACE_ATTEMPTS) else { return Ok(()) };
        loop {
            stage.pass(POLL)?;
            let answers = stage.referee.oracle.request(op.from(), token).map(|asked| asked.answers.as_slice());
            match answers {
                Some([]) => {}
                Some([Answer::Traced { reached: false }]) => break,
                Some(_) | None => return Ok(()),
            }
        }
    }
    Ok(())
}

/// From every survivor: a message to each of the others, some small, some large, some from or to a client; one to a client
/// that is not there; one message to all of them at once; a trace and a look-up. Only where the way is sound all along.
fn requests(snapshot: &Snapshot) -> Vec<Op> {
    let deadline_ms = FRESH_DEADLINE_MS;
    let client = |name| Some(Arc::from(name));
    let mut ops = Vec::new();
    for (from, node) in snapshot.survivors() {
        let others: Vec<_> = snapshot
            .survivors()
            .filter(|(_, other)| is_sound(snapshot, node, other) && is_sound(snapshot, other, node))
            .map(|(host, _)| host)
            .collect();
        for to in others.iter().copied() {
            let bytes = if to.0 % 2 == 0 { 64 } else { 20_000 };
            ops.push(match (from.0 + to.0) % 3 {
                0 => Op::Send { from, to, bytes, deadline_ms, report: true },
                1 => Op::SendToClient { from, from_client: None, to, to_client: client(CLIENT), bytes, deadline_ms },
                _ => {
                    let from_client = client(CLIENT);
                    Op::SendToClient { from, from_client, to, to_client: None, bytes, deadline_ms }
                }
            });
        }
        if let Some(to) = others.last().copied() {
            ops.push(Op::Trace { from, to, every_hop: true, deadline_ms: TRACE_DEADLINE_MS });
            ops.push(Op::FindNode { from, to, deadline_ms });
            let (from_client, to_client) = (client(CLIENT), client(NO_CLIENT));
            ops.push(Op::SendToClient { from, from_client, to, to_client, bytes: 50, deadline_ms });
            ops.push(Op::SendMany { from, to: others, bytes: 100, deadline_ms });
        }
    }
    ops
}

/// Whether there is a way from one node to another, and every way that frames may take leads through survivors only:
/// what is broken for good elsewhere may hold up a frame for as long as it likes.
fn is_sound(snapshot: &Snapshot, from: &NodeSnap, to: &NodeSnap) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        let Some(route) = node.route_to(to.addr) else { return false };
        for next in route.first_hops.iter().filter(|next| **next != to.addr) {
            match snapshot.find(*next) {
                Some((host, next)) if next.survivor => open.extend(seen.insert(host).then_some(next)),
                Some(_) | None => return false,
            }
        }
    }
    true
}
