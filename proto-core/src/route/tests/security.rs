use std::{format, vec, vec::Vec};

use core::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    error::{Part, Violation},
    limits::{ADVERT_BYTES_MAX, ADVERT_EXPIRY, CONFLICT_INTERVAL, NEIGHBOURS_MAX},
    probe::Counter,
};

const MALFORMED: Violation = Violation::Malformed { what: Part::Payload };

/// Everything that routing knows, for comparison.
fn knowledge(bench: &Bench<Routing>) -> std::string::String {
    let router = &bench.machine.router;
    let adverts: Vec<_> = router.adverts(Time::ZERO).collect();
    let routes: Vec<_> = router.routes().collect();
    format!("{adverts:?} {routes:?} {:?}", router.digest())
}

/// Node 0, linked to node 1, behind which is node 2.
fn before_two() -> Bench<Routing> {
    let mut bench = linked_to_one();
    bench.handle(ms(1), arrives(link(1), &signed(1, (1, 1), &[0, 2])));
    bench.handle(ms(1), arrives(link(1), &signed(2, (1, 5), &[1])));
    bench.run_until(ms(100));
    assert_eq!(bench.machine.router.reachable().count(), 2);
    bench
}

fn violation(effects: &[Effect]) -> Option<Violation> {
    match effects {
        [Effect::Violation { violation, .. }] => Some(*violation),
        _ => None,
    }
}

#[test]
fn an_advert_with_any_bit_flipped_changes_nothing() {
    let newer = signed(2, (1, 6), &[]);
    let mut bench = before_two();
    let before = knowledge(&bench);
    for at in 0..newer.signed().len() * 8 {
        let mut bytes = newer.signed().to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        let event = Event::Advert { link: link(1), header: v1::Advert { age_ms: 0 }, body: bytes.into() };
        let effects = bench.handle(ms(200), event);
        assert!(
            violation(&effects).is_some() || effects.iter().all(|effect| matches!(effect, Effect::Send { .. })),
            "{at}: {effects:?}"
        );
        assert_eq!(knowledge(&bench), before, "bit {at}");
    }
    bench.handle(ms(200), arrives(link(1), &newer));
    assert_ne!(knowledge(&bench), before, "the unaltered one counts");
}

#[test]
fn an_advert_cut_short_or_drawn_out_changes_nothing() {
    let newer = signed(2, (1, 6), &[]);
    let mut bench = before_two();
    let before = knowledge(&bench);
    for len in 0..newer.signed().len() {
        let cut = Event::Advert { link: link(1), header: v1::Advert { age_ms: 0 }, body: newer.signed().slice(..len) };
        assert!(violation(&bench.handle(ms(200), cut)).is_some(), "{len}");
    }
    let long = [newer.signed(), &[0][..]].concat();
    let long = Event::Advert { link: link(1), header: v1::Advert { age_ms: 0 }, body: long.into() };
    assert!(violation(&bench.handle(ms(200), long)).is_some());
    assert_eq!(knowledge(&bench), before);
}

#[test]
fn a_name_with_another_key_is_refused_and_reported_now_and_then() {
    let mut bench = before_two();
    let before = knowledge(&bench);
    let mut body = says(2, (9, 9), &[]);
    body.key = identity(7).public().0;
    let forged = Advert::sign(body, "default", &identity(7), PROVIDER);
    let report = Effect::KeyConflict { name: name(2), pinned: identity(2).public(), shown: identity(7).public() };
    assert_eq!(bench.handle(ms(200), arrives(link(1), &forged)), std::slice::from_ref(&report));
    assert_eq!(bench.handle(ms(300), arrives(link(1), &forged)), []);
    let later = ms(200) + CONFLICT_INTERVAL;
    bench.run_until(later);
    assert_eq!(bench.handle(later, arrives(link(1), &forged)), [report]);
    assert_eq!(knowledge(&bench), before);
}

#[test]
fn a_key_is_pinned_only_after_it_has_signed() {
    let mut bench = linked_to_one();
    let mut body = says(2, (1, 1), &[]);
    body.key = identity(7).public().0;
    let forged = Advert::sign(body, "default", &identity(8), PROVIDER);
    assert_eq!(violation(&bench.handle(ms(1), arrives(link(1), &forged))), Some(Violation::BadSignature));
    bench.handle(ms(1), arrives(link(1), &signed(2, (1, 1), &[])));
    assert!(bench.machine.router.name(addr(2)).is_some());
}

/// What a member says about node 2, with a key of its own.
fn forged_about_two() -> Advert {
    let mut body = says(2, (u64::MAX, 9), &[1]);
    body.key = identity(7).public().0;
    Advert::sign(body, "default", &identity(7), PROVIDER)
}

