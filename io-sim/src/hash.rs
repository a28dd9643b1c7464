//! A fast streaming hash that is the same on every platform and in every release.
//!
//! Bytes are gathered into little-endian 64-bit words; each word is mixed into the state by a 64 x 64 to 128 bit
//! multiplication whose halves are folded together (the step of wyhash), with the constants below. Length is mixed in
//! last. It withstands no adversary: it compares runs of our own.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// A hash in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash64 {
    state: u64,
    word: u64,
    filled: u32,
    length: u64,
}

impl Default for Hash64 {
    fn default() -> Self {
        Self::new()
    }
}

const START: u64 = 0x243f_6a88_85a3_08d3;
const STEP: u64 = 0xa076_1d64_78bd_642f;
const LAST: u64 = 0xe703_7ed1_a0b4_28db;

impl Hash64 {
    /// Of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: START, word: 0, filled: 0, length: 0 }
    }

    /// Mixes in one word.
    #[inline]
    pub fn word(&mut self, word: u64) {
        self.bytes(&word.to_le_bytes());
    }

    /// Mixes in the postcard encoding of a value, which is never put together anywhere.
    pub fn value(&mut self, value: &impl Serialize) {
        // The flavour below never fails; a type that postcard cannot encode adds a mark that says so.
        if postcard::serialize_with_flavor(value, Streamed(self)).is_err() {
            self.word(u64::MAX);
        }
    }

    /// Mixes in bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            let word = u64::from_le_bytes(*word);
            if self.filled == 0 {
                self.absorb(word);
            } else {
                let shift = self.filled * 8;
                self.absorb(self.word | word << shift);
                self.word = word >> (64 - shift);
            }
        }
        for byte in rest {
            self.byte(*byte);
        }
    }

    /// The hash of everything so far.
    #[must_use]
    pub const fn finish(&self) -> u64 {
        fold(fold(self.state ^ self.word, STEP) ^ self.length, LAST)
    }

    #[inline]
    const fn byte(&mut self, byte: u8) {
        self.word |= (byte as u64) << (self.filled * 8);
        self.filled += 1;
        if self.filled == 8 {
            self.absorb(self.word);
            self.word = 0;
            self.filled = 0;
        }
    }

    #[inline]
    const fn absorb(&mut self, word: u64) {
        self.state = fold(self.state.rotate_left(23) ^ word, STEP);
    }
}

#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    // A zero factor would forget everything before it.
    let wide = (a ^ LAST) as u128 * b as u128;
    wide as u64 ^ (wide >> 64) as u64 ^ a
}

/// Lets postcard write into a hash.
struct Streamed<'a>(&'a mut Hash64);

impl Flavor for Streamed<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.length += 1;
        self.0.byte(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.bytes(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&[u8]]) -> u64 {
        let mut hash = Hash64::new();
        parts.iter().for_each(|part| hash.bytes(part));
        hash.finish()
    }

    #[test]
    fn how_the_bytes_come_in_does_not_matter() {
        let bytes: Vec<u8> = (0..=255).collect();
        let whole = of(&[&bytes]);
        for cut in [1, 3, 7, 8, 9, 100, 255] {
            assert_eq!(of(&[&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
        }
        let mut single = Hash64::new();
        bytes.iter().for_each(|byte| single.bytes(&[*byte]));
        assert_eq!(single.finish(), whole);
    }

    #[test]
    fn every_bit_and_the_length_matter() {
        let bytes = [0_u8; 40];
        let mut seen = vec![of(&[&bytes]), of(&[&bytes[..39]]), of(&[&bytes[..32]]), of(&[])];
        for bit in 0..320 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            seen.push(of(&[&flipped]));
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn a_value_hashes_like_its_encoding() {
        let value = (300_u32, "text", [1_u8, 2, 3].as_slice());
        let mut streamed = Hash64::new();
        streamed.value(&value);
        let mut buffer = [0; 32];
        let encoded = postcard::to_slice(&value, &mut buffer).unwrap();
        assert_eq!(streamed.finish(), of(&[encoded]));
    }

    #[test]
    fn the_hash_is_the_same_for_ever() {
        assert_eq!(of(&[b"firelink"]), 14_846_011_302_215_271_285);
    }
}
