use std::{collections::BTreeMap, vec, vec::Vec};

use proptest::prelude::*;
use smallvec::smallvec;

use super::*;
use crate::testing::cases;

/// What nodes 0, 1, 2, .. advertise: whether they carry transit, and their links as (node, cost).
type Mesh = Vec<(bool, BTreeMap<u64, u32>)>;

fn graph(mesh: &Mesh) -> Graph {
    let neighbours: Vec<Vec<Neighbour>> = mesh
        .iter()
        .map(|(_, links)| links.iter().map(|(node, cost)| Neighbour { node: NodeAddr(*node), cost: *cost }).collect())
        .collect();
    Graph::new(mesh.iter().zip(&neighbours).zip(0..).map(|(((transit, _), neighbours), node)| Claim {
        node: NodeAddr(node),
        transit: *transit,
        neighbours,
    }))
}

/// A mesh of these links, each with its cost from the first to the second and back.
fn mesh(nodes: usize, links: &[(u64, u64, u32, u32)]) -> Mesh {
    let mut mesh: Mesh = vec![(true, BTreeMap::new()); nodes];
    for (from, to, there, back) in links {
        mesh[usize::try_from(*from).unwrap()].1.insert(*to, *there);
        mesh[usize::try_from(*to).unwrap()].1.insert(*from, *back);
    }
    mesh
}

fn path(node: u64, cost: u64, hops: u8, first: &[u64]) -> Path {
    Path { node: NodeAddr(node), cost, hops, first: first.iter().map(|addr| NodeAddr(*addr)).collect() }
}

/// The same by Floyd and Warshall, with every first hop, as slow and as plain as can be.
#[allow(clippy::needless_range_loop, reason = "a matrix is written by row and column")]
fn naive(mesh: &Mesh, source: u64) -> Vec<Path> {
    const FAR: u64 = u64::MAX / 4;
    let (count, source) = (mesh.len(), usize::try_from(source).unwrap());
    let claims = |from: usize, to: usize| mesh[from].1.get(&(to as u64)).copied().map(u64::from);
    let edge = |from, to| claims(from, to).filter(|_| claims(to, from).is_some());
    let transit = |node: usize| mesh[node].0;
    // The best (cost, links) from u to v, where every node in between carries transit.
    let at = |u: usize, v: usize| u * count + v;
    let mut best = vec![(FAR, FAR); count * count];
    for u in 0..count {
        for v in 0..count {
            if let Some(cost) = edge(u, v) {
                best[at(u, v)] = (cost, 1);
            }
        }
    }
    for middle in (0..count).filter(|node| transit(*node) && *node != source) {
        for u in 0..count {
            for v in 0..count {
                let ((a, i), (b, j)) = (best[at(u, middle)], best[at(middle, v)]);
                if u != v && (a + b, i + j) < best[at(u, v)] {
                    best[at(u, v)] = (a + b, i + j);
                }
            }
        }
    }
    let mut paths = vec![];
    for node in (0..count).filter(|node| *node != source) {
        let (cost, hops) = best[at(source, node)];
        if cost >= FAR {
            continue;
        }
        let begins = |first: usize| {
            let rest = if first == node {
                0
            } else if transit(first) {
                best[at(first, node)].0
            } else {
                FAR
            };
            first != source && edge(source, first).is_some_and(|begin| begin + rest == cost)
        };
        let first: Vec<u64> =
            (0..count).filter(|first| begins(*first)).take(MULTIPATH_MAX).map(|node| node as u64).collect();
        paths.push(path(node as u64, cost, u8::try_from(hops).unwrap(), &first));
    }
    paths
}

fn any_mesh() -> impl Strategy<Value = Mesh> {
    (2_u64..12).prop_flat_map(|count| {
        let links = prop::collection::btree_map(0..count, 1_u32..5, 0..6);
        let nodes = prop::collection::vec((prop::bool::weighted(0.8), links), usize::try_from(count).unwrap());
        // A link that only one end advertises is left in on purpose.
        (nodes, prop::bool::weighted(0.9)).prop_map(|(mut nodes, mutual)| {
            let copy = nodes.clone();
            for ((_, links), node) in nodes.iter_mut().zip(0_u64..) {
                links.remove(&node);
                for ((_, others), other) in copy.iter().zip(0_u64..) {
                    if mutual && other != node && others.contains_key(&node) {
                        links.entry(other).or_insert(2);
                    }
                }
            }
            nodes
        })
    })
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn dijkstra_agrees_with_its_naive_twin(mesh in any_mesh()) {
        let graph = graph(&mesh);
        for source in 0..mesh.len() as u64 {
            prop_assert_eq!(graph.shortest_paths(NodeAddr(source), &[]), naive(&mesh, source));
        }
    }
}