#[test]
fn an_advert_pins_nothing_and_is_dropped_when_a_handshake_proves_another_key() {
    let mut bench = linked_to_one();
    bench.handle(ms(1), arrives(link(1), &forged_about_two()));
    assert!(!bench.machine.pins.has_changes());
    let refused = bench.handle(ms(2), arrives(link(1), &signed(2, (1, 1), &[1])));
    assert!(adverts_in(&refused).is_empty(), "the first claim stands while nothing is proven");
    assert_eq!(bench.machine.pins.check_proven(ms(2), &name(2), identity(2).public()), Ok(()));
    let conflict = Effect::KeyConflict { name: name(2), pinned: identity(2).public(), shown: identity(7).public() };
    let told = bench.handle(ms(3), arrives(link(1), &signed(2, (1, 1), &[1])));
    assert!(told.contains(&conflict), "{told:?}");
    let life = |bench: &Bench<Routing>| {
        bench.machine.router.adverts(ms(3)).find(|view| *view.origin == name(2)).map(|view| view.incarnation)
    };
    assert_eq!(life(&bench), Some(Incarnation(1)));
    bench.handle(ms(4), arrives(link(1), &forged_about_two()));
    assert_eq!(life(&bench), Some(Incarnation(1)));
}

#[test]
fn a_link_to_the_owner_of_a_name_drops_what_others_claimed_of_it() {
    let mut bench = linked_to_one();
    bench.handle(ms(1), arrives(link(1), &forged_about_two()));
    assert_eq!(bench.machine.pins.check_proven(ms(2), &name(2), identity(2).public()), Ok(()));
    bench.handle(ms(2), Event::LinkUp { link: link(3), peer: addr(2), cost: 1 });
    assert_eq!(bench.machine.router.name(addr(2)), None);
}

#[test]
fn a_claim_is_forgotten_with_its_advert() {
    let mut bench = linked_to_one();
    bench.handle(ms(1), arrives(link(1), &forged_about_two()));
    let later = ms(2) + ADVERT_EXPIRY;
    bench.run_until(later);
    bench.handle(later, arrives(link(1), &signed(2, (1, 1), &[1])));
    assert!(bench.machine.router.name(addr(2)).is_some());
}

#[test]
fn an_advert_of_another_network_is_refused() {
    let mut bench = linked_to_one();
    let foreign = Advert::sign(says(2, (1, 1), &[]), "foreign", &identity(2), PROVIDER);
    assert_eq!(violation(&bench.handle(ms(1), arrives(link(1), &foreign))), Some(Violation::BadSignature));
}

#[test]
fn adverts_of_bad_form_are_refused() {
    let parse = |change: fn(&mut AdvertBody)| {
        let mut body = says(2, (1, 1), &[3, 4]);
        change(&mut body);
        let advert = Advert::sign(body, "default", &identity(2), PROVIDER);
        Advert::parse(advert.signed().clone()).map(|_| ())
    };
    assert_eq!(parse(|_| {}), Ok(()));
    assert_eq!(parse(|body| body.neighbours.reverse()), Err(MALFORMED));
    assert_eq!(parse(|body| body.neighbours[1] = body.neighbours[0]), Err(MALFORMED));
    assert_eq!(parse(|body| body.neighbours[0].cost = 0), Err(MALFORMED));
    assert_eq!(parse(|body| body.neighbours = vec![Neighbour { node: addr(2), cost: 1 }]), Err(MALFORMED), "itself");
    let many = |body: &mut AdvertBody, count: usize| {
        body.neighbours = (0..count as u64).map(|node| Neighbour { node: NodeAddr(node), cost: u32::MAX }).collect();
    };
    let sign = |count| {
        let mut body = says(2, (u64::MAX, u64::MAX), &[]);
        body.origin = NodeName::new(&"x".repeat(64)).unwrap();
        many(&mut body, count);
        Advert::sign(body, "default", &identity(2), PROVIDER).signed().clone()
    };
    assert!(Advert::parse(sign(NEIGHBOURS_MAX)).is_ok(), "the largest that is allowed fits its limit");
    assert_eq!(Advert::parse(sign(NEIGHBOURS_MAX + 1)), Err(MALFORMED));
    let huge = Bytes::from(vec![0; ADVERT_BYTES_MAX + 1]);
    assert!(matches!(Advert::parse(huge), Err(Violation::TooLong { .. })));
}

#[test]
fn a_link_that_only_its_one_end_claims_carries_nothing() {
    let mut bench = before_two();
    bench.handle(ms(200), arrives(link(1), &signed(3, (1, 1), &[0, 1, 2])));
    bench.run_until(ms(1_000));
    assert_eq!(bench.machine.router.reachable().count(), 2);
}

