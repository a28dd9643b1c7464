//! The forwarding table: which link a frame takes.
//!
//! Read for every frame, written only when shortest paths were computed. A look-up is one probe of a hash map and, where
//! several first hops are equal, one multiplication that spreads flows over them. Bounds: one route per node known.

use alloc::vec::Vec;

use smallvec::SmallVec;

use super::{
    graph::Path,
    ports::{Port, Ports},
};
use crate::{
    collections::DetMap,
    error::DropReason,
    id::{Incarnation, NodeAddr, NodeName},
    limits::MULTIPATH_MAX,
    link::LinkId,
};

/// The way to every node within reach.
#[derive(Debug)]
pub(super) struct Table {
    by_addr: DetMap<NodeAddr, Hops>,
    /// In order of address.
    routes: Vec<Route>,
    salt: u64,
}

/// The way to one node.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The node's name.
    pub(super) name: NodeName,
    /// Which life of it.
    pub(super) incarnation: Incarnation,
    /// The path, as computed.
    pub(super) path: Path,
    /// The first hops.
    pub(super) hops: Hops,
}

/// The first hops to one node, all equally good.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hops {
    ports: [Port; MULTIPATH_MAX],
    count: u8,
}

/// How reach changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// A node came within reach, or is there in another life.
    Gained(NodeName, NodeAddr, Incarnation),
    /// A node is within reach as before, by other first hops or over another number of links.
    Moved(NodeAddr, Incarnation),
    /// A node is out of reach.
    Lost(NodeName, NodeAddr),
}

impl Table {
    /// No routes. `salt` varies which of several equal links a flow takes, so that the flows which one node sends to
    /// another are spread again there.
    pub(super) fn new(salt: u64) -> Self {
        Self { by_addr: DetMap::with_seed(salt), routes: Vec::new(), salt }
    }

    /// Replaces all routes by others, in order of address, and tells what became of reach, in order of address.
    pub(super) fn replace(&mut self, routes: Vec<Route>) -> Vec<Reach> {
        let mut changes = Vec::new();
        let mut before = self.routes.iter().peekable();
        for route in &routes {
            while let Some(lost) = before.next_if(|old| old.path.node < route.path.node) {
                changes.push(lost.lost());
            }
            let known = before.next_if(|old| old.path.node == route.path.node);
            match known.filter(|old| old.incarnation == route.incarnation) {
                None => changes.push(Reach::Gained(route.name.clone(), route.path.node, route.incarnation)),
                Some(old) if old.path.goes_like(&route.path) => {}
                Some(_) => changes.push(Reach::Moved(route.path.node, route.incarnation)),
            }
        }
        changes.extend(before.map(Route::lost));
        self.by_addr.clear();
        for route in &routes {
            self.by_addr.insert(route.path.node, route.hops);
        }
        self.routes = routes;
        changes
    }

    /// The link that a frame takes.
    #[inline]
    pub(super) fn pick(
        &self,
        dst: NodeAddr,
        flow: u16,
        from: Option<LinkId>,
        ports: &Ports,
    ) -> Result<LinkId, DropReason> {
        let hops = self.by_addr.get(&dst).ok_or(DropReason::NoRoute)?;
        hops.pick(flow, self.salt, from, ports)
    }

    /// The way to one node.
    pub(super) fn get(&self, addr: NodeAddr) -> Option<&Route> {
        let place = self.routes.binary_search_by_key(&addr, |route| route.path.node).ok()?;
        self.routes.get(place)
    }

    /// Every way, in order of address.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }
}

impl Route {
    fn lost(&self) -> Reach {
        Reach::Lost(self.name.clone(), self.path.node)
    }
}

impl Hops {
    /// The first hops of these ports; more than [`MULTIPATH_MAX`] are left out.
    pub(super) fn new(from: &SmallVec<[Port; MULTIPATH_MAX]>) -> Self {
        let mut hops = Self::default();
        for (place, port) in hops.ports.iter_mut().zip(from) {
            *place = *port;
            hops.count += 1;
        }
        hops
    }

    /// The ports.
    pub(super) fn ports(&self) -> &[Port] {
        self.ports.get(..usize::from(self.count)).unwrap_or_default()
    }

