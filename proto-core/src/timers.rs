//! Which machine wants to be woken, and when: the index that makes `Node::poll_timeout` one look.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::time::Time;

/// The deadlines of many owners, the earliest first; equal deadlines in the order of their owners.
///
/// Each owner has at most one. Updating one to what it already is costs one look-up.
#[derive(Clone, Debug)]
pub struct DeadlineIndex<O> {
    by_time: BTreeSet<(Time, O)>,
    by_owner: BTreeMap<O, (Time, &'static str)>,
}

impl<O: Copy + Ord> DeadlineIndex<O> {
    /// No deadlines.
    #[must_use]
    pub const fn new() -> Self {
        Self { by_time: BTreeSet::new(), by_owner: BTreeMap::new() }
    }

    /// Sets, moves or clears the deadline of `owner`.
    pub fn set(&mut self, owner: O, deadline: Option<(Time, &'static str)>) {
        let before = self.by_owner.get(&owner).copied();
        if before.map(|(due, _)| due) == deadline.map(|(due, _)| due) {
            return;
        }
        if let Some((due, _)) = before {
            self.by_time.remove(&(due, owner));
        }
        match deadline {
            Some((due, why)) => {
                self.by_time.insert((due, owner));
                self.by_owner.insert(owner, (due, why));
            }
            None => {
                self.by_owner.remove(&owner);
            }
        }
    }

    /// The earliest deadline, whose it is, and what for.
    #[must_use]
    pub fn first(&self) -> Option<(Time, O, &'static str)> {
        let &(due, owner) = self.by_time.first()?;
        let why = self.by_owner.get(&owner).map_or("", |&(_, why)| why);
        Some((due, owner, why))
    }

    /// How many owners have a deadline.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_owner.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_owner.is_empty()
    }
}

impl<O: Copy + Ord> Default for DeadlineIndex<O> {
    fn default() -> Self {
        Self::new()
    }
}

/// The earlier of two optional deadlines; the first where they are equal.
#[must_use]
pub fn earlier(a: Option<(Time, &'static str)>, b: Option<(Time, &'static str)>) -> Option<(Time, &'static str)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (one, None) | (None, one) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn the_earliest_comes_first_and_moves() {
        let mut index = DeadlineIndex::new();
        index.set('b', Some((at(5), "b")));
        index.set('a', Some((at(5), "a")));
        index.set('c', Some((at(9), "c")));
        assert_eq!(index.first(), Some((at(5), 'a', "a")));
        index.set('a', Some((at(10), "a")));
        index.set('b', None);
        assert_eq!(index.first(), Some((at(9), 'c', "c")));
        assert_eq!(index.len(), 2);
    }

    #[test]
    fn of_two_deadlines_the_earlier_wins() {
        assert_eq!(earlier(Some((at(2), "x")), Some((at(1), "y"))), Some((at(1), "y")));
        assert_eq!(earlier(Some((at(1), "x")), Some((at(1), "y"))), Some((at(1), "x")));
        assert_eq!(earlier(None, None), None);
    }
}
