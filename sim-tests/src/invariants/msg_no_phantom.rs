//! What an application is handed was sent: by the node and the client it is said to be from, in the life it is said to be
//! from, to this node and to the client it is said to be for, with exactly these bytes. And that client is here.
//!
//! End-to-end integrity over any number of hops (LK1 across the mesh).

use proto_core::node::{Client, Message};

use super::{Fact, Held, Invariant, What};
use crate::oracle::{Oracle, Sent};

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
        let Some(Sent { letter, .. }) = oracle.message(key) else {
            return wrong(&format!("as {key}, which was never sent"));
        };
        let Message { from, incarnation, from_client, to_client, .. } = message;
        let to_client = to_client.as_ref().map(Client::name);
        if !letter.to.include(fact.node) || to_client != letter.to_client.as_ref() {
            return wrong(&format!("as {key} for {to_client:?}, which was {letter:?}"));
        }
        if *incarnation != key.life || *from != letter.from || *from_client != letter.from_client {
            return wrong(&format!("as {key}, from {from}, {from_client:?}, life {incarnation}; it was {letter:?}"));
        }
        match to_client {
            Some(client) if !oracle.may_have(fact.node, client, fact.at_ms) => {
                wrong(&format!("as {key}, for {client}, which is not here"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use io_sim::HostId;
    use proto_core::{
        id::{ClientId, Incarnation, Token},
        time::Time,
    };

    use super::{super::sample, *};
    use crate::oracle::Key;

    fn handed(node: HostId, message: &Message, key: Option<Key>) -> Held {
        handed_by(&sample::oracle(), node, message, key)
    }

    fn handed_by(oracle: &Oracle, node: HostId, message: &Message, key: Option<Key>) -> Held {
        let spec = sample::spec();
        let what = What::Handed { message, key, before: None };
        MsgNoPhantom.fact(&sample::fact(node, Time::ZERO, &spec, what), oracle)
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
    fn fires_on_a_message_said_to_be_from_somebody_else() {
        let ann: Arc<str> = Arc::from("ann");
        for message in [
            Message { incarnation: Incarnation(2), ..sample::message() },
            Message { from: sample::addr(1), ..sample::message() },
            Message { from_client: Some(ann.clone()), ..sample::message() },
            Message { to_client: Some(Client::new(ClientId(1), ann.clone())), ..sample::message() },
        ] {
            assert!(handed(HostId(2), &message, Some(sample::KEY)).is_err(), "{message:?}");
        }
    }

    #[test]
    fn fires_on_a_message_for_a_client_that_is_not_here() {
        let ann: Arc<str> = Arc::from("ann");
        let message = Message { to_client: Some(Client::new(ClientId(1), ann.clone())), ..sample::message() };
        let mut oracle = sample::oracle();
        oracle.sent(sample::KEY, sample::letter(Some("ann")), false);
        assert!(handed_by(&oracle, HostId(2), &message, Some(sample::KEY)).is_err());
        oracle.client(HostId(2), Token(20), &ann, true);
        assert_eq!(handed_by(&oracle, HostId(2), &message, Some(sample::KEY)), Ok(()));
    }
}
