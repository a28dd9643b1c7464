//! What nodes offer each other: every node lets every other know its interest in topics and its services.
//!
//! Offers are kept by the machines whose they are, numbered within their [`Section`]. This machine makes the other nodes
//! know them: all of them when a node asks, then every change, in order, over the reliable flows of
//! [`message`](crate::message).
//!
//! # Life of what one node tells another
//!
//! Whoever finds a node within reach, or there in another life, asks it (`Want`, with a number drawn for this round). It
//! answers with `Begin`, which voids what it told before, then its offers in pieces. Changes go along: those of offers
//! that were told already at once, the others with their piece. So the asker's copy is at every moment what the offers
//! were when the last piece or change was written.
//!
//! If a piece comes to nothing (its outcome is not that it was delivered), the teller begins again, after a pause. If the
//! question does, it is asked again. A node out of reach is forgotten by the one who cannot reach it; the other, who may
//! never have noticed, goes on telling, and begins again should anything have been lost meanwhile.
//!
//! # What is known when
//!
//! Every change has a version. [`Effect::Known`] says up to which version every node within reach knows all: a
//! publication that follows from it finds the subscription, wherever it comes from.
//!
//! Bounds: [`NODES_MAX`](crate::limits::NODES_MAX) nodes; [`OFFER_PIECES`](crate::limits::OFFER_PIECES) pieces of
//! [`OFFER_PIECE_BYTES`](crate::limits::OFFER_PIECE_BYTES) under way to each; of what changed and was not told yet, only
//! the numbers are kept.

mod listener;
mod rounds;
mod teller;
#[cfg(test)]
mod tests;

pub use rounds::Directory;

use alloc::vec::Vec;

use bytes::Bytes;

use crate::{
    id::{Incarnation, NodeAddr},
    wire::Head,
};

/// Whose offers, among the machines of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Interest in topics.
    Topics,
    /// Services that can be called.
    Services,
}

/// One offer: its section, and its number there. A number may be used again once it was told that the offer is gone.
pub type Place = (Section, u32);

/// What this node offers, as its machines keep it.
pub trait Offers {
    /// The first offer at `from` or after it.
    fn next(&self, from: Place) -> Option<Place>;

    /// Appends an offer as it travels ([`v1::Offer`](crate::wire::v1::Offer)): what it is, or that it is gone.
    fn write(&self, place: Place, out: &mut Vec<u8>);
}

/// What can happen to the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
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
    /// A node says something.
    Received {
        /// The node.
        from: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
        /// The header: a [`v1::Notice`](crate::wire::v1::Notice).
        head: Bytes,
        /// The offers.
        body: Bytes,
    },
    /// What became of an [`Effect::Send`].
    Sent {
        /// Its number.
        id: u64,
        /// Whether the node has it. If not, it may have it all the same.
        delivered: bool,
    },
    /// An offer of this node is there, changed, or is gone.
    Changed {
        /// Which.
        place: Place,
    },
}

/// What the directory asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this over the reliable flow to a node. Answered by [`Event::Sent`].
    Send {
        /// The node.
        to: NodeAddr,
        /// Names it.
        id: u64,
        /// The header.
        head: Head,
        /// The offers.
        body: Bytes,
    },
    /// A node offers this, or no longer does.
    Told {
        /// The node.
        from: NodeAddr,
        /// A run of [`v1::Offer`](crate::wire::v1::Offer).
        offers: Bytes,
    },
    /// What a node offered counts for nothing any more.
    Forget {
        /// The node.
        node: NodeAddr,
    },
    /// Every node within reach knows all changes up to this version; told when it has grown.
    Known {
        /// The version.
        version: u64,
    },
}
