//! Containers whose behaviour is the same on every run and platform.

use alloc::vec::Vec;
use core::{borrow::Borrow, fmt, hash::Hash, iter};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Appends what `make` returns, made in its place. For large values on the path of every message: one that is made
/// elsewhere first is copied at once in wider pieces than it was written in, which stalls the processor.
#[inline]
pub(crate) fn emplace<T>(list: &mut Vec<T>, make: impl FnOnce() -> T) {
    list.extend(iter::once_with(make));
}

/// A hash map that cannot be iterated, so that its order can influence nothing (law L11).
///
/// Keys that a peer may choose must be hashes already ([`crate::id::NodeAddr`]) or counted against a limit: the hasher
/// is seeded with `seed`, which a peer does not know, but it is no cryptographic one.
#[derive(Clone)]
pub struct DetMap<K, V>(HashMap<K, V, FixedState>);

impl<K: Eq + Hash, V> DetMap<K, V> {
    /// An empty map; `seed` varies where keys land, never what the map answers.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self(HashMap::with_hasher(FixedState::with_seed(seed)))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `key` has an entry.
    #[must_use]
    pub fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// The value of `key`.
    #[must_use]
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// The value of `key`, to change.
    #[must_use]
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    /// The value of `key`, made by `make` if there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.0.entry(key).or_insert_with(make)
    }

    /// Sets the value of `key` and returns the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes the entry of `key` out.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// Keeps the entries that `keep` wants, each judged by itself.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        self.0.retain(|key, value| keep(key, value));
    }

    /// Takes every entry out.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K, V> fmt::Debug for DetMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DetMap({} entries)", self.0.len())
    }
}
