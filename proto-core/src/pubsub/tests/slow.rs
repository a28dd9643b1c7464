//! A slow subscription hurts nobody but itself, and is named.

use super::*;
use crate::{
    probe::Counter,
    pubsub::{Ended, Policy},
    queue::Limit,
};
use std::{string::ToString as _, vec};

/// A subscription that holds one and queues so many.
fn tight(policy: Policy, queued: usize) -> Subscribe {
    Subscribe { policy, credit: 1, queue: Limit { count: queued, weight: 1_000_000 }, ..to("a") }
}

fn made(bench: &mut Bench<Topics>, subscribe: &Subscribe) -> SubscriptionId {
    subscribe_at(bench, at(0), subscribe).0.id
}

/// Publishes these payloads and tells everything but the deliveries to others.
fn publish_all(bench: &mut Bench<Topics>, numbers: core::ops::RangeInclusive<u32>) -> Vec<Effect> {
    numbers.flat_map(|n| publish(bench, "a", &n.to_string())).collect()
}

/// Delivered, dropped as oldest, dropped as newest, queued.
fn counts(bench: &Bench<Topics>, id: SubscriptionId) -> (u64, u64, u64, usize) {
    let view = bench.machine.subscriptions().find(|view| view.id == id).unwrap();
    (view.delivered, view.dropped_oldest, view.dropped_newest, view.queued)
}

#[test]
fn no_more_than_the_credit_is_handed_over_until_it_is_given_back() {
    let mut bench = bench();
    let id = made(&mut bench, &Subscribe { credit: 2, ..to("a") });
    assert_eq!(got(&publish_all(&mut bench, 1..=5), id), ["1", "2"]);
    assert_eq!(counts(&bench, id), (2, 0, 0, 3));
    assert_eq!(got(&consumed(&mut bench, id, 1), id), ["3"]);
    assert_eq!(got(&consumed(&mut bench, id, 2), id), ["4", "5"]);
    assert_eq!(got(&publish_all(&mut bench, 6..=6), id), Vec::<String>::new());
    assert_eq!(got(&consumed(&mut bench, id, 99), id), ["6"], "more than was handed over is as much as was");
    assert_eq!(got(&publish_all(&mut bench, 7..=9), id), ["7"]);
}

#[test]
fn the_oldest_make_room() {
    let mut bench = bench();
    let id = made(&mut bench, &tight(Policy::DropOldest, 2));
    publish_all(&mut bench, 1..=6);
    assert_eq!(counts(&bench, id), (1, 3, 0, 2));
    assert_eq!(got(&consumed(&mut bench, id, 1), id), ["5"]);
    assert_eq!(got(&consumed(&mut bench, id, 1), id), ["6"]);
    assert_eq!(bench.probe.get(Counter::PublicationsDropped), 3);
}

#[test]
fn the_newest_find_no_room() {
    let mut bench = bench();
    let id = made(&mut bench, &tight(Policy::DropNewest, 2));
    publish_all(&mut bench, 1..=6);
    assert_eq!(counts(&bench, id), (1, 0, 3, 2));
    assert_eq!(got(&consumed(&mut bench, id, 1), id), ["2"]);
    assert_eq!(got(&consumed(&mut bench, id, 1), id), ["3"]);
}

#[test]
fn a_subscription_that_is_to_be_ended_is_and_its_interest_too() {
    let mut bench = bench();
    let cam: Option<Arc<str>> = Some(Arc::from("cam"));
    let id = made(&mut bench, &Subscribe { client: cam.clone(), ..tight(Policy::Disconnect, 2) });
    let first = publish_all(&mut bench, 1..=3);
    assert_eq!((first.len(), got(&first, id)), (1, vec!["1".to_string()]));
    let effects = publish_all(&mut bench, 4..=4);
    let reason = Ended::TooSlow { queued: 2, bytes: 2 * (128 + 2) };
    let ended = Effect::Disconnected { subscription: id, client: cam, reason };
    let over = Effect::Interest { pattern: pattern("a"), group: None, present: false, members: 0 };
    assert_eq!(effects, [ended, over]);
    assert_eq!((consumed(&mut bench, id, 1), bench.machine.subscriptions().count()), (vec![], 0));
    assert_eq!(bench.probe.get(Counter::SubscriptionsEnded), 1);
}

