//! Topics and calls in the calm: everybody subscribes and serves, and when that is known, everybody publishes and calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use io_sim::HostId;
use proto_core::{node::Answer, pubsub::Policy, rpc::Balance};

use super::{FRESH_DEADLINE_MS, POLL, is_open, is_sound};
use crate::{
    run::{stage::Stage, theatre::Theatre},
    scenario::{Callee, Op, Service},
    snapshot::Snapshot,
    verdict::Violation,
};

/// What everybody serves then.
const SERVICE: &str = "calm";
/// The queue group in which some subscribe then.
const GROUP: &str = "calm";

/// Subscribes, serves, publishes and calls.
pub(super) fn serve(stage: &mut Stage<'_, impl Theatre>) -> Result<(), Violation> {
    if !stage.world.serves() {
        return Ok(());
    }
    stage.sure = sure(stage.referee.snapshot());
    let known = offer(stage)?;
    for op in requests(stage, &known) {
        let _ = stage.ask(&Op::Service(op), true);
        stage.pass(Duration::from_millis(5))?;
    }
    Ok(())
}

/// For every survivor, itself and those that it surely reaches and that surely reach it.
fn sure(snapshot: &Snapshot) -> BTreeMap<HostId, Vec<HostId>> {
    let of = |(host, node)| {
        let both_ways = |other| is_sound(snapshot, node, other) && is_sound(snapshot, other, node);
        let others = snapshot.survivors().filter(|(other, snap)| *other == host || both_ways(snap));
        (host, others.map(|(other, _)| other).collect())
    };
    snapshot.survivors().map(of).collect()
}

/// Subscribes and serves; tells of whom everybody knows that.
fn offer(stage: &mut Stage<'_, impl Theatre>) -> Result<BTreeSet<HostId>, Violation> {
    let mut asked = Vec::new();
    for at in stage.scenario.survivors.clone() {
        let group = (at.0 % 2 == 0).then(|| Arc::from(GROUP));
        for (pattern, group) in [("calm.>", None), ("*.calm", group)] {
            let (policy, queue, credit) = (Policy::DropNewest, 1_024, 256);
            let pattern = Arc::from(pattern);
            let subscribe =
                Service::Subscribe { at, pattern, group, policy, queue, credit, resume: false, client: None };
            let _ = stage.ask(&Op::Service(subscribe), true);
        }
        let register = Service::Register { at, service: Arc::from(SERVICE), at_once: 64, queue: 64, client: None };
        let _ = stage.ask(&Op::Service(register), true);
        let known = Op::Service(Service::Known { at, deadline_ms: FRESH_DEADLINE_MS });
        let fresh = knows_survivors_only(stage.referee.snapshot(), at);
        asked.extend(stage.ask(&known, fresh).map(|token| (at, token)));
    }
    let until = stage.world.now() + Duration::from_millis(u64::from(FRESH_DEADLINE_MS) + 1_000);
    while is_open(stage) && stage.world.now() < until {
        stage.pass(POLL)?;
    }
    let accepted = |(at, token): &(HostId, _)| {
        let request = stage.referee.oracle.request(*at, *token);
        request.is_some_and(|asked| asked.answers == [Answer::Accepted])
    };
    Ok(asked.iter().filter(|asked| accepted(asked)).map(|(at, _)| *at).collect())
}

/// Whether nothing that is broken for good is within a node's reach: it may keep what it is told to itself.
fn knows_survivors_only(snapshot: &Snapshot, host: HostId) -> bool {
    let node = snapshot.survivors().find(|(survivor, _)| *survivor == host).map(|(_, node)| node);
    let survives = |addr| snapshot.find(addr).is_some_and(|(_, node)| node.survivor);
    node.is_some_and(|node| node.routes.iter().all(|route| survives(route.dst)))
}

/// From every survivor: publications with and without receipt, for everybody and for a group; calls to others and to
/// anybody.
fn requests(stage: &Stage<'_, impl Theatre>, known: &BTreeSet<HostId>) -> Vec<Service> {
    let deadline_ms = FRESH_DEADLINE_MS;
    let mut all = Vec::new();
    for (from, sure) in &stage.sure {
        let from = *from;
        for (topic, bytes, receipt) in [("calm.a", 64, true), ("calm.a.b", 5_000, false), ("to.calm", 64, true)] {
            all.push(Service::Publish { from, topic: Arc::from(topic), bytes, deadline_ms, receipt });
        }
        let to_nodes = sure.iter().filter(|host| known.contains(host)).map(|host| Callee::Node(*host));
        let anybody = stage.scenario.survivors.iter().all(|host| known.contains(host) && sure.contains(host));
        let to_any = anybody.then_some(Callee::Any(Balance::RoundRobin));
        all.extend(to_nodes.take(3).chain(to_any).map(|to| {
            // More items than a window.
            let (service, streaming) = (Arc::from(SERVICE), matches!(to, Callee::Any(_)));
            Service::Call { from, service, to, bytes: 100, deadline_ms, key: None, streaming, client: None }
        }));
    }
    all
}
