//! Who is there and who dials whom.

use proto_core::node::Metric;

use super::draw::Draw;
use crate::scenario::{App, Dial, NodeSpec, Timers};

/// Nodes that differ in nothing but their name, and dial nobody yet.
pub(super) fn nodes(draw: &mut Draw, count: u16) -> Vec<NodeSpec> {
    let timers = timers(draw);
    let metric = draw.weighted(&[(Metric::Latency, 3), (Metric::Hops, 2), (Metric::Cost, 1)]);
    (0..count)
        .map(|number| NodeSpec {
            name: format!("n{number}"),
            dials: Vec::new(),
            timers,
            transit: true,
            metric: metric.unwrap_or(Metric::Hops),
            clock_ppm: 0,
            send_queue: 1_024,
            inbox: 4_096,
            app: App::Prompt,
        })
        .collect()
}

/// Timers that fit each other. Adverts expire within a scenario, so that what depends on it is seen.
fn timers(draw: &mut Draw) -> Timers {
    let heartbeat_ms = draw.scale_u32(100, 1_000);
    let reconnect_initial_ms = draw.scale_u32(50, 500);
    let advert_refresh_ms = draw.between_u32(5_000, 12_000);
    Timers {
        heartbeat_ms,
        dead_after_ms: heartbeat_ms * draw.between_u32(2, 5) + draw.between_u32(0, 500),
        handshake_ms: draw.between_u32(1_000, 4_000),
        reconnect_initial_ms,
        reconnect_max_ms: reconnect_initial_ms * draw.between_u32(1, 8),
        advert_interval_ms: draw.scale_u32(20, 200),
        advert_refresh_ms,
        advert_expiry_ms: advert_refresh_ms * 2 + draw.between_u32(1_000, 10_000),
    }
}

/// A dials B; sometimes B dials A as well, so that both open a link at once.
pub(super) fn dial(draw: &mut Draw, nodes: &mut [NodeSpec], a: u16, b: u16, both_percent: u64) {
    let cost = if draw.percent(50) { 0 } else { draw.between_u32(1, 20) };
    let (first, second) = if draw.percent(50) { (a, b) } else { (b, a) };
    nodes[usize::from(first)].dials.push(Dial { to: second, cost });
    if draw.percent(both_percent) {
        nodes[usize::from(second)].dials.push(Dial { to: first, cost });
    }
}

/// Each dials the next.
pub(super) fn line(draw: &mut Draw, nodes: &mut [NodeSpec], both_percent: u64) {
    for a in 1..nodes.len() as u16 {
        dial(draw, nodes, a - 1, a, both_percent);
    }
}

/// Each dials the next, the last dials the first.
pub(super) fn ring(draw: &mut Draw, nodes: &mut [NodeSpec], both_percent: u64) {
    line(draw, nodes, both_percent);
    dial(draw, nodes, nodes.len() as u16 - 1, 0, both_percent);
}

/// All link with the first.
pub(super) fn star(draw: &mut Draw, nodes: &mut [NodeSpec], both_percent: u64) {
    for leaf in 1..nodes.len() as u16 {
        dial(draw, nodes, 0, leaf, both_percent);
    }
}

/// All link with all.
pub(super) fn full(draw: &mut Draw, nodes: &mut [NodeSpec], both_percent: u64) {
    for a in 0..nodes.len() as u16 {
        for b in a + 1..nodes.len() as u16 {
            dial(draw, nodes, a, b, both_percent);
        }
    }
}

/// A random tree, and some more links.
pub(super) fn random(draw: &mut Draw, nodes: &mut [NodeSpec], both_percent: u64) {
    let count = nodes.len() as u16;
    let mut linked = std::collections::BTreeSet::new();
    for node in 1..count {
        let parent = draw.node(node);
        linked.insert((parent, node));
    }
    for _ in 0..draw.between(0, 2 * u64::from(count)) {
        let (a, b) = draw.pair(count);
        linked.insert((a.min(b), a.max(b)));
    }
    for (a, b) in linked {
        dial(draw, nodes, a, b, both_percent);
    }
}