#[test]
fn nobody_else_waits_for_a_slow_one() {
    let mut bench = bench();
    for policy in [Policy::DropOldest, Policy::DropNewest, Policy::Disconnect] {
        made(&mut bench, &tight(policy, 1));
    }
    let fast = subscribe(&mut bench, "a");
    let effects = publish_all(&mut bench, 1..=100);
    let expected: Vec<String> = (1..=100).map(|n: u32| n.to_string()).collect();
    assert_eq!(got(&effects, fast), expected);
}

#[test]
fn one_among_many_that_is_ended_takes_nothing_from_the_rest() {
    let mut bench = bench();
    let ids: Vec<_> = (0..10).map(|_| subscribe(&mut bench, "a")).collect();
    let doomed = made(&mut bench, &Subscribe { credit: 1, ..tight(Policy::Disconnect, 0) });
    let after: Vec<_> = (0..10).map(|_| subscribe(&mut bench, "a")).collect();
    publish(&mut bench, "a", "1");
    let effects = publish(&mut bench, "a", "2");
    for id in ids.iter().chain(&after) {
        assert_eq!(got(&effects, *id), ["2"]);
    }
    assert_eq!(got(&effects, doomed), Vec::<String>::new());
}

#[test]
fn a_queue_is_bounded_by_bytes_as_well() {
    let mut bench = bench();
    let queue = Limit { count: 100, weight: 3 * (128 + 2) };
    let id = made(&mut bench, &Subscribe { queue, ..tight(Policy::DropOldest, 0) });
    publish_all(&mut bench, 1..=9);
    assert_eq!(counts(&bench, id), (1, 5, 0, 3));
    publish(&mut bench, "a", &"x".repeat(300));
    assert_eq!(counts(&bench, id), (1, 5, 1, 3), "what can never fit makes no room");
}

#[test]
fn a_slow_subscription_is_named_now_and_then() {
    let mut bench = bench();
    let id = made(&mut bench, &Subscribe { client: Some(Arc::from("cam")), ..tight(Policy::DropOldest, 1) });
    let slow = |dropped| Effect::Slow { subscription: id, client: Some(Arc::from("cam")), dropped, queued: 1 };
    publish_all(&mut bench, 1..=2);
    assert_eq!(publish_all(&mut bench, 3..=5), [slow(1)]);
    assert_eq!(publish_at(&mut bench, at(9_999), about("a", "6"), &[]), []);
    assert_eq!(publish_at(&mut bench, at(10_000), about("a", "7"), &[]), [slow(5)]);
}

#[test]
fn what_waits_does_not_keep_the_read_alive_that_it_came_in() {
    let mut bench = bench();
    let ids = [made(&mut bench, &tight(Policy::DropOldest, 9)), made(&mut bench, &tight(Policy::DropOldest, 9))];
    publish(&mut bench, "a", "0");
    let read = Bytes::from(vec![b'x'; 65_536]);
    let body = read.slice(100..200);
    let event = Event::Arrived {
        from: addr("far"),
        incarnation: THEIRS,
        header: header("a", 1),
        groups: SmallVec::new(),
        body,
    };
    assert_eq!(bench.handle(at(1), event), []);
    assert!(read.is_unique(), "only the test holds it");
    let handed: Vec<_> = ids.into_iter().flat_map(|id| consumed(&mut bench, id, 1)).collect();
    let [Effect::Deliver { publication: one, .. }, Effect::Deliver { publication: other, .. }] = &handed[..] else {
        panic!("{handed:?}")
    };
    assert!(Arc::ptr_eq(one, other), "one copy for all");
}

#[test]
fn a_dropped_publication_is_not_in_the_receipt() {
    let mut bench = bench();
    made(&mut bench, &tight(Policy::DropNewest, 0));
    let asking = v1::Publication { receipt: true, ..header("a", 1) };
    let count = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Receipt { subscriptions, .. } => Some(*subscriptions),
            _ => None,
        })
    };
    assert_eq!(count(&arrives(&mut bench, asking.clone(), &[])), Some(1));
    assert_eq!(count(&arrives(&mut bench, asking, &[])), Some(0));
}
