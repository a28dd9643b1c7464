//! What a subscription says to the others, and what they say to this node.

use super::*;
use crate::{error::Rejected, probe::Counter, pubsub::Ended};
use std::{string::ToString as _, vec};

fn unsubscribe(bench: &mut Bench<Topics>, id: SubscriptionId) -> Vec<Effect> {
    let now = bench.now();
    bench.with(now, |topics, _, fx| assert!(topics.unsubscribe(id, fx)))
}

fn line(pattern: &str, group: Option<&str>, present: bool, members: u32) -> (String, Option<String>, bool, u32) {
    (pattern.to_string(), group.map(str::to_string), present, members)
}

#[test]
fn the_first_subscription_to_a_pattern_is_told_and_the_last_one_gone() {
    let mut bench = bench();
    let (first, effects) = subscribe_at(&mut bench, at(1), &to("a.*"));
    assert_eq!(told(&effects), [line("a.*", None, true, 1)]);
    let (second, effects) = subscribe_at(&mut bench, at(2), &to("a.*"));
    assert_eq!(effects, []);
    assert_eq!(unsubscribe(&mut bench, first.id), []);
    assert_eq!(told(&unsubscribe(&mut bench, second.id)), [line("a.*", None, false, 0)]);
    assert!(bench.machine.interests().is_empty());
}

#[test]
fn every_change_of_a_groups_members_is_told() {
    let mut bench = bench();
    let (first, effects) = subscribe_at(&mut bench, at(1), &to("jobs.>|w"));
    assert_eq!(told(&effects), [line("jobs.>", Some("w"), true, 1)]);
    let (second, effects) = subscribe_at(&mut bench, at(1), &to("jobs.>|w"));
    assert_eq!(told(&effects), [line("jobs.>", Some("w"), true, 2)]);
    assert_eq!(told(&unsubscribe(&mut bench, first.id)), [line("jobs.>", Some("w"), true, 1)]);
    assert_eq!(told(&unsubscribe(&mut bench, second.id)), [line("jobs.>", Some("w"), false, 0)]);
}

#[test]
fn one_pattern_with_and_without_a_group_is_two_interests() {
    let mut bench = bench();
    subscribe(&mut bench, "a|g");
    let (_, effects) = subscribe_at(&mut bench, at(0), &to("a"));
    assert_eq!(told(&effects), [line("a", None, true, 1)]);
    assert_eq!(bench.machine.wanted().count(), 2);
}

#[test]
fn nothing_is_delivered_after_the_end_of_a_subscription() {
    let mut bench = bench();
    let id = subscribe(&mut bench, "a");
    assert_eq!(got(&publish(&mut bench, "a", "1"), id), ["1"]);
    unsubscribe(&mut bench, id);
    assert_eq!(publish(&mut bench, "a", "2"), []);
    assert_eq!(consumed(&mut bench, id, 1), []);
    bench.with(at(1), |topics, _, fx| assert!(!topics.unsubscribe(id, fx)));
}

#[test]
fn the_subscriptions_of_a_client_end_when_it_goes_and_no_others() {
    let mut bench = bench();
    let of = |client: &str, what: &str| Subscribe { client: Some(client.into()), ..to(what) };
    let mut subscribe = |what: Subscribe| subscribe_at(&mut bench, at(0), &what).0.id;
    let [first, second, third] = ["a", "b", "a|g"].map(|what| subscribe(of("ann", what)));
    let [others, own] = [subscribe(of("bob", "a")), subscribe(to("a"))];
    bench.with(at(1), |topics, _, fx| assert!(topics.unsubscribe(second, fx)));
    let effects = bench.handle(at(2), Event::ClientGone { client: "ann" });
    let ended = |effect: &Effect| match effect {
        Effect::Disconnected { subscription, client, reason: Ended::ClientGone } => {
            assert_eq!(client.as_deref(), Some("ann"));
            Some(*subscription)
        }
        _ => None,
    };
    let mut gone: Vec<_> = effects.iter().filter_map(ended).collect();
    gone.sort();
    let mut expected = vec![first, third];
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(told(&effects), [line("a", Some("g"), false, 0)], "others want the pattern without a group");
    let effects = publish(&mut bench, "a", "1");
    assert_eq!((got(&effects, others), got(&effects, own)), (vec!["1".to_string()], vec!["1".to_string()]));
    assert_eq!(effects.len(), 2);
    assert_eq!(bench.handle(at(3), Event::ClientGone { client: "ann" }), []);
}

