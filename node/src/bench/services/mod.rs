//! Topics and calls between nodes: one process per node, links as in production, encrypted.

mod role;

use std::{path::Path, process::Command};

use super::{CallPhase, Calls, Cast, Figures, Middle, Plan, Spec, Worker, WorkerError};

pub use role::play;

/// The topic of every publication.
pub const TOPIC: &str = "bench";
/// The service of every call.
pub const SERVICE: &str = "echo";
/// Names of the nodes at the ends.
const PUBLISHER: &str = "publisher";
const SUBSCRIBER: &str = "subscriber";

/// Who is linked with whom: a line from the publisher, or caller, to the subscribers, or the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Nodes between the ends, each linked with the next.
    pub relays: usize,
    /// Nodes with subscriptions, all linked with the last of the line.
    pub subscribers: usize,
    /// Subscriptions of each.
    pub subscriptions: usize,
}

impl Layout {
    /// One subscription at the end of so many links.
    #[must_use]
    pub const fn hops(hops: usize) -> Self {
        Self { relays: hops.saturating_sub(1), subscribers: 1, subscriptions: 1 }
    }

    /// Starts the nodes. `program` is started for each with `args`, and must [`play`].
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn start(self, program: &Path, args: &[&str], token: &str) -> Result<Cast, WorkerError> {
        let start = |name: &str, connect: Option<&Worker>| {
            let mut command = Command::new(program);
            command.args(args);
            let connect = connect.map(|worker| worker.addr.clone());
            Worker::start(command, &Spec { name: name.to_owned(), token: token.to_owned(), connect })
        };
        let publisher = start(PUBLISHER, None)?;
        let mut line: Vec<Worker> = Vec::new();
        for number in 1..=self.relays {
            let relay = start(&format!("relay-{number}"), Some(line.last().unwrap_or(&publisher)))?;
            line.push(relay);
        }
        let last = line.last().unwrap_or(&publisher);
        let subscribers = (1..=self.subscribers).map(|number| start(&subscriber(number), Some(last)));
        let subscribers = subscribers.collect::<Result<_, _>>()?;
        let middle = line.into_iter().map(Middle::Worker).collect();
        Ok(Cast { publisher, middle, subscribers, subscriptions: self.subscriptions })
    }

    /// Starts the nodes as [`Layout::start`] does, measures publications, and ends them.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn publish(self, program: &Path, args: &[&str], token: &str, plan: &Plan) -> Result<Figures, WorkerError> {
        let mut cast = self.start(program, args, token)?;
        for number in 1..=self.subscribers {
            cast.publisher.reach(&subscriber(number))?;
        }
        cast.measure(TOPIC, plan)
    }

    /// Starts the nodes as [`Layout::start`] does, measures calls, and ends them.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn call(self, program: &Path, args: &[&str], token: &str, load: Calls) -> Result<CallPhase, WorkerError> {
        self.start(program, args, token)?.call(&subscriber(1), load)
    }
}

fn subscriber(number: usize) -> String {
    format!("{SUBSCRIBER}-{number}")
}
