//! What a subscription is handed was published: about this topic, by the node it is said to be from, in that life, with
//! exactly these bytes.
//!
//! PS1, as etcd's watches are checked; end-to-end integrity over any number of hops.

use super::{Fact, Held, Invariant};
use crate::oracle::{Key, Oracle};

#[derive(Debug)]
pub(super) struct PsNoPhantom;

impl Invariant for PsNoPhantom {
    fn id(&self) -> &'static str {
        "ps_no_phantom"
    }

    fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Held {
        let Some((_, publication)) = fact.publication() else { return Ok(()) };
        let wrong = |what: String| Err(format!("{} was handed a publication {what}", fact.spec.name));
        let Some(key) = Key::of(&publication.payload) else { return wrong(String::from("with bytes of nobody")) };
        let Some(published) = oracle.topics().publication(key) else {
            return wrong(format!("as {key}, which was never published"));
        };
        let (topic, from, life) = (publication.topic.as_str(), publication.from, publication.incarnation);
        if *topic != *published.topic || from != published.from || life != key.life {
            return wrong(format!("to {topic} from {from} in life {life} as {key}; it was {published:?}"));
        }
        if !publication.headers.is_empty() || publication.from_client.is_some() {
            return wrong(format!("as {key} with headers or a client that it never had"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proto_core::{id::Incarnation, pubsub::Publication};

    use super::{super::sample, *};

    fn handed(publication: Publication) -> Held {
        sample::handed(&mut PsNoPhantom, &sample::published("a.b"), publication)
    }

    #[test]
    fn what_was_published_may_come() {
        assert_eq!(handed(sample::publication("a.b")), Ok(()));
    }

    #[test]
    fn fires_on_a_publication_that_nobody_made() {
        let other = Key { serial: 9, ..sample::KEY }.payload(20);
        for payload in [Bytes::from_static(b"bytes of nobody at all"), other] {
            assert!(handed(Publication { payload, ..sample::publication("a.b") }).is_err());
        }
    }

    #[test]
    fn fires_on_a_publication_that_was_another() {
        let good = || sample::publication("a.b");
        assert!(handed(sample::publication("a.c")).is_err());
        assert!(handed(Publication { from: sample::addr(1), ..good() }).is_err());
        assert!(handed(Publication { incarnation: Incarnation(2), ..good() }).is_err());
        assert!(handed(Publication { headers: Bytes::from_static(b"x"), ..good() }).is_err());
    }
}
