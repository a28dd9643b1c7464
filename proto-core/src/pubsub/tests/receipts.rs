//! A publisher that asks is told who got it, by the deadline.

use super::*;
use crate::{
    error::Rejected,
    limits::{RECEIPTS_MAX, SLOW_INTERVAL},
    node::Outcome,
    probe::Counter,
    pubsub::{Missing, Report},
};
use std::vec;

fn asking(payload: &str) -> Publish {
    Publish { receipt: true, deadline: millis(500), ..about("a", payload) }
}

fn receipt(
    bench: &mut Bench<Topics>,
    from: &str,
    seq: u64,
    subscriptions: u32,
    vacant: &[&'static str],
) -> Vec<Effect> {
    let vacant = SmallVec::from_slice(vacant);
    let receipt = v1::Receipt { incarnation: MINE, seq: Seq(seq), subscriptions, vacant };
    let now = bench.now();
    bench.handle(now, Event::Receipt { from: addr(from), receipt })
}

fn outcome(node: &str, seq: u64, outcome: Outcome) -> Event<'static> {
    Event::Outcome { seq: Seq(seq), part: 0, node: addr(node), outcome }
}

/// What the publisher is told.
fn reports(effects: impl IntoIterator<Item = Effect>) -> Vec<Report> {
    let one = |effect| match effect {
        Effect::Published { token: Token(7), report } => Some(*report),
        _ => None,
    };
    effects.into_iter().filter_map(one).collect()
}

fn all(subscribers: u64, nodes: usize) -> Report {
    Report { subscribers, nodes, ..Report::default() }
}

#[test]
fn a_receipt_of_this_node_alone_is_there_at_once() {
    let mut bench = bench();
    assert_eq!(reports(publish_at(&mut bench, at(0), asking("1"), &[])), [all(0, 0)]);
    subscribe(&mut bench, "a");
    subscribe(&mut bench, ">");
    assert_eq!(reports(publish_at(&mut bench, at(0), asking("2"), &[])), [all(2, 1)]);
    assert_eq!((bench.machine.open(), bench.machine.poll_timeout()), (0, None));
}

#[test]
fn the_report_comes_with_the_last_answer_and_adds_them_up() {
    let mut bench = bench();
    subscribe(&mut bench, "a");
    for node in ["x", "y", "z"] {
        wants(&mut bench, node, "a", 1);
    }
    assert_eq!(reports(publish_at(&mut bench, at(0), asking("1"), &[])), []);
    assert_eq!(receipt(&mut bench, "x", 1, 3, &[]), []);
    assert_eq!(receipt(&mut bench, "x", 1, 3, &[]), [], "a node answers once");
    assert_eq!(receipt(&mut bench, "y", 1, 0, &[]), []);
    assert_eq!(reports(receipt(&mut bench, "z", 1, 2, &[])), [all(6, 3)]);
    assert_eq!(bench.machine.poll_timeout(), None);
    assert_eq!(receipt(&mut bench, "z", 1, 2, &[]), []);
}

#[test]
fn at_the_deadline_those_that_did_not_answer_are_named() {
    let mut bench = bench();
    for node in ["x", "y", "z"] {
        wants(&mut bench, node, "a", 1);
    }
    publish_at(&mut bench, at(100), asking("1"), &[]);
    receipt(&mut bench, "x", 1, 1, &[]);
    let effects = bench.handle(at(200), outcome("y", 1, Outcome::Rejected(Rejected::Busy)));
    assert_eq!(effects, [Effect::SlowNode { node: addr("y"), dropped: 1 }]);
    assert_eq!(bench.run_until(at(599)), []);
    let told = bench.run_until(at(600));
    assert_eq!(told.iter().map(|(when, _)| *when).collect::<Vec<_>>(), [at(600)]);
    let missing = vec![(addr("y"), Missing::Rejected(Rejected::Busy)), (addr("z"), Missing::NoAnswer)];
    let report = Report { subscribers: 1, nodes: 1, missing, unserved: vec![] };
    assert_eq!(reports(told.into_iter().map(|(_, effect)| effect)), [report]);
    assert_eq!(bench.run_until(at(60_000)), []);
}

