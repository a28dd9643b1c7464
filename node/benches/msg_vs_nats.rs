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

use std::{
    env, fs,
    future::poll_fn,
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    pin::Pin,
    process::{Child, Command, Stdio},
    task::Poll,
    thread,
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use firelink_node::bench::{
    Cast, Figures, Inbox, Machine, Middle, Note, Order, Orders, Outbox, Phase, Plan, Spec, Worker, cpu_own,
    msg::{self, Topology},
    note, publish, receive,
};
use futures_core::Stream as _;

/// Where messages go.
const SUBJECT: &str = "bench";
/// Names a worker of the NATS contenders on the command line.
const WORKER: &str = "--worker";
/// Most messages taken from the client at once.
const BATCH: usize = 256;

fn main() {
    let args: Vec<String> = env::args().collect();
    if args.iter().any(|arg| arg == WORKER) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(work());
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
        contenders.iter().zip(&all).map(|(contender, figures)| (*contender, median(figures))).collect();
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
            Self::Nats => Server::start(false).measure(plan),
            Self::NatsTls => Server::start(true).measure(plan),
        }
    }
}

/// A running nats-server.
struct Server {
    child: Child,
    port: u16,
    tls: bool,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A port that was free a moment ago.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut config = format!("listen: \"127.0.0.1:{port}\"\nmax_pending: 536870912\nwrite_deadline: \"60s\"\n");
        if tls {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
            let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
            fs::write(&cert, made.cert.pem()).unwrap();
            fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            config.push_str(&format!("tls {{ cert_file: {cert:?}, key_file: {key:?} }}\n"));
        }
        let file = folder.path().join("nats.conf");
        fs::write(&file, config).unwrap();
        let child = Command::new("nats-server").arg("-c").arg(&file).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, port, tls, folder };
        for _ in 0..500 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("nats-server does not listen");
    }

    fn measure(&self, plan: &Plan) -> Figures {
        let cert = self.tls.then(|| self.folder.path().join("cert.pem").to_str().unwrap().to_owned());
        let worker = |name: &str| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.arg(WORKER);
            let connect = Some(format!("127.0.0.1:{}", self.port));
            // The place of the certificate goes where nodes have their secret.
            Worker::start(command, &Spec { name: name.to_owned(), token: cert.clone().unwrap_or_default(), connect })
        };
        let subscriber = worker("subscriber").unwrap();
        let publisher = worker("publisher").unwrap();
        let mut cast = Cast { publisher, middle: Middle::Process(self.child.id()), subscriber };
        cast.measure(SUBJECT, plan).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A publisher or subscriber of NATS, in a process of its own.
async fn work() {
    let mut orders = Orders::read();
    let Some(spec) = orders.next::<Spec>().await else { return };
    let mut options = ConnectOptions::new().subscription_capacity(1 << 24);
    if !spec.token.is_empty() {
        options = options.require_tls(true).add_root_certificates(PathBuf::from(&spec.token));
    }
    let client = options.connect(spec.connect.unwrap()).await.unwrap();
    note(&Note::Up(None)).unwrap();
    while let Some(order) = orders.next().await {
        let told = match order {
            Order::Cpu => note(&Note::Cpu(cpu_own())),
            // NATS does not tell publishers about subscribers, which are there before the first message in any case.
            Order::Reach(_) => note(&Note::Reached),
            Order::Receive { count, sample } => {
                let mut inbox = Subscription(client.subscribe(SUBJECT).await.unwrap());
                settle(&client).await;
                note(&Note::Ready).unwrap();
                note(&Note::Arrived(receive(&mut inbox, count, sample).await.unwrap()))
            }
            Order::Publish { to, count, size, rate, sample } => {
                let mut outbox = Publication { client: client.clone(), subject: to.into() };
                note(&Note::Sent(publish(&mut outbox, count, size, rate, sample).await.unwrap()))
            }
        };
        told.unwrap();
    }
}

/// Waits until the server knows everything that this client has said: a flush only writes it to the socket, and what is
/// published before the server knows of a subscription is not for it.
async fn settle(client: &Client) {
    let inbox = client.new_inbox();
    let mut echo = client.subscribe(inbox.clone()).await.unwrap();
    client.publish(inbox, Bytes::new()).await.unwrap();
    poll_fn(|cx| Pin::new(&mut echo).poll_next(cx)).await.unwrap();
}

struct Publication {
    client: Client,
    subject: async_nats::Subject,
}

impl Outbox for Publication {
    async fn post(&mut self, payload: Bytes) -> io::Result<()> {
        self.client.publish(self.subject.clone(), payload).await.map_err(io::Error::other)
    }

    async fn last(&mut self, payload: Bytes) -> io::Result<bool> {
        self.post(payload).await?;
        self.client.flush().await.map_err(io::Error::other).map(|()| true)
    }
}

struct Subscription(Subscriber);

impl Inbox for Subscription {
    async fn take(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        poll_fn(|cx| {
            for taken in 0..BATCH {
                match Pin::new(&mut self.0).poll_next(cx) {
                    Poll::Ready(Some(message)) => each(&message.payload),
                    Poll::Ready(None) => return Poll::Ready(taken > 0),
                    Poll::Pending if taken > 0 => break,
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(true)
        })
        .await
    }
}

/// The median of every figure, each for itself.
fn median(all: &[Figures]) -> Figures {
    let phase = |pick: fn(&Figures) -> Option<Phase>| {
        let phases: Vec<Phase> = all.iter().filter_map(pick).collect();
        let of = |pick: fn(&Phase) -> f64| {
            let mut values: Vec<f64> = phases.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let mut median = *phases.first()?;
        median.msgs_per_s = of(|it| it.msgs_per_s);
        median.published_per_s = of(|it| it.published_per_s);
        median.publisher_cpu_us = of(|it| it.publisher_cpu_us);
        median.middle_cpu_us = median.middle_cpu_us.map(|_| of(|it| it.middle_cpu_us.unwrap_or(0.0)));
        median.subscriber_cpu_us = of(|it| it.subscriber_cpu_us);
        median.latency.p50_us = of(|it| it.latency.p50_us);
        median.latency.p99_us = of(|it| it.latency.p99_us);
        median.latency.p999_us = of(|it| it.latency.p999_us);
        median.latency.max_us = of(|it| it.latency.max_us);
        Some(median)
    };
    Figures { burst: phase(|it| it.burst), paced: phase(|it| it.paced) }
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
    let total = |it: &Phase| it.publisher_cpu_us + it.middle_cpu_us.unwrap_or(0.0) + it.subscriber_cpu_us;
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
                total(&a_fast) / total(&b_fast),
                a_paced.latency.p50_us / b_paced.latency.p50_us,
                a_paced.latency.p99_us / b_paced.latency.p99_us,
            );
        }
    }
}
