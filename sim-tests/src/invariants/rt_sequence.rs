//! What a node holds of an origin only ever gets newer: (life, number) never decreases while it lives.
//!
//! An older advert that replaces a newer one undoes what the mesh has learned (RT5; RFC 2328 §13.1). And nobody holds an
//! advert that its origin never made.

use std::collections::BTreeMap;

use io_sim::HostId;
use proto_core::id::{Incarnation, NodeAddr};

use super::{Held, Invariant};
use crate::snapshot::Snapshot;

#[derive(Debug, Default)]
pub(super) struct RtSequence {
    /// The newest advert seen at each node in its present life, by origin.
    newest: BTreeMap<(HostId, NodeAddr), Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    holder: Incarnation,
    advert: (Incarnation, u64),
}

impl Invariant for RtSequence {
    fn id(&self) -> &'static str {
        "rt_sequence"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        for (host, node) in snapshot.running() {
            for advert in &node.adverts {
                let now = Seen { holder: node.life, advert: (advert.life, advert.seq) };
                let before = self.newest.insert((host, advert.origin), now);
                if let Some(before) = before.filter(|before| before.holder == now.holder && before.advert > now.advert)
                {
                    return Err(format!(
                        "{} held advert {:?} of {} and now holds {:?}",
                        node.name, before.advert, advert.origin, now.advert
                    ));
                }
                forged(snapshot, node.name.as_str(), advert.origin, now.advert)?;
            }
        }
        Ok(())
    }
}

/// An advert from a life that its origin has not reached, or newer than the one the origin itself holds.
fn forged(snapshot: &Snapshot, holder: &str, origin: NodeAddr, advert: (Incarnation, u64)) -> Held {
    let Some(author) = snapshot.find(origin).map(|(_, node)| node) else {
        return Err(format!("{holder} holds an advert of {origin}, which nobody is"));
    };
    let latest = author.advert_of(origin).filter(|_| author.life == advert.0).map(|own| own.seq);
    if advert.0 > author.life || latest.is_some_and(|latest| advert.1 > latest) {
        return Err(format!("{holder} holds advert {advert:?} of {}, which never made it", author.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn fires_when_an_older_advert_replaces_a_newer_one() {
        let mut sequence = RtSequence::default();
        let mut snapshot = sample::line();
        assert_eq!(sequence.always(&snapshot), Ok(()));
        snapshot.nodes[0].adverts[2].seq -= 1;
        assert!(sequence.always(&snapshot).is_err());
    }

    #[test]
    fn a_new_life_may_start_with_an_older_one() {
        let mut sequence = RtSequence::default();
        let mut snapshot = sample::line();
        assert_eq!(sequence.always(&snapshot), Ok(()));
        snapshot.nodes[0].adverts[2].seq -= 1;
        snapshot.nodes[0].life = Incarnation(2);
        assert_eq!(sequence.always(&snapshot), Ok(()));
    }

    #[test]
    fn fires_on_an_advert_that_was_never_made() {
        let mut snapshot = sample::line();
        snapshot.nodes[0].adverts[2].seq += 1;
        assert!(RtSequence::default().always(&snapshot).is_err());
        let mut snapshot = sample::line();
        snapshot.nodes[0].adverts.push(sample::advert(9, 1, &[]));
        assert!(RtSequence::default().always(&snapshot).is_err());
    }
}
