//! What applications ask of topics and calls.

use std::sync::Arc;

use io_sim::HostId;
use proto_core::{pubsub::Policy, rpc::Balance};
use serde::{Deserialize, Serialize};

/// Something that an application asks of topics or calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Service {
    /// Subscribes.
    Subscribe {
        /// Who.
        at: HostId,
        /// To what.
        pattern: Arc<str>,
        /// In which queue group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<Arc<str>>,
        /// What happens when the queue is full.
        policy: Policy,
        /// Publications that wait at most.
        queue: u32,
        /// Publications held unconsumed at most.
        credit: u32,
        /// Whether it begins after what this node's subscriptions to this pattern had last, of every topic.
        #[serde(default, skip_serializing_if = "is_false")]
        resume: bool,
        /// The client that it belongs to; the node itself if none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Arc<str>>,
    },
    /// Ends the oldest subscription of this pattern, if there is one.
    Unsubscribe {
        /// Whose.
        at: HostId,
        /// Its pattern.
        pattern: Arc<str>,
    },
    /// Publishes.
    Publish {
        /// Who.
        from: HostId,
        /// What it is about.
        topic: Arc<str>,
        /// Payload size.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
        /// Whether the publisher wants to know who got it.
        receipt: bool,
    },
    /// Wants to know when everybody knows its subscriptions and services.
    Known {
        /// Who.
        at: HostId,
        /// How long it may take.
        deadline_ms: u32,
    },
    /// Serves a service from now on.
    Register {
        /// Who.
        at: HostId,
        /// Its name.
        service: Arc<str>,
        /// Calls that it runs at once.
        at_once: u32,
        /// Calls that may wait beyond that.
        queue: u32,
        /// The client that serves it; the node itself if none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Arc<str>>,
    },
    /// Serves it no more.
    Unregister {
        /// Who.
        at: HostId,
        /// Its name.
        service: Arc<str>,
        /// The client that served it; the node itself if none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Arc<str>>,
    },
    /// Calls.
    Call {
        /// Who.
        from: HostId,
        /// The service.
        service: Arc<str>,
        /// Who shall serve it.
        to: Callee,
        /// Payload size.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
        /// The idempotency key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<u8>,
        /// Whether items are wanted before the answer; without a key only.
        #[serde(default, skip_serializing_if = "is_false")]
        streaming: bool,
        /// The client that calls; the node itself if none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Arc<str>>,
    },
    /// Wants no answer to its last call any more, if it is not answered.
    Cancel {
        /// Who.
        from: HostId,
    },
}

/// What most requests do not say.
const fn is_false(wish: &bool) -> bool {
    !*wish
}

/// Who shall serve a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Callee {
    /// That node.
    Node(HostId),
    /// Any node, chosen so.
    Any(Balance),
}

impl Service {
    /// Whose application asks.
    #[must_use]
    pub const fn from(&self) -> HostId {
        match self {
            Self::Subscribe { at, .. }
            | Self::Unsubscribe { at, .. }
            | Self::Known { at, .. }
            | Self::Register { at, .. }
            | Self::Unregister { at, .. }
            | Self::Publish { from: at, .. }
            | Self::Call { from: at, .. }
            | Self::Cancel { from: at } => *at,
        }
    }

    /// Every host that it speaks of.
    pub(super) fn hosts(&self) -> Vec<HostId> {
        match self {
            Self::Call { from, to: Callee::Node(to), .. } => vec![*from, *to],
            Self::Call { .. }
            | Self::Subscribe { .. }
            | Self::Unsubscribe { .. }
            | Self::Publish { .. }
            | Self::Known { .. }
            | Self::Register { .. }
            | Self::Unregister { .. }
            | Self::Cancel { .. } => vec![self.from()],
        }
    }

    /// Gives its hosts other numbers; `None` if one of them is gone.
    pub(super) fn renumber(&mut self, place: &impl Fn(HostId) -> Option<HostId>) -> Option<()> {
        match self {
            Self::Subscribe { at, .. }
            | Self::Unsubscribe { at, .. }
            | Self::Known { at, .. }
            | Self::Register { at, .. }
            | Self::Unregister { at, .. }
            | Self::Publish { from: at, .. }
            | Self::Cancel { from: at } => *at = place(*at)?,
            Self::Call { from, to, .. } => {
                *from = place(*from)?;
                if let Callee::Node(host) = to {
                    *host = place(*host)?;
                }
            }
        }
        Some(())
    }

    /// Makes its numbers plain, for a shrunk scenario.
    pub(crate) fn make_plain(&mut self) {
        match self {
            Self::Subscribe { policy, queue, credit, .. } => {
                (*policy, *queue, *credit) = (Policy::DropOldest, 1_024, 256);
            }
            Self::Publish { bytes, deadline_ms, .. } | Self::Call { bytes, deadline_ms, .. } => {
                (*bytes, *deadline_ms) = (16, 1_000);
            }
            Self::Known { deadline_ms, .. } => *deadline_ms = 1_000,
            Self::Register { at_once, queue, .. } => (*at_once, *queue) = (64, 64),
            Self::Unsubscribe { .. } | Self::Unregister { .. } | Self::Cancel { .. } => {}
        }
    }
}
