//! A slot map whose handles know which life of a slot they mean, so a stale one finds nothing instead of a stranger.

use alloc::vec::Vec;
use core::{fmt, hash::Hash, marker::PhantomData};

use serde::{Deserialize, Serialize};

/// A handle to a `T` in an [`Arena`]. Ordered by slot, then by generation.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Handle<T> {
    slot: u32,
    generation: u32,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    /// The dense number of the slot: small, reused after the value is gone.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// The same slot and generation under another type: for a public handle to a value of a private type.
    #[must_use]
    pub(crate) const fn retag<U>(self) -> Handle<U> {
        Handle { slot: self.slot, generation: self.generation, of: PhantomData }
    }
}

/// Values under stable handles, iterated in slot order.
#[derive(Clone, Debug)]
pub struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    limit: usize,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Arena<T> {
    /// An empty arena that holds at most `limit` values.
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), limit }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an insert would be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// Puts a value in.
    ///
    /// # Errors
    /// The value comes back when the arena is full.
    pub fn insert(&mut self, value: T) -> Result<Handle<T>, T> {
        if self.is_full() {
            return Err(value);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => match u32::try_from(self.slots.len()) {
                Ok(slot) => {
                    self.slots.push(Slot { generation: 0, value: None });
                    slot
                }
                Err(_) => return Err(value),
            },
        };
        let entry = &mut self.slots[slot as usize];
        entry.value = Some(value);
        Ok(Handle { slot, generation: entry.generation, of: PhantomData })
    }

    /// The value of `handle`, unless it is gone.
    #[must_use]
    pub fn get(&self, handle: Handle<T>) -> Option<&T> {
        self.slots.get(handle.slot()).filter(|slot| slot.generation == handle.generation)?.value.as_ref()
    }

    /// The value of `handle`, to change, unless it is gone.
    #[must_use]
    pub fn get_mut(&mut self, handle: Handle<T>) -> Option<&mut T> {
        self.slots.get_mut(handle.slot()).filter(|slot| slot.generation == handle.generation)?.value.as_mut()
    }

    /// Takes the value of `handle` out; the handle is stale from now on.
    pub fn remove(&mut self, handle: Handle<T>) -> Option<T> {
        let slot = self.slots.get_mut(handle.slot()).filter(|slot| slot.generation == handle.generation)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(handle.slot);
        Some(value)
    }

    /// Every value with its handle, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (Handle<T>, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let slot_number = u32::try_from(index).ok()?;
            let handle = Handle { slot: slot_number, generation: slot.generation, of: PhantomData };
            slot.value.as_ref().map(|value| (handle, value))
        })
    }

    /// Every value with its handle, to change, in slot order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Handle<T>, &mut T)> {
        self.slots.iter_mut().enumerate().filter_map(|(index, slot)| {
            let slot_number = u32::try_from(index).ok()?;
            let handle = Handle { slot: slot_number, generation: slot.generation, of: PhantomData };
            slot.value.as_mut().map(|value| (handle, value))
        })
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.slot, self.generation) == (other.slot, other.generation)
    }
}

impl<T> Eq for Handle<T> {}

impl<T> PartialOrd for Handle<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Handle<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.slot, self.generation).cmp(&(other.slot, other.generation))
    }
}

impl<T> Hash for Handle<T> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.slot, self.generation).hash(state);
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.slot, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_handle_finds_nothing() {
        let mut arena = Arena::with_limit(2);
        let first = arena.insert('a').ok();
        assert_eq!(first.and_then(|handle| arena.remove(handle)), Some('a'));
        let second = arena.insert('b').ok();
        assert_eq!(second.map(Handle::slot), first.map(Handle::slot));
        assert_eq!(first.and_then(|handle| arena.get(handle).copied()), None);
        assert_eq!(second.and_then(|handle| arena.get(handle).copied()), Some('b'));
    }

    #[test]
    fn a_full_arena_gives_the_value_back() {
        let mut arena = Arena::with_limit(1);
        assert!(arena.insert(1).is_ok());
        assert_eq!(arena.insert(2), Err(2));
    }
}
