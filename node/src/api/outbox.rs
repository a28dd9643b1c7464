//! What waits to be written to one client. Bounded; what happens at the bound is the policy of `api.slow_client`.

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;

use crate::config::{SlowClient, SlowPolicy};

/// Room of a queue that is kept once it is empty, in messages.
const KEEP: usize = 8;

/// The queue of one client.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Utf8Bytes>,
    bytes: usize,
    bounds: SlowClient,
    missed: u64,
}

/// Too much waits, and the client is to be cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outbox {
    /// An empty one.
    pub(super) const fn new(bounds: SlowClient) -> Self {
        Self { queue: VecDeque::new(), bytes: 0, bounds, missed: 0 }
    }

    /// Appends a message.
    ///
    /// # Errors
    /// [`Overflow`].
    pub(super) fn push(&mut self, text: Utf8Bytes) -> Result<(), Overflow> {
        while self.queue.len() >= self.bounds.messages || self.bytes + text.len() > self.bounds.bytes {
            // A message larger than all the room there is goes alone.
            if self.queue.is_empty() {
                break;
            }
            match self.bounds.policy {
                SlowPolicy::Disconnect => return Err(Overflow),
                SlowPolicy::DropNewest => {
                    self.missed += 1;
                    return Ok(());
                }
                SlowPolicy::DropOldest => {
                    self.missed += 1;
                    self.pop();
                }
            }
        }
        self.bytes += text.len();
        self.queue.push_back(text);
        Ok(())
    }

    /// The next message to write.
    pub(super) fn pop(&mut self) -> Option<Utf8Bytes> {
        let text = self.queue.pop_front()?;
        self.bytes -= text.len();
        if self.queue.is_empty() && self.queue.capacity() > KEEP {
            // An idle client keeps nothing of its busy times.
            self.queue = VecDeque::new();
        }
        Some(text)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many messages were dropped since the last time.
    pub(super) fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    /// Drops everything that waits.
    pub(super) fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(policy: SlowPolicy) -> Outbox {
        Outbox::new(SlowClient { messages: 2, bytes: 10, policy })
    }

    fn drain(outbox: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.pop()).map(|text| text.to_string()).collect()
    }

    #[test]
    fn a_slow_client_is_cut_off_at_either_bound() {
        let mut outbox = outbox(SlowPolicy::Disconnect);
        assert_eq!((outbox.push("a".into()), outbox.push("b".into())), (Ok(()), Ok(())));
        assert_eq!(outbox.push("c".into()), Err(Overflow));
        assert_eq!(drain(&mut outbox), ["a", "b"]);
        assert_eq!(outbox.push("123456".into()), Ok(()));
        assert_eq!(outbox.push("12345".into()), Err(Overflow));
    }

    #[test]
    fn the_oldest_or_the_newest_is_dropped_and_counted() {
        let mut oldest = outbox(SlowPolicy::DropOldest);
        let mut newest = outbox(SlowPolicy::DropNewest);
        for text in ["a", "b", "c"] {
            assert_eq!((oldest.push(text.into()), newest.push(text.into())), (Ok(()), Ok(())));
        }
        assert_eq!((drain(&mut oldest), oldest.take_missed()), (vec!["b".to_owned(), "c".to_owned()], 1));
        assert_eq!((drain(&mut newest), newest.take_missed()), (vec!["a".to_owned(), "b".to_owned()], 1));
        assert_eq!(newest.take_missed(), 0);
    }

    #[test]
    fn a_message_larger_than_the_room_goes_alone() {
        let mut outbox = outbox(SlowPolicy::Disconnect);
        assert_eq!(outbox.push("12345678901".into()), Ok(()));
        assert_eq!(outbox.push("x".into()), Err(Overflow));
        assert_eq!(drain(&mut outbox).len(), 1);
    }
}
