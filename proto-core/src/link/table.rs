//! All links of a node.

use alloc::vec::Vec;

use super::{Effect, Event, Lane, LinkId};
use crate::{cx::Cx, error::DropReason, node::Config, rng::Secrets, secure::Pins, time::Time, wire::Frame};

/// All links of a node, up or on their way up, and the peers it dials.
#[derive(Debug)]
pub struct Links {}

impl Links {
    /// No links yet; dials the configured peers as soon as it is woken.
    #[must_use]
    pub fn new(_config: &Config, _secrets: Secrets) -> Self {
        Self {}
    }

    /// Takes in what happened.
    pub fn handle(&mut self, _cx: &mut Cx<'_>, _pins: &mut Pins, _event: Event, _fx: &mut Vec<Effect>) {}

    /// Acts on deadlines that have come; seals what waits on the lanes.
    pub fn handle_timeout(&mut self, _cx: &mut Cx<'_>, _fx: &mut Vec<Effect>) {}

    /// The next deadline and who wants it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        None
    }

    /// Puts a frame on a lane of a link. It is sealed at the next timeout, which is due at once.
    ///
    /// # Errors
    /// [`DropReason`] if the link is gone or the lane refuses.
    pub fn send(&mut self, _cx: &mut Cx<'_>, _link: LinkId, _lane: Lane, _frame: Frame) -> Result<(), DropReason> {
        Err(DropReason::NoRoute)
    }

    /// Closes a link whose peer broke the protocol.
    pub fn close(
        &mut self,
        _cx: &mut Cx<'_>,
        _link: LinkId,
        _reason: crate::error::CloseReason,
        _fx: &mut Vec<Effect>,
    ) {
    }
}
