//! What a message costs each node on its way: publisher, relay, subscriber; 128 bytes, in batches of 64, with the
//! acknowledgement that goes back. Whole nodes, from input to output; what the operating system does is not in it.
//!
//! `noise`: links sealed by the production provider. `channel`: links on a channel that is encrypted already, so the
//! state machines alone.
//!
//! `cargo bench -p proto-core --features aws-lc --bench node`

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark has no interface and may panic")]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use proto_core::secure::AWS_LC;
use support::{Line, PUBLISHER, Security, Step, time};

const BATCH: u64 = 64;
const NODES: [(&str, &[Step]); 3] = [
    ("publisher", &[Step::Publish, Step::Settle]),
    ("relay", &[Step::Forward, Step::Return]),
    ("subscriber", &[Step::Deliver]),
];

fn message(c: &mut Criterion) {
    for (name, security) in [("noise", Security::Noise(AWS_LC)), ("channel", Security::Channel(AWS_LC))] {
        let mut group = c.benchmark_group(format!("node/{name}"));
        group.throughput(Throughput::Elements(BATCH));
        for (name, steps) in NODES {
            group.bench_function(name, |b| {
                let mut line = Line::new(security, 128, false);
                b.iter_custom(|iterations| time(&mut line, steps, BATCH, iterations));
                assert_eq!(line.node(PUBLISHER).messages().unanswered(), 0);
            });
        }
    }
}

criterion_group!(benches, message);
criterion_main!(benches);
