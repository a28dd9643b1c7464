//! Small frames that wait on a lane, as they will lie in a record: segment after segment in one piece of memory.
//!
//! A frame is written here when it is put on its lane, while it is at hand, and moved to its record together with those
//! before and after it. What it was made of is free at once: a frame that passes through keeps no hold of the record that
//! it came in. Bounds: those of the lane, and [`STAGED_KEPT`] once nothing waits.

use bytes::{BufMut as _, BytesMut};

use super::{
    Lane,
    segment::{SEGMENT_LEN, Segment},
};
use crate::limits::STAGED_KEPT;

/// Segments of whole frames, in order.
#[derive(Debug, Default)]
pub(super) struct Staged {
    bytes: BytesMut,
    /// Where the first one that still waits begins.
    first: usize,
}

impl Staged {
    /// Appends a whole frame of `len` bytes, which `put` writes.
    #[inline]
    pub(super) fn push(&mut self, lane: Lane, len: usize, put: impl FnOnce(&mut BytesMut)) {
        self.make_room(SEGMENT_LEN + len);
        let segment = Segment { lane, start: true, end: true, len: u16::try_from(len).unwrap_or(u16::MAX) };
        self.bytes.put_slice(&segment.encode());
        put(&mut self.bytes);
    }

    /// Moves the first segments, `len` bytes together, to the end of `out`.
    #[inline]
    pub(super) fn take(&mut self, out: &mut BytesMut, len: usize) {
        out.extend_from_slice(self.bytes.get(self.first..self.first + len).unwrap_or_default());
        self.skip(len);
    }

    /// Forgets the first segments, `len` bytes together.
    #[inline]
    pub(super) fn skip(&mut self, len: usize) {
        self.first += len;
        if self.first < self.bytes.len() {
            return;
        }
        self.first = 0;
        if self.bytes.capacity() > STAGED_KEPT {
            self.bytes = BytesMut::new();
        } else {
            self.bytes.clear();
        }
    }

    /// Before it grows, what went out already makes room if it is more than what waits: each byte moves but once for that.
    #[inline]
    fn make_room(&mut self, len: usize) {
        if self.bytes.capacity() - self.bytes.len() < len && self.first * 2 > self.bytes.len() {
            let waiting = self.bytes.len() - self.first;
            self.bytes.copy_within(self.first.., 0);
            self.bytes.truncate(waiting);
            self.first = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(staged: &mut Staged, bytes: &[u8]) {
        staged.push(Lane::Data, bytes.len(), |out| out.put_slice(bytes));
    }

    #[test]
    fn segments_come_out_as_they_went_in_and_may_be_skipped() {
        let mut staged = Staged::default();
        for bytes in [&b"ab"[..], b"c", b"def"] {
            push(&mut staged, bytes);
        }
        let mut out = BytesMut::from(&b"before"[..]);
        staged.take(&mut out, SEGMENT_LEN + 2);
        staged.skip(SEGMENT_LEN + 1);
        staged.take(&mut out, SEGMENT_LEN + 3);
        let segment = |len: u8| [Lane::Data as u8 | 0b1100, len, 0];
        assert_eq!(out, [&b"before"[..], &segment(2), b"ab", &segment(3), b"def"].concat());
    }

    #[test]
    fn a_lane_that_is_never_empty_does_not_grow_for_ever() {
        let mut staged = Staged::default();
        push(&mut staged, &[0; 500]);
        for round in 1..2_000u32 {
            push(&mut staged, &[round.to_le_bytes()[0]; 500]);
            let mut out = BytesMut::new();
            staged.take(&mut out, SEGMENT_LEN + 500);
            assert_eq!(out[SEGMENT_LEN..], [(round - 1).to_le_bytes()[0]; 500]);
        }
        assert!(staged.bytes.capacity() < 8_192, "{}", staged.bytes.capacity());
    }

    #[test]
    fn much_memory_is_given_back_once_nothing_waits() {
        let mut staged = Staged::default();
        let frames = STAGED_KEPT / 500 + 1;
        (0..frames).for_each(|_| push(&mut staged, &[1; 500]));
        staged.skip((frames - 1) * (SEGMENT_LEN + 500));
        assert!(staged.bytes.capacity() > STAGED_KEPT);
        staged.skip(SEGMENT_LEN + 500);
        assert_eq!(staged.bytes.capacity(), 0);
    }
}
