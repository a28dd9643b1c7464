//! What can be seen of routing: routes and adverts, and why a frame goes the way it goes (law L12).

use core::time::Duration;

use smallvec::SmallVec;

use super::{
    Router,
    database::Entry,
    graph::{Graph, Path},
    table::Route,
};
use crate::{
    id::{Incarnation, NodeAddr, NodeName},
    limits::MULTIPATH_MAX,
    link::LinkId,
    time::Time,
    wire::v1,
};

/// The way to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView<'a> {
    /// The node's address.
    pub node: NodeAddr,
    /// Its name.
    pub name: &'a NodeName,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// What the way costs.
    pub cost: u32,
    /// How many links it has.
    pub hops: u8,
    /// The first hops, all equally good; flows are spread over them.
    pub via: SmallVec<[Via; MULTIPATH_MAX]>,
    /// Why this way.
    pub reason: Reason,
}

/// A first hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via {
    /// The neighbour.
    pub peer: NodeAddr,
    /// The link to it; `None` if it went down and paths were not computed since.
    pub link: Option<LinkId>,
}

/// Why a route is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The link to the node itself is the cheapest way.
    Direct,
    /// One neighbour begins the cheapest way.
    Cheapest,
    /// Several neighbours begin equally cheap ways.
    EqualCost,
}

/// Why a frame for a node goes where it goes, with the next best way for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why<'a> {
    /// It is this node.
    Here,
    /// No advert of it is known.
    Unknown,
    /// Its advert is known, but no path of links that both ends advertise leads there.
    NoPath {
        /// Its name.
        name: &'a NodeName,
        /// The age of its advert.
        age: Duration,
    },
    /// There is a way.
    Route {
        /// The way.
        route: RouteView<'a>,
        /// The best way that begins with none of the same neighbours.
        runner_up: Option<RunnerUp>,
    },
}

/// The way that would be taken if the first hops in use were gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerUp {
    /// What it costs.
    pub cost: u32,
    /// How many links it has.
    pub hops: u8,
    /// The neighbours it may begin with.
    pub via: SmallVec<[NodeAddr; MULTIPATH_MAX]>,
}

/// What a node says of itself, as known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertView<'a> {
    /// Its name.
    pub origin: &'a NodeName,
    /// Its address.
    pub addr: NodeAddr,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The advert's number in that life.
    pub seq: u64,
    /// How long ago it was sent.
    pub age: Duration,
    /// Whether others may send through the node.
    pub transit: bool,
    /// Its links, in order of address.
    pub neighbours: &'a [v1::Neighbour],
}

impl Router {
    /// The ways to all other nodes within reach, in order of address.
    pub fn routes(&self) -> impl Iterator<Item = RouteView<'_>> {
        self.table.iter().map(|route| self.view(route))
    }

    /// The way to one node.
    #[must_use]
    pub fn route(&self, addr: NodeAddr) -> Option<RouteView<'_>> {
        self.table.get(addr).map(|route| self.view(route))
    }

    /// Why a frame for `dst` goes where it goes. Computes shortest paths: for people, not for frames.
    #[must_use]
    pub fn why(&self, now: Time, dst: NodeAddr) -> Why<'_> {
        if dst == self.origin.addr() {
            return Why::Here;
        }
        let Some(entry) = self.database.get(dst) else { return Why::Unknown };
        let Some(route) = self.table.get(dst) else {
            return Why::NoPath { name: &entry.advert().body().origin, age: entry.age(now) };
        };
        let others = self.with_graph(|graph: &Graph| graph.shortest_paths(self.origin.addr(), &route.path.first));
        let other = others.into_iter().find(|path| path.node == dst);
        let runner_up = other.map(|path| RunnerUp { cost: cost(&path), hops: path.hops, via: path.first });
        Why::Route { route: self.view(route), runner_up }
    }

    /// Every advert known, this node's own included, in order of address.
    pub fn adverts(&self, now: Time) -> impl Iterator<Item = AdvertView<'_>> {
        self.database.iter().map(move |entry| advert(entry, now))
    }

    /// A hash over the origins and versions of all adverts known: equal at two nodes that know the same.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.database.digest()
    }

    fn view<'a>(&'a self, route: &'a Route) -> RouteView<'a> {
        let ports = self.neighbours.ports();
        let via = route.hops.ports().iter().zip(&route.path.first).map(|(port, peer)| {
            // A port in the table is its neighbour's: it is freed only after the table was replaced.
            Via { peer: *peer, link: ports.link(*port) }
        });
        let reason = match route.path.first.as_slice() {
            [only] if *only == route.path.node => Reason::Direct,
            [_] => Reason::Cheapest,
            _ => Reason::EqualCost,
        };
        RouteView {
            node: route.path.node,
            name: &route.name,
            incarnation: route.incarnation,
            cost: cost(&route.path),
            hops: route.path.hops,
            via: via.collect(),
            reason,
        }
    }
}

/// What a path costs, as far as 32 bits can say.
pub(super) fn cost(path: &Path) -> u32 {
    u32::try_from(path.cost).unwrap_or(u32::MAX)
}

fn advert(entry: &Entry, now: Time) -> AdvertView<'_> {
    let body = entry.advert().body();
    AdvertView {
        origin: &body.origin,
        addr: entry.advert().addr(),
        incarnation: body.incarnation,
        seq: body.seq,
        age: entry.age(now),
        transit: body.transit,
        neighbours: &body.neighbours,
    }
}
