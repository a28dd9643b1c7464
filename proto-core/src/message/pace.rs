//! How many messages a flow may have in flight: additive increase, multiplicative decrease (RFC 5681, counted in messages).
//!
//! A link's lane drops its oldest frames when it is full, so senders that share one must slow down when they lose some.
//! Constant memory; the window stays between [`PACE_LEAST`] and [`FLOW_WINDOW`].

use crate::limits::{FLOW_WINDOW, PACE_INITIAL, PACE_LEAST, PACE_MIN};

/// The congestion window of one flow.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    window: u64,
    /// Below it the window doubles per round trip, above it grows by one.
    threshold: u64,
    /// Acknowledged messages that have not yet grown the window by one.
    credit: u64,
    /// Losses below this number belong to the one that was reacted to.
    recovery: u64,
}

impl Pace {
    /// Nothing known of the way.
    pub(super) const fn new() -> Self {
        Self { window: PACE_INITIAL as u64, threshold: FLOW_WINDOW as u64, credit: 0, recovery: 0 }
    }

    /// Most messages in flight.
    pub(super) const fn window(&self) -> u64 {
        self.window
    }

    /// This many messages were acknowledged.
    pub(super) fn acked(&mut self, messages: u64) {
        if self.window < self.threshold {
            self.window = (self.window + messages).min(self.threshold);
            return;
        }
        self.credit += messages;
        if self.credit >= self.window {
            self.credit = 0;
            self.window = (self.window + 1).min(FLOW_WINDOW as u64);
        }
    }

    /// Message `seq` was lost while the ones up to `end` were in flight. One reaction per flight.
    pub(super) fn lost(&mut self, seq: u64, end: u64) {
        if seq >= self.recovery {
            self.recovery = end;
            self.threshold = (self.window / 2).max(PACE_MIN as u64);
            self.window = self.threshold;
        }
    }

    /// Nothing was heard for a whole timeout, perhaps not the first.
    pub(super) fn silent(&mut self, end: u64, again: bool) {
        self.recovery = end;
        if !again {
            self.threshold = (self.window / 2).max(PACE_MIN as u64);
        }
        self.window = if again { PACE_LEAST } else { PACE_MIN } as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_doubles_then_creeps() {
        let mut pace = Pace::new();
        pace.acked(256);
        assert_eq!(pace.window(), 512);
        pace.lost(600, 1_000);
        assert_eq!(pace.window(), 256);
        pace.acked(255);
        assert_eq!(pace.window(), 256);
        pace.acked(1);
        assert_eq!(pace.window(), 257);
    }

    #[test]
    fn one_flight_is_punished_once() {
        let mut pace = Pace::new();
        pace.lost(10, 200);
        pace.lost(11, 200);
        assert_eq!(pace.window(), 128);
        pace.lost(200, 300);
        assert_eq!(pace.window(), 64);
    }

    #[test]
    fn silence_falls_back_to_the_least_and_grows_again() {
        let mut pace = Pace::new();
        pace.acked(100_000);
        assert_eq!(pace.window(), 4_096);
        pace.silent(5, false);
        assert_eq!(pace.window(), 64);
        pace.silent(5, true);
        assert_eq!(pace.window(), 4);
        pace.acked(100_000);
        assert_eq!(pace.window(), 2_048);
    }
}
