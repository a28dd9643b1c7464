//! A fast streaming hash that is the same on every platform and in every release.
//!
//! Bytes are gathered into little-endian 64-bit words; each word is mixed by a 64 x 64 to 128 bit multiplication whose
//! halves are folded together (the step of wyhash), with the constants below, into one of four lanes, in turn: the lanes
//! do not wait for each other. The lanes and the length are mixed in the end. It withstands no adversary: it compares
//! runs of our own.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// A hash in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash64 {
    lanes: [u64; LANES],
    /// The lane of the next word.
    turn: usize,
    word: u64,
    filled: u32,
    length: u64,
}

impl Default for Hash64 {
    fn default() -> Self {
        Self::new()
    }
}

const LANES: usize = 4;
const START: u64 = 0x243f_6a88_85a3_08d3;
const STEP: u64 = 0xa076_1d64_78bd_642f;
const LAST: u64 = 0xe703_7ed1_a0b4_28db;

impl Hash64 {
    /// Of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        let lanes = [START, START.rotate_left(16), START.rotate_left(32), START.rotate_left(48)];
        Self { lanes, turn: 0, word: 0, filled: 0, length: 0 }
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
        let (blocks, tail) = bytes.as_chunks::<{ 8 * LANES }>();
        if !blocks.is_empty() {
            self.blocks(blocks);
        }
        let (words, rest) = tail.as_chunks::<8>();
        for word in words {
            let whole = self.join(u64::from_le_bytes(*word));
            self.absorb(whole);
        }
        for byte in rest {
            self.byte(*byte);
        }
    }

    /// The hash of everything so far.
    #[must_use]
    pub const fn finish(&self) -> u64 {
        let [a, b, c, d] = self.lanes;
        let left = fold(fold(a, STEP) ^ b.rotate_left(23), STEP);
        let right = fold(fold(c, STEP) ^ d.rotate_left(23), STEP);
        fold(fold(left ^ right.rotate_left(23) ^ self.word, STEP) ^ self.length, LAST)
    }

    /// Mixes in a word for each lane, several times.
    fn blocks(&mut self, blocks: &[[u8; 8 * LANES]]) {
        // The lane whose turn it is in front, so that the loop knows each by its place.
        self.lanes.rotate_left(self.turn);
        let mut lanes = self.lanes;
        for block in blocks {
            let (words, _) = block.as_chunks::<8>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane = mix(*lane, self.join(u64::from_le_bytes(*word)));
            }
        }
        self.lanes = lanes;
        self.lanes.rotate_right(self.turn);
    }

    /// The next whole word, of the bytes that are left over and these; what does not fit is left over.
    #[inline]
    const fn join(&mut self, word: u64) -> u64 {
        let shift = self.filled * 8;
        let whole = self.word | word << shift;
        // Nothing is left over by a whole word, and a shift by all 64 bits would overflow.
        self.word = (word >> 1) >> (63 - shift);
        whole
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
        self.lanes[self.turn] = mix(self.lanes[self.turn], word);
        self.turn = (self.turn + 1) % LANES;
    }
}

#[inline]
const fn mix(lane: u64, word: u64) -> u64 {
    fold(lane.rotate_left(23) ^ word, STEP)
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
        for cut in [1, 3, 7, 8, 9, 16, 33, 100, 255] {
            assert_eq!(of(&[&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
        }
        let mut single = Hash64::new();
        bytes.iter().for_each(|byte| single.bytes(&[*byte]));
        assert_eq!(single.finish(), whole);
    }

    #[test]
    fn every_bit_and_the_length_matter() {
        let bytes = [0_u8; 80];
        let mut seen = vec![of(&[&bytes]), of(&[&bytes[..79]]), of(&[&bytes[..64]]), of(&[])];
        for bit in 0..640 {
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
        assert_eq!(of(&[b"firelink"]), 16_678_563_772_691_337_936);
        assert_eq!(of(&[&(0..100).collect::<Vec<u8>>()]), 1_348_776_886_148_555_903);
    }
}
