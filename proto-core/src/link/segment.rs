//! How frames share a record. A record's plaintext is a run of segments, each a piece of one frame of one lane:
//! `[lane: bits 0-1 | start: bit 2 | end: bit 3][len u16 LE][bytes]`. A small frame is one segment with both bits set.

use super::Lane;
use crate::error::{Part, Violation};

/// Length of a segment's header, in bytes.
pub(super) const SEGMENT_LEN: usize = 3;

const LANE: u8 = 0b0011;
const START: u8 = 0b0100;
const END: u8 = 0b1000;

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The lane of the frame.
    pub(super) lane: Lane,
    /// Whether it is the frame's first piece.
    pub(super) start: bool,
    /// Whether it is the frame's last piece.
    pub(super) end: bool,
    /// Length of the piece, in bytes; at least 1.
    pub(super) len: u16,
}

impl Segment {
    /// The three bytes.
    pub(super) const fn encode(self) -> [u8; SEGMENT_LEN] {
        let start = if self.start { START } else { 0 };
        let end = if self.end { END } else { 0 };
        let [low, high] = self.len.to_le_bytes();
        [self.lane as u8 | start | end, low, high]
    }

    /// Reads the header of the segment that `record` begins with.
    ///
    /// # Errors
    /// [`Violation`] if it is cut short, empty, longer than the record, or of no lane.
    pub(super) fn decode(record: &[u8]) -> Result<Self, Violation> {
        const MALFORMED: Violation = Violation::Malformed { what: Part::Segment };
        let Some((&[flags, low, high], rest)) = record.split_first_chunk::<SEGMENT_LEN>() else {
            return Err(MALFORMED);
        };
        let lane = match flags & LANE {
            0 => Lane::Control,
            1 => Lane::Data,
            2 => Lane::Bulk,
            _ => return Err(MALFORMED),
        };
        let len = u16::from_le_bytes([low, high]);
        if flags & !(LANE | START | END) != 0 || len == 0 || usize::from(len) > rest.len() {
            return Err(MALFORMED);
        }
        Ok(Self { lane, start: flags & START != 0, end: flags & END != 0, len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_bytes_are_these() {
        let segment = Segment { lane: Lane::Bulk, start: true, end: false, len: 0x0102 };
        assert_eq!(segment.encode(), [0b0110, 0x02, 0x01]);
        let whole = Segment { lane: Lane::Control, start: true, end: true, len: 1 };
        assert_eq!(Segment::decode(&[0b1100, 1, 0, 9]), Ok(whole));
    }

    #[test]
    fn what_is_no_segment_is_malformed() {
        let malformed = Err(Violation::Malformed { what: Part::Segment });
        for record in [&[0b1100, 1][..], &[0b1100, 1, 0], &[0b1100, 0, 0, 9], &[0b1111, 1, 0, 9], &[0x1c, 1, 0, 9]] {
            assert_eq!(Segment::decode(record), malformed, "{record:?}");
        }
    }
}