#[test]
fn the_cheaper_way_wins_even_if_it_is_longer() {
    let mesh = mesh(3, &[(0, 2, 5, 5), (0, 1, 2, 2), (1, 2, 2, 2)]);
    assert_eq!(graph(&mesh).shortest_paths(NodeAddr(0), &[]), [path(1, 2, 1, &[1]), path(2, 4, 2, &[1])]);
}

#[test]
fn each_direction_costs_what_its_beginning_says() {
    let mesh = mesh(2, &[(0, 1, 3, 7)]);
    assert_eq!(graph(&mesh).shortest_paths(NodeAddr(0), &[]), [path(1, 3, 1, &[1])]);
    assert_eq!(graph(&mesh).shortest_paths(NodeAddr(1), &[]), [path(0, 7, 1, &[0])]);
}

#[test]
fn a_link_that_one_end_denies_does_not_count() {
    let mut mesh = mesh(2, &[(0, 1, 1, 1)]);
    mesh[1].1.clear();
    assert_eq!(graph(&mesh).shortest_paths(NodeAddr(0), &[]), []);
    assert_eq!(graph(&mesh).shortest_paths(NodeAddr(1), &[]), []);
}

#[test]
fn nothing_goes_through_a_node_without_transit() {
    let mut mesh = mesh(4, &[(0, 1, 1, 1), (1, 2, 1, 1), (0, 3, 9, 9), (3, 2, 9, 9)]);
    mesh[1].0 = false;
    let paths = graph(&mesh).shortest_paths(NodeAddr(0), &[]);
    assert_eq!(paths, [path(1, 1, 1, &[1]), path(2, 18, 2, &[3]), path(3, 9, 1, &[3])]);
    let own = graph(&mesh).shortest_paths(NodeAddr(1), &[]);
    assert_eq!(own.len(), 3, "its own frames go out");
}

#[test]
fn equal_ways_are_kept_up_to_the_bound_lowest_first() {
    let links: Vec<_> = (1..=6).flat_map(|middle| [(0, middle, 1, 1), (middle, 7, 1, 1)]).collect();
    let paths = graph(&mesh(8, &links)).shortest_paths(NodeAddr(0), &[]);
    let first: SmallVec<[NodeAddr; MULTIPATH_MAX]> = smallvec![NodeAddr(1), NodeAddr(2), NodeAddr(3), NodeAddr(4)];
    assert_eq!(paths.last().map(|path| (path.cost, path.hops, &path.first)), Some((2, 2, &first)));
}

#[test]
fn first_hops_can_be_left_out() {
    let links: Vec<_> = (1..=2).flat_map(|middle| [(0, middle, 1, 1), (middle, 3, 1, 1)]).collect();
    let paths = graph(&mesh(4, &links)).shortest_paths(NodeAddr(0), &[NodeAddr(1)]);
    assert_eq!(paths, [path(1, 3, 3, &[2]), path(2, 1, 1, &[2]), path(3, 2, 2, &[2])]);
}

#[test]
fn costs_that_add_up_to_more_than_32_bits_stay_in_order() {
    let mesh = mesh(3, &[(0, 1, u32::MAX, u32::MAX), (1, 2, u32::MAX, u32::MAX)]);
    let paths = graph(&mesh).shortest_paths(NodeAddr(0), &[]);
    assert_eq!(paths.last(), Some(&path(2, 2 * u64::from(u32::MAX), 2, &[1])));
}

#[test]
fn a_source_that_nobody_knows_reaches_nothing() {
    assert_eq!(graph(&mesh(2, &[(0, 1, 1, 1)])).shortest_paths(NodeAddr(9), &[]), []);
}
