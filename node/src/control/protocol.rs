//! Requests and replies.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::errors::Problem;

/// The name and version of the protocol; a node answers no other.
pub(crate) const PROTOCOL: &str = "firelink.control/v1";

/// The first line of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// [`PROTOCOL`].
    pub(crate) protocol: String,
    /// What is asked for.
    #[serde(flatten)]
    pub(crate) op: Op,
    /// How many bytes follow the line.
    #[serde(default)]
    pub(crate) body: u64,
}

/// What a node can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Op {
    /// How it is.
    Status,
    /// Who it is.
    Id,
    /// Its links, and the peers it dials.
    Peers,
    /// The way to every node.
    Routes,
    /// Whether a node answers.
    Ping {
        /// The node.
        node: String,
        /// How long to wait.
        deadline_ms: Option<u64>,
    },
    /// Sends the body to one node.
    Send {
        /// The node.
        node: String,
        /// The client there.
        client: Option<String>,
        /// The client here.
        from_client: Option<String>,
        /// How long it may take.
        deadline_ms: Option<u64>,
    },
    /// Sends the body to every node within reach.
    Broadcast {
        /// How long it may take.
        deadline_ms: Option<u64>,
    },
    /// Streams messages. The caller acknowledges them with [`Got`]; what it has not, the next caller gets.
    Recv {
        /// The client that they are for; `None`: the node itself.
        client: Option<String>,
        /// How many.
        count: Option<u64>,
    },
    /// The way to a node, hop by hop.
    Trace {
        /// The node.
        node: String,
        /// How long to wait.
        deadline_ms: Option<u64>,
    },
    /// Looks a node up.
    Find {
        /// Its name.
        node: String,
        /// How long to wait.
        deadline_ms: Option<u64>,
    },
    /// What happened lately, and, if `follow`, what happens from now on.
    Events {
        /// Whether to go on.
        follow: bool,
    },
    /// Shuts the node down.
    Stop {
        /// How long to wait for what is under way.
        deadline_ms: Option<u64>,
    },
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub(crate) enum Reply {
    /// One of several.
    Item {
        /// A document.
        data: Value,
        /// How many bytes follow the line.
        #[serde(default)]
        body: u64,
    },
    /// The last line of an answer.
    Done {
        /// A document.
        data: Value,
    },
    /// The last line of an answer: it did not work out.
    Problem {
        /// What went wrong.
        problem: Problem,
    },
}

/// What a receiver says after it has dealt with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Got {
    /// How many so far.
    pub(crate) got: u64,
}
