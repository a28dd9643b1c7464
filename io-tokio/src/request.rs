//! What handles ask of the engine's task, other than sending to one node.

use std::time::Duration;

use proto_core::{
    node::{Answer, Command, Hop, Node},
    time::Time,
};
use tokio::sync::{mpsc, oneshot};

/// One request.
pub(crate) enum Request {
    /// A command for the node.
    Command {
        /// The command.
        command: Command,
        /// Where its answer goes.
        answer: oneshot::Sender<Answer>,
        /// Where the hops of a trace go.
        hops: Option<mpsc::Sender<Hop>>,
    },
    /// A look at the node.
    Inspect(Inspection),
    /// The end.
    Shutdown {
        /// How long messages may take to be answered.
        deadline: Duration,
        /// Where the report goes.
        report: oneshot::Sender<ShutdownReport>,
    },
}

/// A look at the node, taken between two turns of the engine.
pub(crate) type Inspection = Box<dyn FnOnce(&Node, Time) + Send>;

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Messages of this node that were still without an answer.
    pub unanswered: u64,
    /// Whether every link was closed in order and everything durable is on disk. Otherwise time ran out.
    pub clean: bool,
}
