//! The tokens of all patterns, and the tails that are kept in one piece, each once, under small numbers. Counted: what no
//! pattern uses any more goes.
//!
//! Those of up to eleven bytes, as most are, lie in the table itself. Bounds: as many as the patterns have.

use alloc::boxed::Box;

use super::{index::Index, pool::Pool};

/// Longest token that needs no allocation of its own.
const SHORT: usize = 11;
/// What stands in place of the length for a token that lies elsewhere.
const LONG: u8 = u8::MAX;

/// Tokens by number. See the module's first lines.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    slots: Pool<Slot>,
    long: Pool<Box<str>>,
    index: Index,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The text, or, for a long one, its number among the long ones in the first four bytes.
    bytes: [u8; SHORT],
    len: u8,
    uses: u32,
}

const _: () = assert!(size_of::<Slot>() == 16, "a token is small");

impl Tokens {
    /// None.
    pub(super) const fn new(seed: u64) -> Self {
        Self { slots: Pool::new(), long: Pool::new(), index: Index::new(seed) }
    }

    /// Whether a token that is in use is this text.
    #[inline]
    pub(super) fn is(&self, number: u32, text: &str) -> bool {
        bytes(&self.slots, &self.long, number) == text.as_bytes()
    }

    /// The number of a token, counted once more.
    pub(super) fn acquire(&mut self, token: &str) -> u32 {
        let hash = self.index.hash(token);
        if let Some(number) = self.find_hashed(hash, token) {
            self.slots.get_mut(number).uses += 1;
            return number;
        }
        let mut slot = Slot { uses: 1, ..Slot::default() };
        match slot.bytes.get_mut(..token.len()) {
            Some(room) => {
                room.copy_from_slice(token.as_bytes());
                slot.len = u8::try_from(token.len()).unwrap_or(LONG);
            }
            None => {
                slot.len = LONG;
                if let Some(room) = slot.bytes.first_chunk_mut() {
                    *room = self.long.insert(Box::from(token)).to_le_bytes();
                }
            }
        }
        let number = self.slots.insert(slot);
        let Self { slots, long, index } = self;
        index.insert(hash, number, |number| Text(bytes(slots, long, number)));
        number
    }

    /// One use less; the last one takes the token out.
    pub(super) fn release(&mut self, number: u32) {
        let slot = self.slots.get_mut(number);
        slot.uses -= 1;
        if slot.uses > 0 {
            return;
        }
        let Self { slots, long, index } = self;
        let hash = index.hash(&Text(bytes(slots, long, number)));
        index.remove(hash, number, |number| Text(bytes(slots, long, number)));
        let slot = slots.remove(number);
        if slot.len == LONG {
            long.remove(elsewhere(&slot));
        }
    }

    /// The text of a token that is in use.
    pub(super) fn text(&self, number: u32) -> &str {
        // Only whole texts were put in.
        core::str::from_utf8(bytes(&self.slots, &self.long, number)).unwrap_or_default()
    }

    /// The number of a token, if any pattern uses it.
    #[cfg(test)]
    fn find(&self, token: &str) -> Option<u32> {
        self.find_hashed(self.index.hash(token), token)
    }

    /// Whether there is none.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.slots.len() == 0 && self.long.len() == 0
    }

    #[inline]
    fn find_hashed(&self, hash: u64, token: &str) -> Option<u32> {
        self.index.find(hash, |number| self.is(number, token))
    }
}

/// Hashes like the `str` of these bytes.
struct Text<'a>(&'a [u8]);

impl core::hash::Hash for Text<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        core::str::from_utf8(self.0).unwrap_or_default().hash(state);
    }
}

#[inline]
fn bytes<'a>(slots: &'a Pool<Slot>, long: &'a Pool<Box<str>>, number: u32) -> &'a [u8] {
    let slot = slots.get(number);
    if slot.len == LONG {
        long.get(elsewhere(slot)).as_bytes()
    } else {
        slot.bytes.get(..usize::from(slot.len)).unwrap_or_default()
    }
}

fn elsewhere(slot: &Slot) -> u32 {
    slot.bytes.first_chunk().map_or(0, |number| u32::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_once_and_goes_with_its_last_use() {
        let mut tokens = Tokens::new(0);
        let long = "a token of more than eleven bytes";
        for text in ["a", "elevenbytes", "twelve-bytes", long] {
            let first = tokens.acquire(text);
            assert_eq!((tokens.acquire(text), tokens.find(text), tokens.text(first)), (first, Some(first), text));
            tokens.release(first);
            assert_eq!(tokens.find(text), Some(first));
            tokens.release(first);
            assert_eq!(tokens.find(text), None);
        }
        assert_eq!((tokens.slots.len(), tokens.long.len()), (0, 0));
    }

    #[test]
    fn thousands_of_tokens_are_found_again_while_the_table_grows_and_shrinks() {
        let mut tokens = Tokens::new(7);
        let text = |n: u32| std::format!("token-{}-{}", n, "x".repeat(n as usize % 13));
        let numbers: std::vec::Vec<u32> = (0..5_000).map(|n| tokens.acquire(&text(n))).collect();
        for n in (0..5_000).filter(|n| n % 16 != 3) {
            tokens.release(numbers[n as usize]);
        }
        for n in 0..5_000 {
            let expected = (n % 16 == 3).then_some(numbers[n as usize]);
            assert_eq!(tokens.find(&text(n)), expected, "{n}");
        }
    }
}
