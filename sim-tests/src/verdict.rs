//! What came of a run.

use serde::{Deserialize, Serialize};

use crate::oracle::Counts;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Everything held.
    Ok(Report),
    /// Something did not.
    Violation(Violation),
}

/// A run in which everything held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Over everything that every node was told and did, in order.
    pub hash: u64,
    /// Simulated time.
    pub sim_ms: u64,
    /// Turns of all nodes.
    pub steps: u64,
    /// How long after the calm everything settled held.
    pub settled_ms: u64,
    /// Messages.
    pub counts: Counts,
}

/// Something that must never happen, and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The invariant's id as in `docs/INVARIANTS.md`, or one of the harness's own: `panic`, `watchdog`, `determinism`.
    pub invariant: String,
    /// When.
    pub at_ms: u64,
    /// What was found, for people.
    pub detail: String,
}

impl Violation {
    /// Whether two violations are of the same kind, so that a shrunk scenario shows the same thing. Panics are told
    /// apart by where they happened.
    #[must_use]
    pub fn same_kind(&self, other: &Self) -> bool {
        let place = |violation: &Self| {
            let panicked = violation.invariant == "panic";
            panicked.then(|| violation.detail.split_whitespace().next().map(String::from)).flatten()
        };
        self.invariant == other.invariant && place(self) == place(other)
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}.{:03} s: {}", self.invariant, self.at_ms / 1_000, self.at_ms % 1_000, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_told_apart_by_their_place() {
        let panic = |detail: &str| Violation { invariant: "panic".into(), at_ms: 1, detail: detail.into() };
        assert!(panic("a.rs:1: index 3").same_kind(&panic("a.rs:1: index 4")));
        assert!(!panic("a.rs:1: index 3").same_kind(&panic("b.rs:1: index 3")));
    }
}
