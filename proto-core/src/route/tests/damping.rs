use std::collections::BTreeSet;

use bytes::Bytes;

use proptest::prelude::*;

use super::{mesh::Mesh, *};
use crate::{
    id::Token,
    limits::{FLOOD_FRAMES, SUMMARY_BODY_MAX},
    probe::Counter,
};

#[test]
fn links_that_come_up_together_make_one_advert() {
    let mut bench = bench(&config(0, 1));
    for peer in 1..=10 {
        let up = Event::LinkUp { link: link(peer), peer: addr(usize::from(peer)), cost: 1 };
        assert!(adverts_in(&bench.handle(ms(0), up)).is_empty());
    }
    let sent = adverts_in(&effects(bench.run_until(ms(0))));
    assert_eq!(sent.len(), 10, "one to each");
    assert!(sent.iter().all(|(_, advert)| advert.version() == (Incarnation(1), 1)));
    assert_eq!(sent[0].1.body().neighbours.len(), 10);
    bench.handle(ms(10), Event::LinkDown { link: link(1) });
    bench.handle(ms(20), Event::LinkDown { link: link(2) });
    let sent = bench.run_until(ms(1_000));
    let adverts = |at| adverts_in(&effects(sent.iter().filter(|(t, _)| *t == at).cloned().collect())).len();
    assert_eq!((adverts(ms(50)), adverts_in(&effects(sent.clone())).len()), (8, 8), "both changes, 50 ms later");
}

#[test]
fn a_flapping_link_costs_a_bounded_number_of_adverts_and_computations() {
    let mut mesh = Mesh::new(4);
    (0..3).for_each(|node| mesh.join(node, node + 1, 1));
    mesh.run_for(30_000);
    let counts = |mesh: &Mesh| [(2, Counter::AdvertsOriginated), (0, Counter::SpfRuns)].map(|(n, c)| mesh.count(n, c));
    let before = counts(&mesh);
    for _ in 0..600 {
        mesh.cut(2, 3);
        mesh.run_for(50);
        mesh.join(2, 3, 1);
        mesh.run_for(50);
        assert_eq!(mesh.follow(0, 2, 0), [0, 1, 2], "the others' routes are unaffected");
    }
    let [adverts, computations] = [0, 1].map(|i| counts(&mesh)[i] - before[i]);
    // Five at 100 ms, then doubling to one in 5 s, for 60 s.
    assert!((10..=25).contains(&adverts), "{adverts} adverts");
    assert!(computations <= 50, "{computations} computations");
    mesh.run_for(6_000);
    mesh.assert_converged();
}

#[test]
fn drifting_costs_delay_no_bad_news() {
    let mut mesh = Mesh::new(3);
    mesh.join(0, 1, 1);
    mesh.join(1, 2, 1);
    mesh.run_for(30_000);
    for round in 0..300 {
        mesh.set_cost(1, 2, 1 + round % 2);
        mesh.run_for(100);
    }
    assert!(mesh.count(1, Counter::AdvertsOriginated) < 30);
    mesh.cut(1, 2);
    mesh.run_for(1_100);
    assert!(mesh.router(0).route(addr(2)).is_none());
}

#[test]
fn a_cost_that_is_not_told_yet_changes_no_path() {
    let mut mesh = Mesh::new(3);
    mesh.join(0, 1, 1);
    mesh.join(0, 2, 5);
    mesh.join(1, 2, 10);
    mesh.run_for(30_000);
    for round in 0..60 {
        mesh.set_cost(0, 1, 1 + round % 2);
        mesh.run_for(100);
    }
    mesh.set_cost(0, 2, 50);
    mesh.run_for(50);
    assert_eq!(mesh.follow(0, 2, 0), [0, 2], "node 1 still sends what is for node 2 through node 0");
    mesh.run_for(6_000);
    assert_eq!(mesh.follow(0, 2, 0), [0, 1, 2]);
    mesh.assert_converged();
}

