//! Three nodes with perfect ways between them, random subscribers and publishers, and an oracle that knows who was
//! subscribed to what: nobody gets what was not published, or twice, or out of order, or misses what it should have, and
//! everything is accounted for.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use proptest::prelude::*;

use super::*;
use crate::{
    pubsub::{Policy, Report, SubscriptionView},
    queue::Limit,
    testing::cases,
};

const NAMES: [&str; 3] = ["n0", "n1", "n2"];
const TOPICS: [&str; 4] = ["a.b", "a.c", "a.b.c", "d"];
const PATTERNS: [&str; 6] = ["a.b", "a.*", "a.>", ">", "d", "*.b.c"];

/// One step of the story; a number chooses among what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Subscribe { node: usize, pattern: usize, group: usize, policy: Policy },
    Unsubscribe { choice: usize },
    Publish { node: usize, topic: usize, receipt: bool },
    Consume { choice: usize, messages: u32 },
}

/// A subscription as the oracle knows it.
#[derive(Debug)]
struct Known {
    pattern: Pattern,
    group: Option<Group>,
    /// What it was given, in order: the publisher and the number.
    got: Vec<(NodeAddr, Seq)>,
    held: u32,
}

/// The nodes, the oracle, and what was published.
struct World {
    nodes: Vec<Bench<Topics>>,
    known: BTreeMap<(usize, SubscriptionId), Known>,
    published: BTreeMap<(NodeAddr, Seq), &'static str>,
    /// For each publication and group, how many members got it.
    grouped: BTreeMap<(NodeAddr, Seq, Group), usize>,
    reports: Vec<Report>,
}

impl World {
    fn new() -> Self {
        let node = |name: &&str| {
            let identity = Arc::new(Identity::from_seed([0; 32], PROVIDER));
            let node = crate::node::Config::new(NodeName::new(name).unwrap(), identity, MINE, PROVIDER);
            Bench::new(Topics::new(&node, &Config::default()))
        };
        Self {
            nodes: NAMES.iter().map(node).collect(),
            known: BTreeMap::new(),
            published: BTreeMap::new(),
            grouped: BTreeMap::new(),
            reports: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Subscribe { node, pattern: number, group: name, policy } => {
                let group = [None, None, Some(group("g")), Some(group("h"))][name].clone();
                let pattern = pattern(PATTERNS[number]);
                let queue = Limit { count: 2, weight: 10_000 };
                let subscribe =
                    Subscribe { group: group.clone(), policy, queue, credit: 2, ..Subscribe::new(pattern.clone()) };
                let (made, effects) = subscribe_at(&mut self.nodes[node], at(0), &subscribe);
                self.known.insert((node, made.id), Known { pattern, group, got: Vec::new(), held: 0 });
                self.carry_out(node, effects);
            }
            Step::Unsubscribe { choice } => {
                let Some((node, id)) = self.chosen(choice) else { return };
                self.known.remove(&(node, id));
                let effects = self.nodes[node].with(at(0), |topics, _, fx| assert!(topics.unsubscribe(id, fx)));
                self.carry_out(node, effects);
            }
            Step::Publish { node, topic, receipt } => self.publish(node, TOPICS[topic], receipt),
            Step::Consume { choice, messages } => {
                let Some((node, id)) = self.chosen(choice) else { return };
                if let Some(known) = self.known.get_mut(&(node, id)) {
                    known.held = known.held.saturating_sub(messages);
                }
                let effects = consumed(&mut self.nodes[node], id, messages);
                self.carry_out(node, effects);
            }
        }
        self.check();
    }

    fn chosen(&self, choice: usize) -> Option<(usize, SubscriptionId)> {
        self.known.keys().nth(choice % self.known.len().max(1)).copied()
    }

