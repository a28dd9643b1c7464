//! The families.

use super::{
    Family,
    draw::Draw,
    faults::{Kind, Swarm, drift},
    topology,
    workload::{self, Load},
};
use crate::scenario::{App, LinkShape, Network, NodeIx, NodeSpec, Scenario, ShapedLink};

/// Every family, in the order in which seeds are dealt out to them.
pub const FAMILIES: &[Family] = &[
    Family { name: "mesh5", about: "five nodes, all linked with all, any mix of faults", make: mesh5 },
    Family { name: "line", about: "three to six nodes in a row: every message goes through others", make: line },
    Family { name: "ring", about: "four to eight nodes in a ring: always exactly two ways", make: ring },
    Family { name: "star", about: "one hub and up to seven leaves: everything through one node", make: star },
    Family {
        name: "random",
        about: "six to twelve nodes, a random connected graph, some without transit",
        make: random,
    },
    Family { name: "churn", about: "nodes crash, stop and restart all the time", make: churn },
    Family { name: "partition", about: "symmetric, one-way, bridge and ring partitions come and go", make: partition },
    Family { name: "lossy", about: "loss, reordering, slow, far and flapping links", make: lossy },
    Family { name: "pause", about: "processes freeze and clocks drift", make: pause },
    Family { name: "overload", about: "slow applications, large payloads, small queues", make: overload },
    Family {
        name: "restart",
        about: "pairs that dial each other at once, new lives in quick succession",
        make: restart,
    },
];

/// What a family chooses; everything else is drawn alike for all.
struct Plan {
    nodes: Vec<NodeSpec>,
    always: &'static [Kind],
    load: Load,
    shape: LinkShape,
}

impl Plan {
    fn new(nodes: Vec<NodeSpec>, shape: LinkShape) -> Self {
        Self { nodes, always: &[], load: Load::ORDINARY, shape }
    }

    fn always(mut self, kinds: &'static [Kind]) -> Self {
        self.always = kinds;
        self
    }

    /// Draws the workload and the faults.
    fn finish(self, draw: &Draw) -> Scenario {
        let count = self.nodes.len() as NodeIx;
        let mut times = draw.part("times");
        let calm_at_ms = times.between(15_000, 45_000);
        let mut storm = draw.part("faults");
        let swarm = Swarm::new(&mut storm, self.always);
        let survivors = if times.percent(30) { (0..count).collect() } else { times.some(count, count / 2 + 1, count) };
        Scenario {
            name: String::new(),
            seed: 0,
            note: String::new(),
            workload: workload::requests(&mut draw.part("workload"), count, self.load, calm_at_ms),
            faults: swarm.faults(&mut storm, count, self.shape, calm_at_ms),
            network: Network { default: self.shape, links: detours(&mut draw.part("network"), count, self.shape) },
            calm_at_ms,
            survivors,
            settle_ms: settle_ms(&self.nodes),
            watch_ms: 15_000,
            nodes: self.nodes,
        }
    }
}

/// The longest that recovery may take: a dead link is noticed, the longest pause before a dial, a handshake that fails
/// and is tried once more; twice, since the first success may be superseded. Then adverts.
fn settle_ms(nodes: &[NodeSpec]) -> u64 {
    let worst = |node: &NodeSpec| {
        let timers = node.timers;
        u64::from(timers.dead_after_ms + timers.heartbeat_ms + 2 * timers.reconnect_max_ms + 2 * timers.handshake_ms)
    };
    2 * nodes.iter().map(worst).max().unwrap_or(0) + 10_000
}

/// Some directions differ from the default, so that shortest paths are not the same both ways.
fn detours(draw: &mut Draw, nodes: NodeIx, usual: LinkShape) -> Vec<ShapedLink> {
    if draw.percent(50) {
        return Vec::new();
    }
    (0..draw.between(1, u64::from(nodes)))
        .map(|_| {
            let (from, to) = draw.pair(nodes);
            let latency_us = draw.scale_u32(200, 40_000);
            ShapedLink { from, to, shape: LinkShape { latency_us, jitter_us: latency_us / 10, ..usual } }
        })
        .collect()
}

