//! Many WebSocket clients of one node: what an idle one costs, how soon all have a publication, and that those who do not
//! read delay nobody. `cargo bench -p node --bench ws_clients -- --clients 10000 --rounds 30`
//!
//! The node, the clients and the publisher are a process each; all clients share one thread, which only looks for the
//! end of each message; what both cost the processors is told, too. Times are from before the publisher writes until the last client has read, on one
//! clock. Memory is what the operating system says is resident. Most of the time goes into the kernel: one write and one
//! read for each client. Run as a test, it only has to work.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic and prints")]

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use firelink_node::bench::Machine;
use mio::{Events, Interest, Poll, Token};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use serde_json::{Value, json};

/// Names the process of the clients on the command line.
const WORKER: &str = "--worker";
/// Files beside those of the clients that a process has open.
const FILES: usize = 200;
/// What everybody subscribes to.
const TOPIC: &str = "bench.all";
/// What only those subscribe to who do not read.
const STALL: &str = "bench.stall";
/// Those who do not read.
const STALLED: usize = 10;
/// Clients that connect at once.
const AT_ONCE: usize = 64;
/// How a ping begins, and what answers it.
const PING: u8 = 0x89;
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
/// What an idle client may cost, in bytes.
const MEMORY: u64 = 8 * 1_024;
/// How soon the last client is to have a publication.
const TIME_MS: f64 = 100.0;

fn main() {
    let args: Vec<String> = env::args().collect();
    let number = |name: &str, usual: usize| {
        let at = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
        at.map_or(usual, |text| text.parse().unwrap())
    };
    let room = raise_limit();
    if args.iter().any(|arg| arg == WORKER) {
        return work();
    }
    let (clients, rounds) = match args.iter().any(|arg| arg == "--bench") {
        true => (number("--clients", 10_000), number("--rounds", 30)),
        false => (200, 3),
    };
    println!("{}", Machine::this().line());
    let clients = if clients + FILES > room {
        println!("ONLY {} CLIENTS: a process may open {room} files; raise `ulimit -Hn`", room - FILES);
        room - FILES
    } else {
        clients
    };
    measure(clients, rounds);
}

/// Has this process and its children open as many files as they may, and says how many.
fn raise_limit() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| usize::try_from(files).unwrap())
}

fn measure(clients: usize, rounds: usize) {
    let node = Node::start();
    let mut crowd = Crowd::start(&node.api, clients);
    // What the first ones cost is once for all.
    crowd.ask(&format!("connect {}", clients / 20));
    let (before, first) = (node.resident(), clients / 20);
    let begin = now();
    crowd.ask(&format!("connect {clients}"));
    let connected = ms(begin);
    thread::sleep(Duration::from_millis(500));
    let idle = node.resident();
    crowd.ask("subscribe");
    thread::sleep(Duration::from_millis(500));
    let subscribed = node.resident();
    let each = |after: u64| after.saturating_sub(before) / (clients - first) as u64;
    println!("{clients} clients connected in {connected:.0} ms");

    let mut publisher = Client::open(&node.api, "publisher");
    let quiet = times(&node, &mut crowd, &mut publisher, clients, rounds);
    thread::sleep(Duration::from_millis(500));
    let after = node.resident();
    println!(
        "resident, bytes for each client: {} connected, {} subscribed, {} after {} publications",
        each(idle),
        each(subscribed),
        each(after),
        rounds + 1
    );
    say("publication to all", &quiet);

    let stalled: Vec<_> = (0..STALLED).map(|at| stall(&node.api, &mut publisher, at)).collect();
    let crowded = times(&node, &mut crowd, &mut publisher, clients + STALLED, rounds);
    say(&format!("the same beside {STALLED} that read nothing"), &crowded);
    drop(stalled);
    let verdict = |met: bool| if met { "met" } else { "MISSED" };
    let worst = median(&crowded, |it| it.last).max(median(&quiet, |it| it.last));
    println!("under {MEMORY} bytes for each idle client: {}", verdict(each(after) < MEMORY));
    println!("under {TIME_MS} ms to the last of {clients}: {}", verdict(worst < TIME_MS));
}

