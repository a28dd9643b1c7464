//! Messages that a receiver left behind, for the next one of the same name.
//!
//! A name's leftovers are handed to one receiver at a time and count until it leaves, so that whoever takes them and is slow
//! makes no room for more.
//!
//! Bounds, of all names together: [`MESSAGES_MAX`], [`BYTES_MAX`], [`NAMES_MAX`]. Beyond them the messages of the client
//! that left longest ago are dropped, said in the log and counted: nobody knows whether it ever comes back, and to refuse
//! others on its account would last as long as the node. Only where that is not enough are the newest dropped of what has
//! just been left.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::{AddAssign, SubAssign},
};

use io_tokio::Message;
use proto_core::limits::{INBOX_BYTES, INBOX_MESSAGES};

/// Most messages kept: twice what the default inbox has room for, so that one stay never fills it.
const MESSAGES_MAX: usize = 2 * INBOX_MESSAGES;
/// Most payload bytes kept.
const BYTES_MAX: usize = 2 * INBOX_BYTES;
/// Most names that something is kept for.
const NAMES_MAX: usize = 1_024;

/// Whose messages they are: a client's, or (`None`) the node's own.
pub(super) type Name = Option<String>;

/// How much some messages are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// What a receiver took over. To be given back with [`Leftovers::give_back`].
#[derive(Debug)]
pub(super) struct Taken {
    name: Name,
    size: Size,
    /// The messages, the next one first.
    pub(super) messages: VecDeque<Message>,
}

/// What is left over. See the module's first lines.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    kept: BTreeMap<Name, Left>,
    /// Names with a receiver.
    served: BTreeSet<Name>,
    /// What is kept, and what receivers took over.
    held: Size,
    last: u64,
}

#[derive(Debug)]
struct Left {
    messages: VecDeque<Message>,
    size: Size,
    /// Which in the order of leaving.
    number: u64,
}

impl Leftovers {
    /// Hands over what is left for a name; `None` while it has a receiver.
    pub(super) fn take(&mut self, name: &Name) -> Option<Taken> {
        if !self.served.insert(name.clone()) {
            return None;
        }
        let (messages, size) = self.kept.remove(name).map(|left| (left.messages, left.size)).unwrap_or_default();
        Some(Taken { name: name.clone(), size, messages })
    }

    /// The receiver leaves; keeps what is in `taken` now. Answers how many messages were dropped for it.
    pub(super) fn give_back(&mut self, taken: Taken) -> u64 {
        let Taken { name, size: before, mut messages } = taken;
        self.served.remove(&name);
        self.held -= before;
        let mut size: Size = messages.iter().collect();
        let mut dropped = 0;
        while !messages.is_empty() && !self.fits(size) {
            dropped += match self.drop_oldest() {
                0 => {
                    size -= messages.pop_back().iter().collect();
                    1
                }
                of_another => of_another,
            };
        }
        if !messages.is_empty() {
            self.held += size;
            self.last += 1;
            self.kept.insert(name, Left { messages, size, number: self.last });
        }
        dropped
    }

    fn fits(&self, more: Size) -> bool {
        let mut all = self.held;
        all += more;
        all.messages <= MESSAGES_MAX && all.bytes <= BYTES_MAX && self.kept.len() < NAMES_MAX
    }

