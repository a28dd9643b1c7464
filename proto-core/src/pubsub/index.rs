//! A hash index over things that lie in a [`Pool`](super::pool::Pool): it keeps their numbers only, and asks its owner
//! whether a number is the one sought. Five bytes a slot, where a map with the keys in it would take thirteen and more.
//! Cannot be iterated, so its order influences nothing (law L11).

use core::{
    fmt,
    hash::{BuildHasher as _, Hash},
};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Numbers by the hash of what they stand for. See the module's first lines.
#[derive(Clone)]
pub(super) struct Index {
    table: HashTable<u32>,
    state: FixedState,
}

impl Index {
    /// Empty; `seed` varies where numbers land, never what is found.
    pub(super) const fn new(seed: u64) -> Self {
        Self { table: HashTable::new(), state: FixedState::with_seed(seed) }
    }

    /// The hash that the other methods want.
    #[inline]
    pub(super) fn hash(&self, key: &(impl Hash + ?Sized)) -> u64 {
        self.state.hash_one(key)
    }

    /// The number with this hash that `is` recognises.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.table.find(hash, |&number| is(number)).copied()
    }

    /// Whether there is none.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Puts a number in that is not there. `key` tells the key of any number that is.
    pub(super) fn insert<K: Hash>(&mut self, hash: u64, number: u32, key: impl Fn(u32) -> K) {
        let state = &self.state;
        self.table.insert_unique(hash, number, |&number| state.hash_one(key(number)));
    }

    /// Takes a number out. `key` tells the key of any number that stays.
    pub(super) fn remove<K: Hash>(&mut self, hash: u64, number: u32, key: impl Fn(u32) -> K) {
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == number) {
            entry.remove();
        }
        // Far from full: smaller by half, so that growing and shrinking do not take turns.
        if self.table.capacity() > 64 && self.table.len() < self.table.capacity() / 8 {
            let state = &self.state;
            self.table.shrink_to(self.table.len() * 2, |&number| state.hash_one(key(number)));
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} entries)", self.table.len())
    }
}
