//! Harnesses for tests of machines. Behind the feature `testing`; uses the contract and nothing else.

mod bench;
mod fabric;

pub use bench::{Bench, Machine};
pub use fabric::{Fabric, Told};
