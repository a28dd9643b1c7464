//! The last publications, for those who come late or come back.

use super::*;
use crate::{
    limits::{HISTORY_BYTES, HISTORY_TOPICS},
    pubsub::{Position, Recovery, Resume},
    queue::Limit,
};
use std::{string::ToString as _, vec};

fn rule(text: &str, messages: usize) -> HistoryRule {
    HistoryRule { pattern: pattern(text), messages, bytes: 1_000_000, age: None }
}

/// A node that keeps the last three of each topic below `a`; what it says of that is taken in.
fn keeping() -> Bench<Topics> {
    keeping_by(rule("a.>", 3))
}

fn keeping_by(rule: HistoryRule) -> Bench<Topics> {
    let mut bench = bench_with(vec![rule]);
    assert_eq!(bench.run_until(at(0)).len(), 1);
    bench
}

/// Subscribes, and tells what it gets from before.
fn resume(bench: &mut Bench<Topics>, now: Time, text: &str, resume: Resume) -> (Vec<String>, Option<Recovery>) {
    let (made, effects) = subscribe_at(bench, now, &Subscribe { resume, ..to(text) });
    (got(&effects, made.id), made.recovery)
}

fn after(topic_text: &str, epoch: Incarnation, seq: u64) -> Resume {
    Resume::After(vec![(topic(topic_text), Position { epoch, seq: Seq(seq) })])
}

fn recovery(recovered: bool, replayed: usize, missing: u64) -> Option<Recovery> {
    Some(Recovery { recovered, replayed, missing })
}

fn publish_all(bench: &mut Bench<Topics>, topic: &str, numbers: core::ops::RangeInclusive<u32>) {
    for n in numbers {
        publish(bench, topic, &n.to_string());
    }
}

#[test]
fn the_last_ones_are_replayed_and_live_ones_follow() {
    let mut bench = keeping();
    publish_all(&mut bench, "a.b", 1..=5);
    let (made, effects) = subscribe_at(&mut bench, at(0), &Subscribe { resume: Resume::Last(2), ..to("a.b") });
    assert_eq!((got(&effects, made.id), made.recovery), (vec!["4".into(), "5".into()], recovery(true, 2, 0)));
    assert_eq!(got(&publish(&mut bench, "a.b", "6"), made.id), ["6"]);
    assert_eq!(resume(&mut bench, at(0), "a.b", Resume::Last(9)).0, ["4", "5", "6"]);
    assert_eq!(resume(&mut bench, at(0), "a.b", Resume::Live), (vec![], None));
}

#[test]
fn a_position_counts_up_from_one_within_its_topic() {
    let mut bench = keeping();
    subscribe(&mut bench, ">");
    for (topic, seq) in [("a.b", Some(1)), ("a.c", Some(1)), ("a.b", Some(2)), ("x", None)] {
        let effects = publish(&mut bench, topic, "");
        let Some(Effect::Deliver { publication, .. }) = effects.first() else { panic!("{effects:?}") };
        assert_eq!(publication.position, seq.map(|seq| Position { epoch: MINE, seq: Seq(seq) }));
    }
}

#[test]
fn a_subscriber_that_comes_back_gets_exactly_what_it_missed() {
    let mut bench = keeping();
    publish_all(&mut bench, "a.b", 1..=5);
    assert_eq!(
        resume(&mut bench, at(0), "a.b", after("a.b", MINE, 3)),
        (vec!["4".into(), "5".into()], recovery(true, 2, 0))
    );
    assert_eq!(resume(&mut bench, at(0), "a.b", after("a.b", MINE, 5)), (vec![], recovery(true, 0, 0)));
    assert_eq!(resume(&mut bench, at(0), "a.b", after("a.b", MINE, 2)).1, recovery(true, 3, 0));
}

#[test]
fn what_is_gone_is_counted() {
    let mut bench = keeping();
    publish_all(&mut bench, "a.b", 1..=9);
    assert_eq!(
        resume(&mut bench, at(0), "a.b", after("a.b", MINE, 2)),
        (vec!["7".into(), "8".into(), "9".into()], recovery(false, 3, 4))
    );
}

#[test]
fn a_position_of_another_life_or_of_an_unknown_topic_recovers_nothing() {
    let mut bench = keeping();
    publish_all(&mut bench, "a.b", 1..=2);
    let everything = vec!["1".to_string(), "2".to_string()];
    assert_eq!(
        resume(&mut bench, at(0), "a.b", after("a.b", Incarnation(9), 1)),
        (everything.clone(), recovery(false, 2, 0))
    );
    assert_eq!(
        resume(&mut bench, at(0), "a.b", after("a.b", MINE, 3)),
        (everything, recovery(false, 2, 0)),
        "a number that was never given"
    );
    assert_eq!(resume(&mut bench, at(0), "a.c", after("a.c", MINE, 3)), (vec![], recovery(false, 0, 0)));
    assert_eq!(resume(&mut bench, at(0), "x", after("x", MINE, 3)), (vec![], recovery(false, 0, 0)));
}

#[test]
fn a_wildcard_replays_every_topic_in_the_order_of_arrival() {
    let mut bench = keeping();
    for n in 1..=6 {
        publish(&mut bench, if n % 2 == 0 { "a.even" } else { "a.odd" }, &std::format!("{n}"));
    }
    assert_eq!(resume(&mut bench, at(0), "a.*", Resume::Last(2)).0, ["3", "4", "5", "6"]);
    assert_eq!(
        resume(&mut bench, at(0), "a.*", after("a.odd", MINE, 2)),
        (["2", "4", "5", "6"].map(str::to_string).to_vec(), recovery(true, 4, 0)),
        "of a topic that is not listed, everything"
    );
}

