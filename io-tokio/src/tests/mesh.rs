//! Whole nodes on loopback.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use proto_core::{
    error::{CloseReason, Rejected},
    id::NodeName,
    node::{Event, Outcome},
    secure::Psk,
    time::{Time, WallTime},
};
use tokio::{
    net::TcpSocket,
    time::{Instant, sleep, timeout},
};

use crate::{
    AdmissionOptions, Events, IncomingError, Mesh, MeshOptions, Notice, SendError, SendOptions, Stopped, TlsOptions,
    clock::{Clock, RuntimeClock, SystemClock},
    net::TokioNet,
};

pub(super) const LONG: Duration = Duration::from_secs(10);

pub(super) fn options(name: &str) -> MeshOptions {
    let mut options = MeshOptions::new(Psk::from_token(b"a token for tests")).name(NodeName::new(name).unwrap());
    options.link.reconnect_initial = Duration::from_millis(20);
    options
}

pub(super) fn listening(name: &str) -> MeshOptions {
    options(name).listen("tcp://127.0.0.1:0")
}

pub(super) fn door(mesh: &Mesh) -> String {
    format!("tcp://{}", mesh.local_addrs()[0])
}

pub(super) async fn start(options: MeshOptions) -> Mesh {
    Mesh::start(options).await.unwrap()
}

