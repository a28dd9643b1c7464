//! What a frame costs: to encode, to decode, and to forward.
//!
//! `forward`: a record of 64-byte messages comes in on one link of a relay, one turn, and goes out on the other. `noise`
//! opens and seals it; `channel` is the same on a channel that is encrypted already, so the difference is the cipher.
//!
//! `cargo bench -p proto-core --features aws-lc --bench frame`

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark has no interface and may panic")]

mod support;

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use proto_core::{
    id::{Incarnation, NodeAddr, Seq},
    secure::AWS_LC,
    wire::{Encoded, Frame, v1},
};
use support::{Line, Security, Step, Work, time};

const PAYLOAD: usize = 64;

/// A header as it is on a busy flow.
fn header() -> v1::Data<'static> {
    v1::Data {
        transit: v1::Transit {
            hops_left: 15,
            dst: NodeAddr(0x1122_3344_5566_7788),
            src: NodeAddr(0x99aa_bbcc_ddee_ff00),
            flow: 0xbeef,
        },
        src_incarnation: Incarnation(1_700_000_000_000),
        dst_incarnation: Incarnation(1_700_000_000_001),
        seq: Seq(1_000_000),
        behind: 63,
        to_client: "",
        from_client: "",
    }
}

fn codec(c: &mut Criterion) {
    let body = Bytes::from(vec![7; PAYLOAD]);
    let mut group = c.benchmark_group("frame");
    group.bench_function("encode", |b| {
        let mut out = BytesMut::with_capacity(256);
        b.iter(|| {
            out.clear();
            Frame::data(black_box(&header()), body.clone()).put(&mut out);
            black_box(&out);
        });
    });
    let mut encoded = BytesMut::new();
    Frame::data(&header(), body.clone()).put(&mut encoded);
    let encoded = encoded.freeze();
    group.bench_function("decode", |b| {
        b.iter(|| {
            let frame = Encoded::parse(black_box(&encoded).clone()).unwrap().unwrap();
            black_box(frame.data_header().unwrap());
            frame.into_body()
        });
    });
}

fn forward(c: &mut Criterion) {
    for (name, security) in [("noise", Security::Noise(AWS_LC)), ("channel", Security::Channel(AWS_LC))] {
        let mut group = c.benchmark_group(format!("frame/forward/{name}"));
        for batch in [1, 8, 64, 256] {
            group.throughput(Throughput::Elements(batch));
            group.bench_function(BenchmarkId::from_parameter(batch), |b| {
                let mut line = Line::new(security, PAYLOAD, Work::Messages { report: false });
                b.iter_custom(|iterations| time(&mut line, &[Step::Forward], batch, iterations));
            });
        }
    }
}

criterion_group!(benches, codec, forward);
criterion_main!(benches);
