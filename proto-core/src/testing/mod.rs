//! Harnesses for tests of machines. Behind the feature `testing`; uses the contract and nothing else.

mod bench;

pub use bench::{Bench, Machine};
