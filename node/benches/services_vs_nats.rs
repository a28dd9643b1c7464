//! Topics and calls between nodes beside those of nats-server and redis-server: the same load, the same processes' parts,
//! the same clocks, in turns on the same machine.
//! `cargo bench -p node --bench services_vs_nats -- --count 1000000 --rounds 3`, and the names of parts if not all are
//! wanted: `small`, `large`, `fan`, `nodes`, `call`, `calls`.
//!
//! Contenders: nodes linked in a line, with none, one or two between the ends; nats-server with its Rust client, plain and
//! with TLS; redis-server, plain. Nodes are always encrypted. Every process but nats-server has one thread. Contenders
//! take turns, so that what else happens on the machine hits all of them; figures are medians over the rounds. Nothing is
//! asserted of them. What is asserted: between nodes, nothing is lost, double or out of order.
//!
//! Rates count deliveries, processor time counts publications: with ten subscriptions a publication is ten deliveries.
//! Several subscriptions in one process are what one node, or one client of NATS, has; of redis each has a connection.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic and prints")]

mod rivals {
    pub(crate) mod nats;
    pub(crate) mod redis;
}

use std::{env, path::PathBuf, process::Command, time::Duration};

use firelink_node::bench::{
    CallPhase, Calls, Cast, Figures, Machine, Phase, Plan,
    services::{Layout, TOPIC, play},
};
use rivals::{
    nats::{self, Clients},
    redis,
};

/// Names a node on the command line.
const NODE: &str = "--node-worker";
/// The nodes' secret.
const TOKEN: &str = "a token for a moment";
/// Bytes of a large message.
const LARGE: usize = 16 * 1024;

fn main() {
    let args: Vec<String> = env::args().collect();
    let is = |flag: &str| args.iter().any(|arg| arg == flag);
    if is(NODE) || is(nats::WORKER) || is(redis::WORKER) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(async {
            match (is(NODE), is(nats::WORKER)) {
                (true, _) => play().await.unwrap(),
                (false, true) => nats::work().await,
                (false, false) => redis::work().await,
            }
        });
    }
    let number = |name: &str, usual: u64| {
        let at = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
        at.map_or(usual, |text| text.parse().unwrap())
    };
    let parts = ["small", "large", "fan", "nodes", "call", "calls"];
    let chosen = parts.iter().any(|part| is(part));
    // Run as a test, not as a benchmark, it only has to work.
    let load = if is("--bench") {
        Load {
            count: number("--count", 500_000),
            rounds: number("--rounds", 3),
            rate: number("--rate", 20_000),
            paced: 2_000,
        }
    } else {
        Load { count: 2_000, rounds: 1, rate: 2_000, paced: 100 }
    };
    let rivals = Rivals::look();
    println!("{}", Machine::this().line());
    for part in parts.into_iter().filter(|part| !chosen || is(part)) {
        match part {
            "small" => topics("one subscription, 128 B", &load.plan(128, 1), Clients::ONE, &rivals, load.rounds),
            "large" => topics("one subscription, 16 KiB", &load.plan(LARGE, 10), Clients::ONE, &rivals, load.rounds),
            "fan" => [10, 100].into_iter().for_each(|subscriptions| {
                let title = format!("{subscriptions} subscriptions in one process, 128 B");
                let plan = load.plan(128, subscriptions as u64);
                topics(&title, &plan, Clients { subscribers: 1, subscriptions }, &rivals, load.rounds);
            }),
            "nodes" => {
                let clients = Clients { subscribers: 10, subscriptions: 1 };
                topics(
                    "10 processes, one subscription each, 128 B",
                    &load.plan(128, 10),
                    clients,
                    &rivals,
                    load.rounds,
                );
            }
            "call" => calls(1, &load, &rivals),
            _ => calls(64, &load, &rivals),
        }
    }
}

/// How much is measured.
struct Load {
    count: u64,
    rounds: u64,
    rate: u64,
    /// Milliseconds.
    paced: u64,
}

impl Load {
    /// For messages that cost so many times what a small one to one subscription does.
    fn plan(&self, size: usize, weight: u64) -> Plan {
        let count = (self.count / weight).max(200);
        let (rate, paced) = ((self.rate / weight).max(500), Duration::from_millis(self.paced));
        Plan { size, count, warmup: count / 10, rate, paced }
    }
}

/// Which servers are installed.
struct Rivals {
    nats: bool,
    redis: bool,
}

