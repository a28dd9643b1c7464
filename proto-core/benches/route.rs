//! What routing costs: a look-up per frame, shortest paths per change, a signature per advert.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may panic and has no callers")]

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use proto_core::{
    cx::Cx,
    id::{Incarnation, NodeAddr, NodeName},
    link::LinkId,
    node::Config,
    probe::Probe,
    rng::Rng,
    route::{
        Event, Router,
        advert::Advert,
        graph::{Claim, Graph},
    },
    secure::{Identity, Pins, Provider, SOFTWARE},
    time::Time,
    wire::v1::{self, AdvertBody, Neighbour},
};

const NODES: usize = 200;
const LINKS: usize = 1_000;

/// A connected random mesh: each node's name, identity and links, in order of the node's number.
fn mesh() -> Vec<(NodeName, Arc<Identity>, Vec<Neighbour>)> {
    let mut rng = Rng::new([1; 32]);
    let names: Vec<NodeName> = (0..NODES).map(|n| NodeName::new(&format!("node-{n}")).unwrap()).collect();
    let mut costs = vec![std::collections::BTreeMap::new(); NODES];
    let mut made = 0;
    while made < LINKS {
        // The first links make a tree, so that all nodes are connected.
        let a = if made + 1 < NODES { made + 1 } else { usize::try_from(rng.below(NODES as u64)).unwrap() };
        let b = usize::try_from(rng.below(a as u64)).unwrap();
        let cost = u32::try_from(1 + rng.below(20)).unwrap();
        if a != b && costs[a].insert(names[b].addr(), cost).is_none() {
            costs[b].insert(names[a].addr(), cost);
            made += 1;
        }
    }
    let node = |(n, (name, costs)): (usize, (NodeName, std::collections::BTreeMap<NodeAddr, u32>))| {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&(n as u64).to_le_bytes());
        let neighbours = costs.into_iter().map(|(node, cost)| Neighbour { node, cost }).collect();
        (name, Arc::new(Identity::from_seed(seed, SOFTWARE)), neighbours)
    };
    names.into_iter().zip(costs).enumerate().map(node).collect()
}

fn sign((name, identity, neighbours): &(NodeName, Arc<Identity>, Vec<Neighbour>)) -> Advert {
    let body = AdvertBody {
        origin: name.clone(),
        key: identity.public().0,
        incarnation: Incarnation(1),
        seq: 1,
        transit: true,
        neighbours: neighbours.clone(),
    };
    Advert::sign(body, "default", identity, SOFTWARE)
}

/// Node 0 of the mesh, knowing all of it.
fn router(mesh: &[(NodeName, Arc<Identity>, Vec<Neighbour>)]) -> Router {
    let (name, identity, neighbours) = &mesh[0];
    let mut router = Router::new(&Config::new(name.clone(), Arc::clone(identity), Incarnation(1), SOFTWARE));
    let (mut rng, mut probe, pins, mut effects) = (Rng::new([2; 32]), Probe::new(), Pins::default(), Vec::new());
    let mut cx = Cx { now: Time::ZERO, rng: &mut rng, probe: &mut probe };
    let link = |number: usize| -> LinkId { postcard::from_bytes(&[u8::try_from(number).unwrap(), 0]).unwrap() };
    for (number, neighbour) in neighbours.iter().enumerate() {
        let up = Event::LinkUp { link: link(number), peer: neighbour.node, cost: neighbour.cost };
        router.handle(&mut cx, &pins, up, &mut effects);
    }
    for node in &mesh[1..] {
        let body = sign(node).signed().clone();
        let event = Event::Advert { link: link(0), header: v1::Advert { age_ms: 0 }, body };
        router.handle(&mut cx, &pins, event, &mut effects);
    }
    cx.now = Time::from_secs(5);
    router.handle_timeout(&mut cx, &mut effects);
    assert_eq!(router.reachable().count(), NODES - 1);
    router
}

fn next_hop(criterion: &mut Criterion) {
    let mesh = mesh();
    let router = router(&mesh);
    let targets: Vec<NodeAddr> = mesh[1..].iter().map(|(name, _, _)| name.addr()).collect();
    let mut at = 0;
    criterion.bench_function("route/next_hop of 200 nodes", |bencher| {
        bencher.iter(|| {
            at = if at + 1 == targets.len() { 0 } else { at + 1 };
            router.next_hop(black_box(targets[at]), black_box(17), None)
        });
    });
}

fn shortest_paths(criterion: &mut Criterion) {
    let mesh = mesh();
    let source = mesh[0].0.addr();
    let claims: Vec<(NodeAddr, &[Neighbour])> =
        mesh.iter().map(|(name, _, neighbours)| (name.addr(), neighbours.as_slice())).collect();
    let build = || {
        let claims = claims.iter();
        Graph::new(claims.map(|(node, neighbours)| Claim { node: *node, transit: true, neighbours }))
    };
    assert_eq!(build().shortest_paths(source, &[]).len(), NODES - 1);
    criterion.bench_function("route/shortest paths of 200 nodes, 1000 links", |bencher| {
        bencher.iter(|| build().shortest_paths(black_box(source), &[]));
    });
}

fn verify(criterion: &mut Criterion) {
    let signed = sign(&mesh()[0]).signed().clone();
    #[cfg(feature = "aws-lc")]
    let providers: [(&str, &dyn Provider); 2] = [("software", SOFTWARE), ("aws-lc", proto_core::secure::AWS_LC)];
    #[cfg(not(feature = "aws-lc"))]
    let providers: [(&str, &dyn Provider); 1] = [("software", SOFTWARE)];
    for (name, provider) in providers {
        criterion.bench_function(&format!("route/parse and verify an advert, {name}"), |bencher| {
            bencher.iter(|| {
                let advert = Advert::parse(black_box(signed.clone())).unwrap();
                advert.verify("default", provider).unwrap();
                advert
            });
        });
    }
}

criterion_group!(benches, next_hop, shortest_paths, verify);
criterion_main!(benches);
