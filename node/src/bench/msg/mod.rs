//! Messages between nodes: one process per node, links as in production, encrypted.

mod role;

use std::{path::Path, process::Command, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Cast, Load, Machine, Middle, Phase, Spec, Worker, WorkerError};

pub use role::{Role, play};

/// Names of the nodes.
const PUBLISHER: &str = "publisher";
const RELAY: &str = "relay";
const SUBSCRIBER: &str = "subscriber";

/// While messages come as fast as possible, the time of one in so many is taken: looking at the clock costs as much as a
/// good part of a message.
const SAMPLE: u64 = 64;

/// Who is linked with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// The publisher with the subscriber.
    Pair,
    /// Both with a third node, which forwards.
    Relay,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who is linked with whom.
    pub topology: Topology,
    /// Bytes of each message.
    pub size: usize,
    /// Messages sent as fast as possible; none: that part is left out.
    pub count: u64,
    /// Messages sent before, and not measured.
    pub warmup: u64,
    /// Messages per second while latency is measured.
    pub rate: u64,
    /// How long latency is measured; zero: that part is left out.
    pub paced: Duration,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// On what.
    pub machine: Machine,
    /// Who was linked with whom.
    pub topology: Topology,
    /// Bytes of each message.
    pub size: usize,
    /// As fast as possible.
    pub burst: Option<Phase>,
    /// At a steady rate.
    pub paced: Option<Phase>,
}

/// Starts the nodes from the program at `program`, measures, and ends them. `token` is their secret.
///
/// # Errors
/// [`WorkerError`].
pub fn run(program: &Path, token: &str, plan: &Plan) -> Result<Round, WorkerError> {
    let machine = Machine::this();
    let mut cast = cast(program, token, plan.topology)?;
    cast.publisher.reach(SUBSCRIBER)?;
    let burst = |count| Load { count, size: plan.size, rate: None };
    if plan.warmup > 0 {
        cast.run(SUBSCRIBER, burst(plan.warmup), SAMPLE)?;
    }
    let fast = if plan.count > 0 { Some(cast.run(SUBSCRIBER, burst(plan.count), SAMPLE)?) } else { None };
    let count = u64::try_from(u128::from(plan.rate) * plan.paced.as_millis() / 1_000).unwrap_or(u64::MAX);
    let steady = Load { count, size: plan.size, rate: Some(plan.rate) };
    let paced = if count > 0 { Some(cast.run(SUBSCRIBER, steady, 1)?) } else { None };
    Ok(Round { machine, topology: plan.topology, size: plan.size, burst: fast, paced })
}

/// Starts a node that takes orders, from the program at `program`; linked with the one at `connect`.
///
/// # Errors
/// [`WorkerError`].
pub fn start(
    program: &Path,
    role: Role,
    name: &str,
    token: &str,
    connect: Option<&str>,
) -> Result<Worker, WorkerError> {
    let mut command = Command::new(program);
    command.args(["bench", "msg", "--role", role.as_str()]);
    let spec = Spec { name: name.to_owned(), token: token.to_owned(), connect: connect.map(str::to_owned) };
    Worker::start(command, &spec)
}

fn cast(program: &Path, token: &str, topology: Topology) -> Result<Cast, WorkerError> {
    let start = |role, name, connect| start(program, role, name, token, connect);
    match topology {
        Topology::Pair => {
            let subscriber = start(Role::Sub, SUBSCRIBER, None)?;
            let publisher = start(Role::Pub, PUBLISHER, Some(&subscriber.addr))?;
            Ok(Cast { publisher, middle: Middle::None, subscriber })
        }
        Topology::Relay => {
            let relay = start(Role::Relay, RELAY, None)?;
            let subscriber = start(Role::Sub, SUBSCRIBER, Some(&relay.addr))?;
            let publisher = start(Role::Pub, PUBLISHER, Some(&relay.addr))?;
            Ok(Cast { publisher, middle: Middle::Worker(relay), subscriber })
        }
    }
}

impl Round {
    /// Whether every message came, once, and in order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.burst.iter().chain(&self.paced).all(Phase::is_clean)
    }
}
