//! The tier of the asynchronous shells: it holds, it agrees with the other tier, it is deterministic, and it catches a
//! shell that is broken.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use sim_tests::{
    generate::{self, FAMILIES},
    run::{Options, Tier, guarded},
    scenario::Scenario,
    sweep::Sweep,
    turmoil::Sabotage,
    verdict::{Report, Verdict},
};

/// Seeds of each family.
const SEEDS_EACH: u64 = 2;

fn on(tier: Tier) -> Options {
    Options { tier, ..Options::default() }
}

/// A scenario in which nothing breaks.
fn fair(family: &str, seed: u64) -> Scenario {
    let mut scenario = generate::family(family).expect("it exists").generate(seed);
    scenario.faults.clear();
    scenario.calm_at_ms = 5_000;
    scenario.workload.retain(|timed| timed.at_ms <= 5_000);
    scenario
}

fn report(verdict: &Verdict) -> Report {
    match verdict {
        Verdict::Ok(report) => *report,
        Verdict::Violation(violation) => panic!("{violation}"),
    }
}

fn broken(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Ok(_) => None,
        Verdict::Violation(violation) => Some(&violation.invariant),
    }
}

#[test]
fn both_tiers_come_to_the_same_verdicts_and_double_runs_agree() {
    let sweep = Sweep {
        program: PathBuf::from(env!("CARGO_BIN_EXE_sim-tests")),
        families: FAMILIES.iter().collect(),
        tiers: Tier::ALL.to_vec(),
        from: 1,
        seeds: SEEDS_EACH * FAMILIES.len() as u64,
        jobs: 2,
        twice_percent: 10,
        watchdog: Duration::from_secs(300),
        canary: false,
    };
    let (mut des, mut turmoil) = (BTreeSet::new(), BTreeSet::new());
    let mut failures = Vec::new();
    let summary = sweep.run(|job, violation| {
        failures.push(format!("{job}: {violation}\n  {}", job.command()));
        let side = if job.tier == Tier::Des { &mut des } else { &mut turmoil };
        side.insert((job.family, job.seed));
    });
    println!("{summary}");
    assert_eq!(des, turmoil, "the tiers disagree\n{}", failures.join("\n"));
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(summary.families.values().all(|family| family.seeds == SEEDS_EACH && family.handed > 0));
}

/// Makes a scenario one that cannot hold.
type Spoil = fn(&mut Scenario);

#[test]
fn both_tiers_find_the_same_fault_in_a_scenario_that_cannot_hold() {
    let stranger = |scenario: &mut Scenario| scenario.hosts[0].template.token = String::from("another token");
    let suspicious = |scenario: &mut Scenario| scenario.hosts[0].template.allow = vec![String::from("nobody")];
    let impatient = |scenario: &mut Scenario| scenario.hosts[0].template.max_payload = 1_000;
    let ways: [(&str, Spoil); 3] = [("stranger", stranger), ("suspicious", suspicious), ("impatient", impatient)];
    for (name, spoil) in ways {
        let mut scenario = fair("mesh5", 11);
        spoil(&mut scenario);
        let verdicts = Tier::ALL.map(|tier| guarded(&scenario, on(tier)));
        let found = verdicts.each_ref().map(broken);
        assert!(found[0].is_some(), "{name}");
        assert_eq!(found[0], found[1], "{name}: {verdicts:?}");
    }
}

#[test]
fn the_same_scenario_leaves_the_same_trace_and_another_seed_another() {
    let scenario = generate::family("restart").expect("it exists").generate(3);
    let first = report(&guarded(&scenario, on(Tier::Turmoil)));
    assert_eq!(report(&guarded(&scenario, on(Tier::Turmoil))), first);
    let other = Scenario { seed: scenario.seed + 1, ..scenario };
    assert_ne!(report(&guarded(&other, on(Tier::Turmoil))).hash, first.hash);
}

#[test]
fn a_broken_shell_is_caught() {
    let scenario = fair("mesh5", 11);
    report(&guarded(&scenario, on(Tier::Turmoil)));
    for sabotage in [Sabotage::Drop, Sabotage::Swap, Sabotage::Repeat, Sabotage::Sleep] {
        let options = Options { sabotage: Some(sabotage), ..on(Tier::Turmoil) };
        let verdict = guarded(&scenario, options);
        println!("{sabotage:?}: {verdict:?}");
        assert!(broken(&verdict).is_some(), "{sabotage:?} went unnoticed");
    }
}
