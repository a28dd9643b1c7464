//! Scenarios, invariants and sweeps over the simulated mesh.
//!
//! A seed makes a [`scenario::Scenario`] ([`generate`]); running one ([`run`]) yields a [`verdict::Verdict`]; [`sweep`] does
//! so for many, [`shrink`] makes a failing one small. `docs/SIMULATION.md` says how to use it.

#![cfg_attr(test, allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one variant among all"))]

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
