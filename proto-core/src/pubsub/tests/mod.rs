//! Scripts with literal times for every rule of the topics, a reference for what patterns match, and random worlds.

mod groups;
mod history;
mod interests;
mod publishing;
mod receipts;
mod slow;
mod subscribing;
mod world;

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Config, Effect, Event, Group, HistoryRule, Pattern, Publication, Publish, Subscribe, Subscribed, SubscriptionId,
    Topic, Topics,
};
use crate::{
    cx::Cx,
    id::{Incarnation, NodeAddr, NodeName, Seq, Token},
    secure::Identity,
    testing::{Bench, Machine, PROVIDER},
    time::Time,
    wire::v1,
};

/// This node's life, and everybody else's.
const MINE: Incarnation = Incarnation(10);
const THEIRS: Incarnation = Incarnation(20);

impl Machine for Topics {
    type Event = Event<'static>;
    type Effect = Effect;

    fn handle(&mut self, cx: &mut Cx<'_>, event: Event<'static>, effects: &mut Vec<Effect>) {
        Self::handle(self, cx, event, effects);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Effect>) {
        Self::handle_timeout(self, cx, effects);
    }

    fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        Self::poll_timeout(self)
    }
}

fn bench_with(history: Vec<HistoryRule>) -> Bench<Topics> {
    let identity = Arc::new(Identity::from_seed([0; 32], PROVIDER));
    let node = crate::node::Config::new(NodeName::new("me").unwrap(), identity, MINE, PROVIDER);
    Bench::new(Topics::new(&node, &Config { history }))
}

fn bench() -> Bench<Topics> {
    bench_with(Vec::new())
}

const fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn addr(name: &str) -> NodeAddr {
    NodeName::new(name).unwrap().addr()
}

fn topic(text: &str) -> Topic {
    Topic::new(text).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

fn group(text: &str) -> Group {
    Group::new(text).unwrap()
}

/// A subscription with every default; to a pattern, or to a pattern in a group: `jobs.*|workers`.
fn to(text: &str) -> Subscribe {
    let (text, group) = split(text);
    Subscribe { group, ..Subscribe::new(pattern(text)) }
}

fn split(text: &str) -> (&str, Option<Group>) {
    text.split_once('|').map_or((text, None), |(text, name)| (text, Some(group(name))))
}

fn subscribe_at(bench: &mut Bench<Topics>, now: Time, subscribe: &Subscribe) -> (Subscribed, Vec<Effect>) {
    let mut made = None;
    let effects = bench.with(now, |topics, cx, fx| made = topics.subscribe(cx, subscribe, fx).ok());
    (made.unwrap(), effects)
}

fn subscribe(bench: &mut Bench<Topics>, text: &str) -> SubscriptionId {
    let now = bench.now();
    subscribe_at(bench, now, &to(text)).0.id
}

/// Another node wants a pattern, perhaps in a group with so many members; with none, no more.
fn wants(bench: &mut Bench<Topics>, node: &str, text: &str, members: u32) {
    let (text, group) = split(text);
    let event = Event::Interest { node: addr(node), pattern: pattern(text), group, present: members > 0, members };
    let now = bench.now();
    assert_eq!(bench.handle(now, event), []);
}

/// What is published: the topic and the payload.
fn about(topic_text: &str, payload: &str) -> Publish {
    Publish::new(topic(topic_text), Bytes::copy_from_slice(payload.as_bytes()))
}

/// Publishes; every node is one step away, but for those named here.
fn publish_at(bench: &mut Bench<Topics>, now: Time, publish: Publish, costs: &[(&str, Option<u32>)]) -> Vec<Effect> {
    let cost = |node| costs.iter().find(|(name, _)| addr(name) == node).map_or(Some(1), |(_, cost)| *cost);
    bench.with(now, |topics, cx, fx| assert!(topics.publish(cx, Token(7), publish, cost, fx).is_ok()))
}

fn publish(bench: &mut Bench<Topics>, topic: &str, payload: &str) -> Vec<Effect> {
    let now = bench.now();
    publish_at(bench, now, about(topic, payload), &[])
}

/// A publication of another node arrives, for these groups too.
fn arrives(bench: &mut Bench<Topics>, header: v1::Publication<'static>, groups: &[&'static str]) -> Vec<Effect> {
    let body = Bytes::copy_from_slice(std::format!("{}", header.seq).as_bytes());
    let groups = SmallVec::from_slice(groups);
    let now = bench.now();
    bench.handle(now, Event::Arrived { from: addr("far"), incarnation: THEIRS, header, groups, body })
}

/// The header of a publication without anything special.
fn header(topic: &'static str, seq: u64) -> v1::Publication<'static> {
    v1::Publication { seq: Seq(seq), receipt: false, groups_only: false, headers: 0, topic, from_client: "" }
}

/// What is handed to whom.
fn delivered(effects: &[Effect]) -> Vec<(SubscriptionId, String)> {
    let one = |effect: &Effect| match effect {
        Effect::Deliver { subscription, publication } => Some((*subscription, text(&publication.payload))),
        _ => None,
    };
    effects.iter().filter_map(one).collect()
}

/// What is handed to one subscription.
fn got(effects: &[Effect], id: SubscriptionId) -> Vec<String> {
    delivered(effects).into_iter().filter(|(to, _)| *to == id).map(|(_, payload)| payload).collect()
}

/// To whom it goes: each node with the groups that are meant there.
fn forwarded(effects: &[Effect]) -> Vec<(NodeAddr, Vec<String>)> {
    let one = |effect: &Effect| match effect {
        Effect::Forward { to, .. } => Some(to.clone()),
        _ => None,
    };
    let destinations = effects.iter().filter_map(one).flat_map(|to| to.to_vec());
    destinations
        .map(|destination| (destination.node, destination.groups.iter().map(|name| std::format!("{name}")).collect()))
        .collect()
}

/// The nodes it goes to, whatever the groups.
fn nodes(effects: &[Effect]) -> Vec<NodeAddr> {
    forwarded(effects).into_iter().map(|(node, _)| node).collect()
}

/// These nodes in order of address.
fn addrs(names: &[&str]) -> Vec<NodeAddr> {
    let mut addrs: Vec<_> = names.iter().map(|name| addr(name)).collect();
    addrs.sort_unstable();
    addrs
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn consumed(bench: &mut Bench<Topics>, subscription: SubscriptionId, messages: u32) -> Vec<Effect> {
    let now = bench.now();
    bench.handle(now, Event::Consumed { subscription, messages })
}

/// What the others are told of this node's interests: pattern, group, present, members.
fn told(effects: &[Effect]) -> Vec<(String, Option<String>, bool, u32)> {
    let one = |effect: &Effect| match effect {
        Effect::Interest { pattern, group, present, members } => {
            let group = group.as_ref().map(|name| std::format!("{name}"));
            Some((std::format!("{pattern}"), group, *present, *members))
        }
        _ => None,
    };
    effects.iter().filter_map(one).collect()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
