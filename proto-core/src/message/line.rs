//! Numbered things in a row, each with a deadline: what a flow keeps.
//!
//! Numbers go up by one. Things leave from the front as a rule; one that leaves from the middle leaves a gap, and the
//! gap goes when it comes to the front, so the front is always a thing. Deadlines that never decrease along the row (all
//! messages with the same time to live) cost one step each; others go to a sorted set beside.
//!
//! Bounds: the owner's, for the things; the deadlines are at most a few times as many as the slots.

use alloc::collections::{BTreeSet, VecDeque};

use crate::time::Time;

/// A row of `T`. See the module's first lines.
#[derive(Clone, Debug)]
pub(super) struct Line<T> {
    slots: VecDeque<Option<T>>,
    first: u64,
    live: usize,
    due: Deadlines,
}

/// Deadlines of numbers, some of which may have left already.
#[derive(Clone, Debug, Default)]
struct Deadlines {
    in_order: VecDeque<(Time, u64)>,
    others: BTreeSet<(Time, u64)>,
}

impl<T> Line<T> {
    /// An empty row whose first thing gets the number `first`.
    pub(super) fn new(first: u64) -> Self {
        Self { slots: VecDeque::new(), first, live: 0, due: Deadlines::default() }
    }

    /// The number of the front thing; of the next one to come if there is none.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next thing gets.
    pub(super) fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// How many things there are, gaps not counted.
    pub(super) const fn len(&self) -> usize {
        self.live
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Puts a thing at the end.
    #[inline]
    pub(super) fn push(&mut self, due: Time, thing: T) {
        if self.due.len() > 2 * self.slots.len() + 64 {
            let (slots, first) = (&self.slots, self.first);
            self.due.retain(|number| is_there(slots, first, number));
        }
        self.due.push(due, self.end());
        self.slots.push_back(Some(thing));
        self.live += 1;
    }

    /// The front thing.
    pub(super) fn front(&self) -> Option<&T> {
        self.slots.front()?.as_ref()
    }

    /// Takes the front thing.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let thing = self.slots.pop_front()?;
        self.first += 1;
        self.live -= 1;
        self.trim();
        thing
    }

    /// The thing of this number.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(index)?.as_mut()
    }

    /// Takes the thing of this number, from wherever it is.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let thing = self.slots.get_mut(index)?.take()?;
        self.live -= 1;
        self.trim();
        Some(thing)
    }

    /// Takes one thing whose deadline has come; the earliest first.
    pub(super) fn take_due(&mut self, now: Time) -> Option<T> {
        let (_, number) = self.due.first().filter(|(due, _)| *due <= now)?;
        self.remove(number)
    }

    /// The earliest deadline.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| due)
    }

    /// Closes the gaps, if they are many, by giving new numbers; for an owner that refers to none. `due` tells a thing's
    /// deadline.
    pub(super) fn close_gaps(&mut self, due: impl Fn(&T) -> Time) {
        if self.slots.len() <= 2 * self.live + 64 {
            return;
        }
        self.slots.retain(Option::is_some);
        self.due = Deadlines::default();
        for (number, thing) in (self.first..).zip(self.slots.iter().flatten()) {
            self.due.push(due(thing), number);
        }
    }

    /// Restores what the module promises: a thing at the front, and a deadline of one that is there in front of the
    /// deadlines.
    #[inline]
    fn trim(&mut self) {
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        while let Some((due, number)) = self.due.first()
            && !is_there(&self.slots, self.first, number)
        {
            self.due.remove_first(due, number);
        }
    }
}

fn is_there<T>(slots: &VecDeque<Option<T>>, first: u64, number: u64) -> bool {
    let index = number.checked_sub(first).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| slots.get(index)).is_some_and(Option::is_some)
}

impl Deadlines {
    fn push(&mut self, due: Time, number: u64) {
        if self.in_order.back().is_none_or(|&(last, _)| last <= due) {
            self.in_order.push_back((due, number));
        } else {
            self.others.insert((due, number));
        }
    }

    fn first(&self) -> Option<(Time, u64)> {
        match (self.in_order.front(), self.others.first()) {
            (Some(&a), Some(&b)) => Some(a.min(b)),
            (Some(&one), None) | (None, Some(&one)) => Some(one),
            (None, None) => None,
        }
    }

    fn remove_first(&mut self, due: Time, number: u64) {
        if self.in_order.front() == Some(&(due, number)) {
            self.in_order.pop_front();
        } else {
            self.others.remove(&(due, number));
        }
    }

    fn len(&self) -> usize {
        self.in_order.len() + self.others.len()
    }

    fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        self.in_order.retain(|&(_, number)| keep(number));
        self.others.retain(|&(_, number)| keep(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn line(deadlines: &[u64]) -> Line<u64> {
        let mut line = Line::new(1);
        for &due in deadlines {
            line.push(at(due), due);
        }
        line
    }

    #[test]
    fn the_earliest_deadline_is_known_whatever_leaves() {
        let mut line = line(&[50, 20, 60, 10]);
        assert_eq!(line.next_due(), Some(at(10)));
        assert_eq!(line.take_due(at(9)), None);
        assert_eq!(line.take_due(at(30)), Some(10));
        assert_eq!(line.take_due(at(30)), Some(20));
        assert_eq!(line.take_due(at(30)), None);
        assert_eq!(line.pop(), Some(50));
        assert_eq!((line.next_due(), line.len(), line.first()), (Some(at(60)), 1, 3));
    }

    #[test]
    fn a_gap_goes_when_it_comes_to_the_front() {
        let mut line = line(&[10, 10, 10, 10]);
        assert_eq!(line.remove(2), Some(10));
        assert_eq!(line.remove(2), None);
        assert_eq!((line.first(), line.len()), (1, 3));
        assert_eq!(line.pop(), Some(10));
        assert_eq!((line.first(), line.end(), line.len()), (3, 5, 2));
        assert_eq!(line.get_mut(2), None);
        assert_eq!(line.get_mut(3), Some(&mut 10));
    }

    #[test]
    fn an_empty_line_remembers_its_numbers() {
        let mut line = line(&[10, 10]);
        assert_eq!(line.take_due(at(10)).and(line.take_due(at(10))), Some(10));
        assert_eq!((line.first(), line.end(), line.is_empty(), line.next_due()), (3, 3, true, None));
    }

    #[test]
    fn gaps_behind_a_patient_front_are_closed() {
        let mut line = Line::new(1);
        line.push(at(1_000), 1_000);
        for due in 1..=200 {
            line.push(at(due), due);
            line.close_gaps(|&due| at(due));
            assert_eq!(line.take_due(at(due)), Some(due));
            assert!(line.end() - line.first() < 100);
        }
        assert_eq!((line.take_due(at(1_000)), line.is_empty()), (Some(1_000), true));
    }

    #[test]
    fn deadlines_of_what_left_do_not_pile_up() {
        let mut line = Line::new(1);
        for round in 0..1_000 {
            line.push(at(10_000 - round), round);
            if round > 3 {
                line.pop();
            }
            assert!(line.due.len() < 100);
        }
    }
}
