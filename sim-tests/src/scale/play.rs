//! Plays one mesh and measures it.

use std::{ops::ControlFlow, time::Duration};

use bytes::Bytes;
use io_sim::{Fault, HostState, World, time::SimTime};
use proto_core::node::{Command, Send};

use super::{
    judge::Judge,
    meter::{Meter, Outcomes, Rates, Sums},
    plan::{Plan, START_MS},
};
use crate::{
    scenario::{Op, Scenario},
    stopwatch::Stopwatch,
    verdict::Violation,
};

/// Time between two looks whether the mesh has converged.
const POLL: Duration = Duration::from_millis(100);

/// What one mesh came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// How many nodes.
    pub nodes: u32,
    /// How many links.
    pub links: u32,
    /// Simulated time.
    pub sim_ms: u64,
    /// Real time.
    pub wall: Duration,
    /// How long after the start it had converged.
    pub converged_ms: u64,
    /// How long after the churn it had converged again.
    pub settled_ms: u64,
    /// What a node does while nothing happens.
    pub rest: Rates,
    /// What a node does while others come and go.
    pub churn: Rates,
    /// The messages sent meanwhile.
    pub outcomes: Outcomes,
    /// Over everything that every node was told and did, in order.
    pub hash: u64,
}

/// Plays one mesh and measures it.
///
/// # Errors
/// What was wrong, if it did not converge in time.
pub fn measure(plan: &Plan) -> Result<Measured, Violation> {
    let clock = Stopwatch::start();
    let scenario = plan.scenario();
    let mut play = Play::new(&scenario);
    let start = Duration::from_millis(START_MS);
    let converged_ms = play.converge(start)?;
    play.run_until(START_MS);
    let rested = play.sums();
    play.run_until(plan.churn_at_ms());
    let begun = play.sums();
    play.churn();
    let ended = play.sums();
    let settled_ms = play.converge(Duration::from_millis(scenario.settle_ms))?;
    if play.outcomes.misuse > 0 {
        let (invariant, at_ms) = (String::from("eng_no_misuse"), play.world.now().as_millis());
        return Err(Violation { invariant, at_ms, detail: format!("{} inputs", play.outcomes.misuse) });
    }
    Ok(Measured {
        nodes: plan.nodes,
        links: u32::try_from(scenario.network.links.len() / 2).unwrap_or(u32::MAX),
        sim_ms: play.world.now().as_millis(),
        wall: clock.elapsed(),
        converged_ms,
        settled_ms,
        rest: Rates::between(rested, begun, plan.nodes, plan.churn_at_ms() - START_MS),
        churn: Rates::between(begun, ended, plan.nodes, plan.calm_at_ms() - plan.churn_at_ms()),
        outcomes: play.outcomes,
        hash: play.world.trace_hash(),
    })
}

/// A mesh being played.
#[derive(Debug)]
struct Play<'a> {
    scenario: &'a Scenario,
    world: World,
    judge: Judge,
    meter: Meter,
    outcomes: Outcomes,
}

impl<'a> Play<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut world = World::new(scenario.seed, scenario.network.options.clone());
        for spec in &scenario.hosts {
            world.add_host(spec.clone());
        }
        for link in &scenario.network.links {
            world.apply(&Fault::Link { from: link.from, to: link.to, spec: link.spec });
        }
        let (judge, meter, outcomes) = (Judge::new(scenario), Meter::default(), Outcomes::default());
        Self { scenario, world, judge, meter, outcomes }
    }

    fn run_until(&mut self, ms: u64) {
        let ControlFlow::Continue(()) = self.world.run_until(SimTime::from_millis(ms), &mut self.outcomes);
    }

    fn sums(&self) -> Sums {
        self.meter.sums(&self.world)
    }

    /// Waits until the mesh has converged, and tells how long that took.
    fn converge(&mut self, at_most: Duration) -> Result<u64, Violation> {
        let began = self.world.now();
        loop {
            let passed = self.world.now().since(began);
            let over = passed >= at_most;
            if over || self.judge.seems_converged(&self.world) {
                match self.judge.converged(&self.world) {
                    Ok(()) => return Ok(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)),
                    Err(violation) if over => return Err(violation),
                    Err(_) => {}
                }
            }
            self.run_until((self.world.now() + POLL).as_millis());
        }
    }

    /// Plays faults and workload.
    fn churn(&mut self) {
        let scenario = self.scenario;
        let mut workload = scenario.workload.iter().peekable();
        for timed in &scenario.faults {
            while let Some(op) = workload.next_if(|op| op.at_ms <= timed.at_ms) {
                self.run_until(op.at_ms);
                self.ask(&op.op);
            }
            self.run_until(timed.at_ms);
            if let Fault::Crash { host } | Fault::Kill { host } = timed.fault {
                self.meter.bury(&self.world, host);
            }
            self.world.apply(&timed.fault);
        }
        for op in workload {
            self.run_until(op.at_ms);
            self.ask(&op.op);
        }
        self.run_until(scenario.calm_at_ms);
    }

    /// Lets an application send, if its node runs.
    fn ask(&mut self, op: &Op) {
        let Op::Send { from, to, bytes, deadline_ms, report } = op else { return };
        if self.world.host(*from).state() != HostState::Up {
            return;
        }
        let send = Send {
            to: self.scenario.hosts[to.0 as usize].name.addr(),
            to_client: None,
            from_client: None,
            payload: Bytes::from(vec![0x5a; *bytes as usize]),
            deadline: Duration::from_millis((*deadline_ms).into()),
            report: *report,
        };
        self.world.command(*from, Command::Send(send));
    }
}
