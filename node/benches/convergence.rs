//! How soon routes follow the links, on loopback: `cargo bench -p node --bench convergence`
//!
//! A line of three nodes, from the link of the last one until both ends know each other. Then two nodes that are linked
//! over two others: the one in use dies, and messages take the other way. Prints; nothing is asserted of times. The node
//! that dies is a process of its own. Where it is killed, the kernel closes its connections, so that its death is
//! noticed at once; where it stands still, only the silence tells.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic and prints")]

use std::{path::Path, time::Duration};

use firelink_node::bench::{
    Machine,
    convergence::{self, Death, Failover, Line},
};
use tokio::runtime::Runtime;

const TOKEN: &str = "a token for a moment";
/// Silence after which the ends ping a link, and after which they give it up.
const LINK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(1_000));

fn main() {
    let program = Path::new(env!("CARGO_BIN_EXE_node"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Run as a test, not as a benchmark, it only has to work.
    let rounds = if std::env::args().any(|arg| arg == "--bench") { 5 } else { 1 };
    println!("{}\nmilliseconds: median [least..most] of {rounds}", Machine::this().line());
    lines(&runtime, program, rounds);
    failovers(&runtime, program, Death::Killed, rounds);
    failovers(&runtime, program, Death::Frozen, rounds);
}

fn lines(runtime: &Runtime, program: &Path, rounds: usize) {
    let all: Vec<Line> = (0..rounds).map(|_| runtime.block_on(convergence::line(program, TOKEN)).unwrap()).collect();
    println!("\nline of 3 nodes");
    say("start to link up", all.iter().map(|it| it.link_up));
    say("link up to routes at both ends", all.iter().map(|it| it.routes));
    say("link up to an answer end to end", all.iter().map(|it| it.answer));
}

fn failovers(runtime: &Runtime, program: &Path, death: Death, rounds: usize) {
    let once = |_| runtime.block_on(convergence::failover(program, TOKEN, death, LINK)).unwrap();
    let all: Vec<Failover> = (0..rounds).map(once).collect();
    println!("\nthe relay in use is {death:?}, another one is there; heartbeat {:?}, dead after {:?}", LINK.0, LINK.1);
    say("until traffic flows again", all.iter().map(|it| it.traffic));
    say("longest silence of the receiver", all.iter().map(|it| it.silence));
    say("until no route to it or over it", all.iter().map(|it| it.routes));
    let clean = all.iter().filter(|it| it.arrived.is_clean()).count();
    println!("{clean} of {rounds} without a message lost, double or out of order");
    assert_eq!(clean, rounds, "{all:?}");
}

fn say(what: &str, values: impl Iterator<Item = f64>) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (least, most) = (values[0], values[values.len() - 1]);
    println!("  {what:<34} {:8.1} [{least:.1}..{most:.1}]", values[values.len() / 2]);
}
