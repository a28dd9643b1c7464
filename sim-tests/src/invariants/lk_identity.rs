//! The peer of a link is a node that exists, under its own address, in a life that it has had, and never the node itself.
//!
//! A link is bound to the key proven in its handshake, and the name to the key (LK3). All nodes of a scenario are honest,
//! so a key conflict or a double identity is never reported either.

use proto_core::node::Event;

use super::{Fact, Held, Invariant, What};
use crate::{
    oracle::Oracle,
    snapshot::{LinkSnap, NodeSnap, Snapshot},
};

#[derive(Debug)]
pub(super) struct LkIdentity;

impl Invariant for LkIdentity {
    fn id(&self) -> &'static str {
        "lk_identity"
    }

    fn fact(&mut self, fact: &Fact<'_>, _oracle: &Oracle) -> Held {
        match fact.what {
            What::Told(event @ (Event::KeyConflict { .. } | Event::IdentityInUse { .. })) => {
                Err(format!("{} was told {event:?} among honest nodes", fact.spec.name))
            }
            What::Told(_)
            | What::Started
            | What::Struck(_)
            | What::Dialled { .. }
            | What::Handed { .. }
            | What::Answered { .. }
            | What::Turned { .. } => Ok(()),
        }
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        snapshot.running().try_for_each(|(_, node)| node.links.iter().try_for_each(|link| check(snapshot, node, link)))
    }
}

fn check(snapshot: &Snapshot, node: &NodeSnap, link: &LinkSnap) -> Held {
    let wrong = |what: &str| Err(format!("{} has a link to {} of life {}: {what}", node.name, link.peer, link.life));
    if link.addr == node.addr {
        return wrong("that is itself");
    }
    match snapshot.nodes.iter().find(|peer| peer.name == link.peer) {
        None => wrong("there is no such node"),
        Some(peer) if peer.addr != link.addr => wrong("it has another address"),
        Some(peer) if link.life > peer.life || link.life.0 == 0 => wrong("it never had that life"),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use io_sim::HostId;
    use proto_core::{
        id::{Incarnation, NodeName},
        time::Time,
    };

    use super::{super::sample, *};

    fn after(change: impl FnOnce(&mut NodeSnap)) -> Held {
        let mut snapshot = sample::line();
        change(&mut snapshot.nodes[0]);
        LkIdentity.always(&snapshot)
    }

    #[test]
    fn fires_on_a_link_to_itself() {
        assert!(after(|node| node.links[0] = sample::link(0)).is_err());
    }

    #[test]
    fn fires_on_a_stranger() {
        assert!(after(|node| node.links[0].peer = NodeName::new("mallory").expect("a name")).is_err());
    }

    #[test]
    fn fires_on_a_name_under_another_address() {
        assert!(after(|node| node.links[0].addr = sample::addr(2)).is_err());
    }

    #[test]
    fn fires_on_a_life_that_never_was() {
        assert!(after(|node| node.links[0].life = Incarnation(2)).is_err());
    }

    #[test]
    fn fires_on_a_double_identity_among_honest_nodes() {
        let event = Event::IdentityInUse { incarnation: Incarnation(7) };
        let spec = sample::spec();
        let fact = sample::fact(HostId(0), Time::ZERO, &spec, What::Told(&event));
        assert!(LkIdentity.fact(&fact, &sample::oracle()).is_err());
    }
}
