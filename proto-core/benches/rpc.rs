//! What a unary call costs both ends together: call, encode, decode, invoke, reply, complete. 128 bytes each way, one call
//! at a time and 64 under way; `tests/call_allocations.rs` counts what is allocated.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may panic and has no callers")]

#[path = "support/calls.rs"]
mod calls;

use calls::Pair;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn unary(c: &mut Criterion) {
    let mut group = c.benchmark_group("rpc/unary");
    for (name, balanced) in [("node", false), ("nearest", true)] {
        for together in [1, 64] {
            group.throughput(Throughput::Elements(together));
            group.bench_function(format!("{name}/{together}"), |b| {
                let mut pair = Pair::new(balanced);
                b.iter(|| pair.round(together));
                assert!(pair.completed() >= together);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, unary);
criterion_main!(benches);