#[test]
fn a_node_that_is_lost_is_not_waited_for() {
    let mut bench = bench();
    wants(&mut bench, "x", "a", 1);
    publish_at(&mut bench, at(0), asking("1"), &[]);
    let report = Report { missing: vec![(addr("x"), Missing::Unknown)], ..Report::default() };
    assert_eq!(reports(bench.handle(at(1), outcome("x", 1, Outcome::Unknown))), [report]);
}

fn reachable(node: &str, life: u64) -> Event<'static> {
    Event::Reachable { node: addr(node), incarnation: Incarnation(life) }
}

#[test]
fn a_node_that_restarted_with_the_publication_is_not_waited_for() {
    let mut bench = bench();
    for node in ["x", "y"] {
        wants(&mut bench, node, "a", 1);
        bench.handle(at(0), reachable(node, 1));
        publish_at(&mut bench, at(0), asking("1"), &[]);
    }
    // The first went to x alone, and has arrived; the second has not arrived at x.
    assert!(bench.machine.awaits_receipts());
    bench.handle(at(1), outcome("x", 1, Outcome::Delivered));
    assert_eq!(bench.handle(at(2), reachable("x", 1)), [], "the same life");
    let report = Report { missing: vec![(addr("x"), Missing::Unknown)], ..Report::default() };
    assert_eq!(reports(bench.handle(at(3), reachable("x", 2))), [report]);
    assert_eq!(receipt(&mut bench, "x", 2, 1, &[]), [], "the new life got the second, and answers");
    assert_eq!(reports(receipt(&mut bench, "y", 2, 1, &[])), [all(2, 2)]);
    assert!(!bench.machine.awaits_receipts());
}

