//! What security costs: sealing and opening a record, and a whole handshake, by provider and suite.
//!
//! `cargo bench -p proto-core --features aws-lc --bench secure`

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark has no interface and may panic")]

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use proto_core::{
    id::NodeName,
    node::Suite,
    rng::Secrets,
    secure::{Handshake, Identity, Local, Provider, Psk, SOFTWARE, Session, Step},
};

const SUITES: [(Suite, &str); 2] = [(Suite::AesGcm, "aes-gcm"), (Suite::ChaChaPoly, "chacha-poly")];

fn providers() -> Vec<(&'static dyn Provider, &'static str)> {
    vec![
        (SOFTWARE, "software"),
        #[cfg(feature = "aws-lc")]
        (proto_core::secure::AWS_LC, "aws-lc"),
    ]
}

struct Node {
    name: NodeName,
    identity: Identity,
    psks: Vec<Psk>,
    suite: Suite,
    provider: &'static dyn Provider,
}

impl Node {
    fn new(name: &str, seed: u8, suite: Suite, provider: &'static dyn Provider) -> Self {
        let identity = Identity::from_seed([seed; 32], provider);
        Self { name: NodeName::new(name).unwrap(), identity, psks: vec![Psk::from_token(b"t")], suite, provider }
    }

    fn local(&self) -> Local<'_> {
        let Self { name, identity, psks, suite, provider } = self;
        Local { name, identity, network: "bench", psks, suite: *suite, provider: *provider }
    }
}

/// Both sides of a handshake, from the first byte to the session.
fn handshake(dialler: &Node, acceptor: &Node, exporter: Option<[u8; 32]>) -> (Session, Session) {
    let mut secrets = Secrets::new([1; 32]);
    let (mut near, first) = Handshake::dial(&dialler.local(), &mut secrets, exporter);
    let mut far = Handshake::accept(&acceptor.local(), &mut secrets, exporter);
    let mut flight = BytesMut::from(first);
    loop {
        let (done, answer) = match far.receive(&acceptor.local(), &mut flight) {
            Step::More { handshake, write } => (Err(handshake), write),
            Step::Done { session, write, .. } => (Ok(session), write),
            Step::Failed(error) => panic!("{error}"),
        };
        match (near.receive(&dialler.local(), &mut BytesMut::from(answer)), done) {
            (Step::More { handshake, write }, Err(accepting)) => {
                (near, far, flight) = (handshake, accepting, BytesMut::from(write));
            }
            (Step::Done { session, .. }, Ok(accepted)) => return (session, accepted),
            (other, _) => panic!("{other:?}"),
        }
    }
}

fn sessions(suite: Suite, provider: &'static dyn Provider) -> (Session, Session) {
    handshake(&Node::new("a", 1, suite, provider), &Node::new("b", 2, suite, provider), None)
}

fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("record");
    for (provider, provider_name) in providers() {
        for (suite, suite_name) in SUITES {
            let (mut near, mut far) = sessions(suite, provider);
            for len in [128, 16 * 1_024, 32 * 1_024] {
                group.throughput(Throughput::Bytes(len as u64));
                let id = BenchmarkId::new(format!("{provider_name}/{suite_name}"), len);
                group.bench_function(id, |b| b.iter(|| seal_and_open(&mut near, &mut far, len)));
            }
        }
    }
    group.finish();
}

/// One record there. The buffer is made anew every time, as a link does for every write.
fn seal_and_open(near: &mut Session, far: &mut Session, len: usize) -> Option<Bytes> {
    let mut out = BytesMut::zeroed(Session::PREFIX + len + Session::TAG);
    out.truncate(Session::PREFIX + len);
    near.seal(&mut out, 0);
    far.open(&mut out).unwrap()
}

fn handshakes(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    for (provider, provider_name) in providers() {
        for (suite, suite_name) in SUITES {
            let (a, b) = (Node::new("a", 1, suite, provider), Node::new("b", 2, suite, provider));
            group.bench_function(format!("{provider_name}/{suite_name}"), |bench| {
                bench.iter_batched(|| (), |()| handshake(&a, &b, None), BatchSize::SmallInput);
            });
        }
        let (a, b) = (Node::new("a", 1, Suite::AesGcm, provider), Node::new("b", 2, Suite::AesGcm, provider));
        group.bench_function(format!("{provider_name}/channel"), |bench| {
            bench.iter_batched(|| (), |()| handshake(&a, &b, Some([9; 32])), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn signatures(c: &mut Criterion) {
    let mut group = c.benchmark_group("ed25519");
    for (provider, name) in providers() {
        let (seed, message) = ([1; 32], [7; 300]);
        let (public, signature) = (provider.ed25519_public(&seed), provider.ed25519_sign(&seed, &message));
        group.bench_function(format!("{name}/sign"), |b| b.iter(|| provider.ed25519_sign(&seed, &message)));
        group.bench_function(format!("{name}/verify"), |b| {
            b.iter(|| provider.ed25519_verify(&public, &message, &signature));
        });
    }
    group.finish();
}

criterion_group!(benches, records, handshakes, signatures);
criterion_main!(benches);
