//! A mesh of forty nodes under churn comes to the routes of plain Dijkstra, the same way each time, and says little.
//! `docs/SIMULATION.md` has the command for larger ones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use sim_tests::scale::{Measured, Plan, measure};

const PLAN: Plan = Plan { nodes: 40, minutes: 1, degree: 5, churn_percent: 5, seed: 1 };

#[test]
fn forty_nodes_under_churn_come_to_the_shortest_paths() {
    let Measured { links, converged_ms, outcomes, rest, churn, .. } = measure(&PLAN).unwrap();
    println!("converged after {converged_ms} ms; {outcomes:?}; at rest {rest:?}; under churn {churn:?}");
    assert_eq!(links, 100);
    assert!(outcomes.delivered > 150, "{outcomes:?}");
    assert!(churn.originated > rest.originated, "the churn is seen");
}
