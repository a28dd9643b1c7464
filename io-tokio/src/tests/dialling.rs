//! Dials and accepted connections over TCP.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use proto_core::{id::DialId, node::Endpoint, time::Time};
use tokio::{
    io::{AsyncReadExt as _, DuplexStream},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    admission::{Admission, AdmissionOptions},
    arrival::Arrival,
    clock::SystemClock,
    counters::ShellCounters,
    dialer::{DialError, Dialer},
    listener::{Listener, Places, Reception},
    net::{Net, TokioNet},
    tls::Tls,
};

fn rules() -> Arc<Admission> {
    Arc::new(Admission::new(AdmissionOptions::default(), 1_000, []))
}

/// A dialer, and where its results come out.
pub(super) struct Dials {
    dialer: Dialer<TokioNet>,
    arrivals: mpsc::Receiver<Arrival<TcpStream>>,
}

impl Dials {
    pub(super) fn new(tls: Tls, limit: Duration) -> Self {
        let (sender, arrivals) = mpsc::channel(8);
        Self { dialer: Dialer::new(TokioNet, tls, limit, rules(), sender), arrivals }
    }

    pub(super) async fn dial(&mut self, endpoint: &str) -> Result<crate::channel::Opened<TcpStream>, DialError> {
        self.dialer.dial(DialId(1), Endpoint::new(endpoint));
        match timeout(Duration::from_secs(20), self.arrivals.recv()).await.unwrap() {
            Some(Arrival::Dialled { dial: DialId(1), result, .. }) => result,
            _ => panic!("expected the dial's result"),
        }
    }
}

/// A listener that runs, and where accepted connections come out.
pub(super) struct Door {
    pub(super) addr: SocketAddr,
    pub(super) arrivals: mpsc::Receiver<Arrival<TcpStream>>,
    pub(super) counters: Arc<ShellCounters>,
    _task: JoinSet<()>,
}

impl Door {
    pub(super) async fn open(endpoint: &str, options: AdmissionOptions, tls: Tls) -> Self {
        let listener = Listener::bind(TokioNet, &endpoint.parse().unwrap()).await.unwrap();
        let addr = listener.addr;
        let (sender, arrivals) = mpsc::channel(8);
        let counters = Arc::new(ShellCounters::default());
        let reception = Reception {
            tls,
            limit: Duration::from_secs(1),
            admission: Arc::new(Admission::new(options, 1_000, [])),
            places: Places::new(),
            counters: Arc::clone(&counters),
            arrivals: sender,
        };
        let mut task = JoinSet::new();
        task.spawn(listener.run(SystemClock::new(), reception));
        Self { addr, arrivals, counters, _task: task }
    }
}

fn plain_dials() -> Dials {
    Dials::new(Tls::default(), Duration::from_secs(5))
}

#[tokio::test]
async fn a_dial_opens_a_channel_by_address_and_by_name() {
    let door = Door::open("tcp://localhost:0", AdmissionOptions::default(), Tls::default()).await;
    let mut dials = plain_dials();
    for host in [door.addr.ip().to_string(), "localhost".to_owned()] {
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let opened = dials.dial(&format!("tcp://{host}:{}", door.addr.port())).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(&*opened.remote, door.addr.to_string());
        assert_eq!(opened.exporter, None);
    }
}

#[tokio::test]
async fn a_dial_that_cannot_succeed_says_why() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut dials = plain_dials();
    let refused = dials.dial(&format!("tcp://{closed}")).await.err().unwrap();
    assert!(refused.to_string().contains("refused"), "{refused}");
    assert!(refused.to_string().contains(&closed.to_string()), "{refused}");
    let unknown = dials.dial("tcp://no-such-host.invalid:1").await.err().unwrap();
    assert!(matches!(unknown, DialError::Resolve(_)), "{unknown}");
    assert!(matches!(dials.dial("udp://127.0.0.1:1").await.err(), Some(DialError::BadEndpoint(_))));
    assert!(matches!(dials.dial("tcp://127.0.0.1:0").await.err(), Some(DialError::NoPort)));
    let no_ca = dials.dial(&format!("tls://{closed}")).await.err().unwrap();
    assert!(matches!(no_ca, DialError::Connect { .. } | DialError::Tls(_)), "{no_ca}");
}

#[tokio::test]
async fn a_dial_without_an_answer_ends_in_time() {
    // TLS towards a listener that never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limit = Duration::from_millis(200);
    let mut dials = Dials::new(super::tls::any_client(), limit);
    let error = dials.dial(&format!("tls://{}", silent.local_addr().unwrap())).await.err().unwrap();
    assert!(matches!(error, DialError::Timeout(_)), "{error}");
}

