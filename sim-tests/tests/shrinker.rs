//! The shrinker on made-up bugs: it finds what matters, keeps to its budget, and does not slip to another bug.

use std::time::Duration;

use io_sim::Fault;
use sim_tests::{
    generate,
    scenario::{Op, Scenario},
    shrink::{Budget, Shrunk, shrink},
    verdict::{Report, Verdict, Violation},
};

fn scenario() -> Scenario {
    let mut scenario = generate::family("churn").expect("it exists").generate(11);
    assert!(scenario.faults.len() > 10 && scenario.workload.len() > 50, "there is something to shrink");
    scenario.calm_at_ms = 60_000;
    scenario
}

fn fine() -> Verdict {
    Verdict::Ok(Report { hash: 0, sim_ms: 0, steps: 0, settled_ms: 0, counts: Default::default() })
}

fn broken(invariant: &str, at_ms: u64) -> Violation {
    Violation { invariant: invariant.into(), at_ms, detail: String::new() }
}

fn shrunk(budget: Budget, mut run: impl FnMut(&Scenario) -> Verdict) -> Shrunk {
    let scenario = scenario();
    match run(&scenario) {
        Verdict::Violation(violation) => shrink(&scenario, &violation, budget, run),
        Verdict::Ok(_) => panic!("the made-up bug must show in the whole scenario"),
    }
}

/// Breaks when some host crashes after another one was killed, and somebody broadcasts.
fn bug(scenario: &Scenario) -> Verdict {
    let crash = scenario.faults.iter().position(|timed| matches!(timed.fault, Fault::Crash { .. }));
    let kill = scenario.faults.iter().rposition(|timed| matches!(timed.fault, Fault::Kill { .. }));
    let said = scenario.workload.iter().any(|timed| matches!(timed.op, Op::Send { .. }));
    match (crash, kill) {
        (Some(crash), Some(kill)) if crash < kill && said => Verdict::Violation(broken("bug", 50_000)),
        (Some(_) | None, Some(_) | None) => fine(),
    }
}

#[test]
fn only_what_matters_is_left() {
    let found = shrunk(Budget::default(), bug);
    let Scenario { faults, workload, hosts, .. } = &found.scenario;
    assert_eq!((faults.len(), workload.len()), (2, 1));
    // At most one host each that crashes, is killed, sends and receives.
    assert!(hosts.len() <= 4, "{} hosts", hosts.len());
    assert!(matches!(workload[0].op, Op::Send { bytes: 16, deadline_ms: 1_000, .. }), "{workload:?}");
    assert!(hosts.iter().all(|host| host.template.peers.is_empty()));
    assert_eq!((found.scenario.seed, found.scenario.check()), (0, Ok(())));
    assert_eq!(bug(&found.scenario), Verdict::Violation(found.violation));
}

#[test]
fn the_search_keeps_to_its_budget() {
    let mut runs = 0;
    let budget = Budget { runs: 25, time: Duration::from_secs(60) };
    let found = shrunk(budget, |scenario| {
        runs += 1;
        bug(scenario)
    });
    // The first run is the test's own.
    assert_eq!((found.runs, runs), (25, 26));
}

#[test]
fn the_search_does_not_slip_to_another_bug() {
    let found = shrunk(Budget::default(), |scenario| match bug(scenario) {
        // Every smaller scenario breaks something else.
        Verdict::Ok(_) => Verdict::Violation(broken("other", 1)),
        verdict @ Verdict::Violation(_) => verdict,
    });
    assert_eq!((found.violation.invariant.as_str(), found.scenario.faults.len()), ("bug", 2));
}

#[test]
fn what_comes_after_the_violation_goes_first() {
    let mut longest = 0;
    let found = shrunk(Budget::default(), |scenario| {
        longest = scenario.faults.iter().map(|timed| timed.at_ms).max().unwrap_or(0);
        Verdict::Violation(broken("early", 5_000))
    });
    assert!(longest <= 5_000, "{longest}");
    assert_eq!((found.scenario.faults.len(), found.scenario.workload.len()), (0, 0));
}
