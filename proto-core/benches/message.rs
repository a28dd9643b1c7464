//! What a message costs its sender and its receiver: 128 bytes, in batches of 64, one acknowledgement per batch.
//!
//! `both`: send, encode, decode, deliver, acknowledge, settle. `sender` and `receiver`: either side alone, with the
//! other's frames given as structures.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may panic and has no callers")]

use std::{hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use proto_core::{
    cx::Cx,
    id::{Incarnation, NodeName, Seq, Token},
    message::{Effect, Event, Messages},
    node::{Config, Mailbox, Send},
    probe::Probe,
    rng::Rng,
    secure::{Identity, SOFTWARE},
    time::Time,
    wire::{Kind, v1},
};

const BATCH: u64 = 64;
const LIFE: Incarnation = Incarnation(1_700_000_000_000);

/// One side: its machine, and what a machine is given.
struct Side {
    name: NodeName,
    messages: Messages,
    rng: Rng,
    probe: Probe,
    now: Time,
    fx: Vec<Effect>,
}

impl Side {
    fn new(name: &str) -> Self {
        let name = NodeName::new(name).unwrap();
        let identity = Arc::new(Identity::from_seed([0; 32], SOFTWARE));
        let messages = Messages::new(&Config::new(name.clone(), identity, LIFE, SOFTWARE));
        Self { name, messages, rng: Rng::new([1; 32]), probe: Probe::new(), now: Time::ZERO, fx: Vec::new() }
    }

    fn with(&mut self, call: impl FnOnce(&mut Messages, &mut Cx<'_>, &mut Vec<Effect>)) {
        let mut cx = Cx { now: self.now, rng: &mut self.rng, probe: &mut self.probe };
        call(&mut self.messages, &mut cx, &mut self.fx);
    }

    fn handle(&mut self, event: Event<'_>) {
        self.with(|messages, cx, fx| messages.handle(cx, event, fx));
    }

    fn send_batch(&mut self, message: &Send) {
        self.now += Duration::from_micros(50);
        for token in 0..BATCH {
            self.with(|messages, cx, fx| messages.send(cx, Token(token), message.clone(), fx).unwrap());
        }
    }

    fn wake(&mut self) {
        self.with(Messages::handle_timeout);
    }
}

fn message(to: &NodeName, report: bool) -> Send {
    let payload = Bytes::from(vec![7; 128]);
    Send { to: to.addr(), to_client: None, from_client: None, payload, deadline: Duration::from_secs(10), report }
}

fn pair() -> (Side, Side) {
    let (mut sender, receiver) = (Side::new("sender"), Side::new("receiver"));
    sender.handle(Event::Reachable { node: receiver.name.addr(), incarnation: LIFE });
    (sender, receiver)
}

fn both(c: &mut Criterion) {
    let mut group = c.benchmark_group("message/both");
    group.throughput(Throughput::Elements(BATCH));
    for (name, report) in [("unreported", false), ("reported", true)] {
        group.bench_function(name, |b| {
            let (mut sender, mut receiver) = pair();
            let message = message(&receiver.name, report);
            b.iter(|| {
                sender.send_batch(&message);
                receiver.now = sender.now;
                for effect in sender.fx.drain(..) {
                    if let Effect::Forward { frame, .. } = effect {
                        let header = frame.header().unwrap();
                        let body = frame.body.clone();
                        receiver.with(|messages, cx, fx| messages.handle(cx, Event::Data { header, body }, fx));
                    }
                }
                receiver.wake();
                for effect in receiver.fx.drain(..) {
                    match effect {
                        Effect::Forward { frame, .. } if frame.kind == Kind::Ack => {
                            sender.handle(Event::Ack(frame.header().unwrap()));
                        }
                        other @ (Effect::Forward { .. } | Effect::Deliver(_) | Effect::Done { .. }) => {
                            drop(black_box(other))
                        }
                    }
                }
                sender.fx.clear();
                receiver.handle(Event::Consumed { mailbox: Mailbox::Node, messages: 64 });
            });
            assert_eq!(sender.messages.unanswered(), 0);
        });
    }
}

fn sender(c: &mut Criterion) {
    let mut group = c.benchmark_group("message/sender");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("unreported", |b| {
        let (mut sender, receiver) = pair();
        let message = message(&receiver.name, false);
        let transit = v1::Transit { hops_left: 16, dst: sender.name.addr(), src: receiver.name.addr(), flow: 0 };
        let mut upto = 0;
        b.iter(|| {
            sender.send_batch(&message);
            black_box(&sender.fx);
            sender.fx.clear();
            upto += BATCH;
            sender.handle(Event::Ack(v1::Ack {
                transit,
                src_incarnation: LIFE,
                dst_incarnation: LIFE,
                upto: Seq(upto),
                beyond: 0,
                window: 4_096,
                refused: Default::default(),
            }));
        });
        assert_eq!(sender.messages.unanswered(), 0);
    });
}

fn receiver(c: &mut Criterion) {
    let mut group = c.benchmark_group("message/receiver");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("in order", |b| {
        let (sender, mut receiver) = pair();
        let transit = v1::Transit { hops_left: 16, dst: receiver.name.addr(), src: sender.name.addr(), flow: 0 };
        let payload = Bytes::from(vec![7; 128]);
        let mut seq = 0;
        b.iter(|| {
            receiver.now += Duration::from_micros(50);
            for behind in 0..64 {
                seq += 1;
                let header = v1::Data {
                    transit,
                    src_incarnation: LIFE,
                    dst_incarnation: LIFE,
                    seq: Seq(seq),
                    behind,
                    to_client: "",
                    from_client: "",
                };
                receiver.handle(Event::Data { header, body: payload.clone() });
            }
            receiver.wake();
            black_box(&receiver.fx);
            receiver.fx.clear();
            receiver.handle(Event::Consumed { mailbox: Mailbox::Node, messages: 64 });
        });
    });
}

criterion_group!(benches, both, sender, receiver);
criterion_main!(benches);
