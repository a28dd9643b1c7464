//! What one neighbour may make a node do.

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use bytes::Bytes;

use super::{
    super::{Router, summary},
    *,
};
use crate::{
    limits::{LOOKS_BURST, SIGNATURES_BURST},
    probe::Counter,
    wire::v1::SummaryScope,
};

/// Node 0 with links to nodes 1 and 2, neither of which has asked for anything.
fn between_two() -> Bench<Routing> {
    let mut bench = linked_to_one();
    bench.handle(ms(0), Event::LinkUp { link: link(2), peer: addr(2), cost: 1 });
    bench.run_until(ms(1));
    bench
}

fn router(bench: &mut Bench<Routing>) -> &mut Router {
    &mut bench.machine.router
}

/// The summary of a neighbour that holds nothing: this node looks at everything it has.
fn empty_handed(over: LinkId) -> Event {
    let scope = SummaryScope::Range { first: NodeAddr(0), last: NodeAddr(u64::MAX) };
    Event::Summary { link: over, header: v1::Summary { scope }, body: Bytes::new() }
}

#[test]
fn a_neighbour_that_floods_adverts_is_heard_at_the_allowed_rate() {
    let mut bench = between_two();
    for _ in 0..SIGNATURES_BURST - 2 {
        assert!(router(&mut bench).neighbours.may_check(ms(1), link(1)));
    }
    for number in 10..14 {
        bench.handle(ms(1), arrives(link(1), &signed(number, (1, 1), &[])));
    }
    let known = |bench: &Bench<Routing>| bench.machine.router.adverts(ms(1)).count() - 1;
    assert_eq!((known(&bench), bench.probe.get(Counter::OverBudget)), (2, 2));
    // The others are heard as before, and so is what needs no signature to be checked.
    bench.handle(ms(1), arrives(link(2), &signed(12, (1, 1), &[])));
    bench.handle(ms(1), arrives(link(1), &signed(10, (1, 1), &[])));
    assert_eq!((known(&bench), bench.probe.get(Counter::OverBudget)), (3, 2));
    for number in 20..25 {
        bench.handle(ms(4), arrives(link(1), &signed(number, (1, 1), &[])));
    }
    assert_eq!((known(&bench), bench.probe.get(Counter::OverBudget)), (6, 4), "one per millisecond");
}

#[test]
fn what_was_dropped_comes_with_the_next_comparison() {
    let mut bench = between_two();
    while router(&mut bench).neighbours.may_check(ms(1), link(1)) {}
    let dropped = signed(10, (1, 1), &[]);
    assert_eq!(bench.handle(ms(1), arrives(link(1), &dropped)), []);
    let theirs = summary::full([v1::Held { origin: addr(10), incarnation: Incarnation(1), seq: 1 }].into_iter());
    let header = theirs[0].header().unwrap();
    let wants = Event::Summary { link: link(1), header, body: theirs[0].body.clone() };
    // Not sooner: a neighbour that was told a moment ago what this node holds sends what it lacks without being asked.
    assert_eq!(frames_in(&bench.handle(ms(6_000), wants), Kind::Want).len(), 1);
    bench.handle(ms(6_001), arrives(link(1), &dropped));
    assert_eq!(router(&mut bench).name(addr(10)), Some(&name(10)));
}

#[test]
fn a_neighbour_that_keeps_asking_is_answered_at_the_allowed_rate() {
    let mut bench = between_two();
    for number in 10..110 {
        bench.handle(ms(1), arrives(link(2), &signed(number, (1, 1), &[])));
    }
    bench.run_until(ms(100));
    router(&mut bench).neighbours.looked(ms(100), link(1), LOOKS_BURST as usize - 1_000);
    // Each costs the hundred and one that it may lack.
    for _ in 0..100 {
        bench.handle(ms(100), empty_handed(link(1)));
    }
    let refused = bench.probe.get(Counter::OverBudget);
    assert!((89..=91).contains(&refused), "{refused}");
    let find = Event::Find { link: link(1), header: v1::Find { target: addr(10), hops_left: 3 } };
    let want = Event::Want { link: link(1), body: Bytes::copy_from_slice(&addr(10).0.to_le_bytes()) };
    for event in [find.clone(), want.clone()] {
        assert_eq!(bench.handle(ms(100), event), []);
    }
    assert_eq!(bench.probe.get(Counter::OverBudget), refused + 2);
    let later = ms(100) + Duration::from_millis(100);
    bench.run_until(later);
    for event in [find, want, empty_handed(link(1))] {
        bench.handle(later, event);
    }
    assert_eq!(bench.probe.get(Counter::OverBudget), refused + 2, "it has come back");
}

