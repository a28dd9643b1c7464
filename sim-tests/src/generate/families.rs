//! The families.

use std::time::Duration;

use io_sim::{HostConfig, HostSpec, LinkSpec, Loss, WorldOptions};

use super::{
    Family,
    draw::Draw,
    faults::{Kind, Swarm, drift},
    topology::Hosts,
    workload::{self, Load},
};
use crate::scenario::{Direction, Network, Scenario};

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
    Family {
        name: "overload",
        about: "slow applications, stuck clients, large payloads, small queues",
        make: overload,
    },
    Family {
        name: "restart",
        about: "pairs that dial each other at once, new lives in quick succession",
        make: restart,
    },
    Family { name: "topics", about: "subscriptions come and go, some of them slow; publications", make: topics },
    Family { name: "calls", about: "services come and go, some of them slow; calls", make: calls },
];

/// What a family chooses; everything else is drawn alike for all.
struct Plan {
    hosts: Hosts,
    always: &'static [Kind],
    load: Load,
    link: LinkSpec,
}

impl Plan {
    fn new(hosts: Hosts) -> Self {
        Self { hosts, always: &[], load: Load::ORDINARY, link: LinkSpec::default() }
    }

    fn always(self, kinds: &'static [Kind]) -> Self {
        Self { always: kinds, ..self }
    }

    /// Draws the workload and the faults.
    fn finish(self, draw: &Draw) -> Scenario {
        let Self { hosts, always, load, link } = self;
        let count = hosts.count();
        let mut times = draw.part("times");
        let calm_at_ms = times.between(15_000, 45_000);
        let mut storm = draw.part("faults");
        let swarm = Swarm::new(&mut storm, always);
        let survivors = if times.percent(30) { count } else { times.between_u32(count / 2 + 1, count) };
        let survivors = times.some(count, survivors, survivors);
        Scenario {
            name: String::new(),
            seed: 0,
            note: String::new(),
            workload: workload::requests(&mut draw.part("workload"), count, load, calm_at_ms),
            faults: swarm.faults(&mut storm, count, link, calm_at_ms),
            network: network(&mut draw.part("network"), count, link),
            calm_at_ms,
            survivors,
            settle_ms: settle_ms(&hosts.specs),
            watch_ms: 15_000,
            hosts: hosts.specs,
        }
    }
}

/// The longest that recovery may take: a dead link is noticed; a dial that began in the partition fails; the longest
/// pause; a handshake that fails, and one more. Twice, since the first link may be superseded. Then adverts, among them
/// those that anti-entropy brings.
fn settle_ms(hosts: &[HostSpec]) -> u64 {
    let worst = |host: &HostSpec| {
        let HostConfig { dead_after, heartbeat, reconnect_max, handshake_timeout, .. } = host.template;
        dead_after + heartbeat + CONNECT_TIMEOUT + 2 * reconnect_max + 2 * handshake_timeout
    };
    let worst = hosts.iter().map(worst).max().unwrap_or_default();
    u64::try_from((2 * worst + Duration::from_secs(10)).as_millis()).unwrap_or(u64::MAX)
}

/// How long a simulated kernel tries to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// In half of the seeds some directions differ from the default, so that shortest paths are not the same both ways.
fn network(draw: &mut Draw, hosts: u32, link: LinkSpec) -> Network {
    let options = WorldOptions {
        link,
        spurious_wakes_per_mille: if draw.percent(50) { 0 } else { draw.scale_u32(1, 50) },
        chop_per_mille: if draw.percent(50) { 0 } else { draw.scale_u32(1, 300) },
        ..WorldOptions::default()
    };
    let differ = if draw.percent(50) { 0 } else { draw.between(1, hosts.into()) };
    let links = (0..differ)
        .map(|_| {
            let (from, to) = draw.pair(hosts);
            let latency = draw.scale_us(200, 40_000);
            Direction { from, to, spec: LinkSpec { latency, jitter: latency / 10, ..link } }
        })
        .collect();
    Network { options, links }
}

fn mesh5(draw: &Draw) -> Scenario {
    Plan::new(Hosts::new(draw, 5, 5, 20).full()).finish(draw)
}

fn line(draw: &Draw) -> Scenario {
    Plan::new(Hosts::new(draw, 3, 6, 20).line()).finish(draw)
}

fn ring(draw: &Draw) -> Scenario {
    Plan::new(Hosts::new(draw, 4, 8, 20).ring()).finish(draw)
}

