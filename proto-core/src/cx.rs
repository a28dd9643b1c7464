//! What a machine is given besides its event.

use crate::{probe::Probe, rng::Rng, time::Time};

/// The present moment, this machine's randomness, and where it counts what happened. Nothing else reaches a machine.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The present moment. Never earlier than in the call before.
    pub now: Time,
    /// This machine's own generator.
    pub rng: &'a mut Rng,
    /// Counters and rare notes.
    pub probe: &'a mut Probe,
}
