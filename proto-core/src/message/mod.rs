//! Messages from node to node: in order per sender, acknowledged end to end, retried until a deadline, never twice.

mod messages;

pub use messages::Messages;

use alloc::{boxed::Box, sync::Arc};

use bytes::Bytes;

use crate::{
    id::{Incarnation, NodeAddr, Token},
    node::{Answer, Message},
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
    /// An acknowledgement arrived for this node.
    Ack(v1::Ack),
    /// A receiver answers from another life.
    Reset(v1::Reset),
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
    /// The application took messages out of its inbox.
    Consumed {
        /// How many.
        messages: u32,
    },
    /// A client of this node came or went.
    Client {
        /// Its name.
        client: Arc<str>,
        /// Whether it is here.
        present: bool,
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
    /// Hand a message to the application.
    Deliver(Message),
    /// Answer a command.
    Done {
        /// The command's token.
        token: Token,
        /// The answer.
        answer: Box<Answer>,
    },
}
