//! At most one live link per peer, and once settled both ends agree on it.
//!
//! Two nodes that dial each other at once open two channels; one must win, and the same one at both ends (LK4; the rule
//! of RFC 4271 §6.8 for BGP's connection collision is the classic case). A link that one end holds and the other does
//! not is a half-open link.

use super::{Held, Invariant};
use crate::snapshot::Snapshot;

#[derive(Debug)]
pub(super) struct LkSingleSession;

impl Invariant for LkSingleSession {
    fn id(&self) -> &'static str {
        "lk_single_session"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        for (_, node) in snapshot.running() {
            for (at, link) in node.links.iter().enumerate() {
                if node.links[..at].iter().any(|earlier| earlier.addr == link.addr) {
                    return Err(format!("{} has two links to {}", node.name, link.peer));
                }
            }
        }
        Ok(())
    }

    fn settled(&mut self, snapshot: &Snapshot) -> Held {
        for (_, node) in snapshot.survivors() {
            for link in &node.links {
                let Some((_, peer)) = snapshot.find(link.addr) else { continue };
                let back = peer.link_to(node.addr);
                let agreed = back.is_some_and(|back| back.life == node.life && back.session == link.session);
                if link.life != peer.life || !agreed {
                    return Err(format!(
                        "{} has {link:?}; {} is in life {} and has {back:?}",
                        node.name, link.peer, peer.life
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proto_core::id::Incarnation;

    use super::{super::sample, *};

    #[test]
    fn fires_on_two_links_to_one_peer() {
        let mut snapshot = sample::line();
        snapshot.nodes[0].links.push(sample::link(1));
        assert!(LkSingleSession.always(&snapshot).is_err());
    }

    #[test]
    fn fires_on_a_link_that_only_one_end_has() {
        let mut snapshot = sample::line();
        snapshot.nodes[2].links.clear();
        assert!(LkSingleSession.settled(&snapshot).is_err());
    }

    #[test]
    fn fires_on_ends_that_hold_different_sessions() {
        let mut snapshot = sample::line();
        snapshot.nodes[2].links[0].session += 1;
        assert!(LkSingleSession.settled(&snapshot).is_err());
    }

    #[test]
    fn fires_on_a_link_to_an_earlier_life() {
        let mut snapshot = sample::line();
        snapshot.nodes[2].life = Incarnation(2);
        assert!(LkSingleSession.settled(&snapshot).is_err());
    }
}
