//! What an application is handed was sent: by the node it is said to be from, in the life it is said to be from, to this
//! node, with exactly these bytes.
//!
//! End-to-end integrity over any number of hops (LK1 across the mesh).

use super::{Fact, Held, Invariant, What};
use crate::oracle::Oracle;

#[derive(Debug)]
pub(super) struct MsgNoPhantom;

impl Invariant for MsgNoPhantom {
    fn id(&self) -> &'static str {
        "msg_no_phantom"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let What::Handed { message, key, .. } = fact.what else { return Ok(()) };
        let wrong = |what: &str| Err(format!("{} was handed {} bytes {what}", fact.spec.name, message.payload.len()));
        let Some(key) = key else { return wrong("that nobody sent") };
        match oracle.message(key) {
            None => wrong(&format!("as {key}, which was never sent")),
            Some(sent) if !sent.to.include(fact.node) => wrong(&format!("as {key}, which was for {:?}", sent.to)),
            Some(_) if message.incarnation != key.life => {
                wrong(&format!("as {key}, from life {}", message.incarnation))
            }
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{id::Incarnation, node::Message, time::Time};

    use super::{super::sample, *};
    use crate::oracle::Key;

    fn handed(node: HostId, message: &Message, key: Option<Key>) -> Held {
        let spec = sample::spec();
        let what = What::Handed { message, key, before: None };
        MsgNoPhantom.fact(&sample::fact(node, Time::ZERO, &spec, what), &sample::oracle())
    }

    #[test]
    fn what_was_sent_may_arrive() {
        assert_eq!(handed(HostId(2), &sample::message(), Some(sample::KEY)), Ok(()));
    }

    #[test]
    fn fires_on_bytes_that_nobody_sent() {
        assert!(handed(HostId(2), &sample::message(), None).is_err());
        assert!(handed(HostId(2), &sample::message(), Some(Key { serial: 2, ..sample::KEY })).is_err());
    }

    #[test]
    fn fires_on_a_message_for_somebody_else() {
        assert!(handed(HostId(1), &sample::message(), Some(sample::KEY)).is_err());
    }

    #[test]
    fn fires_on_a_message_said_to_be_from_another_life() {
        let message = Message { incarnation: Incarnation(2), ..sample::message() };
        assert!(handed(HostId(2), &message, Some(sample::KEY)).is_err());
    }
}
