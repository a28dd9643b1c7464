//! Topics: what one node publishes, every subscription in the mesh whose pattern matches gets, at most once.
//!
//! # Life of a publication
//!
//! A subscription is local: a pattern, perhaps a queue group, a bound, and what happens at it. Nodes tell each other their
//! *interests*: which (pattern, group) somebody there subscribed to ([`Effect::Interest`], [`Event::Interest`]). The
//! publisher's node looks the topic up among the interests of all nodes and asks for one [`Effect::Forward`] to those that
//! want it. What carries it there is reliable, in order and without duplicates from one life of a node to one of another.
//! Each of them hands it to its own subscriptions ([`Effect::Deliver`]).
//!
//! Of a *queue group* one member in the whole mesh gets each publication. The publisher's node chooses the node: itself if
//! it has a member, else the nearest, and of several equally near ones each in turn, by the number of its members. That
//! node chooses the member: each in turn, of those that have room. A node without a member, since interests take time to
//! travel, says so, and the next one is tried.
//!
//! With a *receipt*, every node answers how many of its subscriptions took the publication, and the publisher is told, by
//! its deadline, what these come to and which nodes did not answer. A node that restarts after it got the publication, or is
//! out of reach for [`RECEIPT_LOST_AFTER`](crate::limits::RECEIPT_LOST_AFTER), is not waited for any longer.
//!
//! The names of groups travel with the publication. More than fit its header are a further part of it, which is for these
//! groups only.
//!
//! # Slow subscriptions
//!
//! A subscription holds so many publications unconsumed as its credit allows; more wait in its own queue. When that is
//! full, its own [`Policy`] decides: the oldest or the newest is dropped, or it is ended. Nobody else waits for it. Each
//! drop is counted with the subscription, and [`Effect::Slow`] names it now and then. A node that takes nothing is named
//! by [`Effect::SlowNode`] likewise.
//!
//! A subscription that belongs to a client ends with it ([`Event::ClientGone`]).
//!
//! # History
//!
//! A node keeps the last publications of the topics that its rules name, whether or not anybody subscribed: a rule is an
//! interest. A new subscription can begin with the last of them, or after the last position that it saw, and goes on live
//! without a gap or a duplicate. What is gone by then is counted.
//!
//! # Order
//!
//! One life of a publisher's publications to one topic come to each subscription in the order in which they were
//! published. The exception is a publication that was tried again for a group, which comes when it comes.
//!
//! Bounds: see the section on topics in [`limits`](crate::limits).

mod api;
mod arrive;
mod groups;
mod history;
mod index;
mod interest;
mod matches;
mod open;
mod peers;
mod pool;
mod publish;
mod subscription;
mod subscriptions;
#[cfg(test)]
mod tests;
mod tokens;
mod topic;
mod topics;
mod trie;
mod view;

pub use api::{
    Config, Destination, Ended, Missing, Policy, Position, Publication, Publish, Recovery, Report, Subscribe,
    Subscribed, SubscriptionId,
};
pub use history::{HistoryRule, Resume};
pub use interest::{Full, InterestView, Interests};
pub use topic::{BadTopic, Group, Pattern, Topic};
pub use topics::Topics;
pub use view::{HistoryView, ReceiverView, Receivers, SubscriptionView};

use alloc::{boxed::Box, sync::Arc};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    id::{Incarnation, NodeAddr, Seq, Token},
    node::Outcome,
    time::Time,
    wire::{Head, v1},
};

