//! Many small things under dense numbers, packed tightly: what the interest table is made of.
//!
//! A number is reused after its thing is gone; whoever keeps numbers knows which are alive. Room grows by a sixteenth, so
//! that a million things do not hold room for two, and is given back when the last thing goes. Bounds: the owner's.

use alloc::vec::Vec;
use core::mem;

/// No thing has this number.
pub(super) const NONE: u32 = u32::MAX;

/// Things by number. See the module's first lines.
#[derive(Clone, Debug)]
pub(super) struct Pool<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default> Pool<T> {
    /// Empty.
    pub(super) const fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }

    /// How many things there are.
    pub(super) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    /// One more than the highest number in use.
    pub(super) fn end(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(NONE)
    }

    /// Puts a thing in, and tells its number.
    pub(super) fn insert(&mut self, item: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.items[number as usize] = item;
            return number;
        }
        let len = self.items.len();
        if len == self.items.capacity() {
            self.items.reserve_exact(len / 16 + 16);
        }
        self.items.push(item);
        // The bounds of the interest table are far below the range.
        u32::try_from(len).unwrap_or(NONE)
    }

    /// The thing of a number that is alive.
    #[inline]
    pub(super) fn get(&self, number: u32) -> &T {
        &self.items[number as usize]
    }

    /// The thing of a number that is alive, to change.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.items[number as usize]
    }

    /// Takes a thing out; its number may be given to another.
    pub(super) fn remove(&mut self, number: u32) -> T {
        let item = mem::take(&mut self.items[number as usize]);
        self.free.push(number);
        if self.free.len() == self.items.len() {
            *self = Self::new();
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_reused_and_room_is_given_back() {
        let mut pool = Pool::new();
        assert_eq!((pool.insert('a'), pool.insert('b')), (0, 1));
        assert_eq!((pool.remove(0), pool.len()), ('a', 1));
        assert_eq!((pool.insert('c'), *pool.get(0), *pool.get(1)), (0, 'c', 'b'));
        pool.remove(1);
        pool.remove(0);
        assert_eq!((pool.len(), pool.items.capacity(), pool.free.capacity()), (0, 0, 0));
    }
}
