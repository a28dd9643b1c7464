//! Routing: every node knows the whole graph from signed adverts and computes the shortest paths itself.
//!
//! How knowledge travels: a node signs an [`advert`] that names its links. Neighbours verify it, keep it in their
//! link-state database and pass it on, once per link and never back (`neighbours`). When a link comes up, and whenever
//! digests differ later, both sides compare what they hold (`summary`) and fill the gaps, so nothing depends on any one
//! frame. Changes are gathered and slowed down while they keep coming (`damper`). What one neighbour may make this node do
//! has a `budget`, far above what an honest one ever asks for: what exceeds it is dropped, and what the mesh misses by
//! that is filled in with the next comparison.
//!
//! How a way is found: [`graph`] computes the shortest paths over links that both ends advertise; `table` answers for
//! every frame which link it takes. [`trace`] shows the way that frames take in fact.

pub mod advert;
mod budget;
mod damper;
mod database;
pub mod graph;
mod lookup;
mod neighbours;
mod origin;
mod ports;
mod router;
mod seldom;
mod summary;
mod table;
#[cfg(test)]
mod tests;
pub mod trace;
mod view;

pub use router::Router;
pub use view::{AdvertView, Reason, RouteView, RunnerUp, Via, Why};

use core::time::Duration;

use bytes::Bytes;

use crate::{
    error::Violation,
    id::{Incarnation, NodeAddr, NodeName, Token},
    link::LinkId,
    node::Found,
    secure::PublicKey,
    wire::{Frame, v1},
};

/// What can happen to the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A link is up.
    LinkUp {
        /// Which.
        link: LinkId,
        /// The node at the other end.
        peer: NodeAddr,
        /// What crossing it costs.
        cost: u32,
    },
    /// The cost of a link changed.
    LinkCost {
        /// Which.
        link: LinkId,
        /// The new cost.
        cost: u32,
    },
    /// A link is down.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// An advert arrived.
    Advert {
        /// Where.
        link: LinkId,
        /// Its header.
        header: v1::Advert,
        /// The signed body.
        body: Bytes,
    },
    /// A summary arrived.
    Summary {
        /// Where.
        link: LinkId,
        /// Its header.
        header: v1::Summary,
        /// The adverts held.
        body: Bytes,
    },
    /// A neighbour asks for adverts.
    Want {
        /// Which.
        link: LinkId,
        /// The addresses.
        body: Bytes,
    },
    /// A neighbour seeks a node.
    Find {
        /// Which neighbour.
        link: LinkId,
        /// Its question.
        header: v1::Find,
    },
    /// The application seeks a node.
    Lookup {
        /// Names the question.
        token: Token,
        /// The node sought.
        name: NodeName,
        /// How long to wait for the neighbours.
        deadline: Duration,
    },
    /// The node shuts down: tell the others that nothing goes through it any more.
    Leave,
}

/// What the router asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a frame to a neighbour on the control lane.
    Send {
        /// Which.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// A node came within reach, or is within reach in a new life.
    Reachable {
        /// The node.
        node: NodeName,
        /// Its address.
        addr: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// The way to a node within reach is another now.
    Rerouted {
        /// Its address.
        addr: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A node is out of reach.
    Unreachable {
        /// The node.
        node: NodeName,
        /// Its address.
        addr: NodeAddr,
    },
    /// The answer to a look-up.
    Found {
        /// Names the question.
        token: Token,
        /// What was found.
        found: Option<Found>,
    },
    /// An advert shows a known name with another key.
    KeyConflict {
        /// The name.
        name: NodeName,
        /// The key it is pinned to.
        pinned: PublicKey,
        /// The key shown.
        shown: PublicKey,
    },
    /// Somebody else signs with this node's key, in a later life.
    IdentityInUse {
        /// That life.
        incarnation: Incarnation,
    },
    /// A neighbour broke the protocol: its link must be closed.
    Violation {
        /// Which.
        link: LinkId,
        /// How.
        violation: Violation,
    },
}
