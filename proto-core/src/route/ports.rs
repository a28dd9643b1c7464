//! Small dense numbers for neighbours, so that the forwarding table survives the replacement of a link.
//!
//! A port belongs to a neighbour from its link's coming up until the first computation of the shortest paths after the
//! link's end. A link that replaces another to the same neighbour takes its port over, and the table, which names ports,
//! stays right without being computed anew. Bounds: [`PORTS_MAX`]; a link beyond is not used for routing.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{id::NodeAddr, limits::LINKS_MAX, link::LinkId};

/// Most ports: every link twice, since a port outlives its link for a moment.
const PORTS_MAX: usize = 2 * LINKS_MAX;
const _: () = assert!(PORTS_MAX <= 65_536, "a port must fit its type");

/// The number of a neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port(u16);

impl Port {
    /// As an index.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which neighbour has which port, and which link leads there now.
#[derive(Debug, Default)]
pub(super) struct Ports {
    by_peer: BTreeMap<NodeAddr, Port>,
    links: Vec<Option<LinkId>>,
    free: BTreeSet<Port>,
}

impl Ports {
    /// The port of a neighbour whose link came up: its old one if it still has it.
    pub(super) fn open(&mut self, peer: NodeAddr, link: LinkId) -> Option<Port> {
        let port = match self.by_peer.get(&peer).copied().or_else(|| self.free.pop_first()) {
            Some(port) => port,
            None if self.links.len() >= PORTS_MAX => return None,
            None => {
                let port = Port(u16::try_from(self.links.len()).ok()?);
                self.links.push(None);
                port
            }
        };
        self.by_peer.insert(peer, port);
        *self.links.get_mut(port.index())? = Some(link);
        Some(port)
    }

    /// The link is down. The port stays its neighbour's until [`Ports::sweep`].
    pub(super) fn close(&mut self, port: Port) {
        if let Some(link) = self.links.get_mut(port.index()) {
            *link = None;
        }
    }

    /// Frees the ports without a link. No table may name them any more.
    pub(super) fn sweep(&mut self) {
        let Self { by_peer, links, free } = self;
        by_peer.retain(|_, port| {
            let up = links.get(port.index()).is_some_and(Option::is_some);
            if !up {
                free.insert(*port);
            }
            up
        });
    }

    /// The link that leads through a port now.
    #[inline]
    pub(super) fn link(&self, port: Port) -> Option<LinkId> {
        self.links.get(port.index()).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_kept_until_the_sweep_and_given_away_after_it() {
        let link = |number: u8| -> LinkId { postcard::from_bytes(&[number, 0]).unwrap() };
        let mut ports = Ports::default();
        let first = ports.open(NodeAddr(1), link(1)).unwrap();
        ports.close(first);
        let second = ports.open(NodeAddr(2), link(2)).unwrap();
        assert_ne!(first, second);
        assert_eq!(ports.link(first), None);
        assert_eq!(ports.open(NodeAddr(1), link(4)), Some(first), "it comes back in time");
        ports.close(first);
        ports.sweep();
        assert_eq!(ports.open(NodeAddr(3), link(3)), Some(first));
        assert_eq!(ports.open(NodeAddr(2), link(5)), Some(second));
        assert_eq!((ports.link(first), ports.link(second)), (Some(link(3)), Some(link(5))));
    }

    #[test]
    fn ports_are_bounded() {
        let mut ports = Ports::default();
        let link: LinkId = postcard::from_bytes(&[0, 0]).unwrap();
        for peer in 0..PORTS_MAX as u64 {
            assert!(ports.open(NodeAddr(peer), link).is_some());
        }
        assert_eq!(ports.open(NodeAddr(u64::MAX), link), None);
    }
}