fn mesh5(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let mut nodes = topology::nodes(&mut part, 5);
    topology::full(&mut part, &mut nodes, 20);
    Plan::new(nodes, LinkShape::LAN).finish(draw)
}

fn line(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(3, 6) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::line(&mut part, &mut nodes, 20);
    Plan::new(nodes, LinkShape::LAN).finish(draw)
}

fn ring(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(4, 8) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::ring(&mut part, &mut nodes, 20);
    Plan::new(nodes, LinkShape::LAN).finish(draw)
}

fn star(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(3, 8) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::star(&mut part, &mut nodes, 20);
    Plan::new(nodes, LinkShape::LAN).finish(draw)
}

fn random(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(6, 12) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::random(&mut part, &mut nodes, 20);
    for node in &mut nodes {
        node.transit = !part.percent(20);
    }
    let shape = LinkShape { latency_us: part.scale_u32(200, 20_000), ..LinkShape::LAN };
    Plan::new(nodes, shape).finish(draw)
}

fn churn(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(4, 7) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::random(&mut part, &mut nodes, 30);
    Plan::new(nodes, LinkShape::LAN).always(&[Kind::Crash, Kind::Stop]).finish(draw)
}

fn partition(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(4, 7) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::full(&mut part, &mut nodes, 30);
    let always = &[Kind::Split, Kind::OneWay, Kind::Bridge, Kind::Ring];
    Plan::new(nodes, LinkShape::LAN).always(always).finish(draw)
}

fn lossy(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(3, 6) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::random(&mut part, &mut nodes, 20);
    for node in &mut nodes {
        // Losses are delays of a stream: retransmission timeouts must fit several times into the given-up time.
        node.timers.dead_after_ms = node.timers.dead_after_ms.max(3_000);
    }
    let shape = LinkShape {
        latency_us: part.scale_u32(1_000, 50_000),
        jitter_us: part.scale_u32(100, 20_000),
        loss_per_mille: part.scale_u32(1, 30),
        duplicate_per_mille: part.between_u32(0, 50),
        reorder_per_mille: part.between_u32(0, 50),
        bytes_per_sec: 0,
    };
    Plan::new(nodes, shape).always(&[Kind::Lossy, Kind::Slow, Kind::Far, Kind::Flap]).finish(draw)
}

fn pause(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(3, 6) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::ring(&mut part, &mut nodes, 30);
    for node in &mut nodes {
        node.clock_ppm = drift(&mut part);
    }
    Plan::new(nodes, LinkShape::LAN).always(&[Kind::Pause, Kind::Clock]).finish(draw)
}

fn overload(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(3, 5) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::line(&mut part, &mut nodes, 20);
    for node in &mut nodes {
        node.send_queue = part.scale_u32(4, 256);
        node.inbox = part.scale_u32(4, 256);
        node.timers.dead_after_ms = node.timers.dead_after_ms.max(3_000);
        if part.percent(50) {
            node.app = App::Slow { per_sec: part.scale_u32(5, 500) };
        }
    }
    let shape = LinkShape { bytes_per_sec: part.scale_u32(1 << 20, 1 << 26), ..LinkShape::LAN };
    let mut plan = Plan::new(nodes, shape).always(&[Kind::Pause]);
    plan.load = Load { gap_ms: (10, 100), bytes_max: 128 * 1_024, deadline_max_ms: 8_000 };
    plan.finish(draw)
}

fn restart(draw: &mut Draw) -> Scenario {
    let mut part = draw.part("topology");
    let count = part.between(2, 4) as NodeIx;
    let mut nodes = topology::nodes(&mut part, count);
    topology::full(&mut part, &mut nodes, 100);
    Plan::new(nodes, LinkShape::LAN).always(&[Kind::Crash, Kind::Cut]).finish(draw)
}