/// Milliseconds from the publication until so many clients had it.
#[derive(Clone, Copy, Debug)]
struct Times {
    first: f64,
    half: f64,
    last: f64,
    /// Until the publisher knew that all had it in their queues.
    ack: f64,
    /// What the processors spent: for the node, and for those who read.
    node: f64,
    readers: f64,
}

fn times(node: &Node, crowd: &mut Crowd, publisher: &mut Client, subscribers: usize, rounds: usize) -> Vec<Times> {
    let mut once = || {
        crowd.tell("await");
        let before = node.cpu();
        let begin = now();
        let ack = publisher.publish(TOPIC, &"x".repeat(100));
        let acked = ms(begin);
        assert_eq!(ack["subscribers"], subscribers, "{ack}");
        let told: Value = serde_json::from_str(&crowd.listen()).unwrap();
        let at = |name: &str| (told[name].as_u64().unwrap() - begin) as f64 / 1e6;
        let readers = told["cpu"].as_u64().unwrap() as f64 / 1e6;
        let node = node.cpu() - before;
        Times { first: at("first"), half: at("half"), last: at("last"), ack: acked, node, readers }
    };
    once();
    (0..rounds).map(|_| once()).collect()
}

/// A client that subscribes and reads nothing more, so that more waits for it than there is room.
fn stall(api: &str, publisher: &mut Client, at: usize) -> Client {
    let mut client = Client::open(api, &format!("stalled-{at}"));
    for topic in [TOPIC, STALL] {
        client.ask("subscribe", &json!({"topic": topic, "slow_consumer": "drop_oldest"}));
    }
    let large = "x".repeat(50_000);
    for _ in 0..4_000 {
        publisher.publish(STALL, &large);
        if client.missed(api) > 0 {
            return client;
        }
    }
    panic!("it never had too much");
}

