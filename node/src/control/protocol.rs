//! Requests and replies.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallWish, headers::Headers};
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
    /// Publishes the body.
    Publish {
        /// The topic.
        topic: String,
        /// What is said about it.
        #[serde(flatten)]
        about: About,
        /// Whether to remember what became of it, for `node why message`.
        trace: bool,
    },
    /// Publishes many. The caller sends [`Piece`]s, the last of which says so.
    PublishMany {
        /// The topic.
        topic: String,
        /// What is said about each.
        #[serde(flatten)]
        about: About,
    },
    /// Streams publications: [`SubscribedDoc`](super::SubscribedDoc) first.
    Subscribe {
        /// The patterns.
        patterns: Vec<String>,
        /// The queue group.
        group: Option<String>,
        /// The client here that subscribes.
        client: Option<String>,
        /// How many of each topic from before.
        last: Option<usize>,
        /// How many in all.
        count: Option<u64>,
    },
    /// What is subscribed to in the mesh.
    Topics,
    /// Who would get a publication.
    Receivers {
        /// The topic.
        topic: String,
    },
    /// Calls a service with the body.
    Call {
        /// The service.
        service: String,
        /// How.
        #[serde(flatten)]
        how: CallWish,
        /// Whether the answer may come in items.
        stream: bool,
    },
    /// Calls a service many times. The caller sends [`Piece`]s, the last of which says so, and is told of each end.
    CallMany {
        /// The service.
        service: String,
        /// How.
        #[serde(flatten)]
        how: CallWish,
    },
    /// Serves a service: the node sends calls, the caller [`Answer`]s.
    Serve {
        /// The service.
        service: String,
        /// The client here that serves it.
        client: Option<String>,
        /// How many calls run at once.
        concurrency: Option<u32>,
        /// What it does.
        note: String,
    },
    /// Every service of the mesh.
    Services,
    /// Why something is as it is.
    Why {
        /// What is asked about.
        about: Subject,
        /// Its name.
        name: String,
    },
    /// Shuts the node down.
    Stop {
        /// How long to wait for what is under way.
        deadline_ms: Option<u64>,
    },
}

impl Op {
    /// Whether it goes on for as long as the caller likes.
    pub(super) const fn lasts(&self) -> bool {
        match self {
            Self::Recv { .. }
            | Self::Subscribe { .. }
            | Self::Serve { .. }
            | Self::PublishMany { .. }
            | Self::CallMany { .. }
            | Self::Events { follow: true } => true,
            Self::Status
            | Self::Id
            | Self::Peers
            | Self::Routes
            | Self::Ping { .. }
            | Self::Send { .. }
            | Self::Broadcast { .. }
            | Self::Trace { .. }
            | Self::Find { .. }
            | Self::Events { follow: false }
            | Self::Publish { .. }
            | Self::Topics
            | Self::Receivers { .. }
            | Self::Call { .. }
            | Self::Services
            | Self::Why { .. }
            | Self::Stop { .. } => false,
        }
    }
}

/// What may be said about a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// Its headers.
    pub(crate) headers: Headers,
    /// The client here that publishes.
    pub(crate) from_client: Option<String>,
    /// How long it may take.
    pub(crate) deadline_ms: Option<u64>,
}

/// What `node why` can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    /// A publication that was traced.
    Message,
    /// A topic.
    Topic,
    /// A service.
    Service,
}

/// One of many, as a caller sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// How many bytes follow the line.
    pub(crate) body: u64,
    /// Whether this is the last.
    pub(crate) last: bool,
    /// Whether it is only the end: whoever reads its pieces from elsewhere does not know that one is the last.
    #[serde(default)]
    pub(crate) only_end: bool,
}

/// What a caller that serves says to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The number of the call.
    pub(crate) call: u64,
    /// How the body is meant.
    pub(crate) kind: AnswerKind,
    /// How many bytes follow the line.
    pub(crate) body: u64,
}

/// How the body of an answer is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnswerKind {
    /// An item of a reply that goes on.
    Item,
    /// The answer.
    Done,
    /// What an error adds.
    Error {
        /// The error's code.
        code: u32,
        /// Its words.
        message: String,
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