#[tokio::test]
async fn a_refused_source_is_closed_without_a_word() {
    let options = AdmissionOptions { allow_ips: vec!["10.0.0.0/8".parse().unwrap()], ..AdmissionOptions::default() };
    let mut door = Door::open("tcp://127.0.0.1:0", options, Tls::default()).await;
    let mut stream = TcpStream::connect(door.addr).await.unwrap();
    let mut said = Vec::new();
    // Closing may reach the client as an end or as a reset.
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut said)).await.unwrap();
    assert_eq!(said, b"");
    assert_eq!(door.counters.refused_not_allowed.get(), 1);
    assert!(door.arrivals.try_recv().is_err());
}

#[tokio::test]
async fn a_source_holds_a_bounded_number_of_connections() {
    let options = AdmissionOptions { per_source: 2, ..AdmissionOptions::default() };
    let mut door = Door::open("tcp://127.0.0.1:0", options, Tls::default()).await;
    let mut accepted = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(TcpStream::connect(door.addr).await.unwrap());
        accepted.push(door.arrivals.recv().await.unwrap());
    }
    let mut third = TcpStream::connect(door.addr).await.unwrap();
    let mut said = Vec::new();
    let _ = timeout(Duration::from_secs(5), third.read_to_end(&mut said)).await.unwrap();
    assert_eq!(door.counters.refused_too_many.get(), 1);
    accepted.pop();
    let _fourth = TcpStream::connect(door.addr).await.unwrap();
    assert!(timeout(Duration::from_secs(5), door.arrivals.recv()).await.unwrap().is_some());
}

/// A network of which some addresses swallow everything, and the others connect at once.
#[derive(Clone)]
struct Holes {
    names: Arc<[SocketAddr]>,
    holes: Arc<[SocketAddr]>,
}

impl Holes {
    fn dialer(names: &[&str], holes: &[&str]) -> (Dialer<Self>, mpsc::Receiver<Arrival<DuplexStream>>) {
        let parse = |addrs: &[&str]| addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        let (sender, arrivals) = mpsc::channel(256);
        let net = Self { names: parse(names), holes: parse(holes) };
        (Dialer::new(net, Tls::default(), Duration::from_secs(10), rules(), sender), arrivals)
    }
}

impl Net for Holes {
    type Stream = DuplexStream;
    type Listener = ();

    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(self.names.to_vec())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<DuplexStream> {
        if self.holes.contains(&addr) { std::future::pending().await } else { Ok(tokio::io::duplex(1).0) }
    }

    async fn bind(&self, _: SocketAddr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept(&self, (): &()) -> io::Result<(DuplexStream, SocketAddr)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn local_addr(&self, (): &()) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_swallows_everything_does_not_hide_the_next() {
    let (hole, other_hole, open) = ("[2001:db8::1]:9", "[2001:db8::2]:9", "192.0.2.1:9");
    let (mut dialer, mut arrivals) = Holes::dialer(&[hole, other_hole, open], &[hole, other_hole]);
    let began = Instant::now();
    dialer.dial(DialId(1), Endpoint::new("tcp://name:9"));
    let Some(Arrival::Dialled { result: Ok(opened), .. }) = arrivals.recv().await else { panic!("opens") };
    assert_eq!(&*opened.remote, open);
    assert_eq!(began.elapsed().as_millis(), 250, "the other family is tried second");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_dialled_by_name_is_no_stranger() {
    let (hole, open) = ("192.0.2.1:9", "192.0.2.2:9");
    let (sender, mut arrivals) = mpsc::channel(8);
    let net = Holes { names: [hole, open].map(|addr| addr.parse().unwrap()).into(), holes: Arc::from([]) };
    let rules = rules();
    let mut dialer = Dialer::new(net, Tls::default(), Duration::from_secs(10), Arc::clone(&rules), sender);
    let known = |from: &str| rules.admit(Time::ZERO, from.parse().unwrap()).unwrap().known;
    assert_eq!([known(hole), known(open)], [false, false]);
    dialer.dial(DialId(1), Endpoint::new("tcp://name:9"));
    assert!(arrivals.recv().await.is_some());
    assert_eq!([known(hole), known(open), known("192.0.2.3:9")], [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_waits_for_its_turn_ends_in_time_too() {
    let hole = "192.0.2.1:9";
    let (mut dialer, mut arrivals) = Holes::dialer(&[], &[hole]);
    let began = Instant::now();
    for dial in 0..200 {
        dialer.dial(DialId(dial), Endpoint::new(&format!("tcp://{hole}")));
    }
    for _ in 0..200 {
        let Some(Arrival::Dialled { result, .. }) = arrivals.recv().await else { panic!("ends") };
        assert!(matches!(result, Err(DialError::Timeout(_))));
    }
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
}
