//! How soon routes follow the links: after a link came up, and after a node on the way died.
//!
//! The nodes at the ends live in this process, so that their events can be watched; those between them are processes of
//! their own, so that they can be killed.

use std::{io, path::Path, time::Duration};

use io_tokio::{Event, Events, Incoming, Mesh, MeshOptions, NodeName, Notice, Psk};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    Arrived, Tally, Worker, monotonic,
    msg::{self, Posting, Role},
    payload, publish,
};

/// What is waited for longer than this will not come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks at routes.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Messages per second while a node dies.
const RATE: u64 = 1_000;
/// How many of them are sent before.
const BEFORE: u64 = RATE;
/// Bytes of each.
const SIZE: usize = 128;

/// How soon the ends of a line of three know each other, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// From the start of the last node, which dials, to its link.
    pub link_up: f64,
    /// From its link until both ends have a route to each other.
    pub routes: f64,
    /// From its link until one end has had an answer of the other.
    pub answer: f64,
}

/// How a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Its process is killed: the kernel closes its connections.
    Killed,
    /// Its process stands still, with all connections open: nobody says anything.
    Frozen,
}

/// How two nodes lose the one between them that they use, while there is another. Times in milliseconds from its death.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failover {
    /// Until a message arrives that was sent after it.
    pub traffic: f64,
    /// The longest time without an arrival.
    pub silence: f64,
    /// Until neither end has a route to it or over it.
    pub routes: f64,
    /// What became of the messages.
    pub arrived: Arrived,
}

/// Measures how soon the ends of `a - b - c` know each other once `c` dials. `program` is the node's.
///
/// # Errors
/// If anything fails, or does not happen in time.
pub async fn line(program: &Path, token: &str) -> io::Result<Line> {
    let middle = msg::start(program, Role::Relay, "b", token, None).map_err(io::Error::other)?;
    let options = |name: &str| Ok::<_, io::Error>(named(name, token)?.connect(&format!("tcp://{}", middle.addr)));
    let a = Mesh::start(options("a")?).await.map_err(io::Error::other)?;
    let mut seen_by_a = a.events();
    reach(&a, "b").await?;
    let began = monotonic();
    let c = Mesh::start(options("c")?).await.map_err(io::Error::other)?;
    let mut seen_by_c = c.events();
    let up = when(&mut seen_by_c, |event| matches!(event, Event::LinkUp { .. })).await?;
    let reachable = |whom: &'static str| move |event: &Event| matches!(event, Event::Reachable { node, .. } if node.as_str() == whom);
    let here = when(&mut seen_by_c, reachable("a")).await?;
    let there = when(&mut seen_by_a, reachable("c")).await?;
    reach(&a, "c").await?;
    let answer = monotonic();
    Ok(Line { link_up: millis(began, up), routes: millis(up, here.max(there)), answer: millis(up, answer) })
}