/// Waits until a node is within reach.
pub(super) async fn reach(mesh: &Mesh, node: &str) {
    let reached = async {
        while mesh.find_node(node).await.unwrap().is_none_or(|found| found.cost.is_none()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, reached).await.unwrap_or_else(|_| panic!("{node} comes within reach of {}", mesh.name()));
}

/// Waits for an event that `wanted` says yes to.
async fn event<T>(events: &mut Events, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let found = async {
        loop {
            if let Notice::Event(event) = events.recv().await.unwrap()
                && let Some(found) = wanted(&event)
            {
                return found;
            }
        }
    };
    timeout(LONG, found).await.unwrap()
}

#[tokio::test]
async fn two_nodes_exchange_messages_by_name() {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    let (mut at_a, mut at_b) = (a.incoming().unwrap(), b.incoming().unwrap());
    assert_eq!(b.send("a", "there").await, Ok(Outcome::Delivered));
    assert_eq!(a.send("b", "and back").await, Ok(Outcome::Delivered));
    let there = at_a.recv().await.unwrap();
    assert_eq!((&there.payload[..], a.name_of(there.from)), (&b"there"[..], Some(b.name().clone())));
    assert_eq!(&at_b.recv().await.unwrap().payload[..], b"and back");
    let report = a.shutdown(LONG).await.unwrap();
    assert!(report.clean && report.unanswered == 0, "{report:?}");
    assert_eq!(at_a.recv().await, None);
    assert_eq!(a.send("b", "too late").await, Err(SendError::Stopped(Stopped)));
}

#[tokio::test]
async fn posted_messages_arrive_in_order_and_none_is_refused() {
    const COUNT: u32 = 100_000;
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    let mut incoming = a.incoming().unwrap();
    let sender = b.sender("a").unwrap();
    let posting = tokio::spawn(async move {
        for number in 0..COUNT {
            sender.post(number.to_le_bytes().to_vec()).await.unwrap();
        }
    });
    let mut next = 0;
    let mut batch = Vec::new();
    while next < COUNT {
        assert!(timeout(LONG, incoming.recv_many(&mut batch, 1_000)).await.expect("goes on") > 0);
        for message in batch.drain(..) {
            assert_eq!(message.payload[..], next.to_le_bytes());
            next += 1;
        }
    }
    posting.await.unwrap();
    assert_eq!(b.counters().await.unwrap()["messages_refused"], 0);
}

#[tokio::test]
async fn a_message_to_all_arrives_after_what_was_posted_before() {
    const COUNT: u32 = 3_000;
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    reach(&b, "a").await;
    let mut incoming = a.incoming().unwrap();
    let sender = b.sender("a").unwrap();
    for number in 0..COUNT {
        sender.post(number.to_le_bytes().to_vec()).await.unwrap();
    }
    let all = tokio::spawn(async move { b.broadcast(COUNT.to_le_bytes().to_vec()).await });
    for number in 0..=COUNT {
        let message = timeout(LONG, incoming.recv()).await.expect("goes on").unwrap();
        assert_eq!(message.payload[..], number.to_le_bytes());
    }
    assert_eq!(all.await.unwrap().unwrap().acknowledged.len(), 1);
}

#[tokio::test]
async fn waiting_messages_can_be_looked_at_and_are_still_there() {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    let mut incoming = a.incoming().unwrap();
    for text in ["one", "two"] {
        assert_eq!(b.send("a", text).await, Ok(Outcome::Delivered));
    }
    assert_eq!(incoming.peek().map(|message| message.payload.len()).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(b.send("a", "three").await, Ok(Outcome::Delivered));
    assert_eq!(incoming.peek().len(), 3);
    for text in ["one", "two", "three"] {
        assert_eq!(&incoming.recv().await.unwrap().payload[..], text.as_bytes());
    }
    assert_eq!(incoming.peek().len(), 0);
}

#[tokio::test]
async fn a_line_of_three_relays_and_shows_the_way() {
    let a = start(listening("a")).await;
    let b = start(listening("b").connect(&door(&a))).await;
    let c = start(options("c").connect(&door(&b))).await;
    reach(&c, "a").await;
    let mut incoming = a.incoming().unwrap();
    assert_eq!(c.send("a", "through b").await, Ok(Outcome::Delivered));
    assert_eq!(c.name_of(incoming.recv().await.unwrap().from), Some(c.name().clone()));
    let hops = c.trace("a").await.unwrap();
    let names: Vec<_> = hops.iter().map(|hop| (hop.hop, hop.name.as_str(), hop.last)).collect();
    assert_eq!(names, [(1, "b", false), (2, "a", true)]);
    assert_eq!(c.ping("a").await.unwrap().map(|hop| hop.name), Some(a.name().clone()));
    let routes = c.routes().await.unwrap();
    let to_a = routes.iter().find(|route| route.node == *a.name()).unwrap();
    assert_eq!((to_a.hops, to_a.via.as_slice()), (2, &[b.name().clone()][..]));
    let peers = b.peers().await.unwrap();
    let linked: Vec<_> = peers.iter().filter(|peer| peer.link.is_some()).collect();
    assert_eq!(linked.len(), 2, "{peers:?}");
}

#[tokio::test]
async fn a_list_and_everybody_get_a_message_and_failures_are_named() {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    let mut short = options("c").connect(&door(&a));
    short.deadline = Duration::from_secs(2);
    let c = start(short).await;
    reach(&c, "a").await;
    reach(&c, "b").await;
    reach(&b, "c").await;
    let report = c.send_many(["a", "b", "nobody"], "to a list").await.unwrap();
    assert_eq!(report.acknowledged.len(), 2, "{report:?}");
    let failed: Vec<_> = report.failed.iter().map(|(to, why)| (to.name.clone().unwrap(), *why)).collect();
    assert_eq!(failed, [(NodeName::new("nobody").unwrap(), Outcome::Rejected(Rejected::NoRoute))]);
    let report = c.broadcast("to all").await.unwrap();
    let mut reached: Vec<_> = report.acknowledged.iter().filter_map(|to| to.name.clone()).collect();
    reached.sort();
    assert_eq!(reached, [a.name().clone(), b.name().clone()]);
    assert_eq!(report.failed, []);
    let mut incoming = b.incoming().unwrap();
    assert_eq!(&incoming.recv().await.unwrap().payload[..], b"to a list");
    assert_eq!(&incoming.recv().await.unwrap().payload[..], b"to all");
}

#[tokio::test]
async fn a_client_takes_its_own_messages_while_it_is_there() {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    let mut desk = a.client("desk").await.unwrap();
    assert_eq!(a.client("desk").await.err(), Some(IncomingError::Taken));
    let to_desk = || SendOptions {
        client: Some("desk".into()),
        from_client: Some("phone".into()),
        deadline: Some(Duration::from_secs(5)),
    };
    assert_eq!(b.send_with("a", "ring", to_desk()).await, Ok(Outcome::Delivered));
    let message = desk.recv().await.unwrap();
    assert_eq!((message.to_client.as_deref(), message.from_client.as_deref()), (Some("desk"), Some("phone")));
    drop(desk);
    let gone = async {
        while b.send_with("a", "ring", to_desk()).await != Ok(Outcome::Rejected(Rejected::NoSuchClient)) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, gone).await.unwrap();
}

#[tokio::test]
async fn what_a_client_left_is_handed_back_and_holds_up_nobody() {
    let mut small = listening("a");
    small.message.inbox = 4;
    let a = start(small).await;
    let b = start(options("b").connect(&door(&a))).await;
    let to_desk = || SendOptions { client: Some("desk".into()), ..SendOptions::default() };
    for _ in 0..3 {
        let mut desk = a.client("desk").await.unwrap();
        for number in ["1", "2", "3"] {
            assert_eq!(b.send_with("a", number, to_desk()).await, Ok(Outcome::Delivered));
        }
        assert_eq!(&desk.recv().await.unwrap().payload[..], b"1");
        let left: Vec<_> = desk.leave().await.into_iter().map(|message| message.payload).collect();
        assert_eq!(left, ["2", "3"]);
    }
    assert_eq!(a.counters().await.unwrap()["messages_discarded"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whatever_was_accepted_for_a_client_that_leaves_is_handed_back() {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    let to_desk = || SendOptions { client: Some("desk".into()), ..SendOptions::default() };
    let (mut got, mut delivered) = (0, 0);
    // Which of its sources the node looks at first changes from turn to turn.
    for _ in 0..12 {
        let mut desk = a.client("desk").await.unwrap();
        let (go_on, held) = std::sync::mpsc::channel::<()>();
        let standing = a.clone();
        let stand = tokio::spawn(async move { standing.inspect(move |_, _| held.recv().is_ok()).await });
        let sender = b.clone();
        let send = tokio::spawn(async move { sender.send_with("a", "ring", to_desk()).await });
        // The message lies in the socket while the client takes its leave.
        sleep(Duration::from_millis(20)).await;
        let leave = tokio::spawn(async move { desk.leave().await.len() });
        sleep(Duration::from_millis(5)).await;
        drop(go_on);
        assert_eq!(stand.await.unwrap(), Ok(false));
        got += leave.await.unwrap();
        delivered += usize::from(timeout(LONG, send).await.unwrap().unwrap() == Ok(Outcome::Delivered));
    }
    assert!(delivered > 0, "some come in time");
    assert!(a.incoming().unwrap().try_recv().is_none(), "nothing ends up where nobody looks for it");
    assert_eq!(got, delivered, "what was delivered was handed over");
}

#[tokio::test]
async fn messages_that_nobody_reads_close_no_client() {
    let mut small = listening("a");
    small.message.inbox = 4;
    let a = start(small).await;
    let [b, c] = [start(options("b").connect(&door(&a))).await, start(options("c").connect(&door(&a))).await];
    let mut desk = a.client("desk").await.unwrap();
    let unread = b.sender("a").unwrap();
    for number in 0..20_u8 {
        unread.post(vec![number]).await.unwrap();
    }
    let full = async { while !a.inspect(|node, _| node.messages().holds_back()).await.unwrap() {} };
    timeout(LONG, full).await.expect("the node's own mailbox fills");
    let to_desk = || SendOptions { client: Some("desk".into()), ..SendOptions::default() };
    for number in 0..20_u8 {
        assert_eq!(c.send_with("a", vec![number], to_desk()).await, Ok(Outcome::Delivered));
        assert_eq!(desk.recv().await.unwrap().payload[..], [number]);
    }
    let mut incoming = a.incoming().unwrap();
    for number in 0..20_u8 {
        assert_eq!(timeout(LONG, incoming.recv()).await.unwrap().unwrap().payload[..], [number]);
    }
}

#[tokio::test]
async fn a_node_pings_and_traces_itself() {
    let a = start(options("a")).await;
    assert_eq!(a.ping("a").await.unwrap().map(|hop| (hop.hop, hop.last)), Some((0, true)));
    assert_eq!(a.trace("a").await.unwrap().len(), 1);
    a.shutdown(LONG).await.unwrap();
    a.ended().await;
    assert!(a.ping("a").await.is_err());
}

/// A clock that breaks.
#[derive(Clone, Default)]
struct Broken {
    clock: SystemClock,
    broken: Arc<AtomicBool>,
}

impl Clock for Broken {
    fn now(&mut self) -> Time {
        assert!(!self.broken.load(Ordering::Relaxed), "the clock breaks on purpose");
        self.clock.now()
    }

    fn wall(&mut self) -> WallTime {
        self.clock.wall()
    }
}

#[tokio::test]
async fn everybody_learns_that_the_engine_has_failed() {
    let clock = Broken::default();
    let mesh = Mesh::start_on(options("a"), TokioNet, clock.clone()).await.unwrap();
    assert!(timeout(Duration::from_millis(50), mesh.ended()).await.is_err(), "it runs");
    clock.broken.store(true, Ordering::Relaxed);
    timeout(LONG, mesh.ended()).await.expect("the end is told");
    assert_eq!(mesh.send("b", "too late").await, Err(SendError::Stopped(Stopped)));
}

#[tokio::test]
async fn messages_wait_for_the_next_consumer() {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    for number in ["1", "2", "3"] {
        assert_eq!(b.send("a", number).await, Ok(Outcome::Delivered));
    }
    let mut first = a.incoming().unwrap();
    assert_eq!(a.incoming().err(), Some(IncomingError::Taken));
    assert_eq!(&first.recv().await.unwrap().payload[..], b"1");
    drop(first);
    let mut second = a.incoming().unwrap();
    assert_eq!(&second.recv().await.unwrap().payload[..], b"2");
    assert_eq!(&second.try_recv().unwrap().payload[..], b"3");
    assert_eq!(second.try_recv(), None);
}

#[tokio::test]
async fn a_small_inbox_holds_senders_back_without_losing_anything() {
    let mut small = listening("a");
    small.message.inbox = 4;
    let a = start(small).await;
    let b = start(options("b").connect(&door(&a))).await;
    let sender = b.sender("a").unwrap();
    for number in 0..200_u8 {
        sender.post(vec![number]).await.unwrap();
    }
    sleep(Duration::from_millis(200)).await;
    let mut incoming = a.incoming().unwrap();
    for number in 0..200_u8 {
        let message = timeout(LONG, incoming.recv()).await.expect("room is told").unwrap();
        assert_eq!(message.payload[..], [number]);
    }
}

#[tokio::test]
async fn another_token_gets_no_link_and_no_message_through() {
    let a = start(listening("a")).await;
    let mut refused = a.events();
    let mut stranger = MeshOptions::new(Psk::from_token(b"another token")).name(NodeName::new("b").unwrap());
    stranger = stranger.connect(&door(&a));
    stranger.deadline = Duration::from_millis(300);
    let b = start(stranger).await;
    let mut failures = b.events();
    assert!(matches!(b.send("a", "hello").await, Ok(Outcome::Rejected(_))));
    let failed = |event: &Event| if let Event::LinkFailed { reason, .. } = event { Some(*reason) } else { None };
    assert_eq!(event(&mut failures, failed).await, CloseReason::HandshakeFailed);
    assert_eq!(event(&mut refused, failed).await, CloseReason::HandshakeFailed);
    assert!(a.incoming().unwrap().try_recv().is_none());
}

fn in_dir(options: MeshOptions, dir: &Path) -> MeshOptions {
    MeshOptions { data_dir: Some(dir.to_owned()), ..options }
}

#[tokio::test]
async fn a_restarted_node_is_the_same_one_in_a_new_life() {
    let dir = tempfile::tempdir().unwrap();
    let b = start(listening("b")).await;
    let life = |wanted: &'static str| {
        move |event: &Event| {
            if let Event::LinkUp { peer, incarnation, .. } = event
                && peer.as_str() == wanted
            {
                Some(*incarnation)
            } else {
                None
            }
        }
    };
    let mut events = b.events();
    let a = start(in_dir(options("a").connect(&door(&b)), dir.path())).await;
    let first = event(&mut events, life("a")).await;
    assert!(Mesh::start(in_dir(options("a"), dir.path())).await.is_err(), "one process at a time");
    a.shutdown(LONG).await.unwrap();
    let known = std::fs::read_to_string(dir.path().join("known_nodes")).unwrap();
    assert!(known.starts_with("b ed25519:"), "{known}");
    // The directory is free as soon as the engine's task has ended.
    let restarted = async {
        loop {
            match Mesh::start(in_dir(options("a").connect(&door(&b)), dir.path())).await {
                Ok(mesh) => break mesh,
                Err(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let _a = timeout(LONG, restarted).await.unwrap();
    assert!(event(&mut events, life("a")).await > first);
    assert_eq!(b.send("a", "to the new life").await, Ok(Outcome::Delivered));
}

#[tokio::test]
async fn another_key_for_a_known_name_is_refused() {
    let b = start(listening("b")).await;
    let mut events = b.events();
    let a = start(options("a").connect(&door(&b))).await;
    reach(&b, "a").await;
    a.shutdown(LONG).await.unwrap();
    let _impostor = start(options("a").connect(&door(&b))).await;
    let name =
        event(&mut events, |event| if let Event::KeyConflict { name, .. } = event { Some(name.clone()) } else { None });
    assert_eq!(name.await.as_str(), "a");
}

#[tokio::test]
async fn a_killed_peer_comes_back_and_traffic_goes_on() {
    let a = start(listening("a")).await;
    let port = door(&a);
    let (dir_b, runtime) = (tempfile::tempdir().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let options_b = in_dir(options("b").connect(&port), dir_b.path());
    let b = runtime.spawn(Mesh::start(options_b.clone())).await.unwrap().unwrap();
    reach(&a, "b").await;
    assert_eq!(a.send("b", "before").await, Ok(Outcome::Delivered));
    // Without a goodbye: the runtime is torn down under the node.
    runtime.shutdown_background();
    let stopped = async { while b.counters().await.is_ok() {} };
    timeout(LONG, stopped).await.expect("handles learn of the end");
    let b = start(options_b).await;
    let mut incoming = b.incoming().unwrap();
    let delivered = async {
        while a.send("b", "after").await != Ok(Outcome::Delivered) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, delivered).await.unwrap();
    assert_eq!(&incoming.recv().await.unwrap().payload[..], b"after");
}

#[tokio::test]
async fn a_shutdown_hands_over_what_was_posted_before() {
    let a = start(listening("a")).await;
    let b = start(options("b").connect(&door(&a))).await;
    let mut incoming = a.incoming().unwrap();
    let sender = b.sender("a").unwrap();
    for number in 0..5_000_u32 {
        sender.post(number.to_le_bytes().to_vec()).await.unwrap();
    }
    let report = b.shutdown(LONG).await.unwrap();
    assert!(report.clean && report.unanswered == 0, "{report:?}");
    assert!(sender.post("late").await.is_err());
    for number in 0..5_000_u32 {
        assert_eq!(incoming.recv().await.unwrap().payload[..], number.to_le_bytes());
    }
}

#[tokio::test]
async fn a_shutdown_ends_in_time_when_nobody_answers() {
    let a = start(options("a")).await;
    let sender = a.sender("nobody").unwrap();
    for _ in 0..10 {
        sender.post("into the void").await.unwrap();
    }
    let began = Instant::now();
    let report = a.shutdown(Duration::from_millis(200)).await.unwrap();
    assert_eq!(report.unanswered, 10);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(a.shutdown(LONG).await, Err(Stopped));
}

#[tokio::test]
async fn dropping_every_handle_says_goodbye() {
    let a = start(listening("a")).await;
    let mut events = a.events();
    let b = start(options("b").connect(&door(&a))).await;
    reach(&b, "a").await;
    drop(b);
    let reason =
        event(&mut events, |event| if let Event::LinkDown { reason, .. } = event { Some(*reason) } else { None });
    assert_eq!(reason.await, CloseReason::Peer);
}

#[tokio::test]
async fn a_mesh_over_tls_delivers() {
    let dir = tempfile::tempdir().unwrap();
    let tls = super::tls::authority(dir.path());
    let a = MeshOptions { tls: tls.clone(), ..options("a").listen("tls://127.0.0.1:0") };
    let a = start(a).await;
    let client = TlsOptions { cert: None, key: None, ..tls };
    let door = format!("tls://{}", a.local_addrs()[0]);
    let b = start(MeshOptions { tls: client, ..options("b").connect(&door) }).await;
    let mut incoming = a.incoming().unwrap();
    let payload = vec![7; 300_000];
    assert_eq!(b.send("a", payload.clone()).await, Ok(Outcome::Delivered));
    assert_eq!(incoming.recv().await.unwrap().payload, payload);
}

#[tokio::test]
async fn a_node_behind_an_allow_list_is_out_of_reach_and_the_dialler_sees_why() {
    let admission = AdmissionOptions { allow_ips: vec!["10.0.0.0/8".parse().unwrap()], ..Default::default() };
    let a = start(MeshOptions { admission, ..listening("a") }).await;
    let b = start(options("b").connect(&door(&a)).connect("tcp://127.0.0.1:1")).await;
    let mut events = b.events();
    event(&mut events, |event| matches!(event, Event::LinkFailed { .. }).then_some(())).await;
    let refused = async {
        while a.counters().await.unwrap()["accepts_refused_not_allowed"] == 0 || b.dial_errors().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, refused).await.unwrap();
    let (endpoint, why) = b.dial_errors().remove(0);
    assert_eq!(endpoint.to_string(), "tcp://127.0.0.1:1");
    assert!(why.contains("refused"), "{why}");
}

#[tokio::test]
async fn strangers_at_the_door_do_not_keep_a_peer_out() {
    let mut few = listening("a");
    few.link.accepts_per_sec = 4;
    let a = start(few).await;
    let addr = a.local_addrs()[0];
    let b = start(options("b").connect(&door(&a))).await;
    reach(&b, "a").await;
    b.shutdown(LONG).await.unwrap();
    // From more addresses than anybody counts, and faster than all together may come.
    let crowd = tokio::spawn(async move {
        for number in (1..=250).cycle() {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 0, 7, number], 0))).unwrap();
            drop(socket.connect(addr).await);
            sleep(Duration::from_millis(1)).await;
        }
    });
    let refused = async || a.counters().await.unwrap()["accepts_refused_too_fast"];
    while timeout(LONG, refused()).await.unwrap() < 100 {
        sleep(Duration::from_millis(10)).await;
    }
    // Another node at the address where one was.
    let c = start(options("c").connect(&door(&a))).await;
    reach(&c, "a").await;
    crowd.abort();
}

#[tokio::test(start_paused = true)]
async fn a_node_without_links_ends_at_once_when_it_is_told_to() {
    let a = Mesh::start_on(options("a"), TokioNet, RuntimeClock::new(WallTime(0))).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    let begin = Instant::now();
    a.shutdown(LONG).await.unwrap();
    assert!(begin.elapsed() <= Duration::from_millis(10), "after {:?}", begin.elapsed());
}