#[test]
fn what_arrives_is_kept_without_a_subscription() {
    let mut bench = keeping();
    assert_eq!(arrives(&mut bench, header("a.b", 77), &[]), []);
    assert_eq!(resume(&mut bench, at(0), "a.b", Resume::Last(1)).0, ["77"]);
}

#[test]
fn what_is_too_old_is_not_replayed_and_goes() {
    let mut bench = keeping_by(HistoryRule { age: Some(millis(5_000)), ..rule("a.>", 9) });
    publish_at(&mut bench, at(1_000), about("a.b", "1"), &[]);
    publish_at(&mut bench, at(3_000), about("a.b", "2"), &[]);
    assert_eq!(resume(&mut bench, at(6_000), "a.b", Resume::Last(9)).0, ["1", "2"]);
    assert_eq!(resume(&mut bench, at(6_001), "a.b", Resume::Last(9)).0, ["2"]);
    assert_eq!(resume(&mut bench, at(6_002), "a.b", after("a.b", MINE, 0)).1, recovery(false, 1, 1));
    assert_eq!(bench.run_until(at(60_000)), []);
    let views: Vec<_> = bench.machine.history().collect();
    assert_eq!((views.len(), views[0].first, views[0].next, views[0].bytes), (1, Seq(3), Seq(3), 0));
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn a_topic_keeps_to_its_bytes() {
    let mut bench = keeping_by(HistoryRule { bytes: 2 * (128 + 3 + 1), ..rule("a.>", 9) });
    publish_all(&mut bench, "a.b", 1..=5);
    assert_eq!(resume(&mut bench, at(0), "a.b", Resume::Last(9)).0, ["4", "5"]);
}

#[test]
fn the_first_rule_that_matches_counts() {
    let mut bench = bench_with(vec![rule("a.b", 1), rule("a.>", 2)]);
    publish_all(&mut bench, "a.b", 1..=5);
    publish_all(&mut bench, "a.c", 1..=5);
    assert_eq!(resume(&mut bench, at(0), "a.b", Resume::Last(9)).0, ["5"]);
    assert_eq!(resume(&mut bench, at(0), "a.c", Resume::Last(9)).0, ["4", "5"]);
}

#[test]
fn of_too_many_topics_the_one_used_longest_ago_goes_and_its_numbers_never_come_again() {
    let mut bench = keeping();
    publish_all(&mut bench, "a.first", 1..=4);
    for n in 0..HISTORY_TOPICS - 1 {
        publish(&mut bench, &std::format!("a.{n}"), "");
    }
    publish(&mut bench, "a.first", "5");
    publish(&mut bench, "a.new", "");
    assert_eq!(bench.machine.history().count(), HISTORY_TOPICS);
    assert_eq!(resume(&mut bench, at(0), "a.first", Resume::Last(1)).0, ["5"], "it was used since");
    assert_eq!(resume(&mut bench, at(0), "a.0", Resume::Last(1)).0, Vec::<String>::new());
    publish(&mut bench, "a.0", "again");
    let positions = bench.machine.history().find(|view| view.topic == topic("a.0")).unwrap();
    assert_eq!(positions.first, Seq(2));
    // Of what it had before nothing is known, and numbers that it never had are not counted as missing.
    let after = |name: &str, seq| (topic(name), Position { epoch: MINE, seq: Seq(seq) });
    let (_, recovery) = resume(&mut bench, at(0), "a.0", Resume::After(vec![after("a.0", 0)]));
    assert_eq!(recovery, Some(Recovery { recovered: false, replayed: 1, missing: 0 }));
    let (_, recovery) = resume(&mut bench, at(0), "a.0", Resume::After(vec![after("a.0", 1)]));
    assert_eq!(recovery, Some(Recovery { recovered: true, replayed: 1, missing: 0 }));
}

#[test]
fn all_history_together_keeps_to_its_bytes() {
    let mut bench = keeping_by(HistoryRule { bytes: usize::MAX, ..rule("a.>", 1_000) });
    let large = Bytes::from(vec![0; 1_000_000]);
    for n in 0..300 {
        publish_at(&mut bench, at(0), Publish::new(topic(&std::format!("a.{n}")), large.clone()), &[]);
    }
    let views: Vec<_> = bench.machine.history().collect();
    let bytes: usize = views.iter().map(|view| view.bytes).sum();
    assert_eq!((views.len(), bytes <= HISTORY_BYTES), (268, true));
}

#[test]
fn a_replay_keeps_to_the_queue_and_what_does_not_fit_is_counted() {
    let mut bench = keeping_by(rule("a.>", 100));
    publish_all(&mut bench, "a.b", 1..=10);
    let tight = Subscribe { credit: 2, queue: Limit { count: 3, weight: 9_999 }, ..to("a.b") };
    let subscribe = Subscribe { resume: after("a.b", MINE, 1), ..tight };
    let (made, effects) = subscribe_at(&mut bench, at(0), &subscribe);
    assert_eq!((got(&effects, made.id), made.recovery), (vec!["6".into(), "7".into()], recovery(false, 5, 4)));
    publish(&mut bench, "a.c", "other");
    assert_eq!(got(&consumed(&mut bench, made.id, 2), made.id), ["8", "9"]);
    assert_eq!(got(&consumed(&mut bench, made.id, 2), made.id), ["10"]);
}

#[test]
fn a_member_of_a_group_gets_nothing_from_before() {
    let mut bench = keeping();
    publish_all(&mut bench, "a.b", 1..=5);
    assert_eq!(resume(&mut bench, at(0), "a.b|g", Resume::Last(9)), (vec![], recovery(false, 0, 0)));
}
