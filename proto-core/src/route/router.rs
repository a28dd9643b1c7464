//! The link-state machine.

use alloc::vec::Vec;

use super::{Effect, Event};
use crate::{
    cx::Cx,
    error::DropReason,
    id::{NodeAddr, NodeName},
    link::LinkId,
    node::Config,
    secure::Pins,
    time::Time,
};

/// What this node knows of the graph, and the way to every node in it.
#[derive(Debug)]
pub struct Router {}

impl Router {
    /// Knows only itself.
    #[must_use]
    pub fn new(_config: &Config) -> Self {
        Self {}
    }

    /// Takes in what happened.
    pub fn handle(&mut self, _cx: &mut Cx<'_>, _pins: &mut Pins, _event: Event, _fx: &mut Vec<Effect>) {}

    /// Acts on deadlines that have come.
    pub fn handle_timeout(&mut self, _cx: &mut Cx<'_>, _fx: &mut Vec<Effect>) {}

    /// The next deadline and who wants it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        None
    }

    /// The link that a frame takes. `from`: the link it came in by; `None` if it begins here.
    ///
    /// # Errors
    /// [`DropReason`] if there is none.
    pub fn next_hop(&self, _dst: NodeAddr, _flow: u16, _from: Option<LinkId>) -> Result<LinkId, DropReason> {
        Err(DropReason::NoRoute)
    }

    /// The name of a node, if its advert is known.
    #[must_use]
    pub fn name(&self, _addr: NodeAddr) -> Option<&NodeName> {
        None
    }

    /// Every other node within reach, in order of address.
    pub fn reachable(&self) -> impl Iterator<Item = NodeAddr> {
        core::iter::empty()
    }
}