#[test]
fn an_older_advert_is_answered_with_the_newer_one_once() {
    let mut bench = before_two();
    bench.handle(ms(200), Event::LinkUp { link: link(3), peer: addr(3), cost: 1 });
    bench.run_until(ms(300));
    let before = knowledge(&bench);
    let answer = bench.handle(ms(300), arrives(link(3), &signed(2, (1, 4), &[])));
    assert_eq!(adverts_in(&answer), [(link(3), signed(2, (1, 5), &[1]))]);
    assert_eq!(bench.handle(ms(301), arrives(link(3), &signed(2, (1, 4), &[]))), []);
    assert_eq!(bench.handle(ms(301), arrives(link(3), &signed(2, (0, 99), &[]))), []);
    assert_eq!(knowledge(&bench), before);
}

#[test]
fn what_a_neighbour_held_is_forgotten_with_its_link() {
    let mut bench = before_two();
    bench.handle(ms(200), Event::LinkDown { link: link(1) });
    bench.handle(ms(200), Event::LinkUp { link: link(3), peer: addr(1), cost: 1 });
    bench.run_until(ms(300));
    let answer = bench.handle(ms(300), arrives(link(3), &signed(2, (1, 4), &[])));
    assert_eq!(adverts_in(&answer), [(link(3), signed(2, (1, 5), &[1]))]);
}

#[test]
fn an_advert_goes_on_to_all_but_the_neighbours_that_hold_it() {
    let mut bench = before_two();
    for (number, peer) in [(3, 3), (4, 4)] {
        bench.handle(ms(200), Event::LinkUp { link: link(number), peer: addr(peer), cost: 1 });
    }
    bench.run_until(ms(300));
    let newer = signed(2, (1, 6), &[1]);
    let sent = adverts_in(&bench.handle(ms(300), arrives(link(1), &newer)));
    assert_eq!(sent, [(link(3), newer.clone()), (link(4), newer.clone())]);
    assert_eq!(bench.handle(ms(301), arrives(link(3), &newer)), []);
}

#[test]
fn an_advert_older_than_its_expiry_is_refused() {
    let mut bench = linked_to_one();
    let age_ms = u32::try_from(ADVERT_EXPIRY.as_millis()).unwrap();
    let old = |age_ms| Event::Advert {
        link: link(1),
        header: v1::Advert { age_ms },
        body: signed(2, (1, 1), &[]).signed().clone(),
    };
    bench.handle(ms(1), old(age_ms));
    assert_eq!(bench.machine.router.name(addr(2)), None);
    bench.handle(ms(1), old(age_ms - 10));
    assert!(bench.machine.router.name(addr(2)).is_some());
    bench.run_until(ms(11));
    assert_eq!(bench.machine.router.name(addr(2)), None);
}

#[test]
fn this_nodes_own_number_is_jumped_over() {
    let mut bench = linked_to_one();
    assert_eq!(bench.handle(ms(1_000), arrives(link(1), &signed(0, (5, 40), &[7]))), []);
    let sent = adverts_in(&effects(bench.run_until(ms(1_000))));
    assert_eq!(sent, [(link(1), signed(0, (5, 41), &[1]))]);
    assert_eq!(bench.probe.get(Counter::AdvertsOriginated), 2);
}

#[test]
fn a_number_that_keeps_rising_is_told_once() {
    let mut bench = linked_to_one();
    let mut told = vec![];
    for round in 1..=20_u64 {
        let at = ms(round * 1_000);
        told.extend(effects(bench.run_until(at)));
        told.extend(bench.handle(at, arrives(link(1), &signed(0, (5, round * 100), &[]))));
    }
    let reports = told.iter().filter(|effect| matches!(effect, Effect::IdentityInUse { .. })).count();
    assert_eq!(reports, 1);
    assert!(adverts_in(&told).len() <= 20);
}

#[test]
fn a_later_life_of_this_node_is_told_once_and_not_fought() {
    let mut bench = linked_to_one();
    let in_use = |life| Effect::IdentityInUse { incarnation: Incarnation(life) };
    assert_eq!(bench.handle(ms(1_000), arrives(link(1), &signed(0, (6, 1), &[]))), [in_use(6)]);
    assert_eq!(bench.handle(ms(1_001), arrives(link(1), &signed(0, (6, 2), &[]))), []);
    assert_eq!(bench.run_until(ms(2_000)), []);
    assert_eq!(bench.handle(ms(2_000), arrives(link(1), &signed(0, (7, 1), &[]))), [in_use(7)]);
    assert_eq!(bench.probe.get(Counter::AdvertsOriginated), 1);
}

