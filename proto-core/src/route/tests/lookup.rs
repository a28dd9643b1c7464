use std::vec;

use core::time::Duration;

use super::{mesh::Mesh, *};
use crate::{
    id::Token,
    limits::{FIND_HOPS, LOOKUPS_MAX},
    node::Found,
};

fn look_up(number: usize, millis: u64) -> Event {
    Event::Lookup { token: Token(1), name: name(number), deadline: Duration::from_millis(millis) }
}

fn answer(found: Option<Found>) -> Effect {
    Effect::Found { token: Token(1), found }
}

fn found(number: usize, cost: Option<u32>, hops: Option<u8>) -> Effect {
    answer(Some(Found { name: name(number), incarnation: Incarnation(1), cost, hops }))
}

#[test]
fn a_known_node_is_found_at_once() {
    let mut mesh = Mesh::new(3);
    mesh.join(0, 1, 3);
    mesh.join(1, 2, 4);
    mesh.run_for(1_000);
    mesh.told(0);
    mesh.tell(0, look_up(2, 1_000));
    mesh.tell(0, look_up(0, 1_000));
    assert_eq!(mesh.told(0), [found(2, Some(7), Some(2)), found(0, Some(0), Some(0))]);
    mesh.kill(2);
    mesh.run_for(1_000);
    mesh.told(0);
    mesh.tell(0, look_up(2, 1_000));
    assert_eq!(mesh.told(0), [found(2, None, None)], "known, but out of reach");
}

#[test]
fn an_unknown_node_is_sought_until_the_deadline() {
    let mut bench = linked_to_one();
    let asked = bench.handle(ms(1_000), look_up(9, 500));
    let [(over, find)] = &frames_in(&asked, Kind::Find)[..] else { panic!("one question: {asked:?}") };
    assert_eq!((*over, find.header()), (link(1), Ok(v1::Find { target: addr(9), hops_left: FIND_HOPS })));
    assert_eq!(bench.handle(ms(1_100), look_up(9, 100)), [], "the neighbours were asked a moment ago");
    assert_eq!(bench.run_until(ms(2_000)), [(ms(1_200), answer(None)), (ms(1_500), answer(None))]);
}

#[test]
fn a_node_that_turns_up_is_found_with_its_route() {
    let mut bench = linked_to_one();
    bench.run_until(ms(1_000));
    bench.handle(ms(1_000), look_up(9, 500));
    bench.handle(ms(1_100), arrives(link(1), &signed(9, (1, 1), &[1])));
    bench.handle(ms(1_101), arrives(link(1), &signed(1, (1, 1), &[0, 9])));
    let told = bench.run_until(ms(1_200));
    assert_eq!(told.last(), Some(&(ms(1_105), found(9, Some(2), Some(2)))));
}

#[test]
fn a_question_is_answered_by_who_knows_and_passed_on_by_who_does_not() {
    let mut bench = linked_to_one();
    bench.handle(ms(0), Event::LinkUp { link: link(2), peer: addr(2), cost: 1 });
    bench.handle(ms(1), arrives(link(1), &signed(1, (1, 1), &[0])));
    bench.run_until(ms(1_000));
    let find = |target, hops_left| Event::Find { link: link(2), header: v1::Find { target: addr(target), hops_left } };
    let answer = adverts_in(&bench.handle(ms(1_000), find(1, 3)));
    assert_eq!(answer, [(link(2), signed(1, (1, 1), &[0]))]);
    let passed = frames_in(&bench.handle(ms(1_000), find(9, 255)), Kind::Find);
    let [(over, frame)] = &passed[..] else { panic!("to the other neighbour: {passed:?}") };
    assert_eq!((*over, frame.header()), (link(1), Ok(v1::Find { target: addr(9), hops_left: FIND_HOPS - 1 })));
    assert_eq!(bench.handle(ms(1_500), find(9, 3)), [], "passed on a moment ago");
    assert_eq!(bench.handle(ms(1_500), find(8, 1)), [], "it has come far enough");
    assert_eq!(bench.handle(ms(1_500), find(8, 0)), []);
    assert_eq!(frames_in(&bench.handle(ms(2_000), find(9, 2)), Kind::Find).len(), 1);
}

#[test]
fn too_many_look_ups_are_answered_at_once() {
    let mut bench = bench(&config(0, 1));
    for number in 0..LOOKUPS_MAX {
        assert_eq!(bench.handle(ms(0), look_up(number + 1, 10_000)), []);
    }
    assert_eq!(bench.handle(ms(0), look_up(7, 10_000)), [answer(None)]);
    assert_eq!(bench.run_until(ms(10_000)), vec![(ms(10_000), answer(None)); LOOKUPS_MAX]);
}