    #[inline]
    fn pick(&self, flow: u16, salt: u64, from: Option<LinkId>, ports: &Ports) -> Result<LinkId, DropReason> {
        let equals = self.ports();
        // The upper half of the product depends on every bit of the flow.
        let spread = (u64::from(flow) ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let choice = usize::try_from((spread * equals.len() as u64) >> 32).unwrap_or(0);
        let mut refused = DropReason::NoRoute;
        let (before, after) = equals.split_at_checked(choice).unwrap_or((&[], equals));
        for port in after.iter().chain(before) {
            match ports.link(*port) {
                Some(link) if Some(link) != from => return Ok(link),
                Some(_) => refused = DropReason::WouldReturn,
                None => {}
            }
        }
        Err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, string::ToString as _, vec, vec::Vec};

    fn link(number: u8) -> LinkId {
        postcard::from_bytes(&[number, 0]).unwrap()
    }

    fn ports(count: u8) -> (Ports, SmallVec<[Port; MULTIPATH_MAX]>) {
        let mut ports = Ports::default();
        let opened = (0..count).map(|n| ports.open(NodeAddr(u64::from(n)), link(n)).unwrap()).collect();
        (ports, opened)
    }

    fn route(node: u64, incarnation: u64, via: &SmallVec<[Port; MULTIPATH_MAX]>) -> Route {
        let path = Path { node: NodeAddr(node), cost: 1, hops: 1, first: SmallVec::new() };
        let name = NodeName::new(&node.to_string()).unwrap();
        Route { name, incarnation: Incarnation(incarnation), path, hops: Hops::new(via) }
    }

    #[test]
    fn flows_spread_over_equal_links_and_keep_to_theirs() {
        let (ports, via) = ports(4);
        let mut table = Table::new(99);
        table.replace(vec![route(7, 1, &via)]);
        let mut used = BTreeMap::new();
        for flow in 0..4_000 {
            let chosen = table.pick(NodeAddr(7), flow, None, &ports).unwrap();
            assert_eq!(table.pick(NodeAddr(7), flow, None, &ports), Ok(chosen));
            *used.entry(chosen).or_insert(0) += 1;
        }
        assert_eq!(used.len(), 4);
        assert!(used.values().all(|count| (800..=1_200).contains(count)), "{used:?}");
    }

    #[test]
    fn a_frame_never_goes_back_where_it_came_from() {
        let (mut ports, via) = ports(2);
        let mut table = Table::new(0);
        table.replace(vec![route(7, 1, &via)]);
        for flow in 0..100 {
            assert_eq!(table.pick(NodeAddr(7), flow, Some(link(0)), &ports), Ok(link(1)));
        }
        ports.close(via[1]);
        assert_eq!(table.pick(NodeAddr(7), 0, Some(link(0)), &ports), Err(DropReason::WouldReturn));
        assert_eq!(table.pick(NodeAddr(7), 0, None, &ports), Ok(link(0)));
        ports.close(via[0]);
        assert_eq!(table.pick(NodeAddr(7), 0, None, &ports), Err(DropReason::NoRoute));
        assert_eq!(table.pick(NodeAddr(8), 0, None, &ports), Err(DropReason::NoRoute));
    }

    #[test]
    fn a_link_that_replaces_another_takes_its_place_in_the_table() {
        let (mut ports, via) = ports(1);
        let mut table = Table::new(0);
        table.replace(vec![route(7, 1, &via)]);
        ports.close(via[0]);
        assert_eq!(ports.open(NodeAddr(0), link(9)), Some(via[0]));
        assert_eq!(table.pick(NodeAddr(7), 0, None, &ports), Ok(link(9)));
    }

    #[test]
    fn what_changed_is_told_in_order() {
        let (_, via) = ports(1);
        let mut table = Table::new(0);
        table.replace([1, 3, 5].map(|node| route(node, 1, &via)).into());
        let told = table.replace(vec![route(2, 1, &via), route(3, 2, &via), route(5, 1, &via)]);
        let name = |text| NodeName::new(text).unwrap();
        let expected: Vec<Reach> = vec![
            Reach::Lost(name("1"), NodeAddr(1)),
            Reach::Gained(name("2"), NodeAddr(2), Incarnation(1)),
            Reach::Gained(name("3"), NodeAddr(3), Incarnation(2)),
        ];
        assert_eq!(told, expected);
        assert_eq!(table.replace(vec![]).len(), 3);
    }

    #[test]
    fn another_way_to_the_same_node_is_told_and_another_cost_is_not() {
        let (_, via) = ports(1);
        let mut table = Table::new(0);
        let way = |cost, hops, first: &[u64]| {
            let mut route = route(7, 1, &via);
            let first = first.iter().copied().map(NodeAddr).collect();
            route.path = Path { cost, hops, first, ..route.path };
            vec![route]
        };
        table.replace(way(1, 1, &[7]));
        assert_eq!(table.replace(way(9, 1, &[7])), []);
        assert_eq!(table.replace(way(9, 2, &[7])), [Reach::Moved(NodeAddr(7), Incarnation(1))]);
        assert_eq!(table.replace(way(9, 2, &[7, 8])), [Reach::Moved(NodeAddr(7), Incarnation(1))]);
    }
}
