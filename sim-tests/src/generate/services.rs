//! What applications ask of topics and calls while things break.
//!
//! Few topics, patterns and services, so that many of them meet.

use std::sync::Arc;

use io_sim::HostId;
use proto_core::{pubsub::Policy, rpc::Balance};

use super::{
    draw::Draw,
    workload::{Load, client},
};
use crate::scenario::{Callee, Op, Service, TimedOp};

const TOPICS: [&str; 6] = ["a", "a.b", "a.c", "a.b.d", "e.b", "e.f.g.h"];
const PATTERNS: [&str; 9] = ["a", "a.b", "a.*", "*.b", "a.>", ">", "*.*.d", "e.>", "e.b"];
const GROUPS: [&str; 2] = ["left", "right"];
const SERVICES: [&str; 3] = ["sum", "sort", "seek"];

#[derive(Clone, Copy)]
enum TopicKind {
    Subscribe,
    Unsubscribe,
    Client,
    Publish,
    Burst,
    Known,
}

#[derive(Clone, Copy)]
enum CallKind {
    Register,
    Unregister,
    Call,
    Burst,
    Cancel,
    Known,
}

/// One request that is about topics, or a few at once.
pub(super) fn topics(draw: &mut Draw, hosts: u32, load: Load, at_ms: u64, ops: &mut Vec<TimedOp>) {
    let weights = [
        (TopicKind::Subscribe, 12),
        (TopicKind::Unsubscribe, 6),
        (TopicKind::Client, 2),
        (TopicKind::Publish, 70),
        (TopicKind::Burst, 5),
        (TopicKind::Known, 5),
    ];
    let at = draw.host(hosts);
    let mut count = 1;
    let service = match draw.weighted(&weights).unwrap_or(TopicKind::Publish) {
        TopicKind::Client => {
            let op = Op::Client { at, client: client(draw), present: draw.percent(40) };
            return ops.push(TimedOp { at_ms, op });
        }
        TopicKind::Subscribe => subscribe(draw, at),
        TopicKind::Unsubscribe => Service::Unsubscribe { at, pattern: one_of(draw, &PATTERNS) },
        TopicKind::Publish => publish(draw, at, load),
        TopicKind::Burst => {
            count = draw.between(2, 60);
            publish(draw, at, load)
        }
        TopicKind::Known => known(draw, at, load),
    };
    ops.extend((0..count).map(|_| TimedOp { at_ms, op: Op::Service(service.clone()) }));
}

/// One request that is about calls, or a few at once.
pub(super) fn calls(draw: &mut Draw, hosts: u32, load: Load, at_ms: u64, ops: &mut Vec<TimedOp>) {
    let weights = [
        (CallKind::Register, 10),
        (CallKind::Unregister, 5),
        (CallKind::Call, 70),
        (CallKind::Burst, 5),
        (CallKind::Cancel, 6),
        (CallKind::Known, 4),
    ];
    let at = draw.host(hosts);
    let mut count = 1;
    let service = match draw.weighted(&weights).unwrap_or(CallKind::Call) {
        CallKind::Register => {
            let (at_once, queue) = (draw.scale_u32(1, 64), draw.between_u32(0, 64));
            Service::Register { at, service: one_of(draw, &SERVICES), at_once, queue, client: perhaps(draw) }
        }
        CallKind::Unregister => Service::Unregister { at, service: one_of(draw, &SERVICES), client: perhaps(draw) },
        CallKind::Call => call(draw, at, hosts, load),
        CallKind::Burst => {
            count = draw.between(2, 60);
            call(draw, at, hosts, load)
        }
        CallKind::Cancel => Service::Cancel { from: at },
        CallKind::Known => known(draw, at, load),
    };
    ops.extend((0..count).map(|_| TimedOp { at_ms, op: Op::Service(service.clone()) }));
}

fn subscribe(draw: &mut Draw, at: HostId) -> Service {
    let pattern = one_of(draw, &PATTERNS);
    let group = draw.percent(40).then(|| one_of(draw, &GROUPS));
    let policies = [(Policy::DropOldest, 3), (Policy::DropNewest, 3), (Policy::Disconnect, 2)];
    let policy = draw.weighted(&policies).unwrap_or(Policy::DropOldest);
    let (queue, credit) =
        if draw.percent(50) { (1_024, 256) } else { (draw.between_u32(0, 8), draw.between_u32(1, 4)) };
    let resume = group.is_none() && draw.percent(50);
    Service::Subscribe { at, pattern, group, policy, queue, credit, resume, client: perhaps(draw) }
}

fn publish(draw: &mut Draw, from: HostId, load: Load) -> Service {
    let (topic, bytes) = (one_of(draw, &TOPICS), draw.scale_u32(16, load.bytes_max));
    Service::Publish { from, topic, bytes, deadline_ms: deadline(draw, load), receipt: draw.percent(60) }
}

fn call(draw: &mut Draw, from: HostId, hosts: u32, load: Load) -> Service {
    let balance = [(Balance::Nearest, 1), (Balance::RoundRobin, 1), (Balance::LeastPending, 1)];
    let to = match draw.weighted(&balance) {
        Some(balance) if draw.percent(70) => Callee::Any(balance),
        Some(_) | None => Callee::Node(draw.host(hosts)),
    };
    let (service, bytes) = (one_of(draw, &SERVICES), draw.scale_u32(16, load.bytes_max));
    let key = draw.percent(30).then(|| draw.between_u32(0, 5) as u8);
    let streaming = key.is_none() && draw.percent(30);
    Service::Call { from, service, to, bytes, deadline_ms: deadline(draw, load), key, streaming, client: perhaps(draw) }
}

/// A client, now and then.
fn perhaps(draw: &mut Draw) -> Option<Arc<str>> {
    draw.percent(25).then(|| client(draw))
}

fn known(draw: &mut Draw, at: HostId, load: Load) -> Service {
    Service::Known { at, deadline_ms: deadline(draw, load) }
}

fn deadline(draw: &mut Draw, load: Load) -> u32 {
    draw.scale_u32(5, load.deadline_max_ms)
}

fn one_of(draw: &mut Draw, texts: &[&str]) -> Arc<str> {
    Arc::from(texts[draw.place(texts.len())])
}
