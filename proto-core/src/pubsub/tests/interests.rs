//! The table of interests against a naive one.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{pubsub::Interests, testing::cases};

type Key = (Option<NodeAddr>, Pattern, Option<Group>);

/// One step: somebody begins to want something, with so many members, or ceases to.
#[derive(Clone, Debug)]
enum Step {
    Set(Key, u32),
    Unset(Key),
    Forget(NodeAddr),
}

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "a-token-of-more-than-eleven-bytes"])
}

fn some_topic() -> impl Strategy<Value = Topic> {
    prop::collection::vec(token(), 1..5).prop_map(|tokens| topic(&tokens.join(".")))
}

fn some_pattern() -> impl Strategy<Value = Pattern> {
    let wild = prop_oneof![3 => token(), 2 => Just("*")];
    (prop::collection::vec(wild, 1..5), any::<bool>()).prop_map(|(mut tokens, rest)| {
        if rest {
            tokens.push(">");
        }
        pattern(&tokens.join("."))
    })
}

fn key() -> impl Strategy<Value = Key> {
    let node = prop_oneof![Just(None), (0..4u64).prop_map(|node| Some(NodeAddr(node)))];
    let name = prop::sample::select(vec![None, Some("g"), Some("h")]);
    (node, some_pattern(), name).prop_map(|(node, pattern, name)| (node, pattern, name.map(group)))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (key(), 1..5u32).prop_map(|(key, members)| Step::Set(key, members)),
        3 => key().prop_map(Step::Unset),
        1 => (0..4u64).prop_map(|node| Step::Forget(NodeAddr(node))),
    ]
}

/// What a pattern means, token by token.
fn wants(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern, topic) {
        ([], []) | ([">"], [_, ..]) => true,
        (["*", pattern @ ..], [_, topic @ ..]) => wants(pattern, topic),
        ([token, pattern @ ..], [found, topic @ ..]) => token == found && wants(pattern, topic),
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

fn tokens(text: &str) -> Vec<&str> {
    text.split('.').collect()
}

/// Everybody who wants a topic, by looking at everything.
fn naive(all: &BTreeMap<Key, u32>, topic: &Topic) -> Vec<(Key, u32)> {
    all.iter()
        .filter(|((_, pattern, _), _)| wants(&tokens(pattern.as_str()), &tokens(topic.as_str())))
        .map(|(key, n)| (key.clone(), *n))
        .collect()
}

fn found(table: &Interests, topic: &Topic) -> Vec<(Key, u32)> {
    let mut found = Vec::new();
    table.matches(topic.as_str(), |one| {
        let (text, group) = table.describe(one.interest);
        found.push(((one.node, pattern(&text), group), u32::from(one.members)));
    });
    found.sort();
    found
}

fn listed(table: &Interests) -> Vec<(Key, u32)> {
    let mut all: Vec<_> = table.iter().map(|view| ((view.node, view.pattern, view.group), view.members)).collect();
    all.sort();
    all
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn the_table_finds_exactly_what_a_naive_one_finds(
        steps in prop::collection::vec(step(), 1..60), topics in prop::collection::vec(some_topic(), 8), seed: u64
    ) {
        let mut table = Interests::new(seed);
        let mut reference = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set((node, pattern, group), members) => {
                    prop_assert!(table.set(node, &pattern, group.as_ref(), members).is_ok());
                    reference.insert((node, pattern, group), members);
                }
                Step::Unset((node, pattern, group)) => {
                    let was = table.unset(node, &pattern, group.as_ref());
                    prop_assert_eq!(was, reference.remove(&(node, pattern, group)).is_some());
                }
                Step::Forget(node) => {
                    table.forget(node);
                    reference.retain(|(owner, ..), _| *owner != Some(node));
                }
            }
            for topic in &topics {
                let expected = naive(&reference, topic);
                for (_, pattern, _) in reference.keys() {
                    prop_assert_eq!(pattern.matches(topic), wants(&tokens(pattern.as_str()), &tokens(topic.as_str())));
                }
                prop_assert_eq!(found(&table, topic), expected);
            }
        }
        prop_assert_eq!(listed(&table), reference.clone().into_iter().collect::<Vec<_>>());
        for (node, pattern, group) in reference.into_keys() {
            prop_assert!(table.unset(node, &pattern, group.as_ref()));
        }
        prop_assert!(table.is_bare(), "nothing is left: {:?}", table);
    }
}

#[test]
fn a_pattern_of_every_token_count_finds_its_topic() {
    let mut table = Interests::new(3);
    let deep = |token: &str, count| std::vec![token; count].join(".");
    for count in 1..=16 {
        assert_eq!(table.set(None, &pattern(&deep("*", count)), None, 1), Ok(()));
        assert_eq!(table.set(None, &pattern(&deep("x", count)), None, 1), Ok(()));
    }
    for count in 1..=16 {
        assert_eq!(table.count(&topic(&deep("x", count))), 2);
        assert_eq!(table.count(&topic(&deep("y", count))), 1);
    }
}
