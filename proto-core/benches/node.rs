//! What a message or a publication costs each node on its way: publisher, relay, subscriber; 128 bytes, in batches of 64,
//! with the acknowledgement that goes back; and what a call costs all three together. Whole nodes, from input to output;
//! what the operating system does is not in it.
//!
//! `noise`: links sealed by the production provider. `channel`: links on a channel that is encrypted already, so the
//! state machines alone.
//!
//! `cargo bench -p proto-core --features aws-lc --bench node`

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark has no interface and may panic")]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use proto_core::secure::AWS_LC;
use support::{Line, PUBLISHER, Security, Step, Work, time};

const BATCH: u64 = 64;
const NODES: [(&str, &[Step]); 3] = [
    ("publisher", &[Step::Publish, Step::Settle]),
    ("relay", &[Step::Forward, Step::Return]),
    ("subscriber", &[Step::Deliver]),
];

fn message(c: &mut Criterion) {
    compare(c, "node", Work::Messages { report: false });
}

fn publication(c: &mut Criterion) {
    compare(c, "node/topics", Work::Publications);
}

fn compare(c: &mut Criterion, what: &str, work: Work) {
    for (name, security) in [("noise", Security::Noise(AWS_LC)), ("channel", Security::Channel(AWS_LC))] {
        let mut group = c.benchmark_group(format!("{what}/{name}"));
        group.throughput(Throughput::Elements(BATCH));
        for (name, steps) in NODES {
            group.bench_function(name, |b| {
                let mut line = Line::new(security, 128, work);
                b.iter_custom(|iterations| time(&mut line, steps, BATCH, iterations));
                assert_eq!(line.node(PUBLISHER).messages().unanswered(), 0);
            });
        }
    }
}

fn call(c: &mut Criterion) {
    let mut group = c.benchmark_group("node/calls");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("line of three", |b| {
        let mut line = Line::new(Security::Channel(AWS_LC), 128, Work::Calls);
        b.iter(|| line.calls(BATCH, || ()));
        assert_eq!(line.answered(), line.delivered());
    });
}

criterion_group!(benches, message, publication, call);
criterion_main!(benches);
