//! The steps of a shutdown: hand what was posted to the node, let the node drain, see the sockets empty, report.
//!
//! Every step has an end: posting and draining share the caller's deadline, the rest takes at most [`GRACE`].

use std::time::Duration;

use proto_core::{id::Token, node::Answer, time::Time};
use tokio::sync::oneshot;

use crate::request::ShutdownReport;

/// How long goodbyes and the last writes may take, and how long past its deadline the node may answer.
const GRACE: Duration = Duration::from_secs(2);

/// Where a shutdown is.
#[derive(Debug)]
pub(crate) struct Stop {
    step: Step,
    reports: Vec<oneshot::Sender<ShutdownReport>>,
}

#[derive(Debug)]
enum Step {
    /// Nobody asked for it.
    Running,
    /// Posted messages go to the node first.
    Handing { deadline: Time },
    /// The node waits for answers and says goodbye.
    Draining { token: Token, give_up: Time, unsent: u64 },
    /// The sockets empty.
    Closing { give_up: Time, report: ShutdownReport },
}

impl Stop {
    /// Not asked for.
    pub(crate) const fn new() -> Self {
        Self { step: Step::Running, reports: Vec::new() }
    }

    /// Asks for it. Whether this was the first to ask; the first one's deadline counts.
    pub(crate) const fn begin(&mut self, deadline: Time) -> bool {
        let first = matches!(self.step, Step::Running);
        if first {
            self.step = Step::Handing { deadline };
        }
        first
    }

    /// Adds somebody who wants to know how it went.
    pub(crate) fn report_to(&mut self, report: oneshot::Sender<ShutdownReport>) {
        self.reports.push(report);
    }

    /// Whether somebody asked for it.
    pub(crate) const fn is_asked(&self) -> bool {
        !matches!(self.step, Step::Running)
    }

    /// How long the node may drain, if it is time to tell it.
    pub(crate) fn must_drain(&self, now: Time, unsent: u64) -> Option<Duration> {
        match self.step {
            Step::Handing { deadline } if unsent == 0 || deadline <= now => Some(deadline - now),
            Step::Running | Step::Handing { .. } | Step::Draining { .. } | Step::Closing { .. } => None,
        }
    }

    /// The node was told to drain.
    pub(crate) fn draining(&mut self, now: Time, token: Token, deadline: Duration, unsent: u64) {
        self.step = Step::Draining { token, give_up: now + deadline + GRACE, unsent };
    }

    /// Takes the node's answer, if it is the one waited for.
    pub(crate) fn drained(&mut self, now: Time, answered: Token, answer: &Answer) -> bool {
        let Step::Draining { token, unsent, .. } = self.step else { return false };
        if token != answered {
            return false;
        }
        let (unanswered, clean) = match answer {
            Answer::Drained { unanswered } => (unanswered.saturating_add(unsent), true),
            Answer::Sent(_)
            | Answer::SentMany(_)
            | Answer::Traced { .. }
            | Answer::Found(_)
            | Answer::Published(_)
            | Answer::Subscribed(_)
            | Answer::Called { .. }
            | Answer::NotTaken(_)
            | Answer::Accepted
            | Answer::Rejected(_) => (unsent, false),
        };
        self.step = Step::Closing { give_up: now + GRACE, report: ShutdownReport { unanswered, clean } };
        true
    }

    /// Whether all is done, or time is up. Reports, once.
    pub(crate) fn is_over(&mut self, now: Time, quiet: bool) -> bool {
        let report = match self.step {
            Step::Closing { report, .. } if quiet => report,
            Step::Closing { give_up, report } if give_up <= now => ShutdownReport { clean: false, ..report },
            Step::Draining { give_up, unsent, .. } if give_up <= now => {
                ShutdownReport { unanswered: unsent, clean: false }
            }
            Step::Running | Step::Handing { .. } | Step::Draining { .. } | Step::Closing { .. } => return false,
        };
        for waiting in self.reports.drain(..) {
            // One who gave up waiting misses nothing.
            let _ = waiting.send(report);
        }
        true
    }

    /// When the next step is due.
    pub(crate) const fn deadline(&self) -> Option<Time> {
        match self.step {
            Step::Running => None,
            Step::Handing { deadline: at } | Step::Draining { give_up: at, .. } | Step::Closing { give_up: at, .. } => {
                Some(at)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_posted_goes_first_unless_time_is_up() {
        let mut stop = Stop::new();
        assert!(!stop.is_asked());
        assert!(stop.begin(Time::from_secs(10)));
        assert!(!stop.begin(Time::from_secs(99)), "the first one's deadline counts");
        assert_eq!(stop.must_drain(Time::from_secs(1), 5), None);
        assert_eq!(stop.must_drain(Time::from_secs(1), 0), Some(Duration::from_secs(9)));
        assert_eq!(stop.must_drain(Time::from_secs(11), 5), Some(Duration::ZERO));
    }

    #[test]
    fn a_clean_end_is_reported_once_the_sockets_are_empty() {
        let mut stop = Stop::new();
        let (report, mut told) = oneshot::channel();
        stop.begin(Time::from_secs(10));
        stop.report_to(report);
        stop.draining(Time::from_secs(1), Token(7), Duration::from_secs(9), 2);
        assert!(!stop.drained(Time::from_secs(2), Token(8), &Answer::Drained { unanswered: 0 }));
        assert!(stop.drained(Time::from_secs(2), Token(7), &Answer::Drained { unanswered: 1 }));
        assert!(!stop.is_over(Time::from_secs(2), false));
        assert!(stop.is_over(Time::from_secs(3), true));
        assert_eq!(told.try_recv(), Ok(ShutdownReport { unanswered: 3, clean: true }));
    }

    #[test]
    fn a_node_that_never_answers_does_not_hold_up_the_end() {
        let mut stop = Stop::new();
        stop.begin(Time::from_secs(1));
        stop.draining(Time::ZERO, Token(1), Duration::from_secs(1), 4);
        assert_eq!(stop.deadline(), Some(Time::from_secs(3)));
        assert!(!stop.is_over(Time::from_secs(2), true));
        assert!(stop.is_over(Time::from_secs(3), true));
    }
}
