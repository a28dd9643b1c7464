//! Scenarios, invariants and sweeps over the simulated mesh.
//!
//! A seed makes a [`scenario::Scenario`] ([`generate`]); running one ([`run`]) yields a [`verdict::Verdict`]; [`sweep`] does
//! so for many, [`shrink`] makes a failing one small. `docs/SIMULATION.md` says how to use it.

pub mod generate;
pub mod invariants;
pub mod oracle;
pub mod run;
pub mod scale;
pub mod scenario;
pub mod shrink;
pub mod snapshot;
mod stopwatch;
pub mod sweep;
pub mod turmoil;
pub mod verdict;
