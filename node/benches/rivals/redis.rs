//! redis-server's topics, as a contender, with a client of the few commands that are needed. The server is Debian's
//! (`apt-get install redis-server`). Its limit for slow subscribers is lifted, because publishing as fast as possible
//! outruns them.
//!
//! The publisher hands over to a task that writes whatever has gathered, as the client of NATS does.

use std::{
    env, io,
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use firelink_node::bench::{
    Cast, Inbox, Middle, Note, Order, Orders, Outbox, Spec, Worker, cpu_own, note, publish, receive_all,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
};

use super::nats::{Clients, SUBJECT};

/// Names a worker on the command line.
pub(crate) const WORKER: &str = "--redis-worker";
/// Most publications that wait to be written: as many as the client of NATS has.
const QUEUE: usize = 2_048;
/// Most of them written at once.
const BATCH: usize = 256;

/// A running redis-server.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A port that was free a moment ago.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let port_text = port.to_string();
        let args = ["--bind", "127.0.0.1", "--save", "", "--client-output-buffer-limit", "pubsub 0 0 0", "--port"];
        let mut command = Command::new("redis-server");
        command.args(args).arg(&port_text).arg("--dir").arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { child: command.spawn().unwrap(), port, folder };
        for _ in 0..500 {
            if std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not listen in {:?}", server.folder);
    }

    /// Starts its clients.
    pub(crate) fn cast(&self, clients: Clients) -> Cast {
        let worker = |name: &str| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.arg(WORKER);
            let connect = Some(format!("127.0.0.1:{}", self.port));
            Worker::start(command, &Spec { name: name.to_owned(), token: String::new(), connect }).unwrap()
        };
        Cast {
            subscribers: (0..clients.subscribers).map(|_| worker("subscriber")).collect(),
            subscriptions: clients.subscriptions,
            publisher: worker("publisher"),
            middle: vec![Middle::Process(self.child.id())],
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client, in a process of its own.
pub(crate) async fn work() {
    let mut orders = Orders::read();
    let Some(spec) = orders.next::<Spec>().await else { return };
    let addr = spec.connect.unwrap();
    note(&Note::Up(None)).unwrap();
    while let Some(order) = orders.next().await {
        let told = match order {
            Order::Cpu => note(&Note::Cpu(cpu_own())),
            Order::Reach(_) => note(&Note::Reached),
            Order::Receive { subscriptions, count, sample } => {
                let mut inboxes = Vec::new();
                for _ in 0..subscriptions {
                    // A connection has at most one subscription to a topic.
                    inboxes.push(Subscription::new(&addr).await.unwrap());
                }
                note(&Note::Ready).unwrap();
                note(&Note::Arrived(receive_all(&mut inboxes, count, sample).await.unwrap()))
            }
            Order::Publish { to, count, size, rate, sample } => {
                let mut outbox = Publication::new(&addr, &to).await.unwrap();
                note(&Note::Sent(publish(&mut outbox, count, size, rate, sample).await.unwrap()))
            }
            Order::Serve | Order::Call { .. } => note(&Note::Failed("redis has no calls".to_owned())),
        };
        told.unwrap();
    }
}

struct Publication {
    to: Arc<str>,
    queue: mpsc::Sender<Bytes>,
    sent: u64,
    answered: watch::Receiver<u64>,
}

impl Publication {
    async fn new(addr: &str, to: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let (queue, queued) = mpsc::channel(QUEUE);
        let (answer, answered) = watch::channel(0);
        let to: Arc<str> = Arc::from(to);
        tokio::spawn(write_all(write, Arc::clone(&to), queued));
        tokio::spawn(count_answers(read, answer));
        Ok(Self { to, queue, sent: 0, answered })
    }
}

impl Outbox for Publication {
    async fn post(&mut self, payload: Bytes) -> io::Result<()> {
        self.sent += 1;
        self.queue.send(payload).await.map_err(io::Error::other)
    }

    async fn last(&mut self, payload: Bytes) -> io::Result<bool> {
        self.post(payload).await?;
        let sent = self.sent;
        self.answered.wait_for(|answered| *answered >= sent).await.map_err(io::Error::other)?;
        Ok(!self.to.is_empty())
    }
}

async fn write_all(mut socket: OwnedWriteHalf, to: Arc<str>, mut queued: mpsc::Receiver<Bytes>) {
    let (mut batch, mut out) = (Vec::new(), BytesMut::new());
    while queued.recv_many(&mut batch, BATCH).await > 0 {
        for payload in batch.drain(..) {
            let head = format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{to}\r\n${}\r\n", to.len(), payload.len());
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(&payload);
            out.extend_from_slice(b"\r\n");
        }
        if socket.write_all(&out).await.is_err() {
            return;
        }
        out.clear();
    }
}

/// Every answer is a line.
async fn count_answers(mut socket: OwnedReadHalf, answered: watch::Sender<u64>) {
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    while socket.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        let lines = buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
        answered.send_modify(|answered| *answered += lines);
        buffer.clear();
    }
}

struct Subscription {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Subscription {
    async fn new(addr: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let command = format!("*2\r\n$9\r\nSUBSCRIBE\r\n${}\r\n{SUBJECT}\r\n", SUBJECT.len());
        stream.write_all(command.as_bytes()).await?;
        let answer = format!("*3\r\n$9\r\nsubscribe\r\n${}\r\n{SUBJECT}\r\n:1\r\n", SUBJECT.len());
        let mut answered = vec![0; answer.len()];
        stream.read_exact(&mut answered).await?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(64 * 1024) })
    }
}

impl Inbox for Subscription {
    async fn take(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        self.buffer.reserve(16 * 1024);
        if self.stream.read_buf(&mut self.buffer).await.is_ok_and(|read| read == 0) {
            return false;
        }
        while let Some((start, end)) = message(&self.buffer) {
            each(&self.buffer[start..end]);
            self.buffer.advance(end + 2);
        }
        true
    }
}

/// Where the payload of the message lies that `bytes` begins with; `None` if not all of it is there.
fn message(bytes: &[u8]) -> Option<(usize, usize)> {
    // *3, $7, message, $5, the topic, $length, the payload.
    let mut at = 0;
    for _ in 0..5 {
        at += line(bytes.get(at..)?)?;
    }
    let length = bytes.get(at + 1..at + line(bytes.get(at..)?)? - 2)?;
    let start = at + length.len() + 3;
    let end = start + length.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    (bytes.len() >= end + 2).then_some((start, end))
}

/// How long the line is that `bytes` begins with, its end included.
fn line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1)
}
