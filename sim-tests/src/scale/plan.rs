//! What is measured: a mesh, its churn and its load, as a scenario.

use std::{collections::BTreeSet, time::Duration};

use io_sim::{Fault, HostId, HostSpec, LinkSpec, PeerSpec, WorldOptions};
use proto_core::id::NodeName;

use crate::{
    generate::draw::Draw,
    scenario::{Direction, Network, Op, Scenario, TimedFault, TimedOp},
};

/// How long a mesh may take to converge after its start.
pub(super) const START_MS: u64 = 30_000;
/// How long it is then left alone.
pub(super) const REST_MS: u64 = 60_000;
/// How long it may take to converge after the churn. The ladder of reconnects ends well within it.
const SETTLE_MS: u64 = 90_000;
/// Time at the end of each minute in which nobody goes down, so that who did is back within the minute.
const RETURN_MS: u64 = 10_000;
/// Least and most time that a node is down.
const DOWN_MS: (u64, u64) = (2_000, 8_000);
/// Time between two messages of one node.
const SEND_EVERY_MS: u64 = 10_000;
/// Size of a message.
const SEND_BYTES: u32 = 200;
/// How long a message may take.
const SEND_DEADLINE_MS: u32 = 10_000;
const MINUTE_MS: u64 = 60_000;

/// One mesh to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many nodes.
    pub nodes: u32,
    /// Simulated minutes of churn.
    pub minutes: u32,
    /// Links per node, on average.
    pub degree: u32,
    /// Nodes in a hundred that go down and come back in each minute.
    pub churn_percent: u32,
    /// Seeds everything.
    pub seed: u64,
}

impl Plan {
    /// Whether there is such a mesh.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let Self { nodes, minutes, degree, churn_percent, .. } = *self;
        if !(4..=2_000).contains(&nodes) {
            return Err(format!("{nodes} nodes: 4 to 2000 can be measured"));
        }
        if !(2..nodes).contains(&degree) {
            return Err(format!("a degree of {degree}: from 2 to one less than the nodes is possible"));
        }
        if !(1..=60).contains(&minutes) || churn_percent > 100 {
            return Err(String::from("from 1 to 60 minutes and 0 to 100 % of churn are possible"));
        }
        Ok(())
    }

    /// When the churn begins.
    pub(super) const fn churn_at_ms(&self) -> u64 {
        START_MS + REST_MS
    }

    /// When it ends.
    pub(super) const fn calm_at_ms(&self) -> u64 {
        self.churn_at_ms() + self.minutes as u64 * MINUTE_MS
    }

    /// The mesh, its churn and its load.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        let draw = Draw::new("scale", self.seed ^ u64::from(self.nodes) << 32);
        let pairs = pairs(&mut draw.part("topology"), self.nodes, self.degree);
        let hosts = hosts(&mut draw.part("dialling"), self.nodes, &pairs);
        Scenario {
            name: String::from("scale"),
            seed: self.seed,
            note: String::new(),
            hosts,
            network: Network { options: WorldOptions::default(), links: paths(&mut draw.part("paths"), &pairs) },
            workload: self.workload(&mut draw.part("workload")),
            faults: self.churn(&mut draw.part("churn")),
            calm_at_ms: self.calm_at_ms(),
            survivors: (0..self.nodes).map(HostId).collect(),
            settle_ms: SETTLE_MS,
            watch_ms: 0,
        }
    }

    /// In each minute other nodes lose their power or their process, at even distances, and start again some seconds later.
    fn churn(&self, draw: &mut Draw) -> Vec<TimedFault> {
        // Rounded over all minutes, so that small meshes are struck no harder than large ones.
        let struck_until = |minute: u64| u64::from(self.nodes * self.churn_percent) * minute / 100;
        let mut faults = Vec::new();
        for minute in 0..u64::from(self.minutes) {
            let begin_ms = self.churn_at_ms() + minute * MINUTE_MS;
            let count = struck_until(minute + 1) - struck_until(minute);
            let struck = draw.shuffled(self.nodes).into_iter().take(count as usize);
            for (host, place) in struck.zip(0..) {
                let at_ms = begin_ms + (MINUTE_MS - RETURN_MS) * place / count + draw.between(0, 999);
                let fault = if draw.percent(50) { Fault::Crash { host } } else { Fault::Kill { host } };
                faults.push(TimedFault { at_ms, fault });
                let back_ms = at_ms + draw.between(DOWN_MS.0, DOWN_MS.1);
                faults.push(TimedFault { at_ms: back_ms, fault: Fault::Restart { host } });
            }
        }
        faults.sort_by_key(|timed| timed.at_ms);
        faults
    }

    /// Every node sends a small message to some other one every now and then.
    fn workload(&self, draw: &mut Draw) -> Vec<TimedOp> {
        let count = u64::from(self.nodes) * (self.calm_at_ms() - self.churn_at_ms()) / SEND_EVERY_MS;
        let mut ops: Vec<_> = (0..count)
            .map(|_| {
                let (from, to) = draw.pair(self.nodes);
                let (bytes, deadline_ms) = (SEND_BYTES, SEND_DEADLINE_MS);
                let at_ms = draw.between(self.churn_at_ms(), self.calm_at_ms() - 1);
                TimedOp { at_ms, op: Op::Send { from, to, bytes, deadline_ms, report: true } }
            })
            .collect();
        ops.sort_by_key(|timed| timed.at_ms);
        ops
    }
}

