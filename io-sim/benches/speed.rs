//! How fast the world runs: a mesh of five nodes, for sixty simulated seconds, at several rates of messages.
//!
//! `cargo bench -p io-sim` prints simulated time per time of one core, turns, time per turn, and a hash, which must be the
//! same in every build.

use core::{ops::ControlFlow, time::Duration};
use std::time::Instant;

use bytes::Bytes;
use io_sim::{HostConfig, HostId, HostSpec, Observer, PeerSpec, SimTime, TurnRecord, World, WorldOptions};
use proto_core::{
    id::NodeName,
    node::{Command, Send},
};

const HOSTS: u32 = 5;
const SECONDS: u64 = 60;

fn name(number: u32) -> NodeName {
    NodeName::new(&format!("n{number}")).unwrap_or_else(|_| unreachable!("digits make a name"))
}

fn mesh(seed: u64) -> World {
    let mut world = World::new(seed, WorldOptions::default());
    for number in 0..HOSTS {
        let peers = (0..number).map(|peer| PeerSpec { name: name(peer), cost: 0 }).collect();
        let template = HostConfig { peers, ..HostConfig::default() };
        world.add_host(HostSpec { template, ..HostSpec::new(name(number)) });
    }
    world
}

/// Runs one world to its end. The network is the default one; nothing goes wrong.
fn run(seed: u64, messages_per_s: u64, observer: &mut impl Observer) -> World {
    let mut world = mesh(seed);
    let to: Vec<_> = (0..HOSTS).map(|host| name(host).addr()).collect();
    let payload = Bytes::from_static(&[7; 128]);
    for tick in 0..SECONDS * messages_per_s.max(1) {
        for from in 0..HOSTS * u32::from(messages_per_s > 0) {
            let to = to[((u64::from(from) + 1 + tick % u64::from(HOSTS - 1)) % u64::from(HOSTS)) as usize];
            let (payload, deadline) = (payload.clone(), Duration::from_secs(10));
            let send = Send { to, to_client: None, from_client: None, payload, deadline, report: true };
            world.command(HostId(from), Command::Send(send));
        }
        let until = SimTime::from_millis((tick + 1) * 1_000 / messages_per_s.max(1));
        if world.run_until(until, observer).is_break() {
            break;
        }
    }
    world
}

/// Looks at every turn and finds nothing wrong.
struct Looks(u64);

impl Observer for Looks {
    type Violation = ();

    fn after_turn(&mut self, world: &World, turn: &TurnRecord<'_>) -> ControlFlow<()> {
        self.0 += world.host(turn.host).incarnation().0 + turn.inputs.len() as u64 + turn.outputs.len() as u64;
        ControlFlow::Continue(())
    }
}

/// Time that this thread has spent on a processor, so that what else the machine does changes nothing. Where the system
/// does not tell, the time that has passed.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn spent(since: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| Instant::now() - since, Duration::from_nanos)
}

#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark measures real time and says so")]
fn main() {
    // Run as a test, not as a benchmark, it only has to work.
    let benchmark = std::env::args().any(|arg| arg == "--bench");
    let least = if benchmark { Duration::from_secs(1) } else { Duration::from_nanos(1) };
    for messages_per_s in [0, 1, 10, 100].into_iter().take(if benchmark { 4 } else { 2 }) {
        let since = Instant::now();
        let before = spent(since);
        let (mut turns, mut messages, mut worlds, mut first_hash) = (0, 0, 0, 0);
        while spent(since) - before < least {
            let world = run(worlds, messages_per_s, &mut Looks(0));
            (turns, messages, worlds) = (turns + world.steps(), messages + world.stats().messages_consumed, worlds + 1);
            if worlds == 1 {
                first_hash = world.trace_hash();
            }
        }
        let took = spent(since) - before;
        let speed = (worlds * SECONDS) as f64 / took.as_secs_f64();
        let per_turn = took.as_nanos() / u128::from(turns.max(1));
        println!(
            "{HOSTS} nodes, {messages_per_s} messages/s each: {speed:.0}x real time, {} turns and {} messages per world, \
             {per_turn} ns per turn, hash of seed 0 {first_hash:016x}",
            turns / worlds,
            messages / worlds,
        );
    }
}
