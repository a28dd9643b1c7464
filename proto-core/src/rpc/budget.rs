//! How often calls may be tried again: a tenth of the calls made, so that an overloaded service is not asked ever more.

use crate::limits::{CALLS_PER_RETRY, RETRIES_SAVED_MAX};

/// Tries saved up, in parts of [`CALLS_PER_RETRY`]. Constant memory.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    saved: u32,
}

impl Budget {
    /// Begins with as many tries as one call may need, a few times over.
    pub(super) const fn new() -> Self {
        Self { saved: 10 * CALLS_PER_RETRY }
    }

    /// A call was made.
    pub(super) fn earn(&mut self) {
        self.saved = (self.saved + 1).min(RETRIES_SAVED_MAX * CALLS_PER_RETRY);
    }

    /// Spends one try, if there is one.
    pub(super) fn spend(&mut self) -> bool {
        match self.saved.checked_sub(CALLS_PER_RETRY) {
            Some(left) => {
                self.saved = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_calls_may_be_tried_again() {
        let mut budget = Budget::new();
        while budget.spend() {}
        let mut tries = 0;
        for _ in 0..1_000 {
            budget.earn();
            tries += u32::from(budget.spend());
        }
        assert_eq!(tries, 100);
    }
}
