//! What one mailbox holds: the messages that were handed over for it and not consumed, by their length.
//!
//! They count as consumed in the order in which they were handed over. Bounds: the owner's.

use alloc::collections::VecDeque;

/// The places that one mailbox takes. See the module's first lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    taken: VecDeque<usize>,
    bytes: usize,
}

impl Shelf {
    /// Takes a place for a message of this length.
    pub(super) fn put(&mut self, len: usize) {
        self.taken.push_back(len);
        self.bytes += len;
    }

    /// Gives places back, as far as there are so many. How many bytes were in them.
    pub(super) fn give_back(&mut self, messages: usize) -> usize {
        let freed = self.taken.drain(..self.taken.len().min(messages)).sum();
        self.bytes -= freed;
        freed
    }

    /// How many messages it holds.
    pub(super) fn messages(&self) -> usize {
        self.taken.len()
    }

    /// How many bytes it holds.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