#[test]
fn a_large_database_is_sent_at_a_pace() {
    let mut bench = linked_to_one();
    let count = FLOOD_FRAMES + 100;
    for number in 0..count {
        bench.handle(ms(1), arrives(link(1), &signed(number + 10, (1, 1), &[])));
    }
    bench.run_until(ms(2_000));
    bench.handle(ms(2_000), Event::LinkUp { link: link(2), peer: addr(2), cost: 1 });
    bench.run_until(ms(2_000));
    let empty = v1::SummaryScope::Range { first: NodeAddr(0), last: NodeAddr(u64::MAX) };
    let summary = Event::Summary { link: link(2), header: v1::Summary { scope: empty }, body: Bytes::new() };
    let first = bench.handle(ms(2_001), summary);
    assert!(frames_in(&first, Kind::Advert).len() < FLOOD_FRAMES);
    assert_eq!(frames_in(&effects(bench.run_until(ms(2_019))), Kind::Advert).len(), 0);
    let rest = frames_in(&effects(bench.run_until(ms(2_020))), Kind::Advert).len();
    assert_eq!(frames_in(&first, Kind::Advert).len() + rest, count + 1, "with its own");
}

/// One thing that happens to a router, from a few numbers.
fn event(kind: u8, a: u8, b: u8) -> Event {
    let (over, peer) = (link(a % 4), usize::from(a % 4) + 1);
    match kind % 8 {
        0 => Event::LinkUp { link: over, peer: addr(peer), cost: u32::from(b) },
        1 => Event::LinkDown { link: over },
        2 => Event::LinkCost { link: over, cost: u32::from(b) },
        3 => arrives(over, &signed(usize::from(b % 6), (u64::from(b / 64), u64::from(a)), &[peer + 10])),
        4 => {
            let scope = if b.is_multiple_of(2) {
                v1::SummaryScope::Digest(u64::from(a))
            } else {
                v1::SummaryScope::Range { first: NodeAddr(0), last: NodeAddr(u64::MAX) }
            };
            Event::Summary {
                link: over,
                header: v1::Summary { scope },
                body: Bytes::from(std::vec![0; usize::from(a % 2)]),
            }
        }
        5 => Event::Want { link: over, body: Bytes::copy_from_slice(&addr(usize::from(b % 6)).0.to_le_bytes()) },
        6 => Event::Find { link: over, header: v1::Find { target: addr(usize::from(b % 9)), hops_left: a } },
        _ => {
            let deadline = core::time::Duration::from_millis(u64::from(a));
            Event::Lookup { token: Token(u64::from(a)), name: name(usize::from(b % 9)), deadline }
        }
    }
}

/// Frames go out over links that are up only, and are not too long.
fn assert_sound(effects: &[Effect], up: &BTreeSet<LinkId>) {
    for effect in effects {
        if let Effect::Send { link, frame } = effect {
            assert!(up.contains(link), "{link:?} is not up");
            assert!(frame.kind != Kind::Summary || frame.body.len() <= SUMMARY_BODY_MAX);
        }
    }
}

proptest! {
    #![proptest_config(crate::testing::cases(200))]

    #[test]
    fn whatever_happens_the_laws_hold(steps in prop::collection::vec(any::<(u8, u8, u8, u16)>(), 0..120)) {
        let mut bench = bench(&config(0, 2));
        let mut now = 0;
        let mut up = BTreeSet::new();
        for (kind, a, b, wait) in steps {
            now += u64::from(wait) * u64::from(wait % 8) / 8;
            let sent_before = effects(bench.run_until(ms(now)));
            assert_sound(&sent_before, &up);
            let event = event(kind, a, b);
            if let Event::LinkUp { link, .. } = &event {
                up.insert(*link);
            } else if let Event::LinkDown { link } = &event {
                up.remove(link);
            }
            assert_sound(&bench.handle(ms(now), event), &up);
        }
        bench.run_until(ms(now + 3_000_000));
        prop_assert!(bench.machine.router.adverts(bench.now()).count() <= 1, "all but its own have expired");
    }
}
