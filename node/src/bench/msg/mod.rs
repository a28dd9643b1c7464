//! Messages between nodes: one process per node, links as in production, encrypted.

mod role;

use std::{path::Path, process::Command};

use serde::{Deserialize, Serialize};

use super::{Cast, Figures, Machine, Middle, Plan, Spec, Worker, WorkerError};

pub(super) use role::{Posting, reach, start as start_mesh};
pub use role::{Role, play};

/// Names of the nodes.
const PUBLISHER: &str = "publisher";
const RELAY: &str = "relay";
const SUBSCRIBER: &str = "subscriber";

/// Who is linked with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// The publisher with the subscriber.
    Pair,
    /// Both with a third node, which forwards.
    Relay,
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
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Starts the nodes from the program at `program`, measures, and ends them. `token` is their secret.
///
/// # Errors
/// [`WorkerError`].
pub fn run(program: &Path, token: &str, topology: Topology, plan: &Plan) -> Result<Round, WorkerError> {
    let machine = Machine::this();
    let figures = cast(program, token, topology)?.measure(SUBSCRIBER, plan)?;
    Ok(Round { machine, topology, size: plan.size, figures })
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
            Ok(Cast { publisher, middle: vec![], subscribers: vec![subscriber], subscriptions: 1 })
        }
        Topology::Relay => {
            let relay = start(Role::Relay, RELAY, None)?;
            let subscriber = start(Role::Sub, SUBSCRIBER, Some(&relay.addr))?;
            let publisher = start(Role::Pub, PUBLISHER, Some(&relay.addr))?;
            let middle = vec![Middle::Worker(relay)];
            Ok(Cast { publisher, middle, subscribers: vec![subscriber], subscriptions: 1 })
        }
    }
}
