//! What waits to be written to one client. Bounded; what happens at the bound is the policy of `api.slow_client`.

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;

use crate::config::{SlowClient, SlowPolicy};

/// Room of a queue that is kept once it is empty, in messages.
const KEEP: usize = 8;

/// The queue of one client.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Waiting>,
    bytes: usize,
    bounds: SlowClient,
    missed: u64,
}

#[derive(Debug)]
struct Waiting {
    text: Utf8Bytes,
    may_be_lost: bool,
}

/// What may become of a message that there is no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// Somebody waits for it: what may be lost makes room, otherwise the client is cut off.
    Keep,
    /// As the policy says. With [`SlowPolicy::Disconnect`] it is never lost, whatever the policy of others.
    Lose(SlowPolicy),
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
    pub(super) fn push(&mut self, text: Utf8Bytes, care: Care) -> Result<(), Overflow> {
        // A message larger than all the room there is goes alone.
        while !self.queue.is_empty() && self.is_over(text.len()) {
            match care {
                Care::Lose(SlowPolicy::Disconnect) => return Err(Overflow),
                Care::Keep if self.lose_oldest() => {}
                Care::Keep => return Err(Overflow),
                Care::Lose(SlowPolicy::DropOldest) if self.lose_oldest() => {}
                Care::Lose(SlowPolicy::DropOldest | SlowPolicy::DropNewest) => {
                    self.missed += 1;
                    return Ok(());
                }
            }
        }
        self.bytes += text.len();
        let may_be_lost = match care {
            Care::Keep | Care::Lose(SlowPolicy::Disconnect) => false,
            Care::Lose(SlowPolicy::DropOldest | SlowPolicy::DropNewest) => true,
        };
        self.queue.push_back(Waiting { text, may_be_lost });
        Ok(())
    }

    /// The next message to write.
    pub(super) fn pop(&mut self) -> Option<Utf8Bytes> {
        let Waiting { text, .. } = self.queue.pop_front()?;
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

    /// Whether there is room for what can wait elsewhere: half of all.
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() <= self.bounds.messages / 2 && self.bytes <= self.bounds.bytes / 2
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

    fn is_over(&self, more: usize) -> bool {
        self.queue.len() >= self.bounds.messages || self.bytes + more > self.bounds.bytes
    }

    /// Drops the oldest message that may be lost, if there is one.
    fn lose_oldest(&mut self) -> bool {
        let Some(at) = self.queue.iter().position(|waiting| waiting.may_be_lost) else { return false };
        if let Some(lost) = self.queue.remove(at) {
            self.bytes -= lost.text.len();
        }
        self.missed += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(policy: SlowPolicy) -> (Outbox, Care) {
        (Outbox::new(SlowClient { messages: 2, bytes: 10, policy }), Care::Lose(policy))
    }

    fn drain(outbox: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.pop()).map(|text| text.to_string()).collect()
    }

    #[test]
    fn a_slow_client_is_cut_off_at_either_bound() {
        let (mut outbox, care) = outbox(SlowPolicy::Disconnect);
        assert_eq!((outbox.push("a".into(), care), outbox.push("b".into(), care)), (Ok(()), Ok(())));
        assert_eq!(outbox.push("c".into(), care), Err(Overflow));
        assert_eq!(drain(&mut outbox), ["a", "b"]);
        assert_eq!(outbox.push("123456".into(), care), Ok(()));
        assert_eq!(outbox.push("12345".into(), care), Err(Overflow));
    }

    #[test]
    fn the_oldest_or_the_newest_is_dropped_and_counted() {
        let (mut oldest, drop_oldest) = outbox(SlowPolicy::DropOldest);
        let (mut newest, drop_newest) = outbox(SlowPolicy::DropNewest);
        for text in ["a", "b", "c"] {
            let pushed = (oldest.push(text.into(), drop_oldest), newest.push(text.into(), drop_newest));
            assert_eq!(pushed, (Ok(()), Ok(())));
        }
        assert_eq!((drain(&mut oldest), oldest.take_missed()), (vec!["b".to_owned(), "c".to_owned()], 1));
        assert_eq!((drain(&mut newest), newest.take_missed()), (vec!["a".to_owned(), "b".to_owned()], 1));
        assert_eq!(newest.take_missed(), 0);
    }

    #[test]
    fn an_answer_is_never_dropped() {
        let (mut outbox, care) = outbox(SlowPolicy::DropOldest);
        for (text, care) in [("a", care), ("answer", Care::Keep), ("b", care)] {
            assert_eq!(outbox.push(text.into(), care), Ok(()));
        }
        assert_eq!(outbox.take_missed(), 1);
        // Another answer takes the place of what may be lost; then there is nothing of that any more.
        assert_eq!(outbox.push("2".into(), Care::Keep), Ok(()));
        assert_eq!(outbox.push("3".into(), Care::Keep), Err(Overflow));
        assert_eq!(outbox.push("c".into(), care), Ok(()));
        assert_eq!((drain(&mut outbox), outbox.take_missed()), (vec!["answer".to_owned(), "2".to_owned()], 2));
    }

    #[test]
    fn an_answer_takes_the_place_of_what_may_be_lost_whatever_the_usual_policy() {
        let (mut outbox, usual) = outbox(SlowPolicy::Disconnect);
        for text in ["a", "b"] {
            assert_eq!(outbox.push(text.into(), Care::Lose(SlowPolicy::DropOldest)), Ok(()));
        }
        assert_eq!(outbox.push("answer".into(), Care::Keep), Ok(()));
        assert_eq!(outbox.take_missed(), 1);
        assert_eq!(outbox.push("c".into(), usual), Err(Overflow));
    }

    #[test]
    fn what_must_not_be_lost_does_not_make_room_for_what_may() {
        let (mut outbox, usual) = outbox(SlowPolicy::Disconnect);
        for (text, care) in [("kept", usual), ("a", Care::Lose(SlowPolicy::DropOldest))] {
            assert_eq!(outbox.push(text.into(), care), Ok(()));
        }
        for text in ["b", "c"] {
            assert_eq!(outbox.push(text.into(), Care::Lose(SlowPolicy::DropOldest)), Ok(()));
        }
        assert_eq!((drain(&mut outbox), outbox.take_missed()), (vec!["kept".to_owned(), "c".to_owned()], 2));
    }

    #[test]
    fn a_message_larger_than_the_room_goes_alone() {
        let (mut outbox, care) = outbox(SlowPolicy::Disconnect);
        assert_eq!(outbox.push("12345678901".into(), care), Ok(()));
        assert!(!outbox.has_room());
        assert_eq!(outbox.push("x".into(), care), Err(Overflow));
        assert_eq!(drain(&mut outbox).len(), 1);
        assert!(outbox.has_room());
    }
}
