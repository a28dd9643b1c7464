//! Of every queue group one member in the mesh gets each publication.

use super::*;
use crate::{
    error::Rejected,
    limits::{GROUP_RETRY, GROUP_TRIES, MATCH_GROUPS_MAX},
    node::Outcome,
    probe::Counter,
    queue::Limit,
};
use std::{string::ToString as _, vec};

fn to_group(node: &str, name: &str) -> (NodeAddr, Vec<String>) {
    (addr(node), vec![name.to_string()])
}

/// A node says that it has no member of this group.
fn vacant(bench: &mut Bench<Topics>, from: &str, seq: u64, name: &'static str) -> Vec<Effect> {
    let vacant = SmallVec::from_slice(&[name]);
    let receipt = v1::Receipt { incarnation: MINE, seq: Seq(seq), subscriptions: 0, vacant };
    let now = bench.now();
    bench.handle(now, Event::Receipt { from: addr(from), receipt })
}

#[test]
fn members_of_this_node_take_turns() {
    let mut bench = bench();
    let ids = [subscribe(&mut bench, "a|g"), subscribe(&mut bench, "a.>|g"), subscribe(&mut bench, "a|g")];
    let mut counts = [0; 3];
    for _ in 0..6 {
        let to = delivered(&publish(&mut bench, "a", "1"));
        assert_eq!(to.len(), 1);
        counts[ids.iter().position(|id| *id == to[0].0).unwrap()] += 1;
    }
    assert_eq!(counts, [3, 0, 3], "one that does not match has no turn");
}

#[test]
fn a_group_is_one_whatever_its_patterns() {
    let mut bench = bench();
    subscribe(&mut bench, "a.*|g");
    subscribe(&mut bench, "a.b|g");
    wants(&mut bench, "x", ">|g", 1);
    let effects = publish(&mut bench, "a.b", "1");
    assert_eq!((delivered(&effects).len(), nodes(&effects)), (1, vec![]));
}

#[test]
fn two_groups_and_a_plain_subscription_each_get_it() {
    let mut bench = bench();
    wants(&mut bench, "x", "a|g", 1);
    wants(&mut bench, "x", "a", 1);
    wants(&mut bench, "y", "a|h", 1);
    let expected = [to_group("x", "g"), to_group("y", "h")].map(|line| (line.0, line)).into_iter();
    let expected: std::collections::BTreeMap<_, _> = expected.collect();
    assert_eq!(forwarded(&publish(&mut bench, "a", "1")), expected.into_values().collect::<Vec<_>>());
}

#[test]
fn this_nodes_members_come_before_others() {
    let mut bench = bench();
    wants(&mut bench, "x", "a|g", 100);
    let id = subscribe(&mut bench, "a|g");
    for _ in 0..4 {
        let effects = publish(&mut bench, "a", "1");
        assert_eq!((got(&effects, id).len(), nodes(&effects)), (1, vec![]));
    }
}

#[test]
fn the_nearest_node_gets_it() {
    let mut bench = bench();
    for node in ["x", "y", "z"] {
        wants(&mut bench, node, "a|g", 1);
    }
    let costs = [("x", Some(5)), ("y", Some(3)), ("z", None)];
    for _ in 0..4 {
        let effects = publish_at(&mut bench, at(1), about("a", "1"), &costs);
        assert_eq!(forwarded(&effects), [to_group("y", "g")]);
    }
}

#[test]
fn equally_near_nodes_take_turns_by_the_number_of_their_members() {
    let mut bench = bench();
    wants(&mut bench, "x", "a|g", 3);
    wants(&mut bench, "y", "a|g", 1);
    wants(&mut bench, "far", "a|g", 9);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..40 {
        let to = nodes(&publish_at(&mut bench, at(1), about("a", "1"), &[("far", Some(2))]));
        assert_eq!(to.len(), 1);
        *counts.entry(to[0]).or_insert(0) += 1;
    }
    assert_eq!((counts.get(&addr("x")), counts.get(&addr("y")), counts.len()), (Some(&30), Some(&10), 2));
}

#[test]
fn a_group_out_of_reach_gets_nothing_and_is_counted() {
    let mut bench = bench();
    wants(&mut bench, "x", "a|g", 1);
    assert_eq!(publish_at(&mut bench, at(1), about("a", "1"), &[("x", None)]), []);
    assert_eq!(bench.probe.get(Counter::GroupsUnserved), 1);
}

#[test]
fn a_member_with_room_comes_before_one_without() {
    let mut bench = bench();
    let tight = Subscribe { credit: 1, queue: Limit { count: 0, weight: 0 }, ..to("a|g") };
    let (full, _) = subscribe_at(&mut bench, at(0), &tight);
    let free = subscribe(&mut bench, "a|g");
    let mut counts = [0, 0];
    for _ in 0..10 {
        let effects = publish(&mut bench, "a", "1");
        counts[0] += got(&effects, full.id).len();
        counts[1] += got(&effects, free).len();
    }
    assert_eq!(counts, [1, 9]);
    assert_eq!(bench.probe.get(Counter::PublicationsDropped), 0);
}

