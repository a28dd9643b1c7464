//! Queues with a bound and a rule for what happens at it.

use alloc::collections::VecDeque;

/// What a full queue does with one more item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The new item is refused and comes back to the caller.
    Refuse,
    /// The oldest items make room.
    DropOldest,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    /// It is in.
    Kept,
    /// It is in; this many older ones were dropped for it.
    Dropped(usize),
    /// It is not in.
    Refused,
}

/// A first-in, first-out queue bounded by count and by weight (bytes, as a rule). Counts what it dropped.
#[derive(Clone, Debug)]
pub struct Bounded<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    limit: Limit,
    overflow: Overflow,
    dropped: u64,
}

/// The two bounds of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Limit {
    /// Most items.
    pub count: usize,
    /// Most weight of all items together.
    pub weight: usize,
}

impl<T> Bounded<T> {
    /// An empty queue.
    #[must_use]
    pub const fn new(limit: Limit, overflow: Overflow) -> Self {
        Self { items: VecDeque::new(), weight: 0, limit, overflow, dropped: 0 }
    }

    /// Puts `item` at the end, if the bounds and the rule allow it.
    #[inline]
    pub fn push(&mut self, item: T, weight: usize) -> Pushed {
        self.push_and(item, weight, drop)
    }

    /// [`Bounded::push`], which hands the older ones that make room to `dropped`, the oldest first.
    #[inline]
    pub fn push_and(&mut self, item: T, weight: usize, dropped: impl FnMut(T)) -> Pushed {
        if !self.fits(weight) {
            return self.push_over(item, weight, dropped);
        }
        self.weight += weight;
        self.items.push_back((item, weight));
        Pushed::Kept
    }

    /// Takes the item at the front.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let (item, weight) = self.items.pop_front()?;
        self.weight -= weight;
        Some(item)
    }

    /// The item at the front.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        self.items.front().map(|(item, _)| item)
    }

    /// The item at the front, to change. Its weight stays what it was pushed with.
    #[must_use]
    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.items.front_mut().map(|(item, _)| item)
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The weight of all that wait.
    #[must_use]
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// The bounds.
    #[must_use]
    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// How many items were refused or dropped since the beginning.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    #[inline]
    fn fits(&self, weight: usize) -> bool {
        self.items.len() < self.limit.count && weight <= self.limit.weight - self.weight
    }

    #[cold]
    fn push_over(&mut self, item: T, weight: usize, mut dropped: impl FnMut(T)) -> Pushed {
        let never = weight > self.limit.weight || self.limit.count == 0;
        if self.overflow == Overflow::Refuse || never {
            self.dropped += 1;
            return Pushed::Refused;
        }
        let mut made_room = 0;
        while !self.fits(weight)
            && let Some(older) = self.pop()
        {
            dropped(older);
            made_room += 1;
        }
        self.dropped += made_room as u64;
        self.weight += weight;
        self.items.push_back((item, weight));
        Pushed::Dropped(made_room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { count: 3, weight: 10 };

    #[test]
    fn a_full_queue_refuses() {
        let mut queue = Bounded::new(LIMIT, Overflow::Refuse);
        assert_eq!(queue.push('a', 9), Pushed::Kept);
        assert_eq!(queue.push('b', 2), Pushed::Refused);
        assert_eq!((queue.pop(), queue.weight(), queue.dropped()), (Some('a'), 0, 1));
    }

    #[test]
    fn a_full_queue_drops_its_oldest() {
        let mut queue = Bounded::new(LIMIT, Overflow::DropOldest);
        for item in ['a', 'b', 'c'] {
            assert_eq!(queue.push(item, 3), Pushed::Kept);
        }
        let mut dropped = alloc::vec::Vec::new();
        assert_eq!(queue.push_and('d', 7, |older| dropped.push(older)), Pushed::Dropped(2));
        assert_eq!(dropped, ['a', 'b']);
        assert_eq!((queue.pop(), queue.pop(), queue.pop(), queue.dropped()), (Some('c'), Some('d'), None, 2));
    }

    #[test]
    fn what_can_never_fit_is_refused_and_drops_nothing() {
        let mut queue = Bounded::new(LIMIT, Overflow::DropOldest);
        assert_eq!(queue.push('a', 1), Pushed::Kept);
        assert_eq!(queue.push('b', 11), Pushed::Refused);
        assert_eq!(queue.len(), 1);
    }
}
