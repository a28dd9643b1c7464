//! One turn of the loop, the same in production, in simulation and in an embedder's runtime.

use alloc::vec::Vec;

use crate::{
    limits::{INPUTS_PER_TURN, TIMER_ROUNDS_PER_TURN},
    node::{Input, Node, Output},
    time::Time,
};

/// Takes what a node asks for. Must not block, and must not call the node.
pub trait Sink {
    /// Takes one output, in the order the node made them.
    fn output(&mut self, output: Output);
}

impl Sink for Vec<Output> {
    fn output(&mut self, output: Output) {
        self.push(output);
    }
}

/// What the loop does after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Turn {
    /// Wait for an input, or until this moment.
    Park(Option<Time>),
    /// Come back at once: inputs or due timers are left. Let others run in between.
    Again,
}

/// A node and its inbox.
///
/// Inputs come before timers: after a pause the heartbeat that a timer misses lies already in the socket. Both are
/// bounded per turn, so neither starves the other. What many inputs of one turn put on a link is sealed once, since
/// sealing is a timer that is due at once.
#[derive(Debug)]
pub struct Engine {
    node: Node,
    inbox: Vec<Input>,
}

impl Engine {
    /// An engine for a node.
    #[must_use]
    pub fn new(node: Node) -> Self {
        Self { node, inbox: Vec::with_capacity(INPUTS_PER_TURN) }
    }

    /// Where inputs are put for the next turn. More than [`INPUTS_PER_TURN`] are taken over several turns.
    pub const fn inbox(&mut self) -> &mut Vec<Input> {
        &mut self.inbox
    }

    /// The node, to look at.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Feeds the inbox to the node, then every timer that is due, and drains the outputs after each.
    pub fn turn(&mut self, now: Time, sink: &mut impl Sink) -> Turn {
        let count = self.inbox.len().min(INPUTS_PER_TURN);
        for input in self.inbox.drain(..count) {
            self.node.handle(now, input);
            drain(&mut self.node, sink);
        }
        for _ in 0..TIMER_ROUNDS_PER_TURN {
            match self.node.poll_timeout() {
                Some((due, _)) if due <= now => {
                    self.node.handle_timeout(now);
                    drain(&mut self.node, sink);
                }
                Some(_) | None if !self.inbox.is_empty() => return Turn::Again,
                next => return Turn::Park(next.map(|(due, _)| due)),
            }
        }
        Turn::Again
    }
}

fn drain(node: &mut Node, sink: &mut impl Sink) {
    while let Some(output) = node.poll_output() {
        sink.output(output);
    }
}