fn median(all: &[Times], of: fn(&Times) -> f64) -> f64 {
    let mut values: Vec<f64> = all.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn say(what: &str, all: &[Times]) {
    let worst = all.iter().map(|it| it.last).fold(0.0, f64::max);
    println!(
        "{what}, ms, medians of {}: first {:.2}, half {:.1}, last {:.1} (worst {worst:.1}), acknowledged {:.1}; processors: node {:.0}, readers {:.1}",
        all.len(),
        median(all, |it| it.first),
        median(all, |it| it.half),
        median(all, |it| it.last),
        median(all, |it| it.ack),
        median(all, |it| it.node),
        median(all, |it| it.readers),
    );
}

/// Nanoseconds of a clock that all processes share.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

/// Nanoseconds that this process has had a processor.
fn cpu() -> u64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(used.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(used.tv_nsec).unwrap()
}

fn ms(begin: u64) -> f64 {
    (now() - begin) as f64 / 1e6
}

/// A running node. Killed at the end.
struct Node {
    child: Child,
    api: String,
    _folder: tempfile::TempDir,
}

impl Node {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("node.yaml");
        let text = format!(
            "version: 1\nnode: {{ id: bench, data_dir: {:?} }}\nadmin: {{ listen: 127.0.0.1:0 }}\nmesh: {{ listen: [tcp://127.0.0.1:0], auth: {{ tokens: [ {{ env: BENCH_TOKEN }} ] }} }}\napi: {{ listen: 127.0.0.1:0, slow_client: {{ bytes: 256KiB }}, limits: {{ requests_per_sec: 1000000 }} }}\n",
            folder.path().join("data"),
        );
        fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_node"))
            .args(["run", "--json"])
            .arg(&config)
            .env("BENCH_TOKEN", "a-token-for-a-moment-only")
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let up: Value = serde_json::from_str(&line).unwrap();
        Self { child, api: up["api"][0].as_str().unwrap().to_owned(), _folder: folder }
    }

    /// Milliseconds that its threads have had a processor.
    fn cpu(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let used = threads.filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("schedstat")).ok());
        used.map(|stat| stat.split(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>() / 1e6
    }

    /// Its resident memory, in bytes.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of the clients, as the benchmark sees it.
struct Crowd {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Crowd {
    fn start(api: &str, clients: usize) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([WORKER, "--api", api, "--clients", &clients.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, orders, answers }
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        assert_eq!(self.listen(), "ready");
    }

    fn ask(&mut self, order: &str) {
        self.tell(order);
        assert_eq!(self.listen(), "done");
    }

    fn listen(&mut self) -> String {
        let mut line = String::new();
        assert!(self.answers.read_line(&mut line).unwrap() > 0, "the clients are gone");
        line.trim().to_owned()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The clients, in their process. What they read is only looked at for where each message ends: they share the machine's
/// processors with the node.
struct Work {
    poll: Poll,
    events: Events,
    all: Vec<Reader>,
    /// Where everything is read to.
    buffer: Vec<u8>,
    got: Got,
}

/// One client.
struct Reader {
    stream: mio::net::TcpStream,
    /// What was read of a message that is not all there.
    begun: Vec<u8>,
}

/// What the clients of one process have got.
#[derive(Default)]
struct Got {
    /// Messages that are waited for, and when the first, the middle and the last of them came.
    count: usize,
    wanted: usize,
    first: u64,
    half: u64,
    last: u64,
}

fn work() {
    let args: Vec<String> = env::args().collect();
    let api = args[args.iter().position(|arg| arg == "--api").unwrap() + 1].clone();
    let (poll, events) = (Poll::new().unwrap(), Events::with_capacity(1_024));
    let mut work = Work { poll, events, all: Vec::new(), buffer: vec![0; 64 * 1_024], got: Got::default() };
    for order in io::stdin().lines().map_while(Result::ok) {
        let (order, number) = order.split_once(' ').unwrap_or((&order, "0"));
        let clients = number.parse::<usize>().unwrap();
        let wanted = if order == "connect" { clients - work.all.len() } else { work.all.len() };
        work.got = Got { wanted, ..Got::default() };
        let used = cpu();
        println!("ready");
        match order {
            "connect" => work.connect(&api, clients),
            "subscribe" => work.subscribe(),
            _ => {}
        }
        work.read();
        let Got { first, half, last, .. } = work.got;
        match order {
            "await" => println!("{}", json!({"first": first, "half": half, "last": last, "cpu": cpu() - used})),
            _ => println!("done"),
        }
    }
}

impl Work {
    fn connect(&mut self, api: &str, clients: usize) {
        while self.all.len() < clients {
            let some = AT_ONCE.min(clients - self.all.len());
            let opening: Vec<_> = (0..some).map(|_| open(api)).collect();
            for mut stream in opening {
                let rest = opened(&mut stream);
                stream.set_nonblocking(true).unwrap();
                let mut stream = mio::net::TcpStream::from_std(stream);
                let token = Token(self.all.len());
                self.poll.registry().register(&mut stream, token, Interest::READABLE).unwrap();
                let mut reader = Reader { stream, begun: Vec::new() };
                reader.take(&rest, &mut self.got);
                self.all.push(reader);
            }
        }
    }

    fn subscribe(&mut self) {
        let message = json!({"message_id": 1, "message_type": "subscribe", "data": {"topic": TOPIC}}).to_string();
        for at in 0..self.all.len() {
            self.all[at].stream.write_all(&frame(&message)).unwrap();
            if at % AT_ONCE == 0 {
                self.turn(Some(Duration::ZERO));
            }
        }
    }

    /// Reads until everything that is waited for has come.
    fn read(&mut self) {
        while self.got.count < self.got.wanted {
            self.turn(None);
        }
    }

    fn turn(&mut self, longest: Option<Duration>) {
        self.poll.poll(&mut self.events, longest).unwrap();
        for event in &self.events {
            self.all[event.token().0].read(&mut self.buffer, &mut self.got);
        }
    }
}

impl Reader {
    /// Reads what is there, however it is cut.
    fn read(&mut self, buffer: &mut [u8], got: &mut Got) {
        loop {
            let more = match self.stream.read(buffer) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return,
                more => more.unwrap(),
            };
            assert!(more > 0, "the node has closed a connection");
            self.take(&buffer[..more], got);
            // Less than there was room for is all that there is.
            if more < buffer.len() {
                return;
            }
        }
    }

    fn take(&mut self, bytes: &[u8], got: &mut Got) {
        let mut whole = std::mem::take(&mut self.begun);
        let mut bytes = if whole.is_empty() {
            bytes
        } else {
            whole.extend(bytes);
            &whole
        };
        while let Some(length) = length(bytes).filter(|length| *length <= bytes.len()) {
            match bytes[0] {
                PING => self.stream.write_all(&PONG).unwrap(),
                _ => got.note(),
            }
            bytes = &bytes[length..];
        }
        self.begun = bytes.to_vec();
    }
}

impl Got {
    fn note(&mut self) {
        self.count += 1;
        if self.count == 1 {
            self.first = now();
        }
        if self.count == self.wanted.div_ceil(2) {
            self.half = now();
        }
        if self.count == self.wanted {
            self.last = now();
        }
    }
}

/// Asks for a socket.
fn open(api: &str) -> TcpStream {
    let mut stream = TcpStream::connect(api).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(upgrade(api, None).as_bytes()).unwrap();
    stream
}

/// Waits for the socket; answers what came behind that already.
fn opened(stream: &mut TcpStream) -> Vec<u8> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let more = stream.read(&mut buffer).unwrap();
        assert!(more > 0, "the node has closed a connection");
        head.extend(&buffer[..more]);
        if let Some(end) = head.windows(4).position(|some| some == b"\r\n\r\n") {
            assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
            return head.split_off(end + 4);
        }
    }
}

/// The length of the frame that bytes begin with, if that can be seen.
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [_, 126, high, low, ..] => Some(4 + usize::from(u16::from_be_bytes([*high, *low]))),
        [_, 126 | 127, ..] => None,
        [_, length, ..] => Some(2 + usize::from(*length)),
        _ => None,
    }
}