    /// Publishes, and checks that everybody who should is offered it, and nobody else.
    fn publish(&mut self, node: usize, text: &'static str, receipt: bool) {
        let from = addr(NAMES[node]);
        let seq = Seq(self.published.keys().filter(|(publisher, _)| *publisher == from).count() as u64 + 1);
        self.published.insert((from, seq), text);
        let (before, taken) = (self.offers(), self.taken());
        let publish = Publish { receipt, ..about(text, "payload") };
        let effects = publish_at(&mut self.nodes[node], at(0), publish, &[]);
        self.carry_out(node, effects);
        let after = self.offers();
        let mut groups: BTreeMap<Group, (u64, bool)> = BTreeMap::new();
        for (key, known) in &self.known {
            let offers = after[key] - before[key];
            match &known.group {
                None => assert_eq!(offers, u64::from(known.wants(text)), "everybody without a group, once"),
                Some(group) => {
                    let (sum, wanted) = groups.entry(group.clone()).or_default();
                    *sum += offers;
                    *wanted |= known.wants(text);
                }
            }
        }
        let nobody_left = before.len() == after.len();
        for (group, (sum, wanted)) in groups {
            // One that was ended by this publication may have been the one chosen.
            assert!(sum == u64::from(wanted) || (sum == 0 && !nobody_left), "{group}: {sum} members");
        }
        if receipt {
            let report = self.reports.pop().expect("perfect ways answer at once");
            let sum = |taken: &BTreeMap<_, u64>| taken.values().sum::<u64>();
            assert!(!nobody_left || report.subscribers == sum(&self.taken()) - sum(&taken), "{report:?}");
            assert_eq!((report.missing.len(), report.unserved.len()), (0, 0));
        }
        assert!(self.reports.is_empty(), "nobody is told who did not ask");
    }

    /// How many publications every subscription was offered since it began.
    fn offers(&self) -> BTreeMap<(usize, SubscriptionId), u64> {
        self.count(|view| view.delivered + view.dropped_oldest + view.dropped_newest + view.queued as u64)
    }

    /// How many publications every subscription took since it began.
    fn taken(&self) -> BTreeMap<(usize, SubscriptionId), u64> {
        self.count(|view| view.delivered + view.dropped_oldest + view.queued as u64)
    }

    fn count(&self, count: impl Fn(&SubscriptionView) -> u64) -> BTreeMap<(usize, SubscriptionId), u64> {
        let nodes = self.nodes.iter().enumerate();
        let views = nodes.flat_map(|(number, node)| node.machine.subscriptions().map(move |view| (number, view)));
        views.map(|(number, view)| ((number, view.id), count(&view))).collect()
    }

