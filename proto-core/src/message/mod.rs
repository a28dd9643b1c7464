//! Messages from node to node: in order per sender, acknowledged end to end, retried until a deadline, never twice.
//!
//! # Life of a message
//!
//! The sender numbers it when it first transmits it, and transmits it again until an acknowledgement covers its number or
//! its deadline passes. The receiver hands messages to the application in the order of their numbers. The outcome:
//!
//! * **delivered**: the receiving application has it, once;
//! * **rejected**: it does not and never will: the receiver refused it, or it was never transmitted;
//! * **unknown**: it was transmitted, and no answer came before the deadline or before the receiver restarted.
//!
//! "The application has it" means: handed to one of its mailboxes, that of the node or that of a client. A mailbox has a
//! bounded number of places, given back by [`Event::Consumed`]. Without one, messages for a client are refused; messages
//! for the node wait unacknowledged and the sender is told to stop, until nobody has taken anything for `INBOX_PATIENCE`.
//!
//! # Why nothing is delivered twice, nor acknowledged for another
//!
//! 1. A sender never uses a number twice for one receiver within its own life, whatever the receiver's life, and whatever
//!    flows it forgot in between. So (sender, its life, number) names one message.
//! 2. A message carries the receiver's life that it was first transmitted to, and keeps it. Another life drops it without
//!    a word: the sender learns of that life by its advert.
//! 3. Within one life, the receiver delivers numbers in increasing order only, and remembers the next one per sender. It
//!    takes messages only of the life that the sender's advert tells; of a sender without a known advert, only of the
//!    newest life that it heard of. It remembers the numbers of the life before as well, because an advert may come late.
//! 4. It forgets a sender only after `FLOW_IDLE` (600 s) in which nothing of it arrived. A copy that arrives later would
//!    have to be under way for more than `FLOW_IDLE - MESSAGE_DEADLINE_MAX` (300 s), for no sender transmits a message
//!    later than `MESSAGE_DEADLINE_MAX` (300 s) after it was sent. Links give up after seconds of silence and drop what
//!    they hold, so no copy lives that long. A table full of senders makes the receiver deaf to new ones rather than
//!    forgetful.
//! 5. The sender says in every message which number is the oldest that it still awaits. The receiver skips what is older
//!    and missing, and a new flow at the receiver begins there; so what it acknowledges by skipping is never awaited.
//!
//! # Parcels
//!
//! The machines above use the same flows for what they say to each other: one [`Messages`] for each
//! [`v1::Port`], whose parcels are handed over as they come, because such a machine takes everything. Nothing of an
//! application or of another machine is ever in their way. Parcels of one content for several nodes leave together, as a
//! [`v1::Cast`]; each has its number in the flow to its receiver, and is sent again alone if it was lost.
//!
//! # Who is trusted with what
//!
//! `from` and the rest of a header are vouched for hop by hop, by the members of the mesh: links are encrypted and prove
//! who is at the other end, but a member can put another member's address into a frame that it sends. What is signed is
//! the advert. So a header alone never moves a flow to another life, at either end: a message or an acknowledgement
//! of another life than the advert tells is dropped, and its sender tries again.

mod arrivals;
mod clients;
mod env;
mod inbox;
mod inflow;
mod ledger;
mod line;
mod lives;
mod local;
mod messages;
mod outflow;
mod outflows;
mod pace;
mod rto;
mod shelf;
mod view;

#[cfg(test)]
mod tests;

pub use env::Place;
pub(crate) use env::path_between;
pub use messages::Messages;
pub use view::{Backlog, ClientsView, InboxView, InflowView, OutflowView};

use alloc::boxed::Box;

use bytes::Bytes;

use crate::{
    id::{Incarnation, NodeAddr, Seq, Token},
    node::{Answer, Mailbox, Message, Outcome},
    wire::{Frame, v1},
};

/// What can happen to the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message arrived for this node.
    Data {
        /// Its header.
        header: v1::Data<'a>,
        /// Its payload.
        body: Bytes,
    },
    /// A parcel of this port arrived for this node.
    Parcel {
        /// Its place in its flow.
        place: Place,
        /// The machine's part of its header.
        head: Bytes,
        /// Its payload.
        body: Bytes,
    },
    /// An acknowledgement arrived for this node.
    Ack(v1::Ack),
    /// A node is within reach, in this life.
    Reachable {
        /// The node.
        node: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// The way to a node within reach is another now.
    Rerouted {
        /// The node.
        node: NodeAddr,
    },
    /// A node is out of reach.
    Unreachable {
        /// The node.
        node: NodeAddr,
    },
    /// The application took messages out of a mailbox.
    Consumed {
        /// Which one.
        mailbox: Mailbox,
        /// How many.
        messages: u32,
    },
    /// The node shuts down: take nothing new from the application, refuse what arrives.
    Drain,
}

/// What the messages ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a frame along the route to its destination.
    Forward {
        /// The destination.
        dst: NodeAddr,
        /// The frame's flow.
        flow: u16,
        /// The frame.
        frame: Frame,
    },
    /// Send a parcel along the route to its destination; together with others of the same content, if there are.
    Cast {
        /// The destination.
        to: v1::CastTo,
        /// The content.
        head: Bytes,
        /// The content's payload.
        body: Bytes,
    },
    /// Hand a message to the application.
    Deliver(Message),
    /// Hand a parcel to the machine whose port this is.
    Received {
        /// The sending node.
        from: NodeAddr,
        /// Which life of it.
        incarnation: Incarnation,
        /// The parcel's number in that life's flow to this node.
        seq: Seq,
        /// The machine's part of its header.
        head: Bytes,
        /// Its payload.
        body: Bytes,
    },
    /// The outcome of a parcel.
    Settled {
        /// The number it was given.
        id: u64,
        /// The receiver.
        node: NodeAddr,
        /// What became of it.
        outcome: Outcome,
    },
    /// Answer a command.
    Done {
        /// The command's token.
        token: Token,
        /// The answer.
        answer: Box<Answer>,
    },
}
