//! A table whose numbers are never used twice: the place of a value, and a serial number that only grows.
//!
//! An [`Arena`](crate::arena::Arena) handle may come back after 2^32 uses of its place, which a busy caller reaches within
//! hours. These numbers name calls to other nodes, so they must not: 16 bits of place, 46 bits of serial number, and the two
//! highest bits are zero. The serial number lasts for two years at a million calls a second, whatever it begins with: that
//! is less than 2^32, and differs from life to life where an answer to a number of the life before may still come.

use alloc::vec::Vec;

const PLACE_BITS: u32 = 16;

/// Values under numbers. See the module's first lines.
#[derive(Clone, Debug)]
pub(super) struct Slots<T> {
    places: Vec<Option<(u64, T)>>,
    free: Vec<usize>,
    serial: u64,
    limit: usize,
}

impl<T> Slots<T> {
    /// An empty table of at most `limit` values, which is at most 2^16.
    pub(super) const fn with_limit(limit: usize) -> Self {
        Self::beginning_at(limit, 0)
    }

    /// Likewise; its numbers begin somewhere else.
    pub(super) const fn beginning_at(limit: usize, serial: u32) -> Self {
        Self { places: Vec::new(), free: Vec::new(), serial: serial as u64, limit }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether nothing can be added.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// Puts a value in and numbers it. `None` if the table is full.
    pub(super) fn insert(&mut self, value: T) -> Option<u64> {
        if self.is_full() {
            return None;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.serial += 1;
        let number = self.serial << PLACE_BITS | place as u64;
        self.places[place] = Some((number, value));
        Some(number)
    }

    /// The value of `number`, unless it is gone.
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        match self.places.get(place(number))? {
            Some((of, value)) if *of == number => Some(value),
            Some(_) | None => None,
        }
    }

    /// The value of `number`, to change, unless it is gone.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        match self.places.get_mut(place(number))? {
            Some((of, value)) if *of == number => Some(value),
            Some(_) | None => None,
        }
    }

    /// Takes the value of `number` out.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let slot = self.places.get_mut(place(number))?;
        let (_, value) = slot.take_if(|(of, _)| *of == number)?;
        self.free.push(place(number));
        Some(value)
    }

    /// Every value with its number, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.places.iter().flatten().map(|(number, value)| (*number, value))
    }
}

fn place(number: u64) -> usize {
    usize::from(u16::try_from(number & ((1 << PLACE_BITS) - 1)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_and_a_number_never() {
        let mut slots = Slots::with_limit(2);
        let first = slots.insert('a').unwrap();
        assert_eq!(slots.remove(first), Some('a'));
        let second = slots.insert('b').unwrap();
        assert_eq!((place(first), place(second)), (0, 0));
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&'b')));
        assert_eq!(slots.remove(first), None);
    }

    #[test]
    fn a_full_table_takes_nothing() {
        let mut slots = Slots::with_limit(1);
        assert!(slots.insert(1).is_some());
        assert_eq!((slots.insert(2), slots.len()), (None, 1));
    }
}