fn star(draw: &Draw) -> Scenario {
    Plan::new(Hosts::new(draw, 3, 8, 20).star()).finish(draw)
}

fn random(draw: &Draw) -> Scenario {
    let hosts = Hosts::new(draw, 6, 12, 20).random().each(|draw, host| host.template.transit = !draw.percent(20));
    let latency = draw.part("link").scale_us(200, 20_000);
    let load = Load { topics: 10, calls: 10, ..Load::ORDINARY };
    Plan { load, link: LinkSpec { latency, ..LinkSpec::default() }, ..Plan::new(hosts) }.finish(draw)
}

fn churn(draw: &Draw) -> Scenario {
    Plan::new(Hosts::new(draw, 4, 7, 30).random()).always(&[Kind::Crash, Kind::Kill, Kind::Stop]).finish(draw)
}

fn partition(draw: &Draw) -> Scenario {
    let kinds = &[Kind::Split, Kind::OneWay, Kind::Bridge, Kind::Ring, Kind::Isolate];
    Plan::new(Hosts::new(draw, 4, 7, 30).full()).always(kinds).finish(draw)
}

fn lossy(draw: &Draw) -> Scenario {
    // Losses are delays of a stream: retransmission timeouts must fit several times into the given-up time.
    let hosts = Hosts::new(draw, 3, 6, 20).random().each(|_, host| patient(&mut host.template));
    let mut part = draw.part("link");
    let link = LinkSpec {
        latency: part.scale_us(1_000, 50_000),
        jitter: part.scale_us(100, 20_000),
        loss: Loss::Bernoulli { per_mille: part.scale_u32(1, 30) },
        duplicate_per_mille: part.between_u32(0, 50),
        reorder_per_mille: part.between_u32(0, 50),
        ..LinkSpec::default()
    };
    Plan { link, ..Plan::new(hosts).always(&[Kind::Lossy, Kind::Slow, Kind::Far, Kind::Flap]) }.finish(draw)
}

fn pause(draw: &Draw) -> Scenario {
    let hosts = Hosts::new(draw, 3, 6, 30).ring().each(|draw, host| host.clock_ppm = drift(draw));
    Plan::new(hosts).always(&[Kind::Pause, Kind::Clock]).finish(draw)
}

fn overload(draw: &Draw) -> Scenario {
    let hosts = Hosts::new(draw, 3, 5, 20).line().each(|draw, host| {
        patient(&mut host.template);
        host.template.send_queue = draw.scale_u32(4, 256) as usize;
        host.template.inbox = draw.scale_u32(4, 256) as usize;
        if draw.percent(50) {
            host.template.consume_after = Duration::from_millis(draw.scale(10, 1_000));
        }
    });
    let rate_bytes_per_s = draw.part("link").scale(1 << 20, 1 << 26);
    let link = LinkSpec { rate_bytes_per_s, ..LinkSpec::default() };
    let load = Load { gap_ms: (10, 100), bytes_max: 128 * 1_024, ..Load::ORDINARY };
    Plan { load, link, ..Plan::new(hosts).always(&[Kind::Pause, Kind::SlowApplication, Kind::StuckClient]) }
        .finish(draw)
}

fn restart(draw: &Draw) -> Scenario {
    Plan::new(Hosts::new(draw, 2, 4, 100).full()).always(&[Kind::Crash, Kind::Kill, Kind::Cut]).finish(draw)
}

fn topics(draw: &Draw) -> Scenario {
    let load = Load { gap_ms: (10, 100), topics: 80, ..Load::ORDINARY };
    // So little that most of what is missed is gone, or so much that nothing is.
    let hosts = Hosts::new(draw, 3, 7, 20).random().each(|draw, host| {
        host.template.history = if draw.percent(50) { draw.scale(1, 10_000) as usize } else { 0 };
    });
    Plan { load, ..Plan::new(hosts).always(&[Kind::SlowApplication]) }.finish(draw)
}

fn calls(draw: &Draw) -> Scenario {
    let load = Load { gap_ms: (10, 100), calls: 80, ..Load::ORDINARY };
    Plan { load, ..Plan::new(Hosts::new(draw, 3, 7, 20).random()).always(&[Kind::SlowApplication]) }.finish(draw)
}

/// Gives links up later than a few lost packets take.
fn patient(config: &mut HostConfig) {
    config.dead_after = config.dead_after.max(Duration::from_secs(3));
}