impl Rivals {
    fn look() -> Self {
        let installed = |program: &str, install: &str| {
            let output = Command::new(program).arg("--version").output();
            match &output {
                Ok(output) => println!("{}", String::from_utf8_lossy(&output.stdout).trim()),
                Err(_) => println!("SKIPPED: everything about {program}, because there is none: {install}"),
            }
            output.is_ok()
        };
        Self {
            nats: installed("nats-server", "apt-get install nats-server"),
            redis: installed("redis-server", "apt-get install redis-server"),
        }
    }

    fn has(&self, contender: Contender) -> bool {
        match contender {
            Contender::Nodes { .. } => true,
            Contender::Nats { .. } => self.nats,
            Contender::Redis => self.redis,
        }
    }
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    Nodes { hops: usize },
    Nats { tls: bool },
    Redis,
}

impl Contender {
    fn label(self) -> String {
        match self {
            Self::Nodes { hops } => format!("firelink, {hops} hop{}", if hops == 1 { "" } else { "s" }),
            Self::Nats { tls: false } => "nats, plain".to_owned(),
            Self::Nats { tls: true } => "nats, TLS".to_owned(),
            Self::Redis => "redis, plain".to_owned(),
        }
    }

    fn publish(self, plan: &Plan, clients: Clients) -> Figures {
        let measure = |mut cast: Cast| cast.measure(nats::SUBJECT, plan).unwrap();
        match self {
            Self::Nodes { hops } => {
                let Clients { subscribers, subscriptions } = clients;
                let layout = Layout { subscribers, subscriptions, ..Layout::hops(hops) };
                layout.publish(&this_program(), &[NODE], TOKEN, plan).unwrap()
            }
            Self::Nats { tls } => {
                let server = nats::Server::start(tls);
                measure(server.cast(clients))
            }
            Self::Redis => {
                let server = redis::Server::start();
                measure(server.cast(clients))
            }
        }
    }

    fn call(self, load: Calls) -> CallPhase {
        match self {
            Self::Nodes { hops } => Layout::hops(hops).call(&this_program(), &[NODE], TOKEN, load).unwrap(),
            Self::Nats { tls } => {
                let server = nats::Server::start(tls);
                server.cast(Clients::ONE).call(nats::SUBJECT, load).unwrap()
            }
            Self::Redis => CallPhase::default(),
        }
    }
}

fn this_program() -> PathBuf {
    assert_eq!(TOPIC, nats::SUBJECT, "all contenders publish to the same topic");
    env::current_exe().unwrap()
}

const CONTENDERS: [Contender; 6] = [
    Contender::Nodes { hops: 1 },
    Contender::Nodes { hops: 2 },
    Contender::Nodes { hops: 3 },
    Contender::Nats { tls: false },
    Contender::Nats { tls: true },
    Contender::Redis,
];

fn topics(title: &str, plan: &Plan, clients: Clients, rivals: &Rivals, rounds: u64) {
    println!("\n{title}: {} publications, then {}/s for {:?}; {rounds} rounds", plan.count, plan.rate, plan.paced);
    // What passes relays is the same whoever subscribes at the end.
    let alone = clients.subscribers * clients.subscriptions == 1;
    let takes_part = |it: &Contender| rivals.has(*it) && (alone || !matches!(it, Contender::Nodes { hops: 2.. }));
    let contenders: Vec<Contender> = CONTENDERS.into_iter().filter(takes_part).collect();
    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (contender, figures) in contenders.iter().zip(&mut all) {
            let measured = contender.publish(plan, clients);
            let is_node = matches!(contender, Contender::Nodes { .. });
            assert!(measured.is_clean() || !is_node, "{contender:?}: {measured:?}");
            if !measured.is_clean() {
                println!("{} lost something: {measured:?}", contender.label());
            }
            figures.push(measured);
        }
    }
    println!(
        "{:<18} {:>10} {:>10} {:>8} {:>25}   {:>25}",
        "", "deliver/s", "publish/s", "cpu us", "pub     mid     sub", "paced us: p50  p99 p99.9"
    );
    let medians: Vec<(Contender, Figures)> =
        contenders.iter().zip(&all).map(|(contender, figures)| (*contender, Figures::median(figures))).collect();
    for (contender, figures) in &medians {
        let (Some(fast), Some(paced)) = (figures.burst, figures.paced) else { continue };
        let middle = fast.middle_cpu_us.map_or_else(|| "-".to_owned(), |us| format!("{us:.3}"));
        println!(
            "{:<18} {:>10.0} {:>10.0} {:>8.3} {:>9.3} {:>7} {:>7.3}   {:>14.0} {:>5.0} {:>5.0}",
            contender.label(),
            fast.msgs_per_s,
            fast.published_per_s,
            fast.cpu_us(),
            fast.publisher_cpu_us,
            middle,
            fast.subscriber_cpu_us,
            paced.latency.p50_us,
            paced.latency.p99_us,
            paced.latency.p999_us,
        );
    }
    let pairs: Vec<_> =
        medians.iter().filter_map(|(it, figures)| Some((*it, figures.burst?, figures.paced?))).collect();
    ratios(&pairs, |a: &(_, Phase, Phase), b| {
        let rate = a.1.msgs_per_s / b.1.msgs_per_s;
        format!(
            "rate {rate:.2}   per cpu second {:.2}   paced p99 {:.2}",
            b.1.cpu_us() / a.1.cpu_us(),
            a.2.latency.p99_us / b.2.latency.p99_us
        )
    });
}

