//! One node: its machines composed, told what happened, asked what to do.

mod config;
mod input;
mod output;

use alloc::collections::VecDeque;

pub use config::{Config, Endpoint, LinkConfig, MessageConfig, Metric, Peer, RouteConfig, Suite};
pub use input::{ChannelEvent, Command, Input, Send};
pub use output::{Answer, Event, Found, Hop, Message, Outcome, Output, Record};

use crate::{
    id::{NodeAddr, NodeName},
    probe::Probe,
    time::Time,
};

/// One node.
#[derive(Debug)]
pub struct Node {
    name: NodeName,
    probe: Probe,
    out: VecDeque<Output>,
}

impl Node {
    /// A node at the moment of its start.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { name: config.name, probe: Probe::new(), out: VecDeque::new() }
    }

    /// Takes in what happened. Drain [`Node::poll_output`] afterwards. Cannot fail: see law L8.
    pub fn handle(&mut self, _now: Time, _input: Input) {}

    /// Acts on deadlines that have come. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, _now: Time) {}

    /// The next thing to do. May change after every `handle*` call.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When the node wants to be woken, and what for. Read it once `poll_output` has answered `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        None
    }

    /// Its own name.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    /// Its own address.
    #[must_use]
    pub fn addr(&self) -> NodeAddr {
        self.name.addr()
    }

    /// Its counters.
    #[must_use]
    pub const fn probe(&self) -> &Probe {
        &self.probe
    }
}