#[test]
fn a_named_group_gets_one_copy_and_the_rest_of_the_node_its_own() {
    let mut bench = bench();
    let plain = subscribe(&mut bench, "a");
    let members = [subscribe(&mut bench, "a|g"), subscribe(&mut bench, "a|g")];
    subscribe(&mut bench, "a|not-meant");
    let effects = arrives(&mut bench, header("a", 1), &["g", "g"]);
    assert_eq!(got(&effects, plain), ["1"]);
    assert_eq!(members.iter().flat_map(|id| got(&effects, *id)).count(), 1);
    assert_eq!(effects.len(), 2);
}

#[test]
fn a_second_try_is_for_the_group_only() {
    let rule = HistoryRule { pattern: pattern("a"), messages: 9, bytes: 9_999, age: None };
    let mut bench = bench_with(vec![rule]);
    let plain = subscribe(&mut bench, "a");
    let member = subscribe(&mut bench, "a|g");
    let again = v1::Publication { groups_only: true, ..header("a", 1) };
    let effects = arrives(&mut bench, again, &["g"]);
    assert_eq!((got(&effects, plain).len(), got(&effects, member).len()), (0, 1));
    assert_eq!(bench.machine.history().count(), 0);
}

#[test]
fn a_node_without_a_member_says_so() {
    let mut bench = bench();
    subscribe(&mut bench, "b|g");
    let effects = arrives(&mut bench, header("a", 1), &["g"]);
    let vacant = SmallVec::from_iter([group("g")]);
    let to = addr("far");
    let expected = Effect::Receipt { to, incarnation: THEIRS, seq: Seq(1), subscriptions: 0, vacant };
    assert_eq!(effects, [expected]);
}

#[test]
fn another_node_is_tried_when_the_first_has_no_member() {
    let mut bench = bench();
    for node in ["x", "y"] {
        wants(&mut bench, node, "a|g", 1);
    }
    let costs = [("x", Some(1)), ("y", Some(2))];
    assert_eq!(forwarded(&publish_at(&mut bench, at(1), about("a", "1"), &costs)), [to_group("x", "g")]);
    let effects = vacant(&mut bench, "x", 1, "g");
    assert_eq!(forwarded(&effects), [to_group("y", "g")]);
    let [Effect::Forward { header, body, seq, .. }] = &effects[..] else { panic!("{effects:?}") };
    let (header, _) = v1::Publication::split_from(header).unwrap();
    assert_eq!((header.groups_only, *seq, text(body)), (true, Seq(1), "1".into()));
    assert_eq!(vacant(&mut bench, "y", 1, "g"), []);
    assert_eq!(bench.probe.get(Counter::GroupsUnserved), 1);
}

#[test]
fn so_many_nodes_are_tried_and_no_more() {
    let mut bench = bench();
    for n in 0..9 {
        wants(&mut bench, &std::format!("n{n}"), "a|g", 1);
    }
    let mut effects = publish(&mut bench, "a", "1");
    let mut tried = vec![];
    while let [node] = nodes(&effects)[..] {
        tried.push(node);
        let vacant = SmallVec::from_slice(&["g"]);
        let receipt = v1::Receipt { incarnation: MINE, seq: Seq(1), subscriptions: 0, vacant };
        effects = bench.handle(at(1), Event::Receipt { from: node, receipt });
    }
    assert_eq!(tried.len(), GROUP_TRIES);
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried.len(), GROUP_TRIES, "each once");
}

#[test]
fn what_never_left_is_tried_elsewhere_and_what_may_have_arrived_is_not() {
    let mut bench = bench();
    for node in ["x", "y"] {
        wants(&mut bench, node, "a|g", 1);
    }
    let costs = [("x", Some(1)), ("y", Some(2))];
    publish_at(&mut bench, at(1), about("a", "1"), &costs);
    let lost = |seq, outcome| Event::Outcome { seq: Seq(seq), part: 0, node: addr("x"), outcome };
    let effects = bench.handle(at(1), lost(1, Outcome::Rejected(Rejected::Busy)));
    assert_eq!(forwarded(&effects), [to_group("y", "g")]);
    publish_at(&mut bench, at(1), about("a", "2"), &costs);
    assert_eq!(nodes(&bench.handle(at(1), lost(2, Outcome::Unknown))), []);
}

#[test]
fn a_publication_without_receipt_is_kept_for_another_try_for_a_moment_only() {
    let mut bench = bench();
    for node in ["x", "y"] {
        wants(&mut bench, node, "a|g", 1);
    }
    publish_at(&mut bench, at(0), about("a", "1"), &[("y", Some(2))]);
    assert_eq!((bench.machine.open(), GROUP_RETRY), (1, millis(2_000)));
    assert_eq!(bench.run_until(at(1_999)), []);
    assert_eq!(bench.machine.open(), 1);
    assert_eq!(bench.run_until(at(2_000)), []);
    assert_eq!((bench.machine.open(), bench.machine.poll_timeout()), (0, None));
    assert_eq!(vacant(&mut bench, "x", 1, "g"), []);
    assert_eq!(bench.probe.get(Counter::GroupsUnserved), 1);
}