#[test]
fn the_largest_mesh_may_tell_everything_twice_at_once() {
    let mut neighbours = super::super::neighbours::Neighbours::default();
    let mut rng = crate::rng::Rng::new([0; 32]);
    neighbours.up(ms(0), &mut rng, link(1), addr(1), 1);
    let all = 2 * crate::limits::NODES_MAX;
    assert_eq!((0..2 * all).filter(|_| neighbours.may_check(ms(0), link(1))).count(), all);
}

/// A hub: node 0 with this many links.
fn hub(links: u32) -> Bench<Routing> {
    let mut bench = bench(&config(0, 5));
    for number in 0..links {
        let peer = addr(number as usize + 1);
        bench.handle(ms(0), Event::LinkUp { link: nth_link(number), peer, cost: 1 });
    }
    bench.run_until(ms(100));
    bench
}

fn nth_link(number: u32) -> LinkId {
    postcard::from_bytes(&postcard::to_allocvec(&(number, 0_u32)).unwrap()).unwrap()
}

/// What goes out when, by the millisecond, in frames of one kind; and over how many different links.
fn by_millisecond(told: &[(Time, Effect)], kind: Kind) -> (Vec<(u64, usize)>, usize) {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    let mut links = BTreeSet::new();
    for (at, effect) in told {
        if let Some((link, _)) = frames_in(std::slice::from_ref(effect), kind).first() {
            *counts.entry(at.as_nanos() / 1_000_000).or_default() += 1;
            links.insert(*link);
        }
    }
    (counts.into_iter().collect(), links.len())
}

#[test]
fn a_hub_passes_on_an_advert_in_bounded_steps() {
    let mut bench = hub(2_500);
    let now = ms(200);
    let first = bench.handle(now, arrives(nth_link(7), &signed(9_000, (1, 1), &[])));
    assert_eq!(adverts_in(&first).len(), 1_024);
    assert!(bench.machine.router.poll_timeout().is_some_and(|(due, _)| due <= now), "the rest is due at once");
    let told = bench.run_until(ms(204));
    let (steps, links) = by_millisecond(&told, Kind::Advert);
    assert_eq!((steps, links), (vec![(200, 1_024), (201, 451)], 1_475), "everybody but the one it came from");
}

#[test]
fn a_hub_passes_on_questions_in_bounded_steps() {
    let mut bench = hub(2_500);
    let now = ms(200);
    let find = |target| Event::Find { link: nth_link(7), header: v1::Find { target: addr(target), hops_left: 3 } };
    assert_eq!(frames_in(&bench.handle(now, find(9_000)), Kind::Find).len(), 1_024);
    // A link that goes meanwhile is left out, and the other question waits for its turn.
    bench.handle(now, Event::LinkDown { link: nth_link(2_499) });
    assert_eq!(frames_in(&bench.handle(now, find(9_001)), Kind::Find).len(), 1_024);
    let told = bench.run_until(ms(210));
    // The advert that the link is gone goes first.
    let (adverts, _) = by_millisecond(&told, Kind::Advert);
    let (finds, links) = by_millisecond(&told, Kind::Find);
    assert_eq!(adverts, [(200, 1_024), (201, 1_024), (202, 451)]);
    assert_eq!((finds, links), (vec![(202, 573), (203, 1_024), (204, 1_024), (205, 327)], 2_498));
}

#[test]
fn who_comes_back_has_no_more_than_before() {
    let mut bench = between_two();
    for _ in 0..SIGNATURES_BURST {
        assert!(router(&mut bench).neighbours.may_check(ms(1), link(1)));
    }
    bench.handle(ms(2), Event::LinkDown { link: link(1) });
    bench.handle(ms(3), Event::LinkUp { link: link(11), peer: addr(1), cost: 1 });
    assert!(router(&mut bench).neighbours.may_check(ms(3), link(11)));
    assert!(router(&mut bench).neighbours.may_check(ms(3), link(11)));
    assert!(!router(&mut bench).neighbours.may_check(ms(3), link(11)), "two milliseconds, two signatures");
}

#[test]
fn a_neighbour_is_sent_no_more_adverts_than_it_checks() {
    let mut bench = between_two();
    let mut to_two = Vec::new();
    let mut note = |effect: Effect| match effect {
        Effect::Send { link: over, frame } if over == link(2) && frame.kind == Kind::Advert => {
            let advert = Advert::parse(frame.body).unwrap();
            to_two.extend((advert.addr() == addr(10)).then(|| advert.version().1));
        }
        _ => {}
    };
    // One origin speaks far too often: its newest advert goes on when there is room, the others never do.
    router(&mut bench).neighbours.spend_sending(ms(1), link(2), SIGNATURES_BURST as usize / 10 * 9);
    for seq in 1..=500 {
        bench.handle(ms(1), arrives(link(1), &signed(10, (1, seq), &[]))).into_iter().for_each(&mut note);
    }
    bench.run_until(ms(1_001)).into_iter().for_each(|(_, effect)| note(effect));
    assert_eq!(to_two, [500]);
}
