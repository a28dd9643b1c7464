//! What a node tells about topics and publications.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Document, Receipt};

documents! {
    /// What became of a publication.
    Published = "firelink.published/v1" {
        /// The topic.
        topic: String,
        /// How many subscriptions took it.
        subscribers: u64,
        /// On how many nodes they are.
        nodes: u64,
        /// The nodes that should have it and did not say that they do.
        missing: Vec<Receipt>,
        /// The queue groups of which no member got it.
        unserved: Vec<String>,
    }
    /// A publication without its payload.
    PublicationDoc = "firelink.publication/v1" {
        /// The topic.
        topic: String,
        /// The publisher's node.
        from: String,
        /// The client there that published it.
        from_client: Option<String>,
        /// Its number among the publications of that node.
        seq: u64,
        /// Which life of this node its position belongs to, if this node keeps the topic.
        epoch: Option<u64>,
        /// Its position in this node's history of the topic.
        position: Option<u64>,
        /// Its headers.
        headers: BTreeMap<String, String>,
        /// Headers that are no names with texts, as base64.
        headers_base64: Option<String>,
        /// The payload's length.
        bytes: u64,
        /// How many publications were missed before it, because they were not taken in time.
        missed: u64,
    }
    /// What is subscribed to in the mesh, and what this node keeps.
    Topics = "firelink.topics/v1" {
        /// In order of pattern.
        topics: Vec<TopicDoc>,
        /// The topics that this node keeps publications of.
        history: Vec<HistoryDoc>,
    }
    /// A pattern that somebody subscribed to.
    TopicDoc = "firelink.topic/v1" {
        /// The pattern.
        pattern: String,
        /// The queue group of these subscriptions.
        group: Option<String>,
        /// The nodes where they are.
        nodes: Vec<InterestDoc>,
        /// How many there are at this node.
        here: u64,
        /// Those of them that do not keep up or did not, the worst first, at most 20.
        slow: Vec<SubscriptionDoc>,
    }
    /// A node with subscriptions.
    InterestDoc = "firelink.interest/v1" {
        /// The node.
        id: String,
        /// How many members of the group are there; 1 without a group.
        members: u64,
    }
    /// A subscription of this node.
    SubscriptionDoc = "firelink.subscription/v1" {
        /// The client that it belongs to; none: the node itself.
        client: Option<String>,
        /// Its pattern.
        pattern: String,
        /// What happens when its queue is full.
        policy: String,
        /// Publications handed to it and not taken yet.
        held: u64,
        /// Publications that wait for it.
        queued: u64,
        /// What they weigh.
        queued_bytes: u64,
        /// Publications handed to it since it began.
        delivered: u64,
        /// Publications that it missed.
        dropped: u64,
    }
    /// What this node keeps of a topic.
    HistoryDoc = "firelink.history/v1" {
        /// The topic.
        topic: String,
        /// Which life of this node its positions belong to.
        epoch: u64,
        /// Position of the oldest that is kept.
        first: u64,
        /// Position of the next one to come.
        next: u64,
        /// What is kept weighs so much.
        bytes: u64,
    }
    /// Who would get a publication of this node now.
    Receivers = "firelink.receivers/v1" {
        /// The topic.
        topic: String,
        /// How many subscriptions of this node would, without those of groups.
        here: u64,
        /// Those of them, at most 20.
        subscriptions: Vec<SubscriptionDoc>,
        /// The other nodes with such subscriptions.
        nodes: Vec<ReceiverDoc>,
        /// The queue groups, of which one member each gets it.
        groups: Vec<GroupDoc>,
        /// Whether this node keeps it for those who come late.
        kept: bool,
    }
    /// A queue group that would get a publication.
    GroupDoc = "firelink.group/v1" {
        /// Its name.
        group: String,
        /// The nodes with members, the one that is asked first coming first.
        nodes: Vec<ReceiverDoc>,
    }
    /// A node that would get a publication.
    ReceiverDoc = "firelink.receiver/v1" {
        /// The node.
        id: String,
        /// How many members of the group are there; 1 without a group.
        members: u64,
        /// What the way there costs; nothing: out of reach.
        cost: Option<u64>,
    }
}
