//! Shutting down in order: finish what is under way, leave the graph, say goodbye.

use core::time::Duration;

use super::{Answer, Node};
use crate::{id::Token, limits::CLOSE_TIMEOUT, link, message, pubsub, route, rpc, time::Time};

/// How far the shutdown is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Drain {
    /// Not asked for.
    #[default]
    Running,
    /// Waits for messages, calls and publications that are not answered yet, until `deadline`; looks again at `next`.
    Finishing {
        /// Who asked.
        token: Token,
        /// When patience ends.
        deadline: Time,
        /// When to look again.
        next: Time,
    },
    /// Said goodbye on every link; waits for the channels to end, until `deadline`.
    Leaving {
        /// Who asked.
        token: Token,
        /// When patience ends.
        deadline: Time,
        /// When to look again.
        next: Time,
        /// Messages that were not answered.
        unanswered: u64,
    },
    /// Over.
    Over,
}

/// How often a shutdown looks whether it can go on.
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Drain {
    pub(super) const fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        match *self {
            Self::Running | Self::Over => None,
            Self::Finishing { next, .. } => Some((next, "node: finishing messages")),
            Self::Leaving { next, .. } => Some((next, "node: leaving")),
        }
    }
}

impl Node {
    pub(super) fn begin_drain(&mut self, token: Token, deadline: Duration) {
        let now = self.last_now;
        match self.drain {
            Drain::Running => {
                self.tell_messages(message::Event::Drain);
                self.tell_topics(pubsub::Event::Drain);
                self.tell_calls(rpc::Event::Drain);
                self.drain = Drain::Finishing { token, deadline: now + deadline, next: now };
            }
            // Asked again: what is under way answers the first, nothing is left for the second.
            Drain::Finishing { .. } | Drain::Leaving { .. } | Drain::Over => {
                self.answer(token, Answer::Drained { unanswered: self.messages.unanswered() });
            }
        }
    }

    /// Goes on with the shutdown if its time has come.
    pub(super) fn step_drain(&mut self) {
        let now = self.last_now;
        if self.drain.poll_timeout().is_none_or(|(due, _)| due > now) {
            return;
        }
        match self.drain {
            Drain::Running | Drain::Over => {}
            Drain::Finishing { token, deadline, .. } => {
                let unanswered = self.messages.unanswered();
                let busy = unanswered > 0 || !self.calls.is_idle() || self.ports.has_to_say();
                if busy && now < deadline {
                    let next = deadline.min(now + LOOK_EVERY);
                    self.drain = Drain::Finishing { token, deadline, next };
                    return;
                }
                self.tell_router(route::Event::Leave);
                self.settle();
                self.tell_links(link::Event::Shutdown);
                let next = now + LOOK_EVERY;
                self.drain = Drain::Leaving { token, deadline: now + CLOSE_TIMEOUT, next, unanswered };
            }
            Drain::Leaving { token, deadline, unanswered, .. } => {
                if !self.links.is_empty() && now < deadline {
                    self.drain = Drain::Leaving { token, deadline, next: deadline.min(now + LOOK_EVERY), unanswered };
                    return;
                }
                self.drain = Drain::Over;
                self.answer(token, Answer::Drained { unanswered });
            }
        }
    }
}
