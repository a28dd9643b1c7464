//! What the fuzz targets do, as functions from bytes to nothing that panic when a property does not hold.
//!
//! Each module says which property it checks and how it reads its input. The targets in `fuzz_targets/` hand libFuzzer's
//! bytes over; `tests/corpus.rs` hands the committed corpora over, so that every input that was ever interesting is also
//! an ordinary test.
//!
//! Inputs that are scripts are read from the front by [`arbitrary::Unstructured`]: one byte says what to do, the next
//! ones with what. A byte changed in the middle therefore leaves what comes before it as it was.

pub mod adverts;
pub mod config;
pub mod frame;
pub mod handshake;
pub mod link;
pub mod scenario;
pub mod services;
pub mod words;

/// A fuzz target: takes any bytes, and panics if what they lead to breaks its property.
pub type Target = fn(&[u8]);

/// Every target, by the name of its file and its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("adverts", adverts::run),
    ("config", config::run),
    ("frame_decode", frame::decode),
    ("frame_roundtrip", frame::roundtrip),
    ("handshake", handshake::run),
    ("link", link::run),
    ("scenario", scenario::run),
    ("services", services::run),
    ("words", words::run),
];