#[test]
fn an_earlier_life_of_this_node_is_no_news_even_before_it_has_spoken() {
    let mut bench = bench(&config(0, 5));
    bench.handle(ms(0), Event::LinkUp { link: link(1), peer: addr(1), cost: 1 });
    assert_eq!(bench.handle(ms(0), arrives(link(1), &signed(0, (4, 9), &[1]))), []);
    let sent = adverts_in(&effects(bench.run_until(ms(0))));
    assert_eq!(sent, [(link(1), signed(0, (5, 1), &[1]))]);
}

#[test]
fn this_nodes_name_with_another_key_is_a_conflict() {
    let mut bench = linked_to_one();
    let mut body = says(0, (9, 9), &[]);
    body.key = identity(7).public().0;
    let forged = Advert::sign(body, "default", &identity(7), PROVIDER);
    let told = bench.handle(ms(1), arrives(link(1), &forged));
    let expected = Effect::KeyConflict { name: name(0), pinned: identity(0).public(), shown: identity(7).public() };
    assert_eq!(told, [expected]);
}

#[test]
fn malformed_summaries_and_wants_cost_the_link() {
    let mut bench = before_two();
    let (first, last) = (NodeAddr(0), NodeAddr(u64::MAX));
    let header = v1::Summary { scope: v1::SummaryScope::Range { first, last } };
    let summary = Event::Summary { link: link(1), header, body: Bytes::from_static(&[1, 2, 3]) };
    assert_eq!(violation(&bench.handle(ms(200), summary)), Some(MALFORMED));
    let want = Event::Want { link: link(1), body: Bytes::from_static(&[1, 2, 3]) };
    assert_eq!(violation(&bench.handle(ms(200), want)), Some(MALFORMED));
}

#[test]
fn what_arrives_over_a_link_that_is_down_is_ignored() {
    let mut bench = before_two();
    bench.handle(ms(200), Event::LinkDown { link: link(1) });
    bench.run_until(ms(300));
    let before = knowledge(&bench);
    assert_eq!(bench.handle(ms(300), arrives(link(1), &signed(9, (1, 1), &[]))), []);
    let want = Event::Want { link: link(1), body: Bytes::copy_from_slice(&addr(2).0.to_le_bytes()) };
    assert_eq!(bench.handle(ms(300), want), []);
    assert_eq!(knowledge(&bench), before);
}

#[test]
fn only_what_is_newer_is_asked_for() {
    let mut bench = before_two();
    bench.run_until(ms(6_000));
    let held = |number, incarnation, seq| v1::Held { origin: addr(number), incarnation: Incarnation(incarnation), seq };
    let mut lines = [held(0, 6, 1), held(1, 1, 1), held(2, 1, 6), held(9, 1, 1)];
    lines.sort();
    let wanted = |bench: &mut Bench<Routing>| {
        let body = lines.iter().fold(vec![], |body, line| postcard::to_extend(line, body).unwrap());
        let scope = v1::SummaryScope::Range { first: NodeAddr(0), last: NodeAddr(u64::MAX) };
        let summary = Event::Summary { link: link(1), header: v1::Summary { scope }, body: body.into() };
        let frames = frames_in(&bench.handle(ms(6_000), summary), Kind::Want);
        let mut bytes: Vec<u8> = frames.into_iter().flat_map(|(_, frame)| frame.body.to_vec()).collect();
        let (addrs, []) = bytes.as_chunks_mut::<8>() else { panic!("whole addresses") };
        addrs.iter().map(|bytes| NodeAddr(u64::from_le_bytes(*bytes))).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(wanted(&mut bench), [addr(0), addr(2), addr(9)].into());
    bench.handle(ms(6_000), arrives(link(1), &signed(0, (6, 1), &[])));
    assert_eq!(wanted(&mut bench), [addr(2), addr(9)].into(), "its own later life was told already");
}

#[test]
fn full_summaries_are_not_given_at_every_question() {
    let mut bench = before_two();
    let ask = || Event::Summary {
        link: link(1),
        header: v1::Summary { scope: v1::SummaryScope::Digest(0) },
        body: Bytes::new(),
    };
    bench.run_until(ms(6_000));
    assert_eq!(frames_in(&bench.handle(ms(6_000), ask()), Kind::Summary).len(), 1);
    assert_eq!(bench.handle(ms(6_001), ask()), []);
    let later = ms(6_000) + Duration::from_secs(5);
    bench.run_until(later);
    assert_eq!(frames_in(&bench.handle(later, ask()), Kind::Summary).len(), 1);
}
