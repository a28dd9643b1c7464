//! When to do something that many changes ask for: soon after the first, seldom while they keep coming.
//!
//! After quiet, a change is acted upon after `first`. Two runs are at least a gap apart; changes in between are gathered
//! in one run. After `patience` runs in one busy stretch every further run doubles the gap, up to `gap_max`. A stretch
//! ends when nothing was asked for `calm`, or for twice the gap if that is longer. Constant memory.

use core::time::Duration;

use crate::time::Time;

/// How a [`Damper`] paces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Time from a change after quiet to the run.
    pub(super) first: Duration,
    /// Least time between two runs.
    pub(super) gap: Duration,
    /// What the gap grows to.
    pub(super) gap_max: Duration,
    /// Runs in one stretch before the gap grows.
    pub(super) patience: u32,
    /// Quiet that ends a stretch.
    pub(super) calm: Duration,
}

/// Decides when the next run is due.
#[derive(Clone, Debug)]
pub(super) struct Damper {
    pace: Pace,
    gap: Duration,
    streak: u32,
    ran_at: Option<Time>,
    asked_at: Option<Time>,
    due: Option<Time>,
}

impl Damper {
    /// Nothing is due.
    pub(super) const fn new(pace: Pace) -> Self {
        Self { pace, gap: pace.gap, streak: 0, ran_at: None, asked_at: None, due: None }
    }

    /// Asks for a run.
    pub(super) fn ask(&mut self, now: Time) {
        self.note(now);
        if self.due.is_none() {
            let earliest = self.ran_at.map_or(now, |ran| ran + self.gap);
            self.due = Some((now + self.pace.first).max(earliest));
        }
    }

    /// Asks for a run that does not wait for the gap to pass.
    pub(super) fn ask_urgently(&mut self, now: Time) {
        self.note(now);
        let soon = now + self.pace.first;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// Whether the run is due; it counts as done then.
    #[must_use]
    pub(super) fn take(&mut self, now: Time) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        self.due = None;
        self.ran_at = Some(now);
        self.streak = self.streak.saturating_add(1);
        if self.streak > self.pace.patience {
            self.gap = (self.gap * 2).min(self.pace.gap_max);
        }
        true
    }

    /// What was asked for was done by another way.
    pub(super) const fn forget(&mut self) {
        self.due = None;
    }

    /// When the run is due.
    pub(super) const fn due(&self) -> Option<Time> {
        self.due
    }

    fn note(&mut self, now: Time) {
        let calm = self.pace.calm.max(self.gap * 2);
        if self.asked_at.is_none_or(|asked| now - asked >= calm) {
            self.gap = self.pace.gap;
            self.streak = 0;
        }
        self.asked_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{vec, vec::Vec};

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn damper() -> Damper {
        let (first, gap, gap_max, calm) = (millis(0), millis(100), millis(1_000), millis(10_000));
        Damper::new(Pace { first, gap, gap_max, patience: 2, calm })
    }

    /// Asks at each of the moments, in milliseconds, and tells when it ran.
    fn runs(damper: &mut Damper, asks: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut ran = vec![];
        let mut run_until = |damper: &mut Damper, until: Time| {
            while let Some(due) = damper.due().filter(|due| *due <= until) {
                assert!(damper.take(due));
                ran.push(due.as_nanos() / 1_000_000);
            }
        };
        for ask in asks {
            run_until(damper, Time::from_millis(ask));
            damper.ask(Time::from_millis(ask));
        }
        run_until(damper, Time::MAX);
        ran
    }

    #[test]
    fn the_first_change_after_quiet_is_acted_upon_at_once() {
        assert_eq!(runs(&mut damper(), [7, 30_000]), [7, 30_000]);
    }

    #[test]
    fn changes_within_the_gap_are_gathered() {
        assert_eq!(runs(&mut damper(), [0, 10, 20, 99]), [0, 100]);
    }

    #[test]
    fn the_gap_grows_while_changes_keep_coming_and_shrinks_after_calm() {
        let mut damper = damper();
        assert_eq!(runs(&mut damper, (0..4_000).step_by(10)), [0, 100, 200, 400, 800, 1_600, 2_600, 3_600, 4_600]);
        assert_eq!(runs(&mut damper, [20_000, 20_010]), [20_000, 20_100]);
    }

    #[test]
    fn an_urgent_change_does_not_wait_for_the_gap() {
        let mut damper = damper();
        assert_eq!(runs(&mut damper, [0]), [0]);
        damper.ask(Time::from_millis(10));
        assert_eq!(damper.due(), Some(Time::from_millis(100)));
        damper.ask_urgently(Time::from_millis(20));
        assert_eq!(damper.due(), Some(Time::from_millis(20)));
    }
}
