//! Scripts with literal times for each end alone and for calls within one node, and a random world that checks the
//! promises.

mod balance;
mod caller;
mod chaos;
mod keys;
mod local;
mod provider;
mod stream;
mod wire;
mod world;

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    cx::Cx,
    error::Rejected,
    id::NodeName,
    node::Config,
    probe::Counter,
    secure::Identity,
    testing::{Bench, Machine, PROVIDER},
    time::Time,
    wire::decode,
};

/// This node's life, and the others'.
const MINE: Incarnation = Incarnation(10);
const THEIRS: Incarnation = Incarnation(20);

impl Machine for Rpc {
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

fn machine(name: &str, incarnation: Incarnation) -> Rpc {
    let identity = Arc::new(Identity::from_seed([0; 32], PROVIDER));
    Rpc::new(&Config::new(NodeName::new(name).unwrap(), identity, incarnation, PROVIDER))
}

/// Node `me`, which knows nobody.
fn bench() -> Bench<Rpc> {
    Bench::new(machine("me", MINE))
}

fn addr(name: &str) -> NodeAddr {
    NodeName::new(name).unwrap().addr()
}

const fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn service() -> ServiceName {
    ServiceName::new("sum").unwrap()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn entry(client: Option<&str>, concurrency: u32, queue: u32) -> Entry {
    Entry { capacity: Capacity { concurrency, queue }, ..Entry::new(service(), client.map(Arc::from)) }
}

fn provider(node: &str) -> Provider {
    Provider { node: addr(node), client: None }
}

/// A unary call with a deadline after that many milliseconds.
fn call_to(to: Target, deadline: u64) -> Call {
    let mode = Mode::Unary { key: None };
    Call { service: service(), to, from_client: None, payload: bytes("1+1"), deadline: ms(deadline), mode }
}

fn balanced(deadline: u64) -> Call {
    call_to(Target::Balanced(Balance::Nearest), deadline)
}

fn to_node(node: &str, deadline: u64) -> Call {
    call_to(Target::Node(addr(node)), deadline)
}

fn reachable(node: &str, cost: u32) -> Event<'static> {
    Event::Reachable { node: addr(node), incarnation: THEIRS, cost }
}

fn announced(node: &str, client: Option<&str>) -> Event<'static> {
    Event::Announced { node: addr(node), entry: entry(client, 1, 1), present: true }
}

fn received(node: &str, header: v1::Call<'static>, body: &str) -> Event<'static> {
    Event::Received { from: addr(node), incarnation: THEIRS, header, body: bytes(body) }
}

/// A request from another node with this much time left.
fn request(call: u64, left: u64) -> v1::Request<'static> {
    v1::Request { call, service: "sum", to: None, from_client: "", left_us: left * 1_000, key: b"", window: None }
}

/// Registers; it must be taken.
fn register(bench: &mut Bench<Rpc>, now: Time, entry: Entry) -> Vec<Effect> {
    bench.with(now, |rpc, cx, fx| rpc.register(cx, entry, fx).unwrap())
}

/// Calls; it must be taken.
fn call(bench: &mut Bench<Rpc>, now: Time, token: u64, call: Call) -> (CallId, Vec<Effect>) {
    let mut id = None;
    let effects = bench.with(now, |rpc, cx, fx| id = rpc.call(cx, Token(token), call, fx).ok());
    (id.unwrap(), effects)
}

/// Answers; returns whether it was taken.
fn reply(bench: &mut Bench<Rpc>, now: Time, id: InvocationId, reply: Reply) -> (Result<(), NotTaken>, Vec<Effect>) {
    let mut taken = Ok(());
    let effects = bench.with(now, |rpc, cx, fx| taken = rpc.reply(cx, id, reply, fx));
    (taken, effects)
}

fn done(bench: &mut Bench<Rpc>, now: Time, id: InvocationId, result: &str) -> Vec<Effect> {
    let (taken, effects) = reply(bench, now, id, Reply::Done(bytes(result)));
    assert_eq!(taken, Ok(()));
    effects
}

/// What is sent: to whom, the words as they read, the payload.
fn sent<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<(NodeAddr, v1::Call<'a>, String)> {
    let sent = |effect: &'a Effect| match effect {
        Effect::Send { to, header, body, .. } => Some((*to, decode(header).unwrap(), text(body))),
        _ => None,
    };
    effects.into_iter().filter_map(sent).collect()
}

/// The numbers that outcomes are to be reported under.
fn reports<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<u64> {
    let report = |effect: &Effect| match effect {
        Effect::Send { id, .. } => *id,
        _ => None,
    };
    effects.into_iter().filter_map(report).collect()
}

/// How calls ended.
fn ended<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<(u64, Completion)> {
    let ended = |effect: &Effect| match effect {
        Effect::Completed { token, completion, .. } => Some((token.0, completion.clone())),
        _ => None,
    };
    effects.into_iter().filter_map(ended).collect()
}

/// What handlers were given.
fn invoked<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<Invocation> {
    let invoked = |effect: &Effect| match effect {
        Effect::Invoke(invocation) => Some(invocation.clone()),
        _ => None,
    };
    effects.into_iter().filter_map(invoked).collect()
}

/// The one call that a handler was given.
fn invocation(effects: &[Effect]) -> InvocationId {
    let [Invocation { id, .. }] = invoked(effects)[..] else { panic!("not one call for a handler: {effects:?}") };
    id
}

/// The handlers that were told to stop.
fn stopped<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<(InvocationId, Stop)> {
    let stopped = |effect: &Effect| match effect {
        Effect::CancelInvocation { invocation, why } => Some((*invocation, *why)),
        _ => None,
    };
    effects.into_iter().filter_map(stopped).collect()
}

/// What a machine asked for, without the moments.
fn untimed(told: Vec<(Time, Effect)>) -> Vec<Effect> {
    told.into_iter().map(|(_, effect)| effect).collect()
}