/// What can happen to the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A node began or ceased to want something, or the number of its members changed.
    Interest {
        /// The node.
        node: NodeAddr,
        /// What it wants.
        pattern: Pattern,
        /// In which group.
        group: Option<Group>,
        /// Whether it wants it.
        present: bool,
        /// How many members the group has there.
        members: u32,
    },
    /// Nothing is known any more of what a node wants.
    Forget {
        /// The node.
        node: NodeAddr,
    },
    /// A publication arrived: in its publisher's order, never twice.
    Arrived {
        /// The node that published it.
        from: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
        /// Its header.
        header: v1::Publication<'a>,
        /// The groups of which a member of this node shall get it.
        groups: SmallVec<[&'a str; 2]>,
        /// Its own headers and payload.
        body: Bytes,
    },
    /// A node answered a publication of this one.
    Receipt {
        /// The node.
        from: NodeAddr,
        /// Its answer.
        receipt: v1::Receipt<'a>,
    },
    /// What became of a publication on its way to one node. Its arrival need be told only while receipts are awaited
    /// ([`Topics::awaits_receipts`]).
    Outcome {
        /// Which publication.
        seq: Seq,
        /// Which part of it.
        part: u16,
        /// The node it was for.
        node: NodeAddr,
        /// What became of it.
        outcome: Outcome,
    },
    /// A node is within reach, in this life.
    Reachable {
        /// The node.
        node: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A node is out of reach.
    Unreachable {
        /// The node.
        node: NodeAddr,
    },
    /// The application has done with publications that were handed to a subscription.
    Consumed {
        /// The subscription.
        subscription: SubscriptionId,
        /// How many.
        messages: u32,
    },
    /// A client of this node went away, and its subscriptions end.
    ClientGone {
        /// Its name.
        client: &'a str,
    },
    /// The node shuts down: take nothing new from the application.
    Drain,
}

/// What the topics ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell every other node that this one began or ceased to want something, or how many members a group has here.
    Interest {
        /// What it wants.
        pattern: Pattern,
        /// In which group.
        group: Option<Group>,
        /// Whether it wants it.
        present: bool,
        /// How many members the group has here; 1 without a group, 0 when it is over.
        members: u32,
    },
    /// Send a publication to these nodes, reliably and in order for each. A node whose way is full does not get it, and is
    /// named in an [`Event::Outcome`].
    Forward {
        /// The publication's number.
        seq: Seq,
        /// Which part of it: a node may get one for its subscriptions, and others for members of groups.
        part: u16,
        /// The nodes, in order of address.
        to: Arc<[Destination]>,
        /// Its header: a [`v1::Publication`].
        header: Head,
        /// Its own headers and payload.
        body: Bytes,
        /// When nobody is interested in it any more.
        deadline: Time,
    },
    /// Answer a publication of another node.
    Receipt {
        /// That node.
        to: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
        /// Which publication.
        seq: Seq,
        /// How many subscriptions took it.
        subscriptions: u32,
        /// The named groups without a member here.
        vacant: SmallVec<[Group; 1]>,
    },
    /// Hand a publication to a subscription. Takes one of its credit until [`Event::Consumed`].
    Deliver {
        /// The subscription.
        subscription: SubscriptionId,
        /// The publication.
        publication: Arc<Publication>,
    },
    /// A subscription was ended.
    Disconnected {
        /// The subscription.
        subscription: SubscriptionId,
        /// The client that it belonged to.
        client: Option<Arc<str>>,
        /// Why.
        reason: Ended,
    },
    /// A subscription does not keep up. Told once every [`SLOW_INTERVAL`](crate::limits::SLOW_INTERVAL) at most.
    Slow {
        /// The subscription.
        subscription: SubscriptionId,
        /// The client that it belongs to.
        client: Option<Arc<str>>,
        /// What it dropped since it began.
        dropped: u64,
        /// What waits for it.
        queued: usize,
    },
    /// A node does not keep up, or cannot be reached. Told once every [`SLOW_INTERVAL`](crate::limits::SLOW_INTERVAL) at
    /// most.
    SlowNode {
        /// The node.
        node: NodeAddr,
        /// How many publications it did not get since it was forgotten last.
        dropped: u64,
    },
    /// What became of a publication that asked for a receipt.
    Published {
        /// The token it was published with.
        token: Token,
        /// Who got it.
        report: Box<Report>,
    },
}