    /// Drops what the client left that left longest ago. How many messages that were. The node itself never goes for good.
    fn drop_oldest(&mut self) -> u64 {
        let clients = self.kept.iter().filter(|(name, _)| name.is_some());
        let Some(name) = clients.min_by_key(|(_, left)| left.number).map(|(name, _)| name.clone()) else { return 0 };
        let Some(left) = self.kept.remove(&name) else { return 0 };
        self.held -= left.size;
        tracing::warn!(messages = left.size.messages, client = ?name, "messages that nobody came back for are dropped");
        left.size.messages as u64
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, more: Self) {
        self.messages = self.messages.saturating_add(more.messages);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

impl SubAssign for Size {
    fn sub_assign(&mut self, less: Self) {
        self.messages = self.messages.saturating_sub(less.messages);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }
}

impl<'a> FromIterator<&'a Message> for Size {
    fn from_iter<I: IntoIterator<Item = &'a Message>>(messages: I) -> Self {
        let mut size = Self::default();
        messages.into_iter().for_each(|message| size += Self { messages: 1, bytes: message.payload.len() });
        size
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bytes::Bytes;
    use proto_core::id::{Incarnation, NodeAddr, Seq};

    const MIB: usize = 1024 * 1024;

    /// So many messages, all with the same payload.
    pub(in crate::control) fn messages(count: u64, payload: &Bytes) -> VecDeque<Message> {
        let message = |seq| Message {
            from: NodeAddr(1),
            incarnation: Incarnation(1),
            seq: Seq(seq),
            from_client: None,
            to_client: None,
            payload: payload.clone(),
        };
        (1..=count).map(message).collect()
    }

    fn leave(left: &mut Leftovers, name: &str, count: u64, payload: &Bytes) -> u64 {
        let mut taken = left.take(&Some(name.to_owned())).unwrap();
        taken.messages.extend(messages(count, payload));
        left.give_back(taken)
    }

    fn kept(left: &Leftovers) -> Vec<(&str, usize)> {
        left.kept.iter().map(|(name, left)| (name.as_deref().unwrap_or("-"), left.messages.len())).collect()
    }

    #[test]
    fn a_name_has_one_receiver_at_a_time() {
        let mut left = Leftovers::default();
        let taken = left.take(&None).unwrap();
        assert!(left.take(&None).is_none());
        left.give_back(taken);
        assert!(left.take(&None).is_some());
    }

    #[test]
    fn all_together_are_bounded_in_bytes_and_whoever_left_longest_ago_loses() {
        let (mut left, payload) = (Leftovers::default(), Bytes::from(vec![0; MIB]));
        assert_eq!(["a", "b"].map(|name| leave(&mut left, name, 200, &payload)), [0, 0]);
        // The first comes back and leaves once more, so the second left longest ago.
        assert_eq!(leave(&mut left, "a", 0, &payload), 0);
        assert_eq!(leave(&mut left, "c", 200, &payload), 200);
        assert_eq!(kept(&left), [("a", 200), ("c", 200)]);
        assert_eq!(left.held, Size { messages: 400, bytes: 400 * MIB });
    }

    #[test]
    fn all_together_are_bounded_in_number() {
        let (mut left, payload) = (Leftovers::default(), Bytes::new());
        let share = MESSAGES_MAX as u64 / 2;
        assert_eq!(["a", "b", "c"].map(|name| leave(&mut left, name, share, &payload)), [0, 0, share]);
        assert_eq!(leave(&mut left, "d", 3 * share, &payload), 3 * share, "the others, and the newest of its own");
        assert_eq!(kept(&left), [("d", MESSAGES_MAX)]);
    }

    #[test]
    fn names_are_bounded() {
        let (mut left, payload) = (Leftovers::default(), Bytes::new());
        (0..NAMES_MAX).for_each(|name| _ = leave(&mut left, &format!("n{name}"), 1, &payload));
        assert_eq!(leave(&mut left, "one more", 1, &payload), 1);
        assert_eq!(left.kept.len(), NAMES_MAX);
        assert!(!left.kept.contains_key(&Some("n0".to_owned())));
    }

    #[test]
    fn what_a_slow_receiver_took_over_still_counts() {
        let (mut left, payload) = (Leftovers::default(), Bytes::from(vec![0; MIB]));
        leave(&mut left, "slow", 400, &payload);
        let slow = left.take(&Some("slow".to_owned())).unwrap();
        assert_eq!(leave(&mut left, "other", 200, &payload), 88);
        assert_eq!(left.give_back(slow), 0, "it finds its place again");
        assert_eq!(kept(&left), [("other", 112), ("slow", 400)]);
    }

    #[test]
    fn what_the_node_itself_has_not_taken_goes_for_nobody() {
        let (mut left, payload) = (Leftovers::default(), Bytes::new());
        let mut taken = left.take(&None).unwrap();
        taken.messages.extend(messages(5, &payload));
        left.give_back(taken);
        assert_eq!(leave(&mut left, "a", MESSAGES_MAX as u64, &payload), 5);
        assert_eq!(kept(&left), [("-", 5), ("a", MESSAGES_MAX - 5)]);
    }
}
