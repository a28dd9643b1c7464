//! A sound little mesh for tests to break: `n0 - n1 - n2`, every link costs 1.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use io_sim::{HostId, HostSpec};
use proto_core::{
    id::{Incarnation, NodeAddr, NodeName, Seq, Token},
    node::{Answer, CallEvent, Event, Message, TopicEvent},
    pubsub::{Policy, Position, Publication, Recovery, Subscribed, SubscriptionId, Topic},
    rpc::{Balance, Caller, Completion, Invocation, InvocationId, ServiceName},
    time::Time,
};

use super::{Fact, Held, Invariant, What};
use crate::{
    oracle::{Key, Letter, Oracle, Receivers, Request, calls::Called},
    scenario::{Callee, Service},
    snapshot::{AdvertSnap, ForwardSnap, LinkSnap, NodeSnap, RouteSnap, Snapshot},
};

/// The message that node 0 has sent to node 2.
pub(super) const KEY: Key = Key { from: HostId(0), life: Incarnation(1), serial: 1 };
/// Names the request that sent it.
pub(super) const TOKEN: Token = Token(10);

pub(super) fn name(node: usize) -> NodeName {
    NodeName::new(&format!("n{node}")).expect("a good name")
}

pub(super) fn addr(node: usize) -> NodeAddr {
    name(node).addr()
}

/// How every node is set.
pub(super) fn spec() -> HostSpec {
    HostSpec::new(name(0))
}

/// The settled mesh, an hour after its start.
pub(super) fn line() -> Snapshot {
    let links = [vec![1], vec![0, 2], vec![1]];
    let node = |place: usize| {
        let mut node = NodeSnap::lonely(name(place));
        node.alive_ms = 3_600_000;
        node.dials = links[place].iter().filter(|peer| **peer > place).map(|peer| addr(*peer)).collect();
        node.links = links[place].iter().map(|peer| link(*peer)).collect();
        node.adverts = (0..3).map(|origin| advert(origin, 5, &links[origin])).collect();
        let others = (0..3).filter(|other| *other != place);
        node.routes = others.clone().map(|dst| route(dst, place.abs_diff(dst) as u32, toward(place, dst))).collect();
        node.forwards = others
            .flat_map(|dst| {
                let from = links[place].iter().map(|peer| Some(*peer)).chain([None]);
                from.map(move |from| forward(dst, from, Some(toward(place, dst)).filter(|next| Some(*next) != from)))
            })
            .collect();
        node
    };
    Snapshot { at_ms: 3_600_000, nodes: (0..3).map(node).collect(), cut_ms: vec![0; 9], wire_ms: 0 }
}

/// The same mesh some time later, having said no more than it must.
pub(super) fn later(snapshot: &Snapshot, by_ms: u64) -> Snapshot {
    let mut later = snapshot.clone();
    later.at_ms += by_ms;
    for node in &mut later.nodes {
        node.alive_ms += by_ms;
        node.counts.frames_out += by_ms / node.timers.heartbeat_ms;
    }
    later
}

fn toward(from: usize, dst: usize) -> usize {
    if dst > from { from + 1 } else { from - 1 }
}

pub(super) fn link(peer: usize) -> LinkSnap {
    LinkSnap { peer: name(peer), addr: addr(peer), life: Incarnation(1), session: 1, cost: 1, queued: 0 }
}

pub(super) fn advert(origin: usize, seq: u64, neighbours: &[usize]) -> AdvertSnap {
    let neighbours = neighbours.iter().map(|node| (addr(*node), 1)).collect();
    AdvertSnap { origin: addr(origin), life: Incarnation(1), seq, transit: true, neighbours }
}

pub(super) fn route(dst: usize, cost: u32, first_hop: usize) -> RouteSnap {
    RouteSnap { dst: addr(dst), cost, first_hops: vec![addr(first_hop)] }
}

pub(super) fn forward(dst: usize, from: Option<usize>, to: Option<usize>) -> ForwardSnap {
    ForwardSnap { dst: addr(dst), flow: 0, from: from.map(addr), to: to.map(addr) }
}

/// Node 0 has sent [`KEY`] to node 2 and asked for the outcome, as [`TOKEN`], within a second of time zero.
pub(super) fn oracle() -> Oracle {
    let mut oracle = Oracle::default();
    for host in 0..3 {
        oracle.started(HostId(host), Incarnation(1));
    }
    assert_eq!(oracle.next_key(HostId(0)), Some(KEY));
    oracle.sent(KEY, letter(None), false);
    let request = Request { message: Some(KEY), what: "send", fresh: false };
    oracle.asked(HostId(0), TOKEN, Some(Time::from_secs(1)), request);
    oracle
}

