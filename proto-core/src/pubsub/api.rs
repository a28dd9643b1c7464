//! What the topics are asked, and what they answer with.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{
    history::{HistoryRule, Resume},
    subscription::Subscription,
    topic::{Group, Pattern, Topic},
};
use crate::{
    arena::Handle,
    error::Rejected,
    id::{Incarnation, NodeAddr, Seq},
    limits::{MESSAGE_DEADLINE, PUBLICATION_OVERHEAD, SUBSCRIPTION_BYTES, SUBSCRIPTION_CREDIT, SUBSCRIPTION_MESSAGES},
    queue::Limit,
};

/// How topics behave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What is kept for subscribers that come late. Of several rules that match a topic, the first counts.
    pub history: Vec<HistoryRule>,
}

/// Names a subscription; never used twice within a node's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubscriptionId(pub(super) Handle<Subscription>);

/// A publication, shared by all who get it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(Serialize, Deserialize))]
pub struct Publication {
    /// What it is about.
    pub topic: Topic,
    /// Its own headers, as the publisher gave them.
    pub headers: Bytes,
    /// Its payload.
    pub payload: Bytes,
    /// The node that published it.
    pub from: NodeAddr,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The client of that node; `None` for the node itself.
    pub from_client: Option<Arc<str>>,
    /// Its number among the publications of that life.
    pub seq: Seq,
    /// Its place in this node's history of the topic; `None` if no rule keeps it.
    pub position: Option<Position>,
}

impl Publication {
    /// What it counts in a queue.
    #[must_use]
    pub fn weight(&self) -> usize {
        PUBLICATION_OVERHEAD + self.topic.as_str().len() + self.headers.len() + self.payload.len()
    }
}

/// A place in one node's history of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The life of the node that keeps the history.
    pub epoch: Incarnation,
    /// Counts up by one within the topic.
    pub seq: Seq,
}

/// Something to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(Serialize, Deserialize))]
pub struct Publish {
    /// What it is about.
    pub topic: Topic,
    /// Headers of the application's own, passed on as they are; may be empty.
    pub headers: Bytes,
    /// The payload.
    pub payload: Bytes,
    /// The client that publishes; `None` for the node itself.
    pub from_client: Option<Arc<str>>,
    /// How long it may take.
    pub deadline: Duration,
    /// Whether the publisher wants to know who got it.
    pub receipt: bool,
    /// Whether the subscriptions of the publishing client get it as well.
    pub echo: bool,
}

impl Publish {
    /// A publication of the node itself, without headers and receipt, for everybody who wants it.
    #[must_use]
    pub const fn new(topic: Topic, payload: Bytes) -> Self {
        let headers = Bytes::new();
        Self { topic, headers, payload, from_client: None, deadline: MESSAGE_DEADLINE, receipt: false, echo: true }
    }
}

/// What became of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(Serialize, Deserialize))]
pub struct Report {
    /// How many subscriptions took it.
    pub subscribers: u64,
    /// On how many nodes they are.
    pub nodes: usize,
    /// The nodes that did not answer, and why, in the order in which that was known.
    pub missing: Vec<(NodeAddr, Missing)>,
    /// The groups of which no member got it.
    pub unserved: Vec<Group>,
}

/// Why a node did not answer a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Missing {
    /// It did not get the publication, and will not.
    #[error("not sent: {0}")]
    Rejected(Rejected),
    /// It may or may not have it: it restarted, or went out of reach.
    #[error("lost on its way, or the answer was")]
    Unknown,
    /// It may or may not have it: it did not answer before the deadline.
    #[error("no answer before the deadline")]
    NoAnswer,
}

/// A node that shall get a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The node.
    pub node: NodeAddr,
    /// The groups of which a member there shall get it.
    pub groups: SmallVec<[Group; 1]>,
}

impl Destination {
    /// A node where no group is meant.
    pub(super) fn plain(node: NodeAddr) -> Self {
        Self { node, groups: SmallVec::new() }
    }
}

/// A subscription to make.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(Serialize, Deserialize))]
pub struct Subscribe {
    /// The topics.
    pub pattern: Pattern,
    /// The queue group, if only one of its members shall get each publication.
    pub group: Option<Group>,
    /// The client that it belongs to; `None` for the node itself.
    pub client: Option<Arc<str>>,
    /// What happens when its queue is full.
    pub policy: Policy,
    /// Most publications, and most bytes, that wait for it.
    pub queue: Limit,
    /// How many publications it holds unconsumed; at least 1.
    pub credit: u32,
    /// What it gets from before. A member of a group gets nothing.
    pub resume: Resume,
}

impl Subscribe {
    /// A subscription of the node itself, with every default.
    #[must_use]
    pub const fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            group: None,
            client: None,
            policy: Policy::DropOldest,
            queue: Limit { count: SUBSCRIPTION_MESSAGES, weight: SUBSCRIPTION_BYTES },
            credit: SUBSCRIPTION_CREDIT,
            resume: Resume::Live,
        }
    }
}

/// What happens when the queue of a subscription is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Policy {
    /// The oldest that wait make room.
    DropOldest,
    /// The new one is dropped.
    DropNewest,
    /// The subscription is ended.
    Disconnect,
}

/// A subscription that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(Serialize, Deserialize))]
pub struct Subscribed {
    /// The subscription.
    pub id: SubscriptionId,
    /// How it was brought up to date; `None` if that was not asked for.
    pub recovery: Option<Recovery>,
}

/// How a subscription was brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Whether nothing is missing between what the subscriber had and what it gets.
    pub recovered: bool,
    /// How many publications from before it gets.
    pub replayed: usize,
    /// How many are missing, as far as that can be counted: not those of another life of this node.
    pub missing: u64,
}

/// Why a subscription was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Ended {
    /// Its queue was full, and that is its policy.
    #[error("too slow: {queued} publications of {bytes} bytes waited")]
    TooSlow {
        /// How many publications waited.
        queued: usize,
        /// What they weighed.
        bytes: usize,
    },
    /// The client that it belonged to went away.
    #[error("its client went away")]
    ClientGone,
}
