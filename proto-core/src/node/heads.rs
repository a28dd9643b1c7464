//! Headers of parcels, cut from one block of memory after the other, so that a parcel allocates nothing for its header.
//!
//! A block is used again once all that was cut from it is gone. Bounds: one block of [`HEAD_BLOCK`] bytes here, and as many
//! as hold a header of a parcel that is still under way: those have bounds of their own.

use bytes::{Bytes, BytesMut};

use crate::limits::HEAD_BLOCK;

/// Cuts headers. See the module's first lines.
#[derive(Debug, Default)]
pub(super) struct Heads {
    block: BytesMut,
}

impl Heads {
    /// These pieces, one behind the other.
    #[inline]
    pub(super) fn join(&mut self, pieces: &[&[u8]]) -> Bytes {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        if len > HEAD_BLOCK / 8 {
            // A large one would leave much of a block unused.
            return Bytes::from(pieces.concat());
        }
        if self.block.capacity() < len {
            self.block.reserve(HEAD_BLOCK);
        }
        pieces.iter().for_each(|piece| self.block.extend_from_slice(piece));
        self.block.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_what_was_joined_and_share_a_block() {
        let mut heads = Heads::default();
        let (first, second) = (heads.join(&[b"ab", b"", b"c"]), heads.join(&[b"d"]));
        assert_eq!((&first[..], &second[..]), (&b"abc"[..], &b"d"[..]));
        assert_eq!(first.as_ptr().wrapping_add(3), second.as_ptr());
        assert_eq!(heads.join(&[&[7; HEAD_BLOCK], &[8]]).len(), HEAD_BLOCK + 1);
    }

    #[test]
    fn a_block_is_used_again_once_nobody_holds_a_part_of_it() {
        let mut heads = Heads::default();
        let begin = heads.join(&[&[1; 100]]).as_ptr();
        let places: std::vec::Vec<_> = (0..HEAD_BLOCK / 50).map(|_| heads.join(&[&[2; 100]]).as_ptr()).collect();
        assert!(places.contains(&begin));
    }
}