/// What [`KEY`] is, for this client of node 2.
pub(super) fn letter(to_client: Option<&str>) -> Letter {
    let (to, to_client) = (Receivers::These(vec![HostId(2)]), to_client.map(Arc::from));
    Letter { from: addr(0), from_client: None, to, to_client }
}

/// The message [`KEY`] as its receiver gets it.
pub(super) fn message() -> Message {
    Message {
        from: addr(0),
        incarnation: Incarnation(1),
        seq: Seq(1),
        from_client: None,
        to_client: None,
        payload: KEY.payload(20),
    }
}

pub(super) fn fact<'a>(node: HostId, local: Time, spec: &'a HostSpec, what: What<'a>) -> Fact<'a> {
    Fact { at_ms: local.as_nanos() / 1_000_000, node, life: Incarnation(1), local, spec, what }
}

/// The subscription of every node that has one.
pub(super) fn subscription() -> SubscriptionId {
    serde_json::from_str(r#"{"slot":0,"generation":0}"#).expect("a good number")
}

/// What it wants.
pub(super) const PATTERN: &str = "a.*";

/// A node has subscribed to [`PATTERN`], with much room.
pub(super) fn subscribe(oracle: &mut Oracle, at: HostId, group: Option<&str>) {
    subscribe_for(oracle, at, group, None);
}

/// Likewise, for a client.
pub(super) fn subscribe_for(oracle: &mut Oracle, at: HostId, group: Option<&str>, client: Option<&str>) {
    let (pattern, group) = (Arc::from(PATTERN), group.map(Arc::from));
    let subscribe = Service::Subscribe {
        at,
        pattern,
        group,
        policy: Policy::DropOldest,
        queue: 1_024,
        credit: 256,
        resume: false,
        client: client.map(Arc::from),
    };
    oracle.service(Token(20), &subscribe);
    let made = Answer::Subscribed(Subscribed { id: subscription(), recovery: None });
    oracle.answered(at, Token(20), &made, 0, |_| None);
}

/// Everybody knows the subscriptions of a node.
pub(super) fn known(oracle: &mut Oracle, at: HostId) {
    oracle.service(Token(21), &Service::Known { at, deadline_ms: 1_000 });
    oracle.answered(at, Token(21), &Answer::Accepted, 0, |_| None);
}

/// Node 0 has published [`KEY`], with [`TOKEN`].
pub(super) fn publish(oracle: &mut Oracle, topic: &str) {
    oracle.published(KEY, Arc::from(topic), addr(0), None);
}

/// Likewise, and it surely reaches everybody.
pub(super) fn publish_surely(oracle: &mut Oracle, topic: &str) {
    oracle.published(KEY, Arc::from(topic), addr(0), Some((0..3).map(HostId).collect()));
}

/// Node 2 has subscribed, then node 0 has published.
pub(super) fn published(topic: &str) -> Oracle {
    let mut oracle = oracle();
    subscribe(&mut oracle, HostId(2), None);
    publish(&mut oracle, topic);
    oracle
}

/// [`KEY`] as a subscription is handed it.
pub(super) fn publication(topic: &str) -> Publication {
    Publication {
        topic: Topic::new(topic).expect("a good topic"),
        headers: Bytes::new(),
        payload: KEY.payload(20),
        from: addr(0),
        incarnation: Incarnation(1),
        from_client: None,
        seq: Seq(1),
        position: None,
    }
}

/// How a node tells of it.
pub(super) fn event(topic: &str) -> Event {
    handing(publication(topic))
}

fn handing(publication: Publication) -> Event {
    Event::Topic(TopicEvent::Publication { subscription: subscription(), publication: Arc::new(publication) })
}

/// What an invariant says when node 2 hands over a publication.
pub(super) fn handed(invariant: &mut dyn Invariant, oracle: &Oracle, publication: Publication) -> Held {
    handed_at(invariant, oracle, HostId(2), publication)
}

/// Likewise, at any node.
pub(super) fn handed_at(
    invariant: &mut dyn Invariant,
    oracle: &Oracle,
    host: HostId,
    publication: Publication,
) -> Held {
    let (event, spec) = (handing(publication), spec());
    let life = oracle.life(host).expect("it runs");
    let fact = Fact { life, ..fact(host, Time::ZERO, &spec, What::Told(&event)) };
    invariant.fact(&fact, oracle)
}

/// Node 0 has called `sum` with [`TOKEN`], a second before the deadline: [`KEY`].
pub(super) fn called(key: Option<u8>) -> Oracle {
    let mut oracle = oracle();
    call(&mut oracle, KEY, key);
    oracle
}

/// Likewise, in the calm.
pub(super) fn called_surely() -> Oracle {
    let mut oracle = oracle();
    oracle.called(KEY, Called { fresh: true, ..a_call(KEY, None) });
    oracle
}

/// A node calls `sum`.
pub(super) fn call(oracle: &mut Oracle, name: Key, key: Option<u8>) {
    oracle.called(name, a_call(name, key));
}

fn a_call(name: Key, key: Option<u8>) -> Called {
    Called {
        from: addr(name.from.0 as usize),
        service: Arc::from("sum"),
        to: Callee::Any(Balance::Nearest),
        payload: name.payload(20),
        key,
        streaming: false,
        client: None,
        deadline: Duration::from_secs(1),
        asked: Time::ZERO,
        fresh: false,
        token: TOKEN,
        ran: Vec::new(),
        items: 0,
        ended: Vec::new(),
    }
}

/// A call as its handler gets it.
pub(super) fn invocation(name: Key) -> Invocation {
    Invocation {
        id: InvocationId(1),
        service: ServiceName::new("sum").expect("a good name"),
        client: None,
        caller: Caller { node: addr(name.from.0 as usize), incarnation: name.life, client: None },
        payload: name.payload(20),
        left: Duration::from_secs(1),
        room: None,
    }
}

/// What an invariant says when a handler is given a call.
pub(super) fn runs(invariant: &mut dyn Invariant, oracle: &mut Oracle, host: HostId, what: Invocation) -> Held {
    let (event, spec) = (Event::Call(CallEvent::Invoke(Box::new(what))), spec());
    oracle.heard(host, &event);
    let life = oracle.life(host).expect("it runs");
    let fact = Fact { life, ..fact(host, Time::ZERO, &spec, What::Told(&event)) };
    invariant.fact(&fact, oracle)
}

/// What an invariant says when the call of [`TOKEN`] ends.
pub(super) fn ends(invariant: &mut dyn Invariant, oracle: &mut Oracle, completion: Completion) -> Held {
    let (answer, spec) = (Answer::Called { at: None, completion }, spec());
    oracle.answered(HostId(0), TOKEN, &answer, 0, |_| None);
    let what = What::Answered { token: TOKEN, answer: &answer };
    invariant.fact(&fact(HostId(0), Time::ZERO, &spec, what), oracle)
}

/// A subscription of a node was told that it dropped something.
pub(super) fn slow(oracle: &mut Oracle, at: HostId) {
    let slow = TopicEvent::Slow { subscription: subscription(), client: None, dropped: 1, queued: 0 };
    oracle.heard(at, &Event::Topic(slow));
}

/// A node had `a.b` up to a position, and has subscribed to what came after.
pub(super) fn resume(oracle: &mut Oracle, at: HostId, position: Position, recovery: Recovery) {
    subscribe(oracle, at, None);
    oracle.heard(at, &handing(Publication { position: Some(position), ..publication("a.b") }));
    let (pattern, policy) = (Arc::from(PATTERN), Policy::DropOldest);
    let again =
        Service::Subscribe { at, pattern, group: None, policy, queue: 1_024, credit: 256, resume: true, client: None };
    oracle.service(Token(20), &again);
    let made = Answer::Subscribed(Subscribed { id: subscription(), recovery: Some(recovery) });
    oracle.answered(at, Token(20), &made, 0, |_| None);
}

/// Node 0 has called `sum` with [`TOKEN`], and wants items.
pub(super) fn streaming() -> Oracle {
    let mut oracle = oracle();
    oracle.called(KEY, Called { streaming: true, ..a_call(KEY, None) });
    oracle
}

/// What an invariant says when the call of [`TOKEN`] gets an item.
pub(super) fn item(invariant: &mut dyn Invariant, oracle: &mut Oracle, payload: Bytes) -> Held {
    let (event, spec) = (Event::Call(CallEvent::Item { call: TOKEN, payload }), spec());
    oracle.heard(HostId(0), &event);
    invariant.fact(&fact(HostId(0), Time::ZERO, &spec, What::Told(&event)), oracle)
}

/// A node serves `sum`, so many calls at once.
pub(super) fn register(oracle: &mut Oracle, at: HostId, at_once: u32) {
    oracle.service(Token(22), &Service::Register { at, service: Arc::from("sum"), at_once, queue: 0, client: None });
}
