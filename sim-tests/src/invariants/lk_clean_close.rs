//! Honest nodes never accuse each other of breaking the protocol, unless a bit was flipped on the way.
//!
//! Every frame that one machine sends must be legal in the state of the machine that gets it: a violation among honest
//! peers is a bug in one of them (C5, and "decode(encode(x)) = x for every frame actually sent"). A failed handshake is no
//! accusation: a channel that breaks in the middle of one looks the same.

use std::collections::BTreeSet;

use io_sim::{Fault, HostId};
use proto_core::{error::CloseReason, node::Event};

use super::{Fact, Held, Invariant, What};
use crate::oracle::Oracle;

#[derive(Debug, Default)]
pub(super) struct LkCleanClose {
    /// Nodes that have been sent flipped bits: whatever they or their peers say of that link is fair.
    fooled: BTreeSet<HostId>,
}

impl Invariant for LkCleanClose {
    fn id(&self) -> &'static str {
        "lk_clean_close"
    }

    fn fact(&mut self, fact: &Fact<'_>, _oracle: &Oracle) -> Held {
        let reason = match fact.what {
            What::Struck(Fault::Corrupt { .. }) => {
                self.fooled.insert(fact.node);
                return Ok(());
            }
            What::Told(Event::LinkDown { reason, .. } | Event::LinkFailed { reason, .. }) => reason,
            What::Told(_)
            | What::Started
            | What::Struck(_)
            | What::Dialled { .. }
            | What::Handed { .. }
            | What::Answered { .. }
            | What::Turned { .. } => return Ok(()),
        };
        let slander = matches!(
            reason,
            CloseReason::Violation(_)
                | CloseReason::KeyConflict
                | CloseReason::VersionMismatch
                | CloseReason::NotAllowed
                | CloseReason::SelfDial
                | CloseReason::WrongPeer
                | CloseReason::TooManyLinks
        );
        if slander && !self.fooled.contains(&fact.node) {
            return Err(format!("{} closed a link between honest nodes: {reason}", fact.spec.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proto_core::{error::Violation, time::Time};

    use super::{super::sample, *};

    fn told(invariant: &mut LkCleanClose, reason: CloseReason) -> Held {
        let event = Event::LinkFailed { peer: None, remote: Arc::from("n1"), reason, retry_in: None };
        let spec = sample::spec();
        invariant.fact(&sample::fact(HostId(0), Time::ZERO, &spec, What::Told(&event)), &sample::oracle())
    }

    #[test]
    fn fires_when_honest_nodes_accuse_each_other() {
        let mut invariant = LkCleanClose::default();
        assert!(told(&mut invariant, CloseReason::Violation(Violation::BadSeal)).is_err());
        assert!(told(&mut invariant, CloseReason::VersionMismatch).is_err());
    }

    #[test]
    fn losing_a_connection_is_no_accusation() {
        assert_eq!(told(&mut LkCleanClose::default(), CloseReason::ChannelLost), Ok(()));
    }

    #[test]
    fn a_flipped_bit_excuses_it() {
        let (mut invariant, spec) = (LkCleanClose::default(), sample::spec());
        let flip = Fault::Corrupt { from: HostId(0), to: HostId(1) };
        let flipped = sample::fact(HostId(0), Time::ZERO, &spec, What::Struck(&flip));
        assert_eq!(invariant.fact(&flipped, &sample::oracle()), Ok(()));
        assert_eq!(told(&mut invariant, CloseReason::Violation(Violation::BadSeal)), Ok(()));
    }
}
