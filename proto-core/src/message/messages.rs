//! All flows of a node.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::{Effect, Event};
use crate::{
    cx::Cx,
    error::Rejected,
    id::{NodeAddr, Token},
    node::{Config, Send},
    time::Time,
};

/// What this node has sent and not heard of, and what it has received and not handed on.
#[derive(Debug)]
pub struct Messages {}

impl Messages {
    /// No flows yet.
    #[must_use]
    pub fn new(_config: &Config) -> Self {
        Self {}
    }

    /// Sends one message. With `report` its outcome comes as [`Effect::Done`].
    ///
    /// # Errors
    /// [`Rejected`]: nothing was sent.
    pub fn send(
        &mut self,
        _cx: &mut Cx<'_>,
        _token: Token,
        _send: Send,
        _fx: &mut Vec<Effect>,
    ) -> Result<(), Rejected> {
        Err(Rejected::Busy)
    }

    /// Sends one message to several nodes; one [`Effect::Done`] with every outcome.
    ///
    /// # Errors
    /// [`Rejected`]: nothing was sent to anybody.
    pub fn send_many(
        &mut self,
        _cx: &mut Cx<'_>,
        _token: Token,
        _to: Vec<NodeAddr>,
        _payload: Bytes,
        _deadline: Duration,
        _fx: &mut Vec<Effect>,
    ) -> Result<(), Rejected> {
        Err(Rejected::Busy)
    }

    /// Takes in what happened.
    pub fn handle(&mut self, _cx: &mut Cx<'_>, _event: Event<'_>, _fx: &mut Vec<Effect>) {}

    /// Acts on deadlines that have come.
    pub fn handle_timeout(&mut self, _cx: &mut Cx<'_>, _fx: &mut Vec<Effect>) {}

    /// The next deadline and who wants it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        None
    }

    /// How many messages wait for their outcome.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        0
    }
}
