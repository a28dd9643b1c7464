use std::{vec, vec::Vec};

use core::time::Duration;

use super::{mesh::Mesh, *};
use crate::{
    error::DropReason,
    limits::ANTI_ENTROPY,
    probe::Counter,
    rng::Rng,
    route::{Reason, Why},
};

fn line(count: usize) -> Mesh {
    let mut mesh = Mesh::new(count);
    (1..count).for_each(|node| mesh.join(node - 1, node, 1));
    mesh
}

fn gained(node: usize, incarnation: u64) -> Effect {
    Effect::Reachable { node: name(node), addr: addr(node), incarnation: Incarnation(incarnation) }
}

fn lost(node: usize) -> Effect {
    Effect::Unreachable { node: name(node), addr: addr(node) }
}

fn sorted(mut effects: Vec<Effect>) -> Vec<Effect> {
    effects.sort_by_key(|effect| {
        let (Effect::Reachable { addr, .. } | Effect::Unreachable { addr, .. }) = effect else { panic!("{effect:?}") };
        *addr
    });
    effects
}

#[test]
fn a_line_of_three_converges_within_50_ms_of_link_up() {
    let mut mesh = line(3);
    mesh.run_for(50);
    mesh.assert_converged();
    assert_eq!(mesh.told(1), sorted(vec![gained(0, 1), gained(2, 1)]));
    assert_eq!(sorted(mesh.told(0)), sorted(vec![gained(1, 1), gained(2, 1)]));
}

#[test]
fn a_long_line_converges() {
    let mut mesh = line(16);
    mesh.run_for(1_000);
    mesh.assert_converged();
}

#[test]
fn a_ring_converges_and_turns_around_when_it_is_cut() {
    let mut mesh = line(9);
    mesh.join(8, 0, 1);
    mesh.run_for(500);
    mesh.assert_converged();
    assert_eq!(mesh.follow(0, 8, 0), [0, 8]);
    mesh.cut(8, 0);
    mesh.run_for(200);
    mesh.assert_converged();
    assert_eq!(mesh.follow(0, 8, 0).len(), 9);
}

#[test]
fn a_full_mesh_converges_to_its_cheapest_paths() {
    let mut mesh = Mesh::new(8);
    for a in 0..8 {
        for b in 0..a {
            mesh.join(a, b, u32::try_from(1 + (a * 7 + b * 13) % 20).unwrap());
        }
    }
    mesh.run_for(2_000);
    mesh.assert_converged();
}

#[test]
fn random_meshes_converge_through_random_changes() {
    let mut rng = Rng::new([3; 32]);
    for _ in 0..6 {
        let mut pick = |bound: usize| usize::try_from(rng.below(bound as u64)).unwrap();
        let count = 5 + pick(15);
        let mut mesh = Mesh::new(count);
        let mut up = std::collections::BTreeSet::new();
        for _ in 0..40 {
            for _ in 0..pick(6) {
                let (a, b) = (pick(count), pick(count));
                let pair = (a.min(b), a.max(b));
                if a == b {
                    continue;
                }
                if up.remove(&pair) {
                    mesh.cut(a, b);
                } else {
                    up.insert(pair);
                    mesh.join(a, b, u32::try_from(1 + pick(9)).unwrap());
                }
            }
            mesh.run_for(pick(700) as u64);
        }
        mesh.run_for(12_000);
        mesh.assert_converged();
    }
}

#[test]
fn costs_of_each_direction_are_heard_everywhere() {
    let mut mesh = line(3);
    mesh.join(0, 2, 5);
    mesh.run_for(500);
    assert_eq!(mesh.follow(0, 2, 0), [0, 1, 2]);
    mesh.set_cost(1, 2, 9);
    mesh.run_for(500);
    mesh.assert_converged();
    assert_eq!(mesh.follow(0, 2, 0), [0, 2]);
    assert_eq!(mesh.follow(2, 0, 0), [2, 1, 0], "the way back costs what it did");
}

#[test]
fn a_cut_link_is_withdrawn_within_150_ms() {
    let mut mesh = line(6);
    mesh.run_for(10_000);
    mesh.told(0);
    mesh.cut(3, 4);
    mesh.run_for(150);
    mesh.assert_converged();
    assert_eq!(mesh.told(0), sorted(vec![lost(4), lost(5)]));
}

#[test]
fn a_dead_node_leaves_no_ghost_and_a_restarted_one_overrides_its_past() {
    let mut mesh = line(4);
    mesh.run_for(60_000);
    mesh.told(0);
    mesh.kill(3);
    mesh.run_for(150);
    mesh.assert_converged();
    assert_eq!(mesh.told(0), [lost(3)]);
    assert!(mesh.router(0).name(addr(3)).is_some(), "its advert is kept until it expires");
    mesh.start(3);
    mesh.join(2, 3, 1);
    mesh.run_for(500);
    mesh.assert_converged();
    assert_eq!(mesh.told(0), [gained(3, 2)]);
}

