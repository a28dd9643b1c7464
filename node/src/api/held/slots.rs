//! Things of one client by name, each there or on its way: so that what is given up before it came does not stay.

use std::task::Poll;

use super::Refused;

/// The things.
#[derive(Debug)]
pub(super) struct Slots<T> {
    all: Vec<Slot<T>>,
    tickets: u64,
    /// Whose turn is first.
    turn: usize,
}

#[derive(Debug)]
struct Slot<T> {
    name: Box<str>,
    ticket: Ticket,
    thing: Option<T>,
}

/// A place that waits for its thing. Never used twice for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct Ticket(u64);

impl<T> Slots<T> {
    /// None.
    pub(super) const fn new() -> Self {
        Self { all: Vec::new(), tickets: 0, turn: 0 }
    }

    /// A place for a thing of a name that is to come, unless there are `most` or one of this name.
    pub(super) fn begin(&mut self, name: &str, most: usize) -> Result<Ticket, Refused> {
        if self.all.iter().any(|slot| &*slot.name == name) {
            return Err(Refused::Double);
        }
        if self.all.len() >= most {
            return Err(Refused::TooMany(most));
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        if self.all.is_empty() {
            // Most clients have one.
            self.all.reserve_exact(1);
        }
        self.all.push(Slot { name: name.into(), ticket, thing: None });
        Ok(ticket)
    }

    /// Takes the thing, unless it was given up; `None`: there will be none.
    pub(super) fn arrive(&mut self, ticket: Ticket, thing: Option<T>) {
        let Some(at) = self.all.iter().position(|slot| slot.ticket == ticket) else { return };
        match thing {
            Some(thing) => self.all[at].thing = Some(thing),
            None => drop(self.all.remove(at)),
        }
    }

    /// Gives a thing up, or says that there is none of this name.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let before = self.all.len();
        self.all.retain(|slot| &*slot.name != name);
        self.all.len() < before
    }

    /// The thing at a place, with its name.
    pub(super) fn at(&mut self, at: usize) -> Option<(&str, &mut T)> {
        let Slot { name, thing, .. } = self.all.get_mut(at)?;
        Some((name, thing.as_mut()?))
    }

    /// Those that are there.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter().filter_map(|slot| slot.thing.as_ref())
    }

    /// Asks each in turn, and answers the first that has something.
    pub(super) fn poll<N>(&mut self, mut ask: impl FnMut(usize, &str, &mut T) -> Poll<N>) -> Poll<N> {
        let count = self.all.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            let Slot { name, thing, .. } = &mut self.all[at];
            if let Some(thing) = thing
                && let Poll::Ready(news) = ask(at, name, thing)
            {
                self.turn = at + 1;
                return Poll::Ready(news);
            }
        }
        Poll::Pending
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_before_it_came_does_not_stay() {
        let mut slots = Slots::new();
        let early = slots.begin("a", 2).unwrap();
        assert_eq!(slots.begin("a", 2), Err(Refused::Double));
        assert!(slots.remove("a") && !slots.remove("a"));
        let late = slots.begin("a", 2).unwrap();
        slots.arrive(early, Some(1));
        assert_eq!(slots.iter().count(), 0);
        slots.arrive(late, Some(2));
        assert_eq!(slots.iter().collect::<Vec<_>>(), [&2]);
        let failed = slots.begin("b", 2).unwrap();
        assert_eq!(slots.begin("c", 2), Err(Refused::TooMany(2)));
        slots.arrive(failed, None);
        assert!(slots.begin("c", 2).is_ok());
    }

    #[test]
    fn everybody_has_a_turn() {
        let mut slots = Slots::new();
        for name in ["a", "b", "c"] {
            let ticket = slots.begin(name, 3).unwrap();
            slots.arrive(ticket, Some(()));
        }
        let mut turn = || slots.poll(|_, name, ()| Poll::Ready(name.to_owned()));
        let turns = [turn(), turn(), turn(), turn()];
        assert_eq!(turns, ["a", "b", "c", "a"].map(|name| Poll::Ready(name.to_owned())));
    }
}
