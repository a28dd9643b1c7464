//! nats-server and its Rust client, as contenders. The server is Debian's (`apt-get install nats-server`). Its limits for
//! slow subscribers are raised, and so is the client's, because publishing as fast as possible outruns the client.

use std::{
    env, fs,
    future::poll_fn,
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    pin::Pin,
    process::{Child, Command, Stdio},
    task::Poll,
    thread,
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use firelink_node::bench::{
    Caller, Cast, Inbox, Middle, Note, Order, Orders, Outbox, Spec, Worker, call, cpu_own, note, publish, receive_all,
};
use futures_core::Stream as _;

/// Where messages go.
pub(crate) const SUBJECT: &str = "bench";
/// Names a worker on the command line.
pub(crate) const WORKER: &str = "--worker";
/// Where requests go.
const SERVICE: &str = "echo";
/// Most messages taken from the client at once.
const BATCH: usize = 256;

/// Who is connected beside the publisher.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clients {
    /// Clients that subscribe.
    pub(crate) subscribers: usize,
    /// Subscriptions of each.
    pub(crate) subscriptions: usize,
}

impl Clients {
    /// One subscription.
    pub(crate) const ONE: Self = Self { subscribers: 1, subscriptions: 1 };
}

/// A running nats-server.
pub(crate) struct Server {
    child: Child,
    port: u16,
    tls: bool,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one, with TLS or without.
    pub(crate) fn start(tls: bool) -> Self {
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

    /// Starts its clients.
    pub(crate) fn cast(&self, clients: Clients) -> Cast {
        let cert = self.tls.then(|| self.folder.path().join("cert.pem").to_str().unwrap().to_owned());
        let worker = |name: &str| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.arg(WORKER);
            let connect = Some(format!("127.0.0.1:{}", self.port));
            // The place of the certificate goes where nodes have their secret.
            let spec = Spec { name: name.to_owned(), token: cert.clone().unwrap_or_default(), connect };
            Worker::start(command, &spec).unwrap()
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

/// A client of NATS, in a process of its own.
pub(crate) async fn work() {
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
            Order::Receive { subscriptions, count, sample } => {
                let mut inboxes = Vec::new();
                for _ in 0..subscriptions {
                    inboxes.push(Subscription(client.subscribe(SUBJECT).await.unwrap()));
                }
                settle(&client).await;
                note(&Note::Ready).unwrap();
                note(&Note::Arrived(receive_all(&mut inboxes, count, sample).await.unwrap()))
            }
            Order::Publish { to, count, size, rate, sample } => {
                let mut outbox = Publication { client: client.clone(), subject: to.into() };
                note(&Note::Sent(publish(&mut outbox, count, size, rate, sample).await.unwrap()))
            }
            Order::Serve => {
                let requests = client.subscribe(SERVICE).await.unwrap();
                settle(&client).await;
                tokio::spawn(serve(client.clone(), requests));
                note(&Note::Ready)
            }
            Order::Call { callers, count, size } => {
                note(&Note::Called(call(&Calling(client.clone()), callers, count, size).await.unwrap()))
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

/// Answers requests with what they carry, as the library's own services do: one after the other.
async fn serve(client: Client, mut requests: Subscriber) {
    while let Some(request) = poll_fn(|cx| Pin::new(&mut requests).poll_next(cx)).await {
        if let Some(reply) = request.reply {
            client.publish(reply, request.payload).await.unwrap();
        }
    }
}

#[derive(Clone)]
struct Calling(Client);

impl Caller for Calling {
    async fn call(&self, payload: Bytes) -> io::Result<Bytes> {
        let answer = self.0.request(SERVICE, payload).await;
        answer.map(|answer| answer.payload).map_err(io::Error::other)
    }
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