#[test]
fn a_node_that_restarts_unnoticed_is_told_as_a_new_life() {
    let mut mesh = line(3);
    mesh.run_for(60_000);
    mesh.told(0);
    mesh.kill(2);
    mesh.start(2);
    mesh.join(1, 2, 1);
    mesh.run_for(500);
    mesh.assert_converged();
    let told = mesh.told(0);
    assert_eq!(told.last(), Some(&gained(2, 2)), "{told:?}");
}

#[test]
fn an_advert_that_nobody_refreshes_expires() {
    let mut mesh = line(3);
    mesh.run_for(1_000);
    mesh.kill(2);
    mesh.run_for(998_000);
    assert_eq!(mesh.router(0).adverts(mesh.now).count(), 3);
    mesh.run_for(3_000);
    assert_eq!(mesh.router(0).adverts(mesh.now).count(), 2);
    assert_eq!(mesh.router(0).name(addr(2)), None);
    mesh.run_for(3_000_000);
    mesh.assert_converged();
    assert_eq!(mesh.router(0).adverts(mesh.now).count(), 2, "nor does it come back, nor do the others go");
}

#[test]
fn a_refresh_computes_nothing() {
    let mut mesh = line(3);
    mesh.run_for(10_000);
    let before = (mesh.count(0, Counter::SpfRuns), mesh.count(1, Counter::AdvertsOriginated));
    mesh.run_for(1_000_000);
    assert_eq!(mesh.count(0, Counter::SpfRuns), before.0);
    let refreshes = mesh.count(1, Counter::AdvertsOriginated) - before.1;
    assert!((3..=4).contains(&refreshes), "{refreshes}");
}

