//! A sender and a receiver, joined.

use alloc::vec::Vec;

use super::{
    world::{Channel, PERFECT, World},
    *,
};

/// Two nodes that know each other.
fn world(inbox: usize) -> World {
    let mut world = World::new(1, inbox);
    world.introduce(0);
    world.introduce(1);
    world
}

#[test]
fn both_ways_at_once() {
    let mut world = world(100);
    let numbers = [world.send(0, 1, 1_000, None, true), world.send(1, 0, 1_000, None, true)];
    world.run(19);
    assert_eq!(numbers.map(|number| world.outcome(number)), [None, None]);
    world.run(1);
    assert_eq!(numbers.map(|number| world.outcome(number)), [Some(Outcome::Delivered); 2]);
    world.check_settled();
}

#[test]
fn a_flood_passes_a_small_inbox() {
    let mut world = world(3);
    let numbers: Vec<_> = (0..2_000).map(|_| world.send(0, 1, 60_000, None, true)).collect();
    for _ in 0..1_000 {
        world.run(20);
        world.consume(1, 3);
    }
    world.run(1_000);
    assert!(numbers.iter().all(|&number| world.outcome(number) == Some(Outcome::Delivered)));
    world.check_settled();
}

#[test]
fn a_burst_that_is_lost_is_repeated_within_a_few_round_trips() {
    let mut world = world(100_000);
    world.set_eager(1);
    let first = world.send(0, 1, 60_000, None, true);
    world.run(100);
    world.set_channel(Channel { loss: 1_000, ..PERFECT });
    let lost: Vec<_> = (0..250).map(|_| world.send(0, 1, 60_000, None, true)).collect();
    world.run(30);
    world.set_channel(PERFECT);
    // The timeout after one round trip of 20 ms is 60 ms; three round trips repeat 64, 128 and 58.
    world.run(30 + 3 * 20);
    assert_eq!(world.outcome(first), Some(Outcome::Delivered));
    assert!(lost.iter().all(|&number| world.outcome(number) == Some(Outcome::Delivered)));
}

#[test]
fn a_thousand_refusals_arrive_in_full() {
    let mut world = world(100);
    let numbers: Vec<_> = (0..1_000).map(|_| world.send(0, 1, 20_000, Some("nobody"), true)).collect();
    world.run(2_000);
    let refused = Some(Outcome::Rejected(crate::error::Rejected::NoSuchClient));
    assert!(numbers.iter().all(|&number| world.outcome(number) == refused));
    world.check_settled();
}

#[test]
fn refusals_that_do_not_fit_one_answer_follow_without_a_timeout() {
    let mut world = world(100);
    let numbers: Vec<_> = (0..65).map(|_| world.send(0, 1, 20_000, Some("nobody"), true)).collect();
    world.run(2 * 20);
    assert!(numbers.iter().all(|&number| world.outcome(number).is_some()));
}

#[test]
fn after_a_restart_of_the_receiver_its_advert_lets_the_sender_go_on() {
    let mut world = world(100);
    let before = world.send(0, 1, 9_000, None, true);
    world.run(100);
    world.restart(1);
    let into_the_gap = world.send(0, 1, 9_000, None, true);
    world.run(20);
    let after = world.send(0, 1, 9_000, None, true);
    world.run(20);
    assert_eq!([into_the_gap, after].map(|number| world.outcome(number)), [None, None]);
    world.introduce(0);
    let after_that = world.send(0, 1, 9_000, None, true);
    world.run(20);
    assert_eq!(world.outcome(after_that), Some(Outcome::Delivered));
    let outcomes = [before, into_the_gap, after].map(|number| world.outcome(number));
    assert_eq!(outcomes, [Some(Outcome::Delivered), Some(Outcome::Unknown), Some(Outcome::Unknown)]);
    world.check_settled();
}

#[test]
fn a_quiet_pair_costs_nothing() {
    let mut world = world(100);
    world.send(0, 1, 9_000, None, true);
    world.run(1_000);
    assert_eq!(world.carried, 2);
    world.run(3_600_000);
    assert_eq!(world.carried, 2);
}

#[test]
fn a_lossy_way_costs_little_more_than_it_loses() {
    let mut world = world(100_000);
    world.set_eager(1);
    world.set_channel(Channel { loss: 50, ..PERFECT });
    for _ in 0..200 {
        for _ in 0..20 {
            world.send(0, 1, 60_000, None, true);
        }
        world.run(20);
    }
    world.run(20_000);
    world.check_settled();
    // 4,000 messages, 5 % of them again, 200 acknowledgements, and some of either because of lost ones.
    assert!(world.carried < 4_800, "{} frames", world.carried);
}
