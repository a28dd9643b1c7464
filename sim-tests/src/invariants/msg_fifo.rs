//! Messages of one life of a sender arrive at one life of a receiver in the order in which they were sent.
//!
//! Some may be missing (their deadline passed), none may be overtaken (design §5: FIFO per sender).

use super::{Fact, Held, Invariant, What};
use crate::oracle::Oracle;

#[derive(Debug)]
pub(super) struct MsgFifo;

impl Invariant for MsgFifo {
    fn id(&self) -> &'static str {
        "msg_fifo"
    }

    fn fact(&mut self, fact: &Fact<'_>, _oracle: &Oracle) -> Held {
        match fact.what {
            What::Handed { key: Some(key), before: Some(before), .. } if before > key.serial => {
                Err(format!("{} was handed {key} after message {before}", fact.spec.name))
            }
            What::Handed { .. }
            | What::Started
            | What::Struck(_)
            | What::Dialled { .. }
            | What::Told(_)
            | What::Answered { .. }
            | What::Turned { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::time::Time;

    use super::{super::sample, *};
    use crate::oracle::Key;

    #[test]
    fn fires_on_an_overtaken_message() {
        let (message, spec) = (sample::message(), sample::spec());
        let mut oracle = sample::oracle();
        let later = Key { serial: 2, ..sample::KEY };
        let mut handed = |key| {
            let before = oracle.handed(HostId(2), key);
            let what = What::Handed { message: &message, key: Some(key), before };
            MsgFifo.fact(&sample::fact(HostId(2), Time::ZERO, &spec, what), &oracle)
        };
        assert_eq!(handed(later), Ok(()));
        assert!(handed(sample::KEY).is_err());
    }
}