#[test]
fn a_healed_partition_learns_what_it_missed() {
    let mut mesh = line(6);
    mesh.run_for(10_000);
    mesh.cut(2, 3);
    mesh.run_for(10_000);
    mesh.cut(0, 1);
    mesh.join(0, 2, 4);
    mesh.cut(4, 5);
    mesh.run_for(30_000);
    assert!(mesh.is_converged());
    mesh.join(2, 3, 1);
    mesh.run_for(300);
    mesh.assert_converged();
    let digests: Vec<u64> = (0..5).map(|node| mesh.router(node).digest()).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn both_sides_of_a_new_link_send_each_advert_once() {
    let mut mesh = Mesh::new(40);
    (1..20).for_each(|node| mesh.join(0, node, 1));
    (21..40).for_each(|node| mesh.join(20, node, 1));
    mesh.run_for(20_000);
    let accepted = |mesh: &Mesh, node| mesh.count(node, Counter::AdvertsAccepted);
    let before: Vec<u64> = (0..40).map(|node| accepted(&mesh, node)).collect();
    let frames = mesh.frames();
    mesh.join(0, 20, 1);
    mesh.run_for(1_000);
    mesh.assert_converged();
    assert_eq!(accepted(&mesh, 1) - before[1], 20 + 1, "the other half, and its own centre again");
    // Each of 40 nodes learns 20 adverts and two more of the centres, all over one link each; and two summaries.
    assert!(mesh.frames() - frames <= 40 * 22 + 2, "{} frames", mesh.frames() - frames);
}

#[test]
fn what_got_lost_is_noticed_by_comparing_digests() {
    let mut mesh = line(4);
    mesh.run_for(10_000);
    mesh.deaf.extend([1, 2]);
    mesh.cut(2, 3);
    mesh.run_for(1_000);
    mesh.deaf.clear();
    assert!(!mesh.is_converged());
    mesh.run_for(u64::try_from(ANTI_ENTROPY.as_millis()).unwrap() * 6 / 5 + 100);
    mesh.assert_converged();
}

#[test]
fn equal_ways_share_the_flows() {
    let mut mesh = Mesh::new(5);
    (1..4).for_each(|middle| {
        mesh.join(0, middle, 1);
        mesh.join(middle, 4, 1);
    });
    mesh.run_for(1_000);
    mesh.assert_converged();
    let middles: std::collections::BTreeSet<usize> = (0..64).map(|flow| mesh.follow(0, 4, flow)[1]).collect();
    assert_eq!(middles.len(), 3);
    let route = mesh.router(0).route(addr(4)).unwrap();
    assert_eq!((route.cost, route.hops, route.reason, route.via.len()), (2, 2, Reason::EqualCost, 3));
}

#[test]
fn a_route_says_why_it_is_taken() {
    let mut mesh = line(3);
    mesh.join(0, 2, 7);
    mesh.run_for(1_000);
    let Why::Route { route, runner_up } = mesh.router(0).why(mesh.now, addr(2)) else { panic!("a route") };
    assert_eq!((route.cost, route.reason, route.via[0].peer), (2, Reason::Cheapest, addr(1)));
    let runner_up = runner_up.unwrap();
    assert_eq!((runner_up.cost, runner_up.hops, runner_up.via.as_slice()), (7, 1, &[addr(2)][..]));
    let Why::Route { route, runner_up } = mesh.router(0).why(mesh.now, addr(1)) else { panic!("a route") };
    assert_eq!((route.reason, runner_up.map(|way| way.cost)), (Reason::Direct, Some(8)));
    assert_eq!(mesh.router(0).why(mesh.now, addr(0)), Why::Here);
    assert_eq!(mesh.router(0).why(mesh.now, addr(9)), Why::Unknown);
    mesh.kill(2);
    mesh.run_for(1_000);
    assert!(matches!(mesh.router(0).why(mesh.now, addr(2)), Why::NoPath { .. }));
}

#[test]
fn nothing_goes_through_a_node_that_allows_no_transit() {
    let mut mesh = Mesh::configured(3, |config| config.route.transit = config.name != name(1));
    mesh.join(0, 1, 1);
    mesh.join(1, 2, 1);
    mesh.run_for(1_000);
    let reach = |node: usize| mesh.router(node).reachable().collect::<Vec<_>>();
    assert_eq!((reach(0), reach(2)), (vec![addr(1)], vec![addr(1)]));
    assert_eq!(reach(1).len(), 2);
    assert!(mesh.router(1).next_hop(addr(0), 0, None).is_ok());
    assert_eq!(mesh.router(1).next_hop(addr(0), 0, Some(link(99))), Err(DropReason::NoTransit));
}

#[test]
fn a_node_that_leaves_is_routed_around_at_once() {
    let mut mesh = line(3);
    mesh.join(0, 2, 9);
    mesh.run_for(10_000);
    assert_eq!(mesh.follow(0, 2, 0), [0, 1, 2]);
    mesh.tell(1, Event::Leave);
    assert!(mesh.router(1).next_hop(addr(2), 0, Some(link(99))).is_ok(), "what is on its way still goes through");
    mesh.run_for(20);
    assert_eq!(mesh.follow(0, 2, 0), [0, 2]);
    assert_eq!(mesh.router(2).reachable().collect::<Vec<_>>(), [addr(0)]);
    let last = mesh.router(0).adverts(mesh.now).find(|advert| *advert.origin == name(1)).unwrap();
    assert_eq!((last.transit, last.neighbours), (false, &[][..]));
    let originated = mesh.count(1, Counter::AdvertsOriginated);
    mesh.cut(1, 2);
    mesh.run_for(600_000);
    assert_eq!(mesh.count(1, Counter::AdvertsOriginated), originated, "it has said its last word");
}

#[test]
fn a_node_that_leaves_still_takes_the_cheapest_way() {
    let mut mesh = line(2);
    mesh.run_for(1_000);
    mesh.tell(0, Event::Leave);
    mesh.set_cost(0, 1, 7);
    mesh.run_for(1_000);
    assert_eq!(mesh.router(0).routes().map(|route| route.cost).collect::<Vec<_>>(), [7]);
}

#[test]
fn a_replaced_link_interrupts_nothing() {
    let mut mesh = line(3);
    mesh.run_for(30_000);
    (0..3).for_each(|node| drop(mesh.told(node)));
    mesh.cut(0, 1);
    mesh.join(0, 1, 1);
    assert_eq!(mesh.follow(0, 2, 0), [0, 1, 2], "before any path was computed");
    let mut way_held = true;
    for _ in 0..50 {
        mesh.run_for(1);
        way_held &= mesh.router(0).next_hop(addr(2), 0, None).is_ok();
    }
    assert!(way_held);
    assert_eq!([mesh.told(0), mesh.told(1), mesh.told(2)], [vec![], vec![], vec![]]);
}

#[test]
fn neighbours_may_come_and_go_without_end() {
    let mut bench = linked_to_one();
    for number in 0..9_000 {
        let now = ms(number * 10);
        bench.run_until(now);
        bench.handle(now, Event::LinkDown { link: link(2) });
        let peer = NodeAddr(number);
        bench.handle(now, Event::LinkUp { link: link(2), peer, cost: 1 });
    }
    let told = effects(bench.run_until(ms(100_000)));
    assert!(adverts_in(&told).iter().any(|(over, _)| *over == link(2)), "the last one is a neighbour like the first");
}

#[test]
fn adverts_grow_old_on_the_way() {
    let mut mesh = line(4);
    mesh.delay = Duration::from_millis(10);
    mesh.run_for(60_000);
    mesh.cut(0, 1);
    mesh.run_for(5_000);
    mesh.kill(1);
    mesh.start(1);
    mesh.join(1, 2, 1);
    mesh.run_for(100);
    let age = mesh.router(1).adverts(mesh.now).find(|advert| *advert.origin == name(0)).unwrap().age;
    assert!((64..66).contains(&age.as_secs()), "learnt late, but as old as it is: {age:?}");
}
