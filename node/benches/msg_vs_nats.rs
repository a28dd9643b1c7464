//! Messages between nodes beside messages through nats-server: the same load, the same processes' parts, the same
//! clocks, in turns on the same machine. `cargo bench -p node --bench msg_vs_nats -- --count 2000000 --rounds 3`
//!
//! Contenders: two nodes linked with each other; two nodes with a third between them that forwards, which is the
//! topology of NATS; nats-server with its Rust client, plain and with TLS. Nodes are always encrypted. Every process but
//! nats-server has one thread. Contenders take turns, so that what else happens on the machine hits all of them; figures
//! are medians over the rounds. Nothing is asserted of them. What is asserted: between nodes, nothing is lost, double or
//! out of order.
//!
//! The rate of publication is not the same thing: for nodes it counts up to the receiver's acknowledgement of the last
//! message, for NATS up to its last byte in the publisher's socket.
//!
//! nats-server is Debian's (`apt-get install nats-server`). Its limits for slow subscribers are raised, and so is the
//! client's, because publishing as fast as possible outruns the client's subscriber.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic and prints")]

#[path = "rivals/nats.rs"]
mod nats;

use std::{env, path::Path, process::Command, time::Duration};

use firelink_node::bench::{
    Figures, Machine, Phase, Plan,
    msg::{self, Topology},
};
use nats::{Clients, Server};

fn main() {
    let args: Vec<String> = env::args().collect();
    if args.iter().any(|arg| arg == nats::WORKER) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(nats::work());
    }
    let number = |name: &str, usual: u64| {
        let at = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
        at.map_or(usual, |text| text.parse().unwrap())
    };
    let size = usize::try_from(number("--size", 128)).unwrap();
    // Run as a test, not as a benchmark, it only has to work.
    if !args.iter().any(|arg| arg == "--bench") {
        let plan = Plan { size, count: 2_000, warmup: 100, rate: 2_000, paced: Duration::from_millis(200) };
        return compare(&plan, 1);
    }
    let plan = Plan {
        size,
        count: number("--count", 1_000_000),
        warmup: 200_000,
        rate: number("--rate", 20_000),
        paced: Duration::from_secs(4),
    };
    compare(&plan, number("--rounds", 3));
}

fn compare(plan: &Plan, rounds: u64) {
    let nats = Command::new("nats-server").arg("--version").output();
    let nats = nats.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("{}", Machine::this().line());
    println!("{} messages of {} B; then {}/s for {:?}; {rounds} rounds", plan.count, plan.size, plan.rate, plan.paced);
    match &nats {
        Some(version) => println!("{version}"),
        None => {
            println!("SKIPPED: everything about NATS, because there is no nats-server: apt-get install nats-server")
        }
    }
    let contenders = [Contender::Pair, Contender::Relay, Contender::Nats, Contender::NatsTls];
    let contenders: Vec<_> = contenders.into_iter().filter(|it| nats.is_some() || !it.is_nats()).collect();
    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); contenders.len()];
    for round in 1..=rounds {
        for (contender, figures) in contenders.iter().zip(&mut all) {
            let measured = contender.measure(plan);
            // NATS promises less: that it lost something is worth a line, not the end.
            assert!(measured.is_clean() || contender.is_nats(), "{contender:?} in round {round}: {measured:?}");
            if !measured.is_clean() {
                println!("{} in round {round} lost something: {measured:?}", contender.label());
            }
            figures.push(measured);
        }
        println!("round {round} of {rounds}: load {:.1}", Machine::this().load_1m);
    }
    let medians: Vec<_> =
        contenders.iter().zip(&all).map(|(contender, figures)| (*contender, Figures::median(figures))).collect();
    print_table(&medians);
    print_ratios(&medians);
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    Pair,
    Relay,
    Nats,
    NatsTls,
}

impl Contender {
    fn is_nats(self) -> bool {
        matches!(self, Self::Nats | Self::NatsTls)
    }

    fn label(self) -> &'static str {
        match self {
            Self::Pair => "firelink, 2 processes",
            Self::Relay => "firelink, 3 processes",
            Self::Nats => "nats, plain",
            Self::NatsTls => "nats, TLS",
        }
    }

    fn measure(self, plan: &Plan) -> Figures {
        let node = |topology| msg::run(Path::new(env!("CARGO_BIN_EXE_node")), "a token for a moment", topology, plan);
        match self {
            Self::Pair => node(Topology::Pair).unwrap().figures,
            Self::Relay => node(Topology::Relay).unwrap().figures,
            Self::Nats => Server::start(false).cast(Clients::ONE).measure(nats::SUBJECT, plan).unwrap(),
            Self::NatsTls => Server::start(true).cast(Clients::ONE).measure(nats::SUBJECT, plan).unwrap(),
        }
    }
}

fn print_table(medians: &[(Contender, Figures)]) {
    for (title, pick) in
        [("as fast as possible", (|it| it.burst) as fn(&Figures) -> Option<Phase>), ("at a steady rate", |it| it.paced)]
    {
        println!("\n{title}: medians");
        println!(
            "{:<22} {:>9} {:>9}   {:>26}   {:>31}",
            "", "msgs/s", "published", "cpu us/msg: pub  mid  sub", "latency us: p50   p99   p99.9"
        );
        for (contender, figures) in medians {
            let Some(it) = pick(figures) else { continue };
            let middle = it.middle_cpu_us.map_or_else(|| "-".to_owned(), |us| format!("{us:.3}"));
            println!(
                "{:<22} {:>9.0} {:>9.0}   {:>10.3} {:>7} {:>7.3}   {:>11.0} {:>9.0} {:>9.0}",
                contender.label(),
                it.msgs_per_s,
                it.published_per_s,
                it.publisher_cpu_us,
                middle,
                it.subscriber_cpu_us,
                it.latency.p50_us,
                it.latency.p99_us,
                it.latency.p999_us,
            );
        }
    }
}

/// Ours divided by NATS's: above 1 is better for the rate, below 1 for everything else.
fn print_ratios(medians: &[(Contender, Figures)]) {
    let of = |contender| medians.iter().find(|(it, _)| *it == contender).map(|(_, figures)| *figures);
    let mut first = true;
    for ours in [Contender::Pair, Contender::Relay] {
        for theirs in [Contender::Nats, Contender::NatsTls] {
            let (Some(a), Some(b)) = (of(ours), of(theirs)) else { continue };
            let (Some(a_fast), Some(b_fast), Some(a_paced), Some(b_paced)) = (a.burst, b.burst, a.paced, b.paced)
            else {
                continue;
            };
            if std::mem::take(&mut first) {
                println!("\nours / theirs (rate: more is better; the rest: less is better)");
            }
            let middle = match (a_fast.middle_cpu_us, b_fast.middle_cpu_us) {
                (Some(a), Some(b)) => format!("{:.2}", a / b),
                (_, _) => "-".to_owned(),
            };
            println!(
                "{:<22} / {:<12} rate {:.2}   cpu in the middle {middle}   cpu in all {:.2}   p50 {:.2}   p99 {:.2}",
                ours.label(),
                theirs.label(),
                a_fast.msgs_per_s / b_fast.msgs_per_s,
                a_fast.cpu_us() / b_fast.cpu_us(),
                a_paced.latency.p50_us / b_paced.latency.p50_us,
                a_paced.latency.p99_us / b_paced.latency.p99_us,
            );
        }
    }
}