#[test]
fn a_node_that_stays_out_of_reach_is_not_waited_for() {
    let mut bench = bench();
    wants(&mut bench, "x", "a", 1);
    bench.handle(at(0), reachable("x", 1));
    publish_at(&mut bench, at(0), Publish { deadline: millis(60_000), ..asking("1") }, &[]);
    let away = || Event::Unreachable { node: addr("x") };
    bench.handle(at(100), away());
    bench.handle(at(5_099), reachable("x", 1));
    assert_eq!(bench.run_until(at(6_000)), [], "it came back");
    bench.handle(at(6_000), away());
    assert_eq!(bench.handle(at(6_001), away()), []);
    assert_eq!(bench.run_until(at(10_999)), []);
    let told = bench.run_until(at(11_000));
    let report = Report { missing: vec![(addr("x"), Missing::Unknown)], ..Report::default() };
    assert_eq!(reports(told.into_iter().map(|(_, effect)| effect)), [report]);
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn a_node_is_only_said_not_to_have_got_it_if_no_part_of_it_came() {
    let part = |part, why| Event::Outcome { seq: Seq(1), part, node: addr("y"), outcome: Outcome::Rejected(why) };
    let mut bench = bench();
    wants(&mut bench, "x", "a|g", 1);
    wants(&mut bench, "y", "a|g", 1);
    wants(&mut bench, "y", "a", 1);
    publish_at(&mut bench, at(0), asking("1"), &[("y", Some(2))]);
    bench.handle(at(0), part(0, Rejected::Busy));
    // The group of x is given to y, which gets that part and not the first.
    assert_eq!(nodes(&receipt(&mut bench, "x", 1, 0, &["g"])), addrs(&["y"]));
    let report = Report { subscribers: 1, nodes: 1, missing: vec![(addr("y"), Missing::Unknown)], unserved: vec![] };
    assert_eq!(reports(receipt(&mut bench, "y", 1, 1, &[])), [report]);
    // The other way about: y gets the first part, and the one for the group is refused.
    publish_at(&mut bench, at(0), asking("2"), &[("y", Some(2))]);
    bench.handle(
        at(0),
        Event::Receipt {
            from: addr("x"),
            receipt: v1::Receipt {
                incarnation: MINE,
                seq: Seq(2),
                subscriptions: 0,
                vacant: SmallVec::from_slice(&["g"]),
            },
        },
    );
    let refused = Event::Outcome { seq: Seq(2), part: 1, node: addr("y"), outcome: Outcome::Rejected(Rejected::Busy) };
    bench.handle(at(0), refused);
    let report = Report { subscribers: 1, nodes: 1, missing: vec![], unserved: vec![group("g")] };
    assert_eq!(reports(receipt(&mut bench, "y", 2, 1, &[])), [report]);
}

#[test]
fn an_answer_to_an_earlier_life_counts_for_nothing() {
    let mut bench = bench();
    wants(&mut bench, "x", "a", 1);
    publish_at(&mut bench, at(0), asking("1"), &[]);
    let old = v1::Receipt { incarnation: Incarnation(9), seq: Seq(1), subscriptions: 1, vacant: SmallVec::new() };
    assert_eq!(bench.handle(at(0), Event::Receipt { from: addr("x"), receipt: old }), []);
    assert_eq!(bench.machine.open(), 1);
}

#[test]
fn the_answer_of_the_second_node_tried_counts() {
    let mut bench = bench();
    wants(&mut bench, "x", "a|g", 1);
    wants(&mut bench, "y", "a|g", 1);
    wants(&mut bench, "y", "a", 1);
    publish_at(&mut bench, at(0), asking("1"), &[("y", Some(2))]);
    assert_eq!(receipt(&mut bench, "y", 1, 1, &[]), [], "the plain subscription of y");
    assert_eq!(nodes(&receipt(&mut bench, "x", 1, 0, &["g"])), addrs(&["y"]));
    assert_eq!(reports(receipt(&mut bench, "y", 1, 1, &[])), [all(2, 1)]);
}

#[test]
fn a_group_that_nobody_serves_is_named() {
    let mut bench = bench();
    wants(&mut bench, "x", "a|g", 1);
    wants(&mut bench, "y", "a|h", 1);
    publish_at(&mut bench, at(0), asking("1"), &[("y", None)]);
    let report = Report { unserved: vec![group("h"), group("g")], ..Report::default() };
    assert_eq!(reports(receipt(&mut bench, "x", 1, 0, &["g"])), [report]);
    assert_eq!(bench.probe.get(Counter::GroupsUnserved), 2);
}

#[test]
fn whoever_asks_is_answered_with_the_number_of_subscriptions() {
    let mut bench = bench();
    subscribe(&mut bench, "a");
    subscribe(&mut bench, "a.>");
    subscribe(&mut bench, ">");
    let effects = arrives(&mut bench, v1::Publication { receipt: true, ..header("a", 5) }, &[]);
    let expected = Effect::Receipt {
        to: addr("far"),
        incarnation: THEIRS,
        seq: Seq(5),
        subscriptions: 2,
        vacant: SmallVec::new(),
    };
    assert_eq!(effects.last(), Some(&expected));
    let nobody = arrives(&mut bench, v1::Publication { receipt: true, ..header("a", 6) }, &[]);
    assert_eq!(nobody.len(), 3);
}

#[test]
fn a_slow_node_is_named_now_and_then() {
    let mut bench = bench();
    let mut lost = |now, seq| bench.handle(now, outcome("x", seq, Outcome::Rejected(Rejected::Busy)));
    let slow = |dropped| Effect::SlowNode { node: addr("x"), dropped };
    assert_eq!(lost(at(0), 1), [slow(1)]);
    assert_eq!(lost(at(9_999), 2), []);
    assert_eq!(lost(at(10_000), 3), [slow(3)]);
    assert_eq!(SLOW_INTERVAL, millis(10_000));
    assert_eq!(bench.machine.slow_nodes().collect::<Vec<_>>(), [(addr("x"), 3)]);
    assert_eq!(bench.probe.get(Counter::PublicationsLost), 3);
    bench.handle(at(10_000), Event::Forget { node: addr("x") });
    assert_eq!(bench.machine.slow_nodes().count(), 0);
}

#[test]
fn only_so_many_receipts_are_awaited() {
    let mut bench = bench();
    wants(&mut bench, "x", "a", 1);
    for _ in 0..RECEIPTS_MAX {
        publish_at(&mut bench, at(0), asking(""), &[]);
    }
    bench.with(at(0), |topics, cx, fx| {
        assert_eq!(topics.publish(cx, Token(7), asking(""), |_| Some(1), fx), Err(Rejected::Busy));
        assert!(topics.publish(cx, Token(7), about("a", ""), |_| Some(1), fx).is_ok());
    });
    assert_eq!(bench.run_until(at(500)).len(), RECEIPTS_MAX);
    assert_eq!(bench.machine.open(), 0);
}
