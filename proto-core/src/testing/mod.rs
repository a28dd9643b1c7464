//! Harnesses for tests of machines. Behind the feature `testing`; uses the contract and nothing else.

mod bench;
mod fabric;

#[cfg(feature = "aws-lc")]
pub use crate::secure::AWS_LC as PROVIDER;
/// The fastest provider that is built in. All give the same bytes.
#[cfg(not(feature = "aws-lc"))]
pub use crate::secure::SOFTWARE as PROVIDER;
pub use bench::{Bench, Machine};
pub use fabric::{Fabric, Told};

/// How many cases a property is tried on: as many as `PROPTEST_CASES` says, else `default`.
#[cfg(test)]
pub(crate) fn cases(default: u32) -> proptest::prelude::ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    proptest::prelude::ProptestConfig {
        cases: wanted.unwrap_or(default),
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    }
}
