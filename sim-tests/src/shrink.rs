//! Makes a failing scenario small: fewer faults, fewer requests, fewer nodes, plainer numbers.
//!
//! Delta debugging (Zeller and Hildebrandt 2002) over one list after the other, around again until nothing more can go. A
//! candidate counts only if it breaks the same invariant, so that the search does not slip to another bug. What is left
//! is a local minimum: taking one more thing away makes it pass.
//!
//! Generic over how a scenario is run, so that it is tested without a simulation.

use std::time::Duration;

use io_sim::{HostConfig, HostSpec, WorldOptions};
use proto_core::node::Metric;

use crate::{
    scenario::{Op, Scenario},
    stopwatch::Stopwatch,
    verdict::{Verdict, Violation},
};

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Most runs.
    pub runs: u32,
    /// Most real time; the last run may go over it.
    pub time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { runs: 2_000, time: Duration::from_secs(60) }
    }
}

/// The smallest failing scenario that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The scenario.
    pub scenario: Scenario,
    /// What it breaks.
    pub violation: Violation,
    /// Runs it took.
    pub runs: u32,
}

/// Shrinks a scenario that breaks an invariant. `run` must say the same of the same scenario every time.
pub fn shrink<R>(scenario: &Scenario, violation: &Violation, budget: Budget, run: R) -> Shrunk
where
    R: FnMut(&Scenario) -> Verdict,
{
    let best = Shrunk { scenario: scenario.clone(), violation: violation.clone(), runs: 0 };
    let mut search = Search { best, budget, clock: Stopwatch::start(), run };
    search.truncate();
    loop {
        let before = search.best.scenario.clone();
        search.ddmin(|scenario| &mut scenario.faults);
        search.ddmin(|scenario| &mut scenario.workload);
        search.drop_hosts();
        search.ddmin(|scenario| &mut scenario.network.links);
        search.simplify();
        search.truncate();
        if search.best.scenario == before || search.spent() {
            return search.best;
        }
    }
}

struct Search<R> {
    best: Shrunk,
    budget: Budget,
    clock: Stopwatch,
    run: R,
}

impl<R: FnMut(&Scenario) -> Verdict> Search<R> {
    fn spent(&self) -> bool {
        self.best.runs >= self.budget.runs || self.clock.elapsed() >= self.budget.time
    }

    /// Takes the candidate over if it breaks the same invariant.
    fn accept(&mut self, candidate: Scenario) -> bool {
        if self.spent() || candidate == self.best.scenario || candidate.check().is_err() {
            return false;
        }
        self.best.runs += 1;
        match (self.run)(&candidate) {
            Verdict::Violation(violation) if violation.same_kind(&self.best.violation) => {
                self.best.scenario = candidate;
                self.best.violation = violation;
                true
            }
            Verdict::Ok(_) | Verdict::Violation(_) => false,
        }
    }

    fn change(&mut self, edit: impl FnOnce(&mut Scenario)) -> bool {
        let mut candidate = self.best.scenario.clone();
        edit(&mut candidate);
        self.accept(candidate)
    }

    /// Nothing after the violation matters, and the calm may come as soon as the last fault has happened.
    fn truncate(&mut self) {
        let end = self.best.violation.at_ms;
        self.change(|scenario| {
            scenario.faults.retain(|timed| timed.at_ms <= end);
            scenario.workload.retain(|timed| timed.at_ms <= end);
        });
        let last = self.best.scenario.faults.last().map_or(0, |timed| timed.at_ms);
        self.change(|scenario| scenario.calm_at_ms = last);
    }

    /// Takes runs of entries out of a list, long runs first.
    fn ddmin<T: Clone>(&mut self, list: impl Fn(&mut Scenario) -> &mut Vec<T>) {
        let mut chunk = list(&mut self.best.scenario).len().max(1);
        loop {
            let mut start = 0;
            while start < list(&mut self.best.scenario).len() && !self.spent() {
                let gone = self.change(|scenario| {
                    let list = list(scenario);
                    list.drain(start..(start + chunk).min(list.len()));
                });
                // What came after a run that is gone has moved to its place.
                if !gone {
                    start += chunk;
                }
            }
            if chunk == 1 || self.spent() {
                return;
            }
            chunk = chunk.div_ceil(2);
        }
    }

    fn drop_hosts(&mut self) {
        let hosts: Vec<_> = self.best.scenario.ids().collect();
        for host in hosts.into_iter().rev() {
            if let Some(smaller) = self.best.scenario.without_host(host) {
                self.accept(smaller);
            }
        }
        for host in 0..self.best.scenario.hosts.len() {
            self.ddmin(|scenario| &mut scenario.hosts[host].template.peers);
        }
    }

    /// Plain values in the place of drawn ones: all at once if that will do, else one by one.
    fn simplify(&mut self) {
        self.change(|scenario| scenario.workload.iter_mut().for_each(|timed| plain_op(&mut timed.op)));
        for at in 0..self.best.scenario.workload.len() {
            self.change(|scenario| plain_op(&mut scenario.workload[at].op));
        }
        self.change(|scenario| scenario.network.options = WorldOptions::default());
        for plain in PLAIN_HOST {
            self.change(|scenario| scenario.hosts.iter_mut().for_each(plain));
        }
        self.change(|scenario| scenario.survivors = scenario.ids().collect());
        for step_ms in [1_000, 100, 10] {
            self.change(|scenario| {
                scenario.faults.iter_mut().for_each(|timed| timed.at_ms -= timed.at_ms % step_ms);
                scenario.workload.iter_mut().for_each(|timed| timed.at_ms -= timed.at_ms % step_ms);
            });
        }
        self.change(|scenario| scenario.seed = 0);
    }
}

/// Edits that make a host plainer, the ones that change most first.
const PLAIN_HOST: [fn(&mut HostSpec); 7] = [
    |host| {
        let peers = std::mem::take(&mut host.template.peers);
        host.template = HostConfig { peers, ..HostConfig::default() };
    },
    |host| host.template.metric = Metric::Hops,
    |host| host.clock_ppm = 0,
    |host| host.template.consume_after = HostConfig::default().consume_after,
    |host| host.template.transit = true,
    |host| host.template.inbox = HostConfig::default().inbox,
    |host| host.template.peers.iter_mut().for_each(|peer| peer.cost = 0),
];

fn plain_op(op: &mut Op) {
    match op {
        Op::Send { bytes, deadline_ms, .. }
        | Op::SendToClient { bytes, deadline_ms, .. }
        | Op::SendMany { bytes, deadline_ms, .. }
        | Op::Broadcast { bytes, deadline_ms, .. } => (*bytes, *deadline_ms) = (16, 1_000),
        Op::Trace { deadline_ms, .. } | Op::FindNode { deadline_ms, .. } => *deadline_ms = 1_000,
        Op::Service(service) => service.make_plain(),
        Op::Client { .. } => {}
    }
}
