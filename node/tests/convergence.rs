//! Routes follow the links, and messages follow the routes, whichever node dies. Outcomes only: times are for
//! `benches/convergence.rs`.

use std::{path::Path, time::Duration};

use firelink_node::bench::convergence::{self, Death};

const TOKEN: &str = "a token for a moment";
const LINK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_node"))
}

#[tokio::test]
async fn the_ends_of_a_line_learn_of_each_other() {
    convergence::line(program(), TOKEN).await.unwrap();
}

#[tokio::test]
async fn messages_go_round_a_relay_that_was_killed_and_no_route_to_it_is_left() {
    let failover = convergence::failover(program(), TOKEN, Death::Killed, LINK).await.unwrap();
    assert!(failover.arrived.is_clean(), "{failover:?}");
}

#[tokio::test]
async fn messages_go_round_a_relay_that_stands_still_and_no_route_to_it_is_left() {
    let failover = convergence::failover(program(), TOKEN, Death::Frozen, LINK).await.unwrap();
    assert!(failover.arrived.is_clean(), "{failover:?}");
}
