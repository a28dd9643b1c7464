//! Scripts with literal times for each side alone and for a pair, and a random world that checks the promises.

mod chaos;
mod mailboxes;
mod pair;
mod receiver;
mod sender;
mod world;

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::Bytes;

use super::{Effect, Event, Messages};
use crate::{
    cx::Cx,
    id::{Incarnation, NodeAddr, NodeName, Seq, Token},
    node::{Answer, Config, Mailbox, Outcome, Send},
    secure::Identity,
    testing::{Bench, Machine, PROVIDER},
    time::Time,
    wire::{Frame, Kind, v1},
};

/// This node's life, and the other's.
const MINE: Incarnation = Incarnation(10);
const THEIRS: Incarnation = Incarnation(20);

impl Machine for Messages {
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

fn config(name: &str, incarnation: Incarnation) -> Config {
    let identity = Arc::new(Identity::from_seed([0; 32], PROVIDER));
    Config::new(NodeName::new(name).unwrap(), identity, incarnation, PROVIDER)
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

/// Node `me` with an inbox of `inbox` places.
fn bench(inbox: usize) -> Bench<Messages> {
    let mut config = config("me", MINE);
    config.message.inbox = inbox;
    Bench::new(Messages::new(&config))
}

/// A message to a node, with a deadline after that many milliseconds.
fn to(node: &str, payload: &str, deadline: u64) -> Send {
    Send {
        to: addr(node),
        to_client: None,
        from_client: None,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        deadline: ms(deadline),
        report: true,
    }
}

/// Sends; the message must be taken.
fn send(bench: &mut Bench<Messages>, now: Time, token: u64, send: Send) -> Vec<Effect> {
    bench.with(now, |messages, cx, fx| messages.send(cx, Token(token), send, fx).unwrap())
}

/// Lets a frame arrive.
fn arrive(bench: &mut Bench<Messages>, now: Time, frame: &Frame) -> Vec<Effect> {
    bench.with(now, |messages, cx, fx| {
        let event = if frame.kind == Kind::Data {
            Event::Data { header: frame.header().unwrap(), body: frame.body.clone() }
        } else {
            assert_eq!(frame.kind, Kind::Ack);
            Event::Ack(frame.header().unwrap())
        };
        messages.handle(cx, event, fx);
    })
}

/// The transmitted messages: number, how far the oldest awaited one is behind, payload.
fn sent<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<(u64, u32, String)> {
    frames(effects, Kind::Data)
        .map(|frame| {
            let header: v1::Data<'_> = frame.header().unwrap();
            (header.seq.0, header.behind, text(&frame.body))
        })
        .collect()
}

fn acks<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<v1::Ack> {
    frames(effects, Kind::Ack).map(|frame| frame.header().unwrap()).collect()
}

fn frames<'a>(effects: impl IntoIterator<Item = &'a Effect>, kind: Kind) -> impl Iterator<Item = &'a Frame> {
    effects.into_iter().filter_map(move |effect| match effect {
        Effect::Forward { frame, .. } if frame.kind == kind => Some(frame),
        Effect::Forward { .. } | Effect::Deliver(_) | Effect::Done { .. } => None,
    })
}

/// The outcomes of single sends.
fn done<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<(u64, Outcome)> {
    answers(effects)
        .into_iter()
        .map(|(token, answer)| {
            let Answer::Sent(outcome) = answer else { panic!("{answer:?} answers no single send") };
            (token, outcome)
        })
        .collect()
}

fn answers<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<(u64, Answer)> {
    let answer = |effect: &Effect| match effect {
        Effect::Done { token, answer } => Some((token.0, (**answer).clone())),
        Effect::Forward { .. } | Effect::Deliver(_) => None,
    };
    effects.into_iter().filter_map(answer).collect()
}

/// The payloads handed to the application.
fn delivered<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<String> {
    let payload = |effect: &Effect| match effect {
        Effect::Deliver(message) => Some(text(&message.payload)),
        Effect::Forward { .. } | Effect::Done { .. } => None,
    };
    effects.into_iter().filter_map(payload).collect()
}

/// What a machine asked for, without the moments.
fn untimed(told: Vec<(Time, Effect)>) -> Vec<Effect> {
    told.into_iter().map(|(_, effect)| effect).collect()
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn transit(src: &str, dst: &str) -> v1::Transit {
    v1::Transit { hops_left: 5, dst: addr(dst), src: addr(src), flow: 0 }
}

fn reachable(node: &str, incarnation: Incarnation) -> Event<'static> {
    Event::Reachable { node: addr(node), incarnation }
}

fn seqs(numbers: impl IntoIterator<Item = u64>) -> Vec<Seq> {
    numbers.into_iter().map(Seq).collect()
}