fn calls(callers: u64, load: &Load, rivals: &Rivals) {
    let count = (load.count / if callers == 1 { 10 } else { 1 }).max(200);
    let calls = Calls { callers, count, warmup: count / 10, size: 128 };
    println!("\n{callers} callers, 128 B: {count} calls; {} rounds", load.rounds);
    let takes_part = |it: &Contender| rivals.has(*it) && *it != Contender::Redis;
    let contenders: Vec<Contender> = CONTENDERS.into_iter().filter(takes_part).collect();
    let mut all: Vec<Vec<CallPhase>> = vec![Vec::new(); contenders.len()];
    for _ in 0..load.rounds {
        for (contender, phases) in contenders.iter().zip(&mut all) {
            let measured = contender.call(calls);
            let is_node = matches!(contender, Contender::Nodes { .. });
            assert!(measured.failed == 0 || !is_node, "{contender:?}: {measured:?}");
            phases.push(measured);
        }
    }
    println!(
        "{:<18} {:>10} {:>8} {:>25}   {:>18}",
        "", "calls/s", "cpu us", "caller  mid  provider", "us: p50  p99 p99.9"
    );
    let medians: Vec<(Contender, CallPhase)> =
        contenders.iter().zip(&all).filter_map(|(it, phases)| Some((*it, CallPhase::median(phases)?))).collect();
    for (contender, it) in &medians {
        let middle = it.middle_cpu_us.map_or_else(|| "-".to_owned(), |us| format!("{us:.3}"));
        println!(
            "{:<18} {:>10.0} {:>8.2} {:>9.2} {:>7} {:>7.2}   {:>7.0} {:>4.0} {:>5.0}",
            contender.label(),
            it.calls_per_s,
            it.cpu_us(),
            it.caller_cpu_us,
            middle,
            it.provider_cpu_us,
            it.latency.p50_us,
            it.latency.p99_us,
            it.latency.p999_us,
        );
    }
    ratios(&medians, |(_, a), (_, b)| {
        let rate = a.calls_per_s / b.calls_per_s;
        format!(
            "rate {rate:.2}   per cpu second {:.2}   p50 {:.2}   p99 {:.2}",
            b.cpu_us() / a.cpu_us(),
            a.latency.p50_us / b.latency.p50_us,
            a.latency.p99_us / b.latency.p99_us
        )
    });
}

/// Who is measured, of a row.
trait Row {
    fn contender(&self) -> Contender;
}

impl Row for (Contender, Phase, Phase) {
    fn contender(&self) -> Contender {
        self.0
    }
}

impl Row for (Contender, CallPhase) {
    fn contender(&self) -> Contender {
        self.0
    }
}

/// Every line of nodes beside every rival, and the longer ones beside the shortest.
fn ratios<R: Row>(rows: &[R], say: impl Fn(&R, &R) -> String) {
    println!("ours / theirs (rate and per cpu second: more is better; the rest: less is better)");
    for ours in rows.iter().filter(|row| matches!(row.contender(), Contender::Nodes { .. })) {
        for theirs in rows {
            let rival = match (ours.contender(), theirs.contender()) {
                (_, Contender::Nats { .. } | Contender::Redis) => true,
                (Contender::Nodes { hops }, Contender::Nodes { hops: 1 }) => hops > 1,
                (_, Contender::Nodes { .. }) => false,
            };
            if rival {
                let (a, b) = (ours.contender().label(), theirs.contender().label());
                println!("{a:<16} / {b:<16} {}", say(ours, theirs));
            }
        }
    }
}