/// Measures what the death of the node in use does to messages from one end to the other. `link` says when the ends ping
/// a silent link, and when they give it up.
///
/// # Errors
/// If anything fails, or does not happen in time.
pub async fn failover(program: &Path, token: &str, death: Death, link: (Duration, Duration)) -> io::Result<Failover> {
    let relay = |name| msg::start(program, Role::Relay, name, token, None).map_err(io::Error::other);
    let mut relays = [("left", relay("left")?), ("right", relay("right")?)];
    let (sender, receiver) = (end("a", token, &relays, link).await?, end("b", token, &relays, link).await?);
    for (name, _) in &relays {
        reach(&sender, name).await?;
        reach(&receiver, name).await?;
    }
    reach(&sender, "b").await?;
    let after = u64::try_from((link.0 * 4 + link.1).as_millis()).unwrap_or(u64::MAX) * RATE / 1_000 + RATE;
    let count = BEFORE + after;
    let mut outbox = Posting(sender.sender("b").map_err(io::Error::other)?);
    let mut incoming = receiver.incoming().map_err(io::Error::other)?;
    let killing = async {
        tokio::time::sleep(Duration::from_millis(BEFORE * 1_000 / RATE)).await;
        let hops = sender.trace("b").await.map_err(io::Error::other)?;
        let used = hops.first().ok_or_else(|| io::Error::other("no way"))?.name.clone();
        let worker = relays.iter_mut().find(|(name, _)| *name == used.as_str());
        let (_, worker) = worker.ok_or_else(|| io::Error::other(format!("unknown relay {used}")))?;
        let died = monotonic();
        end_life(worker, death)?;
        let gone = within(forgotten([&sender, &receiver], &used)).await?;
        Ok::<_, io::Error>((died, gone))
    };
    let sending = publish(&mut outbox, count, SIZE, Some(RATE), 1);
    let watching = within(watch(&mut incoming, count));
    let ((died, gone), _sent, (arrived, arrivals)) = tokio::try_join!(killing, sending, watching)?;
    let first =
        arrivals.iter().find(|(due, _)| *due > died).ok_or_else(|| io::Error::other("nothing came after it"))?;
    let silences = arrivals.windows(2).map(|pair| match pair {
        [(_, one), (_, next)] => millis(*one, *next),
        _ => 0.0,
    });
    Ok(Failover {
        traffic: millis(died, first.1),
        silence: silences.fold(0.0, f64::max),
        routes: millis(died, gone),
        arrived,
    })
}

async fn end(
    name: &str,
    token: &str,
    relays: &[(&str, Worker); 2],
    (heartbeat, dead_after): (Duration, Duration),
) -> io::Result<Mesh> {
    let mut options = named(name, token)?;
    for (_, relay) in relays {
        options = options.connect(&format!("tcp://{}", relay.addr));
    }
    options.link.heartbeat = heartbeat;
    options.link.dead_after = dead_after;
    Mesh::start(options).await.map_err(io::Error::other)
}

fn named(name: &str, token: &str) -> io::Result<MeshOptions> {
    let name = NodeName::new(name).map_err(io::Error::other)?;
    Ok(MeshOptions::new(Psk::from_token(token.as_bytes())).name(name))
}

fn end_life(worker: &mut Worker, death: Death) -> io::Result<()> {
    match death {
        Death::Killed => worker.kill(),
        Death::Frozen => {
            let pid = i32::try_from(worker.pid()).ok().and_then(Pid::from_raw);
            Ok(kill_process(pid.ok_or(io::ErrorKind::NotFound)?, Signal::STOP)?)
        }
    }
}

/// Waits until no node has a route to `dead` or over it, and tells when that was.
async fn forgotten(nodes: [&Mesh; 2], dead: &NodeName) -> io::Result<u64> {
    for node in nodes {
        loop {
            let routes = node.routes().await.map_err(io::Error::other)?;
            if !routes.iter().any(|route| route.node == *dead || route.via.contains(dead)) {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(monotonic())
}

/// Takes messages until all have come. With each: when it was due, and when it came.
async fn watch(incoming: &mut Incoming, count: u64) -> io::Result<(Arrived, Vec<(u64, u64)>)> {
    let mut tally = Tally::new(count, 1)?;
    let mut arrivals = Vec::new();
    while let Some(message) = incoming.recv().await {
        let due = payload::read(&message.payload).map_or(0, |(_, due)| due);
        arrivals.push((due, monotonic()));
        if tally.take(&message.payload) {
            break;
        }
    }
    Ok((tally.finish(), arrivals))
}

/// Waits until a node answers.
async fn reach(mesh: &Mesh, name: &str) -> io::Result<()> {
    within(async {
        while mesh.ping(name).await.map_err(io::Error::other)?.is_none() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    })
    .await
}

/// Waits for an event, and tells when it came.
async fn when(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> io::Result<u64> {
    within(async {
        loop {
            match events.recv().await {
                Some(Notice::Event(event)) if wanted(&event) => return Ok(monotonic()),
                Some(Notice::Event(_) | Notice::Missed(_)) => {}
                None => return Err(io::Error::other("the node ended")),
            }
        }
    })
    .await
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work).await?
}

fn millis(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e6
}
