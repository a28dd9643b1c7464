//! Who waits for the answer to which command.

use proto_core::{
    collections::DetMap,
    id::Token,
    node::{Answer, Hop},
};
use tokio::sync::{mpsc, oneshot};

/// Commands under way. Bounded by what the node takes on: every command is answered by its deadline.
#[derive(Debug)]
pub(crate) struct Pending {
    waiting: DetMap<Token, Waiting>,
    last: Token,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Answer>,
    hops: Option<mpsc::Sender<Hop>>,
}

impl Pending {
    /// Names commands that nobody waits for the answer of.
    pub(crate) const NOBODY: Token = Token(0);

    /// Nobody waits.
    pub(crate) fn new() -> Self {
        Self { waiting: DetMap::with_seed(0), last: Self::NOBODY }
    }

    /// A token that nobody had before.
    pub(crate) fn fresh(&mut self) -> Token {
        self.last = self.last.next();
        self.last
    }

    /// Remembers who waits, and names the command.
    pub(crate) fn track(&mut self, answer: oneshot::Sender<Answer>, hops: Option<mpsc::Sender<Hop>>) -> Token {
        let token = self.fresh();
        self.waiting.insert(token, Waiting { answer, hops });
        token
    }

    /// Remembers who waits for the answer to a command that was named elsewhere.
    pub(crate) fn track_as(&mut self, token: Token, answer: oneshot::Sender<Answer>) {
        self.waiting.insert(token, Waiting { answer, hops: None });
    }

    /// Passes an answer on. One who gave up waiting misses nothing.
    pub(crate) fn answer(&mut self, token: Token, answer: Answer) {
        if let Some(waiting) = self.waiting.remove(&token) {
            let _ = waiting.answer.send(answer);
        }
    }

    /// Passes a hop of a trace on. One that does not fit is dropped: a trace is for people, and late hops come last.
    pub(crate) fn hop(&self, token: Token, hop: Hop) {
        if let Some(hops) = self.waiting.get(&token).and_then(|waiting| waiting.hops.as_ref()) {
            let _ = hops.try_send(hop);
        }
    }
}
