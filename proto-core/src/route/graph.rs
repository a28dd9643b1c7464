//! Shortest paths, as a pure function of what nodes advertise.
//!
//! A link counts only if both ends advertise it, so a dead node vanishes as soon as its neighbours say so, whatever its
//! own last advert claims. Each direction costs what the node at its beginning says; a path costs the sum. Every node
//! sees the same costs, and each is at least 1, so what is left to go shrinks with every hop: routes have no loops
//! once all nodes have the same adverts.
//!
//! A node without transit is a leaf: paths end there and begin there, none goes through. Of several shortest paths, up
//! to [`MULTIPATH_MAX`] first hops are kept, those with the lowest addresses.
//!
//! Dijkstra's algorithm over densely numbered nodes: O((nodes + links) log nodes).

use alloc::{collections::BinaryHeap, vec, vec::Vec};
use core::cmp::Reverse;

use smallvec::SmallVec;

use crate::{id::NodeAddr, limits::MULTIPATH_MAX, wire::v1::Neighbour};

/// What one node advertises.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The node.
    pub node: NodeAddr,
    /// Whether others may go through it.
    pub transit: bool,
    /// Its links, in order of address, each once, each at a cost of at least 1.
    pub neighbours: &'a [Neighbour],
}

/// The way to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The node at its end.
    pub node: NodeAddr,
    /// The sum of the costs of its links.
    pub cost: u64,
    /// How many links it has; the least number, if several paths cost the same.
    pub hops: u8,
    /// The neighbours that it may begin with, in order of address.
    pub first: SmallVec<[NodeAddr; MULTIPATH_MAX]>,
}

impl Path {
    /// Whether another path begins at the same neighbours and is as long, as far as this node can tell the same way.
    pub(super) fn goes_like(&self, other: &Self) -> bool {
        self.first == other.first && self.hops == other.hops
    }
}

/// The links that both ends advertise.
#[derive(Clone, Debug)]
pub struct Graph {
    /// In ascending order; the position is a node's number.
    nodes: Vec<Node>,
    /// The links of all nodes, node after node.
    edges: Vec<Edge>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    addr: NodeAddr,
    transit: bool,
    /// Where its links end in `edges`; they begin where those of the node before end.
    edges_end: usize,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    to: u32,
    cost: u32,
}

/// What is known of a node while paths are sought.
#[derive(Clone, Debug, Default)]
struct Label {
    /// `None`: no way yet.
    cost: Option<u64>,
    hops: u8,
    first: SmallVec<[u32; MULTIPATH_MAX]>,
}

impl Graph {
    /// The graph of what nodes advertise. Of two claims for one node, the first counts.
    #[must_use]
    pub fn new<'a>(claims: impl IntoIterator<Item = Claim<'a>>) -> Self {
        let mut claims: Vec<Claim<'a>> = claims.into_iter().collect();
        claims.sort_by_key(|claim| claim.node);
        claims.dedup_by_key(|claim| claim.node);
        let mut graph = Self { nodes: Vec::with_capacity(claims.len()), edges: Vec::new() };
        for claim in &claims {
            let edges = claim.neighbours.iter().filter_map(|neighbour| {
                let number = claims.binary_search_by_key(&neighbour.node, |other| other.node).ok()?;
                let back = claims.get(number)?.neighbours;
                back.binary_search_by_key(&claim.node, |other| other.node).ok()?;
                Some(Edge { to: u32::try_from(number).ok()?, cost: neighbour.cost })
            });
            graph.edges.extend(edges);
            graph.nodes.push(Node { addr: claim.node, transit: claim.transit, edges_end: graph.edges.len() });
        }
        graph
    }

    /// The cheapest paths from `source` to every other node within reach, in order of address. None begins with a
    /// neighbour in `without`.
    #[must_use]
    pub fn shortest_paths(&self, source: NodeAddr, without: &[NodeAddr]) -> Vec<Path> {
        let Ok(start) = self.nodes.binary_search_by_key(&source, |node| node.addr) else { return Vec::new() };
        let mut labels = vec![Label::default(); self.nodes.len()];
        let mut queue = BinaryHeap::new();
        self.expand_source(start, without, &mut labels, &mut queue);
        while let Some(Reverse((cost, number))) = queue.pop() {
            let Some(label) = labels.get(number as usize).filter(|label| label.cost == Some(cost)) else { continue };
            let label = label.clone();
            if self.nodes.get(number as usize).is_none_or(|node| !node.transit) {
                continue;
            }
            for edge in self.edges_of(number as usize) {
                let next = Label {
                    cost: Some(cost.saturating_add(u64::from(edge.cost))),
                    hops: label.hops.saturating_add(1),
                    first: SmallVec::new(),
                };
                if edge.to as usize != start {
                    relax(&mut labels, &mut queue, edge.to, next, &label.first);
                }
            }
        }
        self.paths(&labels)
    }

    fn expand_source(&self, start: usize, without: &[NodeAddr], labels: &mut [Label], queue: &mut Queue) {
        for edge in self.edges_of(start) {
            if self.addr(edge.to).is_none_or(|addr| without.contains(&addr)) {
                continue;
            }
            let next = Label { cost: Some(u64::from(edge.cost)), hops: 1, first: SmallVec::new() };
            relax(labels, queue, edge.to, next, &[edge.to]);
        }
    }

    fn edges_of(&self, number: usize) -> &[Edge] {
        let begin = number.checked_sub(1).and_then(|before| self.nodes.get(before)).map_or(0, |node| node.edges_end);
        let end = self.nodes.get(number).map_or(begin, |node| node.edges_end);
        self.edges.get(begin..end).unwrap_or_default()
    }

    fn addr(&self, number: u32) -> Option<NodeAddr> {
        self.nodes.get(number as usize).map(|node| node.addr)
    }

    fn paths(&self, labels: &[Label]) -> Vec<Path> {
        let found = self.nodes.iter().zip(labels).filter_map(|(node, label)| {
            let first = label.first.iter().filter_map(|number| self.addr(*number)).collect();
            Some(Path { node: node.addr, cost: label.cost?, hops: label.hops, first })
        });
        found.collect()
    }
}

type Queue = BinaryHeap<Reverse<(u64, u32)>>;

/// Takes a way to `to` into account: a cheaper one replaces what was known, an equal one adds its first hops.
///
/// Costs are at least 1, so every way that costs the same is known before a node's own links are followed.
fn relax(labels: &mut [Label], queue: &mut Queue, to: u32, mut next: Label, first: &[u32]) {
    let Some(known) = labels.get_mut(to as usize) else { return };
    let Some(cost) = next.cost else { return };
    if known.cost.is_none_or(|known| cost < known) {
        next.first.extend_from_slice(first);
        *known = next;
        queue.push(Reverse((cost, to)));
    } else if known.cost == Some(cost) {
        known.hops = known.hops.min(next.hops);
        for hop in first {
            if let Err(place @ ..MULTIPATH_MAX) = known.first.binary_search(hop) {
                known.first.truncate(MULTIPATH_MAX - 1);
                known.first.insert(place, *hop);
            }
        }
    }
}

#[cfg(test)]
mod tests;
