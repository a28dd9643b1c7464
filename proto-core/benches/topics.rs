//! What topics cost among a million subscriptions: to look one up, to publish to it, to add one and to take one out.
//!
//! `cold` looks each topic up in the tree, another one every time; `cached` publishes to the same one again, which answers
//! from what is remembered. `fan-out` hands one publication to that many subscriptions of this node.
//!
//! `cargo bench -p proto-core --bench topics`

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark has no interface and may panic")]

mod patterns;

use std::{hint::black_box, sync::Arc};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use patterns::{MANY, node, pattern, topic};
use proto_core::{
    cx::Cx,
    id::{Incarnation, NodeName, Token},
    node::Config,
    probe::Probe,
    pubsub::{self, Effect, Event, Interests, Pattern, Publish, Subscribe, Topic, Topics},
    rng::Rng,
    secure::{Identity, SOFTWARE},
    time::Time,
};

/// A step between the numbers of topics that visits all of them, in no order that a processor could foresee.
const STRIDE: u32 = 514_229;

/// The machine, and what it is given.
struct Side {
    topics: Topics,
    rng: Rng,
    probe: Probe,
    fx: Vec<Effect>,
}

impl Side {
    fn new() -> Self {
        let identity = Arc::new(Identity::from_seed([0; 32], SOFTWARE));
        let config = Config::new(NodeName::new("me").unwrap(), identity, Incarnation(1), SOFTWARE);
        let topics = Topics::new(&config, &pubsub::Config::default());
        Self { topics, rng: Rng::new([1; 32]), probe: Probe::new(), fx: Vec::new() }
    }

    fn with<T>(&mut self, call: impl FnOnce(&mut Topics, &mut Cx<'_>, &mut Vec<Effect>) -> T) -> T {
        let mut cx = Cx { now: Time::ZERO, rng: &mut self.rng, probe: &mut self.probe };
        call(&mut self.topics, &mut cx, &mut self.fx)
    }

    fn publish(&mut self, publish: Publish) {
        self.fx.clear();
        self.with(|topics, cx, fx| topics.publish(cx, Token(0), publish, |_| Some(1), fx).unwrap());
        black_box(&self.fx);
    }
}

fn matching(c: &mut Criterion) {
    let mut table = Interests::new(7);
    for number in 0..MANY {
        table.set(node(number), &pattern(number), None, 1).unwrap();
    }
    let topics: Vec<Topic> = (0..MANY / 4).map(topic).collect();
    let mut group = c.benchmark_group("topics/1M");
    let mut next = 0;
    group.bench_function("cold", |b| {
        b.iter(|| {
            next = (next + STRIDE) % (MANY / 4);
            let count = table.count(&topics[next as usize]);
            assert_eq!(count, 2);
        });
    });
    let mut number = MANY;
    group.bench_function("insert", |b| {
        b.iter_batched(
            || {
                number += 1;
                (node(number), pattern(number))
            },
            |(node, pattern)| table.set(node, &pattern, None, 1).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
    let mut gone = MANY;
    group.bench_function("insert and remove", |b| {
        b.iter_batched(
            || {
                gone += 1;
                (node(gone), pattern(gone + 2 * MANY))
            },
            |(node, pattern)| {
                table.set(node, &pattern, None, 1).unwrap();
                assert!(table.unset(node, &pattern, None));
            },
            criterion::BatchSize::SmallInput,
        );
    });
}

fn publishing(c: &mut Criterion) {
    let mut side = Side::new();
    for number in 0..MANY {
        let node = node(number).unwrap();
        let event = Event::Interest { node, pattern: pattern(number), group: None, present: true, members: 1 };
        side.with(|topics, cx, fx| topics.handle(cx, event, fx));
    }
    let payload = Bytes::from(vec![7; 128]);
    let mut group = c.benchmark_group("topics/1M");
    group.throughput(Throughput::Elements(1));
    group.bench_function("cached", |b| {
        let topic = topic(5);
        b.iter(|| side.publish(Publish::new(topic.clone(), payload.clone())));
    });
}

fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("topics/fan-out");
    for subscriptions in [1, 10, 100] {
        let mut side = Side::new();
        let ids: Vec<_> = (0..subscriptions)
            .map(|_| {
                let subscribe = Subscribe::new(Pattern::new("site.*.unit").unwrap());
                side.with(|topics, cx, fx| topics.subscribe(cx, &subscribe, fx).unwrap().id)
            })
            .collect();
        let topic = Topic::new("site.1.unit").unwrap();
        let payload = Bytes::from(vec![7; 128]);
        group.throughput(Throughput::Elements(subscriptions));
        group.bench_function(BenchmarkId::from_parameter(subscriptions), |b| {
            b.iter(|| {
                side.publish(Publish::new(topic.clone(), payload.clone()));
                for &subscription in &ids {
                    let event = Event::Consumed { subscription, messages: 1 };
                    side.with(|topics, cx, fx| topics.handle(cx, event, fx));
                }
            });
        });
    }
}

criterion_group!(benches, matching, publishing, fan_out);
criterion_main!(benches);