#[test]
fn only_so_many_publications_are_kept_for_another_try() {
    let mut bench = bench();
    for node in ["x", "y"] {
        wants(&mut bench, node, "a|g", 1);
    }
    let large = Publish { payload: Bytes::from(vec![7; 1_000_000]), ..about("a", "") };
    for _ in 0..100 {
        publish_at(&mut bench, at(0), large.clone(), &[("y", Some(2))]);
    }
    assert_eq!(bench.machine.open(), 67, "64 MiB of them");
    assert_eq!(nodes(&vacant(&mut bench, "x", 33, "g")), []);
    assert_eq!(nodes(&vacant(&mut bench, "x", 34, "g")), addrs(&["y"]));
}

#[test]
fn the_publisher_itself_is_no_member_without_echo() {
    let mut bench = bench();
    let cam = Subscribe { client: Some(Arc::from("cam")), ..to("a|g") };
    subscribe_at(&mut bench, at(0), &cam);
    wants(&mut bench, "x", "a|g", 1);
    let publish = Publish { from_client: Some(Arc::from("cam")), echo: false, ..about("a", "1") };
    let effects = publish_at(&mut bench, at(0), publish, &[]);
    assert_eq!((delivered(&effects), nodes(&effects)), (vec![], addrs(&["x"])));
}

/// Any node may say that it has a million groups that want everything.
#[test]
fn only_so_many_groups_of_other_nodes_get_a_publication() {
    let mut bench = bench();
    for number in 0..4 * MATCH_GROUPS_MAX {
        wants(&mut bench, "x", &std::format!("a|{number}"), 1);
    }
    let own = subscribe(&mut bench, "a|own");
    let effects = publish(&mut bench, "a", "1");
    let groups = |effect: &Effect| match effect {
        Effect::Forward { to, .. } => to.iter().map(|to| to.groups.len()).sum(),
        _ => 0,
    };
    assert_eq!(effects.iter().map(groups).sum::<usize>(), MATCH_GROUPS_MAX - 1, "and the one here");
    assert_eq!(got(&effects, own), ["1"]);
    let another = subscribe(&mut bench, "a|another");
    let effects = publish(&mut bench, "a", "2");
    assert_eq!((got(&effects, own).len(), got(&effects, another).len()), (1, 1));
}

#[test]
fn a_receipt_that_names_all_groups_of_a_part_fits_its_header() {
    let mut bench = bench();
    for number in 0..900 {
        wants(&mut bench, "x", &std::format!("a|{number:03}"), 1);
    }
    let effects = publish(&mut bench, "a", "1");
    let longest = |effect: &Effect| match effect {
        Effect::Forward { to, .. } => {
            let vacant = to[0].groups.iter().map(Group::as_str).collect();
            let (incarnation, seq, subscriptions) = (Incarnation(u64::MAX), Seq(u64::MAX), u32::MAX);
            crate::wire::encode(&v1::Receipt { incarnation, seq, subscriptions, vacant }).len() + 1
        }
        _ => 0,
    };
    let longest = effects.iter().map(longest).max().unwrap();
    assert!((800..=crate::limits::PARCEL_HEAD_MAX).contains(&longest), "{longest}");
}

/// Twenty groups with the longest names there are, all at one node.
#[test]
fn more_groups_than_fit_a_header_are_further_parts() {
    let mut bench = bench();
    let names: Vec<String> = (0..20).map(|number| std::format!("{number:0>64}")).collect();
    wants(&mut bench, "x", "a", 1);
    names.iter().for_each(|name| wants(&mut bench, "x", &std::format!("a|{name}"), 1));
    let effects = publish(&mut bench, "a", "1");
    let parts = |effects: &[Effect]| {
        let part = |effect: &Effect| match effect {
            Effect::Forward { part, to, header, .. } => {
                let groups = to[0].groups.iter().map(|name| std::format!("{name}")).collect::<Vec<_>>();
                let weight = 1 + header.len() + 2 + groups.iter().map(|name| name.len() + 1).sum::<usize>();
                assert!(weight <= crate::limits::PARCEL_HEAD_MAX, "{weight}");
                Some((*part, v1::Publication::split_from(header).unwrap().0.groups_only, groups))
            }
            _ => None,
        };
        effects.iter().filter_map(part).collect::<Vec<_>>()
    };
    let [(0, false, first), (1, true, second)] = &parts(&effects)[..] else { panic!("{:?}", parts(&effects)) };
    let mut all = [&first[..], &second[..]].concat();
    all.sort();
    assert_eq!(all, names);
    // Only the groups of the part that did not come are tried elsewhere; here there is nobody.
    let why = Outcome::Rejected(crate::error::Rejected::Busy);
    let before = bench.probe.get(Counter::GroupsUnserved);
    bench.handle(at(0), Event::Outcome { seq: Seq(1), part: 1, node: addr("x"), outcome: why });
    assert_eq!(bench.probe.get(Counter::GroupsUnserved) - before, second.len() as u64);
}
