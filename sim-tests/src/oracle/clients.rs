//! Which clients are at a node in its present life: surely, or perhaps, as far as its application's requests and their
//! answers tell.
//!
//! A client is surely there from the answer that takes it in until its leave is asked for, and perhaps there from the
//! request on until the answer to its leave.

use std::{collections::BTreeMap, sync::Arc};

use proto_core::{id::Token, node::Answer};

/// The clients of one life of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients {
    by_name: BTreeMap<Arc<str>, Presence>,
    asked: BTreeMap<Token, (Arc<str>, bool)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Presence {
    /// What was asked for last.
    wish: bool,
    /// Requests that are not answered.
    open: u32,
    /// Since when it is surely there; counted by the oracle.
    since: Option<u64>,
    /// The moment from which on it surely was not there any more.
    gone_ms: Option<u64>,
}

impl Clients {
    /// The application said that a client comes or goes.
    pub(super) fn asked(&mut self, token: Token, client: &Arc<str>, present: bool) {
        self.asked.insert(token, (client.clone(), present));
        let presence = self.by_name.entry(client.clone()).or_default();
        presence.wish = present;
        presence.open += 1;
        if present {
            presence.gone_ms = None;
        } else {
            presence.since = None;
        }
    }

    /// A request was answered, at this moment and in this place of the order of things. One that is about no client
    /// changes nothing.
    pub(super) fn answered(&mut self, token: Token, answer: &Answer, place: u64, at_ms: u64) {
        let Some((client, _)) = self.asked.remove(&token) else { return };
        let Some(presence) = self.by_name.get_mut(&client) else { return };
        presence.open -= 1;
        match (presence.open, presence.wish, answer) {
            (0, true, Answer::Accepted) => _ = presence.since.get_or_insert(place),
            (0, false, Answer::Accepted) => presence.gone_ms = Some(at_ms),
            _ => {}
        }
    }

    /// Since when a client is surely there, without a break.
    pub(super) fn surely_since(&self, client: &str) -> Option<u64> {
        self.by_name.get(client)?.since
    }

    /// Whether a client may have been there at most `blur_ms` before `at_ms`.
    pub(super) fn perhaps(&self, client: &str, at_ms: u64, blur_ms: u64) -> bool {
        self.by_name
            .get(client)
            .is_some_and(|presence| presence.gone_ms.is_none_or(|gone_ms| at_ms < gone_ms + blur_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Arc<str> {
        Arc::from("ann")
    }

    #[test]
    fn a_client_is_surely_there_between_the_answer_and_the_next_request() {
        let mut clients = Clients::default();
        assert!(!clients.perhaps("ann", 0, 0));
        clients.asked(Token(1), &ann(), true);
        assert!(clients.perhaps("ann", 0, 0));
        assert_eq!(clients.surely_since("ann"), None);
        clients.answered(Token(1), &Answer::Accepted, 7, 10);
        assert_eq!(clients.surely_since("ann"), Some(7));
        clients.asked(Token(2), &ann(), false);
        assert_eq!((clients.surely_since("ann"), clients.perhaps("ann", 20, 0)), (None, true));
        clients.answered(Token(2), &Answer::Accepted, 9, 30);
        assert_eq!([29, 30, 34, 35].map(|ms| clients.perhaps("ann", ms, 5)), [true, true, true, false]);
    }

    #[test]
    fn nothing_is_sure_while_requests_overlap() {
        let mut clients = Clients::default();
        for (token, present) in [(1, true), (2, false), (3, true)] {
            clients.asked(Token(token), &ann(), present);
        }
        clients.answered(Token(1), &Answer::Accepted, 1, 10);
        clients.answered(Token(2), &Answer::Accepted, 2, 10);
        assert_eq!((clients.surely_since("ann"), clients.perhaps("ann", 10, 0)), (None, true));
        clients.answered(Token(3), &Answer::Accepted, 3, 10);
        assert_eq!(clients.surely_since("ann"), Some(3));
    }
}
