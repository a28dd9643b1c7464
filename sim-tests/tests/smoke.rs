//! A fixed number of seeds of every family, as every change must pass them: what they came to, and that a second process
//! comes to the same.

use std::{path::PathBuf, time::Duration};

use sim_tests::{generate::FAMILIES, run::Tier, sweep::Sweep};

/// Seeds of each family.
const SEEDS_EACH: u64 = 6;

#[test]
fn every_family_holds_and_every_double_run_agrees() {
    let sweep = Sweep {
        program: PathBuf::from(env!("CARGO_BIN_EXE_sim-tests")),
        families: FAMILIES.iter().collect(),
        tiers: vec![Tier::Des],
        from: 1,
        seeds: SEEDS_EACH * FAMILIES.len() as u64,
        jobs: 2,
        twice_percent: 10,
        watchdog: Duration::from_secs(120),
        canary: false,
    };
    let mut failures = Vec::new();
    let summary = sweep.run(|job, violation| failures.push(format!("{violation}\n  {}", job.command())));
    println!("{summary}");
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert_eq!(summary.families.len(), FAMILIES.len());
    assert!(summary.families.values().all(|family| family.seeds == SEEDS_EACH && family.handed > 0));
}
