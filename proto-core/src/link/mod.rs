//! Links: authenticated channels to neighbours, kept alive, measured and shared by three lanes.

mod accept;
mod allow;
mod backoff;
mod channel;
mod cost;
mod dialer;
mod dialers;
mod judge;
mod keepalive;
mod lanes;
mod live;
mod own;
mod rank;
mod reassembly;
mod rtt;
mod sealed;
mod segment;
mod staged;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use dialer::Attempt;
pub use table::Links;
pub use view::{DialerState, DialerView, LinkView};

use alloc::sync::Arc;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::{
    error::{CloseReason, Misuse},
    id::{ChannelId, DialId, Incarnation, NodeAddr, NodeName},
    node::Endpoint,
    secure::PublicKey,
    wire::Encoded,
};

/// A link that is up. Stale once it is down; never reused for another.
pub type LinkId = crate::arena::Handle<LinkTag>;

/// Tells link handles from others.
#[derive(Debug)]
pub enum LinkTag {}

/// The three queues of a link. A record takes from a lower lane only what the higher ones leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Heartbeats, routing, acknowledgements. Full: the link is closed.
    Control,
    /// Messages. Full: the oldest are dropped.
    Data,
    /// Large transfers. Full: the newest is refused.
    Bulk,
}

/// What can happen to the links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A channel opened.
    Opened {
        /// Which.
        channel: ChannelId,
        /// The dial that led to it; `None` if it was accepted.
        dial: Option<DialId>,
        /// The other end's transport address.
        remote: Arc<str>,
        /// Keying material of a channel that is encrypted already.
        exporter: Option<[u8; 32]>,
    },
    /// Bytes arrived.
    Received {
        /// Where.
        channel: ChannelId,
        /// The bytes.
        bytes: BytesMut,
    },
    /// The channel took bytes over.
    Written {
        /// Which.
        channel: ChannelId,
        /// How many.
        bytes: u64,
    },
    /// A channel ended.
    Closed {
        /// Which.
        channel: ChannelId,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Which.
        dial: DialId,
    },
    /// No longer a peer to dial; its link is closed.
    Disconnect {
        /// Its name.
        peer: NodeName,
    },
    /// Say goodbye on every link, dial and accept no more.
    Shutdown,
}

/// What the links ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a channel.
    Dial {
        /// Names the attempt.
        dial: DialId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// Write to a channel.
    Write {
        /// Which.
        channel: ChannelId,
        /// What.
        bytes: Bytes,
    },
    /// Close a channel when everything written is out.
    Close {
        /// Which.
        channel: ChannelId,
    },
    /// A link is up.
    Up {
        /// Which.
        link: LinkId,
        /// The node at the other end.
        peer: NodeName,
        /// Its address.
        addr: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
        /// Its transport address.
        remote: Arc<str>,
        /// What crossing it costs, at least 1.
        cost: u32,
    },
    /// The cost of a link changed enough to matter.
    Cost {
        /// Which.
        link: LinkId,
        /// The new cost, at least 1.
        cost: u32,
    },
    /// A link that was up is down.
    Down {
        /// Which.
        link: LinkId,
        /// The node at the other end.
        peer: NodeName,
        /// Why.
        reason: CloseReason,
    },
    /// An attempt at a link failed.
    Failed {
        /// The node expected, or proven, if either is known.
        peer: Option<NodeName>,
        /// Its transport address or endpoint.
        remote: Arc<str>,
        /// Why.
        reason: CloseReason,
        /// When it will be tried again.
        retry_in: Option<Duration>,
    },
    /// A known name came with another key.
    KeyConflict {
        /// The name.
        name: NodeName,
        /// The key it is pinned to.
        pinned: PublicKey,
        /// The key shown.
        shown: PublicKey,
    },
    /// A frame arrived that is not the link's own business.
    Frame {
        /// Where.
        link: LinkId,
        /// What.
        frame: Encoded,
    },
    /// The embedder broke the contract.
    Misuse(Misuse),
}