/// A text of a client, masked with nothing.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        long => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

fn upgrade(api: &str, client: Option<&str>) -> String {
    let query = client.map_or_else(String::new, |client| format!("?client={client}"));
    format!(
        "GET /ws{query} HTTP/1.1\r\nHost: {api}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mesh.v1.json\r\n\r\n"
    )
}

/// One client that waits for its answers.
struct Client {
    stream: BufReader<TcpStream>,
    name: String,
}

impl Client {
    fn open(api: &str, name: &str) -> Self {
        let stream = TcpStream::connect(api).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream: BufReader::new(stream), name: name.to_owned() };
        client.stream.get_mut().write_all(upgrade(api, Some(name)).as_bytes()).unwrap();
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            client.stream.read_line(&mut line).unwrap();
        }
        client.next();
        client
    }

    fn ask(&mut self, kind: &str, data: &Value) -> Value {
        let message = json!({"message_id": 1, "message_type": kind, "data": data});
        self.stream.get_mut().write_all(&frame(&message.to_string())).unwrap();
        loop {
            let mut answer = self.next();
            if answer["request_id"] == 1 {
                assert_eq!(answer["message_type"], "ack", "{answer}");
                return answer["data"].take();
            }
        }
    }

    fn publish(&mut self, topic: &str, text: &str) -> Value {
        self.ask("publish", &json!({"topic": topic, "data": text}))
    }

    fn next(&mut self) -> Value {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let mut length = usize::from(head[1]);
        if length == 126 {
            self.stream.read_exact(&mut head).unwrap();
            length = usize::from(u16::from_be_bytes(head));
        }
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// How many messages the node has dropped for it.
    fn missed(&self, api: &str) -> u64 {
        let mut stream = TcpStream::connect(api).unwrap();
        let request = format!("GET /api/v1/clients/{} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n", self.name);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<Value>(body).unwrap()["missed"].as_u64().unwrap()
    }
}