    /// Does what a node asks for, and what that leads to, in order.
    fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        let mut work: VecDeque<(usize, Effect)> = effects.into_iter().map(|effect| (node, effect)).collect();
        while let Some((node, effect)) = work.pop_front() {
            let from = addr(NAMES[node]);
            match effect {
                Effect::Interest { pattern, group, present, members } => {
                    for other in (0..3).filter(|other| *other != node) {
                        let (pattern, group) = (pattern.clone(), group.clone());
                        let event = Event::Interest { node: from, pattern, group, present, members };
                        assert_eq!(self.nodes[other].handle(at(0), event), []);
                    }
                }
                Effect::Forward { to, header, body, .. } => {
                    for destination in to.iter() {
                        let there = NAMES.iter().position(|name| addr(name) == destination.node).unwrap();
                        assert_ne!(there, node, "a node sends nothing to itself");
                        let groups = destination.groups.iter().map(Group::as_str).collect();
                        let (header, _) = v1::Publication::split_from(&header).unwrap();
                        let body = body.clone();
                        let event = Event::Arrived { from, incarnation: MINE, header, groups, body };
                        let effects = self.nodes[there].with(at(0), |topics, cx, fx| topics.handle(cx, event, fx));
                        work.extend(effects.into_iter().map(|effect| (there, effect)));
                    }
                }
                Effect::Receipt { to, incarnation, seq, subscriptions, vacant } => {
                    let there = NAMES.iter().position(|name| addr(name) == to).unwrap();
                    let vacant = vacant.iter().map(Group::as_str).collect();
                    let event =
                        Event::Receipt { from, receipt: v1::Receipt { incarnation, seq, subscriptions, vacant } };
                    let effects = self.nodes[there].with(at(0), |topics, cx, fx| topics.handle(cx, event, fx));
                    work.extend(effects.into_iter().map(|effect| (there, effect)));
                }
                Effect::Deliver { subscription, publication } => self.deliver(node, subscription, &publication),
                Effect::Disconnected { subscription, .. } => {
                    assert!(self.known.remove(&(node, subscription)).is_some());
                }
                Effect::Published { report, .. } => self.reports.push(*report),
                Effect::Slow { .. } => {}
                Effect::SlowNode { .. } => panic!("nothing is lost on perfect ways"),
            }
        }
    }

    fn deliver(&mut self, node: usize, id: SubscriptionId, publication: &Publication) {
        let known = self.known.get_mut(&(node, id)).expect("nothing is delivered to who has left");
        let key = (publication.from, publication.seq);
        assert_eq!(self.published.get(&key).copied(), Some(publication.topic.as_str()), "no phantom");
        assert!(known.wants(publication.topic.as_str()), "only what was asked for");
        let last = known.got.iter().rfind(|(from, _)| *from == publication.from);
        assert!(last.is_none_or(|(_, seq)| *seq < publication.seq), "in order and never twice");
        known.got.push(key);
        known.held += 1;
        assert!(known.held <= 2, "no more than its credit");
        if let Some(group) = &known.group {
            let count = self.grouped.entry((key.0, key.1, group.clone())).or_default();
            *count += 1;
            assert_eq!(*count, 1, "one member of a group");
        }
    }

    fn check(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            let here: BTreeSet<_> = self.known.keys().filter(|(node, _)| *node == number).map(|(_, id)| *id).collect();
            let views: Vec<_> = node.machine.subscriptions().collect();
            assert_eq!(views.iter().map(|view| view.id).collect::<BTreeSet<_>>(), here);
            for view in views {
                let known = &self.known[&(number, view.id)];
                assert_eq!((view.delivered as usize, view.held), (known.got.len(), known.held));
                assert!(view.queued <= 2 && (view.queued == 0 || view.held == 2), "{view:?}");
            }
            for other in (0..3).filter(|other| *other != number) {
                let wanted: BTreeSet<_> =
                    self.nodes[other].machine.wanted().map(|view| (view.pattern, view.group, view.members)).collect();
                let believed: BTreeSet<_> = node
                    .machine
                    .interests()
                    .of(Some(addr(NAMES[other])))
                    .map(|view| (view.pattern, view.group, view.members))
                    .collect();
                assert_eq!(believed, wanted, "everybody knows what everybody wants");
            }
        }
    }
}

impl Known {
    fn wants(&self, text: &str) -> bool {
        self.pattern.matches(&topic(text))
    }
}

fn step() -> impl Strategy<Value = Step> {
    let policy = prop::sample::select(alloc::vec![Policy::DropOldest, Policy::DropNewest, Policy::Disconnect]);
    prop_oneof![
        3 => (0..3usize, 0..PATTERNS.len(), 0..4usize, policy)
            .prop_map(|(node, pattern, group, policy)| Step::Subscribe { node, pattern, group, policy }),
        1 => any::<usize>().prop_map(|choice| Step::Unsubscribe { choice }),
        6 => (0..3usize, 0..TOPICS.len(), any::<bool>())
            .prop_map(|(node, topic, receipt)| Step::Publish { node, topic, receipt }),
        4 => (any::<usize>(), 1..4u32).prop_map(|(choice, messages)| Step::Consume { choice, messages }),
    ]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn every_promise_is_kept_whatever_happens(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
    }
}