#[test]
fn a_history_rule_is_an_interest_that_is_told_at_once() {
    let rule = HistoryRule { pattern: pattern("log.>"), messages: 10, bytes: 1_000, age: None };
    let mut bench = bench_with(vec![rule]);
    assert_eq!(bench.machine.poll_timeout().map(|(due, _)| due), Some(at(0)));
    let effects: Vec<Effect> = bench.run_until(at(0)).into_iter().map(|(_, effect)| effect).collect();
    assert_eq!(told(&effects), [line("log.>", None, true, 1)]);
    let (made, effects) = subscribe_at(&mut bench, at(1), &to("log.>"));
    assert_eq!(effects, [], "the others know already");
    assert_eq!(unsubscribe(&mut bench, made.id), [], "the rule goes on");
    assert_eq!(bench.machine.wanted().count(), 1);
}

#[test]
fn what_a_node_wants_is_forgotten_with_it() {
    let mut bench = bench();
    for text in ["a.b", "a.*", "a.>|g"] {
        wants(&mut bench, "far", text, 1);
        wants(&mut bench, "near", text, 1);
    }
    assert_eq!(nodes(&publish(&mut bench, "a.b", "1")).len(), 2);
    assert_eq!(bench.handle(at(1), Event::Forget { node: addr("far") }), []);
    assert_eq!(forwarded(&publish(&mut bench, "a.b", "2")), [(addr("near"), vec!["g".to_string()])]);
    assert_eq!(bench.machine.interests().of(Some(addr("far"))).count(), 0);
    assert_eq!(bench.machine.interests().len(), 3);
}

#[test]
fn what_others_say_of_this_node_changes_nothing() {
    let mut bench = bench();
    wants(&mut bench, "me", "a", 1);
    assert_eq!(publish(&mut bench, "a", "1"), []);
    assert!(bench.machine.interests().is_empty());
}

#[test]
fn an_interest_that_ends_twice_ends_once() {
    let mut bench = bench();
    wants(&mut bench, "far", "a.b", 1);
    wants(&mut bench, "far", "a.b", 1);
    assert_eq!(bench.machine.interests().len(), 1);
    for _ in 0..2 {
        wants(&mut bench, "far", "a.b", 0);
        assert_eq!(bench.machine.interests().len(), 0);
    }
}

#[test]
fn a_draining_node_takes_nothing_new_and_still_delivers() {
    let mut bench = bench();
    let id = subscribe(&mut bench, "a");
    bench.handle(at(1), Event::Drain);
    bench.with(at(1), |topics, cx, fx| {
        let refused = topics.publish(cx, Token(1), about("a", "1"), |_| Some(1), fx);
        assert_eq!(refused, Err(Rejected::ShuttingDown));
        assert_eq!(topics.subscribe(cx, &to("b"), fx).map(|made| made.id), Err(Rejected::ShuttingDown));
    });
    assert_eq!(got(&arrives(&mut bench, header("a", 4), &[]), id), ["4"]);
}

#[test]
fn subscriptions_are_shown_with_their_counters() {
    let mut bench = bench();
    let id = subscribe(&mut bench, "a.>|g");
    publish(&mut bench, "a.b", "1");
    let views: Vec<_> = bench.machine.subscriptions().collect();
    assert_eq!(views.len(), 1);
    assert_eq!((views[0].id, views[0].pattern.as_str(), views[0].group.clone()), (id, "a.>", Some(group("g"))));
    assert_eq!((views[0].held, views[0].queued, views[0].delivered), (1, 0, 1));
    assert_eq!(bench.probe.get(Counter::PublicationsDelivered), 1);
}

#[test]
fn a_nodes_quota_of_interests_is_no_other_nodes_business() {
    let mut table = super::super::Interests::new(1);
    for node in 0..crate::limits::OWNERS_MAX as u64 {
        assert_eq!(table.set(Some(NodeAddr(node)), &pattern("a"), None, 1), Ok(()));
    }
    assert_eq!(table.set(Some(NodeAddr(u64::MAX)), &pattern("a"), None, 1), Err(super::super::Full));
    assert_eq!(table.set(None, &pattern("a"), None, 1), Ok(()));
    table.forget(NodeAddr(5));
    assert_eq!(table.set(Some(NodeAddr(u64::MAX)), &pattern("a"), None, 1), Ok(()));
}
