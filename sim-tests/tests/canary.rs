//! Nondeterminism is caught, and determinism is not mistaken for it.

use std::{path::PathBuf, time::Duration};

use sim_tests::{
    run::Tier,
    sweep::{Sweep, TWICE_LEAST, families},
};

fn sweep(canary: bool, tier: Tier) -> Vec<String> {
    let sweep = Sweep {
        program: PathBuf::from(env!("CARGO_BIN_EXE_sim-tests")),
        families: families("restart").expect("it exists"),
        tiers: vec![tier],
        from: 1,
        seeds: TWICE_LEAST,
        jobs: 2,
        twice_percent: 100,
        watchdog: Duration::from_secs(120),
        canary,
    };
    let mut caught = Vec::new();
    sweep.run(|_, violation| caught.push(violation.invariant.clone()));
    caught
}

#[test]
fn a_nondeterministic_world_is_caught_in_every_seed() {
    for tier in Tier::ALL {
        assert_eq!(sweep(true, tier), vec!["determinism"; TWICE_LEAST as usize], "{tier}");
    }
}

#[test]
fn a_deterministic_world_is_not() {
    for tier in Tier::ALL {
        assert_eq!(sweep(false, tier), Vec::<String>::new(), "{tier}");
    }
}
