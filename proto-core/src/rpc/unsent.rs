//! What this node has to say to another of its calls and the flow there does not take, because too much waits in it.
//!
//! Every word is kept and said again every [`CALL_UNSENT_PAUSE`], until the flow takes it or its call's deadline has
//! passed. As long as one is kept for a node, what is to be said to that node later queues up behind it: the order stays.
//!
//! Bounds: [`CALLS_UNSENT_BYTES`] of payload; beyond, the payload is let go and its caller learns that the answer was lost.
//! [`CALLS_UNSENT_MAX`] words; more are dropped, and their callers hear nothing before their deadlines.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use bytes::Bytes;

use crate::{
    id::NodeAddr,
    limits::{CALL_UNSENT_PAUSE, CALLS_UNSENT_BYTES, CALLS_UNSENT_MAX},
    time::Time,
    wire::{self, Head, v1},
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
#[derive(Debug)]
pub(super) struct Word {
    /// The encoded [`v1::Call`].
    pub(super) header: Head,
    /// The payload.
    pub(super) body: Bytes,
    /// When nobody wants to hear it any more.
    pub(super) deadline: Time,
}

impl Unsent {
    /// Whether something is kept for a node.
    pub(super) fn holds(&self, node: NodeAddr) -> bool {
        self.words > 0 && self.by_node.contains_key(&node)
    }

    /// Whether nothing is kept.
    pub(super) const fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// Keeps a word for a node, behind what is kept already. Answers whether there was room.
    pub(super) fn keep(&mut self, now: Time, node: NodeAddr, mut word: Word) -> bool {
        if self.words >= CALLS_UNSENT_MAX {
            return false;
        }
        if word.body.len() > CALLS_UNSENT_BYTES.saturating_sub(self.bytes) {
            word.lose_payload();
        }
        self.words += 1;
        self.bytes += word.body.len();
        self.again_at.get_or_insert(now + CALL_UNSENT_PAUSE);
        self.by_node.entry(node).or_default().push_back(word);
        true
    }

    /// Takes out everything that is to be said again, each node's in order, if it is time.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<(NodeAddr, Word)> {
        if self.again_at.is_none_or(|due| now < due) {
            return Vec::new();
        }
        (self.again_at, self.words, self.bytes) = (None, 0, 0);
        let all = core::mem::take(&mut self.by_node).into_iter();
        let each = all.flat_map(|(node, words)| words.into_iter().map(move |word| (node, word)));
        each.filter(|(_, word)| now < word.deadline).collect()
    }

    /// When something is said again.
    pub(super) const fn poll_timeout(&self) -> Option<Time> {
        self.again_at
    }
}

impl Word {
    /// Lets the payload go, and says so instead of what it said.
    fn lose_payload(&mut self) {
        self.body = Bytes::new();
        let Ok(v1::Call::Item { call, .. } | v1::Call::Done { call, .. } | v1::Call::Failed { call, .. }) =
            wire::decode(&self.header)
        else {
            return;
        };
        self.header = wire::encode(&v1::Call::Lost { call, why: v1::CallLoss::AnswerLost });
    }
}
