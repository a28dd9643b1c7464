//! What the machines of this node have to say to another and the flow there does not take, because too much waits in it:
//! answers to calls, and receipts of publications. Whoever waits for them would learn nothing before a deadline.
//!
//! Every word is kept and said again every [`UNSENT_PAUSE`], until the flow takes it or nobody wants to hear it any more. As
//! long as one is kept for a node, what is to be said to that node later queues up behind it: the order stays.
//!
//! Bounds: [`UNSENT_BYTES`] of payload; beyond, the payload is let go, and the word says that instead. [`UNSENT_MAX`] words,
//! [`UNSENT_PER_NODE_MAX`] of them for one node; more are dropped.

use alloc::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::{
    id::NodeAddr,
    limits::{UNSENT_BYTES, UNSENT_MAX, UNSENT_PAUSE, UNSENT_PER_NODE_MAX},
    time::Time,
};

/// What waits until a flow takes it. See the module's first lines.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    by_node: BTreeMap<NodeAddr, VecDeque<Word>>,
    words: usize,
    bytes: usize,
    again_at: Option<Time>,
}

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// The header.
    pub(super) head: Bytes,
    /// The payload.
    pub(super) body: Bytes,
    /// When nobody wants to hear it any more.
    pub(super) deadline: Time,
}

impl Unsent {
    /// Whether something is kept for a node.
    #[inline]
    pub(super) fn holds(&self, node: NodeAddr) -> bool {
        self.words > 0 && self.by_node.contains_key(&node)
    }

    /// Whether nothing is kept.
    pub(super) const fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// Keeps a word for a node, behind what is kept already. `without_payload` tells the header that it has when its payload
    /// is let go. Answers whether there was room.
    pub(super) fn keep(
        &mut self,
        now: Time,
        node: NodeAddr,
        word: Word,
        without_payload: impl FnOnce(&Bytes) -> Bytes,
    ) -> bool {
        let for_node = self.by_node.get(&node).map_or(0, VecDeque::len);
        if self.words >= UNSENT_MAX || for_node >= UNSENT_PER_NODE_MAX {
            return false;
        }
        let Word { mut head, mut body, deadline } = word;
        if body.len() > UNSENT_BYTES.saturating_sub(self.bytes) {
            (head, body) = (without_payload(&head), Bytes::new());
        }
        self.words += 1;
        self.bytes += body.len();
        self.again_at.get_or_insert(now + UNSENT_PAUSE);
        // Copied, because headers lie in blocks that many share.
        let word = Word { head: Bytes::copy_from_slice(&head), body, deadline };
        self.by_node.entry(node).or_default().push_back(word);
        true
    }

    /// Says everything again, each node's in order, if it is time. What `say` answers `true` to is done with; at the first
    /// `false` the rest of that node's goes on waiting.
    pub(super) fn say_again(&mut self, now: Time, mut say: impl FnMut(NodeAddr, &Word) -> bool) {
        if self.again_at.is_none_or(|due| now < due) {
            return;
        }
        let (mut words, mut bytes) = (0, 0);
        self.by_node.retain(|node, kept| {
            kept.retain(|word| now < word.deadline);
            while kept.front().is_some_and(|word| say(*node, word)) {
                kept.pop_front();
            }
            words += kept.len();
            bytes += kept.iter().map(|word| word.body.len()).sum::<usize>();
            !kept.is_empty()
        });
        (self.words, self.bytes) = (words, bytes);
        self.again_at = (words > 0).then(|| now + UNSENT_PAUSE);
    }

    /// When something is said again.
    pub(super) const fn poll_timeout(&self) -> Option<Time> {
        self.again_at
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    const A: NodeAddr = NodeAddr(1);
    const B: NodeAddr = NodeAddr(2);

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn word(head: &'static str, deadline: u64) -> Word {
        let (head, body) = (Bytes::from_static(head.as_bytes()), Bytes::from_static(b"body"));
        Word { head, body, deadline: at(deadline) }
    }

    fn keep(unsent: &mut Unsent, now: Time, node: NodeAddr, word: Word) -> bool {
        unsent.keep(now, node, word, |_| Bytes::from_static(b"lost"))
    }

    /// What is said at a moment, to a flow that takes so many words of each node.
    fn said(unsent: &mut Unsent, now: Time, room: usize) -> Vec<(NodeAddr, Bytes)> {
        let mut taken: Vec<(NodeAddr, Bytes)> = Vec::new();
        unsent.say_again(now, |node, word| {
            let fits = taken.iter().filter(|(to, _)| *to == node).count() < room;
            taken.extend(fits.then(|| (node, word.head.clone())));
            fits
        });
        taken
    }

    #[test]
    fn a_word_is_said_again_until_it_is_taken() {
        let mut unsent = Unsent::default();
        assert!(keep(&mut unsent, at(10), A, word("1", 1_000)));
        assert_eq!((unsent.holds(A), unsent.holds(B), unsent.poll_timeout()), (true, false, Some(at(60))));
        assert_eq!(said(&mut unsent, at(59), 1), [], "not yet");
        assert_eq!(said(&mut unsent, at(60), 0), [], "the flow is still full");
        assert_eq!(unsent.poll_timeout(), Some(at(110)));
        assert_eq!(said(&mut unsent, at(110), 1), [(A, Bytes::from_static(b"1"))]);
        assert_eq!((unsent.is_empty(), unsent.holds(A), unsent.poll_timeout()), (true, false, None));
        assert!(unsent.by_node.is_empty());
    }

    #[test]
    fn the_order_stays_and_what_nobody_wants_any_more_is_not_said() {
        let mut unsent = Unsent::default();
        for (node, head, deadline) in [(A, "1", 1_000), (A, "2", 40), (B, "3", 1_000), (A, "4", 1_000), (A, "5", 70)] {
            assert!(keep(&mut unsent, at(10), node, word(head, deadline)));
        }
        assert_eq!(said(&mut unsent, at(60), 1), [(A, Bytes::from_static(b"1")), (B, Bytes::from_static(b"3"))]);
        assert_eq!((unsent.words, unsent.bytes), (2, 8));
        assert_eq!(said(&mut unsent, at(110), 9), [(A, Bytes::from_static(b"4"))]);
        assert_eq!((unsent.words, unsent.bytes), (0, 0));
    }

    #[test]
    fn a_payload_that_is_too_much_to_keep_is_let_go_and_the_word_says_so() {
        let mut unsent = Unsent::default();
        let large = Bytes::from(vec![0; UNSENT_BYTES / 2 + 1]);
        for head in ["1", "2"] {
            let word = Word { body: large.clone(), ..word(head, 1_000) };
            assert!(keep(&mut unsent, at(10), A, word));
        }
        assert_eq!(unsent.bytes, large.len());
        let heads = [(A, Bytes::from_static(b"1")), (A, Bytes::from_static(b"lost"))];
        assert_eq!(said(&mut unsent, at(60), 9), heads);
    }

    #[test]
    fn one_node_leaves_room_to_others() {
        let mut unsent = Unsent::default();
        for _ in 0..UNSENT_PER_NODE_MAX {
            assert!(keep(&mut unsent, at(10), A, word("1", 1_000)));
        }
        assert!(!keep(&mut unsent, at(10), A, word("1", 1_000)));
        for _ in UNSENT_PER_NODE_MAX..UNSENT_MAX {
            assert!(keep(&mut unsent, at(10), B, word("1", 1_000)));
        }
        assert!(!keep(&mut unsent, at(10), NodeAddr(3), word("1", 1_000)));
    }
}
