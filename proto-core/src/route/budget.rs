//! How much work one neighbour may cause: a rate, and a stock that a neighbour at rest fills up.
//!
//! One stamp instead of a bucket to fill (GCRA). Whoever still has anything may spend more than that once; it is paid off
//! before the next.

use core::time::Duration;

use crate::{
    limits::{LOOKS_BURST, LOOKS_PER_SEC, SIGNATURES_BURST, SIGNATURES_PER_SEC},
    time::Time,
};

/// All that is counted of one neighbour. It outlives the link, so that whoever comes back at once has no more than before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    /// Signatures that the neighbour may have this node check.
    pub(super) signatures: Budget,
    /// Adverts that it may have this node look at.
    pub(super) looks: Budget,
    /// Adverts that this node sends it. Within what the neighbour checks, so that it drops none: what it drops it would
    /// count as sent, and get only at the next comparison.
    pub(super) sending: Budget,
}

impl Account {
    /// Nothing was spent.
    pub(super) const fn new() -> Self {
        Self {
            signatures: Budget::new(SIGNATURES_PER_SEC, SIGNATURES_BURST),
            looks: Budget::new(LOOKS_PER_SEC, LOOKS_BURST),
            // What travels takes time, and the two clocks may not agree.
            sending: Budget::new(SIGNATURES_PER_SEC / 10 * 9, SIGNATURES_BURST / 10 * 9),
        }
    }

    /// Whether it is as good as new.
    pub(super) fn is_paid_off(&self, now: Time) -> bool {
        [self.signatures, self.looks, self.sending].iter().all(|budget| budget.paid_off <= now)
    }
}

/// What a neighbour may still cause of one kind of work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Time that pays for one piece of work.
    each: Duration,
    /// How far spending may run ahead of its rate.
    ahead: Duration,
    paid_off: Time,
}

impl Budget {
    const fn new(per_sec: u32, burst: u32) -> Self {
        let each = Duration::from_nanos(1_000_000_000 / per_sec as u64);
        Self { each, ahead: each.saturating_mul(burst), paid_off: Time::ZERO }
    }

    /// Whether there is anything left to spend.
    pub(super) fn is_left(&self, now: Time) -> bool {
        self.paid_off < now + self.ahead
    }

    /// When there is something left to spend.
    pub(super) fn left_at(&self) -> Time {
        Time::from_nanos(
            (self.paid_off - Time::ZERO).saturating_sub(self.ahead).as_nanos().try_into().unwrap_or(u64::MAX),
        ) + Duration::from_nanos(1)
    }

    /// Spends as much.
    pub(super) fn spend(&mut self, now: Time, amount: usize) {
        let amount = u32::try_from(amount).unwrap_or(u32::MAX);
        self.paid_off = self.paid_off.max(now) + self.each.saturating_mul(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spends one by one, as long as something is left.
    fn spend_all(budget: &mut Budget, now: Time) -> u32 {
        let mut spent = 0;
        while budget.is_left(now) {
            budget.spend(now, 1);
            spent += 1;
        }
        spent
    }

    #[test]
    fn a_stock_may_be_spent_at_once_and_comes_back_at_the_rate() {
        let mut budget = Budget::new(10, 50);
        assert_eq!(spend_all(&mut budget, Time::from_secs(1)), 50);
        assert_eq!(spend_all(&mut budget, Time::from_millis(1_099)), 1);
        assert_eq!(spend_all(&mut budget, Time::from_millis(3_100)), 20);
        assert_eq!(spend_all(&mut budget, Time::from_secs(60)), 50);
    }

    #[test]
    fn what_is_overdrawn_is_paid_off_before_the_next() {
        let mut budget = Budget::new(10, 50);
        budget.spend(Time::ZERO, 49);
        assert!(budget.is_left(Time::ZERO));
        budget.spend(Time::ZERO, 101);
        assert!(!budget.is_left(Time::from_secs(10)));
        assert!(budget.is_left(Time::from_millis(10_001)));
    }
}
