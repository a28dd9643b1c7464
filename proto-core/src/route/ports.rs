//! Small dense numbers for neighbours, so that the forwarding table survives the replacement of a link.
//!
//! A port belongs to a neighbour from its link's coming up until the first computation of the shortest paths after the
//! link's end. A link that replaces another to the same neighbour takes its port over, and the table, which names ports,
//! stays right without being computed anew. Bounds: [`PORTS_MAX`]; a link beyond is not used for routing.

use alloc::vec::Vec;

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
    links: Vec<Option<LinkId>>,
    peers: Vec<Option<NodeAddr>>,
}

impl Ports {
    /// The port of a neighbour whose link came up: its old one if it still has it.
    pub(super) fn open(&mut self, peer: NodeAddr, link: LinkId) -> Option<Port> {
        let old = self.peers.iter().position(|owner| *owner == Some(peer));
        let index = match old.or_else(|| self.peers.iter().position(Option::is_none)) {
            Some(index) => index,
            None if self.peers.len() >= PORTS_MAX => return None,
            None => {
                self.peers.push(None);
                self.links.push(None);
                self.peers.len() - 1
            }
        };
        *self.peers.get_mut(index)? = Some(peer);
        *self.links.get_mut(index)? = Some(link);
        u16::try_from(index).ok().map(Port)
    }

    /// The link is down. The port stays its neighbour's until [`Ports::sweep`].
    pub(super) fn close(&mut self, port: Port) {
        if let Some(link) = self.links.get_mut(port.index()) {
            *link = None;
        }
    }

    /// Frees the ports without a link. No table may name them any more.
    pub(super) fn sweep(&mut self) {
        for (peer, link) in self.peers.iter_mut().zip(&self.links) {
            if link.is_none() {
                *peer = None;
            }
        }
    }

    /// The link that leads through a port now.
    #[inline]
    pub(super) fn link(&self, port: Port) -> Option<LinkId> {
        self.links.get(port.index()).copied().flatten()
    }

    /// The neighbour that a port belongs to.
    pub(super) fn peer(&self, port: Port) -> Option<NodeAddr> {
        self.peers.get(port.index()).copied().flatten()
    }
}