/// The links of a random connected graph: a random tree, and random pairs until there are enough.
fn pairs(draw: &mut Draw, nodes: u32, degree: u32) -> BTreeSet<(u32, u32)> {
    let wanted = (u64::from(nodes) * u64::from(degree) / 2) as usize;
    let mut pairs: BTreeSet<_> = (1..nodes).map(|node| (draw.host(node).0, node)).collect();
    while pairs.len() < wanted {
        let (HostId(a), HostId(b)) = draw.pair(nodes);
        pairs.insert((a.min(b), a.max(b)));
    }
    pairs
}

/// Hosts with every default; of each pair, one dials the other.
fn hosts(draw: &mut Draw, nodes: u32, pairs: &BTreeSet<(u32, u32)>) -> Vec<HostSpec> {
    let names: Vec<_> = (0..nodes).map_while(|number| NodeName::new(&format!("n{number}")).ok()).collect();
    let mut hosts: Vec<_> = names.iter().cloned().map(HostSpec::new).collect();
    for (a, b) in pairs {
        let (from, to) = if draw.percent(50) { (a, b) } else { (b, a) };
        let name = names[*to as usize].clone();
        hosts[*from as usize].template.peers.push(PeerSpec { name, cost: 0 });
    }
    hosts
}

/// A delay for each pair, from that of one machine room to that of one continent.
fn paths(draw: &mut Draw, pairs: &BTreeSet<(u32, u32)>) -> Vec<Direction> {
    let both = |(a, b): &(u32, u32)| {
        let spec =
            LinkSpec { latency: draw.scale_us(500, 20_000), jitter: Duration::from_micros(100), ..LinkSpec::default() };
        let (a, b) = (HostId(*a), HostId(*b));
        [Direction { from: a, to: b, spec }, Direction { from: b, to: a, spec }]
    };
    pairs.iter().flat_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { nodes: 60, minutes: 2, degree: 5, churn_percent: 5, seed: 7 };

    #[test]
    fn a_plan_makes_a_sound_scenario_of_its_size() {
        let scenario = PLAN.scenario();
        assert_eq!(scenario.check(), Ok(()));
        let dials: usize = scenario.hosts.iter().map(|host| host.template.peers.len()).sum();
        assert_eq!((scenario.hosts.len(), dials), (60, 150));
        assert_eq!(scenario.faults.len(), 2 * 2 * 3, "three of sixty go and come, in each of two minutes");
        assert_eq!(scenario, PLAN.scenario(), "the same plan always makes the same scenario");
    }

    #[test]
    fn a_small_mesh_is_struck_no_harder_than_a_large_one() {
        let restarts = |nodes, minutes| Plan { nodes, minutes, ..PLAN }.scenario().faults.len() / 2;
        assert_eq!((restarts(50, 1), restarts(50, 2), restarts(200, 2)), (2, 5, 20));
    }

    #[test]
    fn who_goes_down_is_back_before_the_minute_is_over() {
        let faults = PLAN.scenario().faults;
        for timed in faults {
            let minute = (timed.at_ms - PLAN.churn_at_ms()) % MINUTE_MS;
            match timed.fault {
                Fault::Restart { .. } => assert!((2_000..60_000).contains(&minute), "{minute}"),
                _ => assert!(minute < 51_000, "{minute}"),
            }
        }
    }

    #[test]
    fn a_mesh_that_cannot_be_is_refused() {
        assert_eq!(PLAN.check(), Ok(()));
        assert!(Plan { nodes: 3, ..PLAN }.check().is_err());
        assert!(Plan { degree: 60, ..PLAN }.check().is_err());
        assert!(Plan { minutes: 0, ..PLAN }.check().is_err());
        assert!(Plan { churn_percent: 101, ..PLAN }.check().is_err());
    }
}
