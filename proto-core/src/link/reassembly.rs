//! The receiving side of the lanes: records apart into frames.
//!
//! A frame that came as one segment is a slice of its record, copied nowhere. One that was cut is gathered in a buffer
//! of its own, at most one per lane.
//!
//! Bounds: three partial frames, none longer than the largest frame. What breaks a bound or the order of pieces is a
//! [`Violation`].

use bytes::{Buf as _, Bytes, BytesMut};

use super::segment::{SEGMENT_LEN, Segment};
use crate::error::{Part, Violation};

/// Partial frames of the three lanes.
#[derive(Debug)]
pub(super) struct Reassembly {
    partial: [Option<BytesMut>; 3],
    max_frame: usize,
}

impl Reassembly {
    /// Nothing gathered; no frame may be longer than `max_frame` bytes.
    pub(super) const fn new(max_frame: usize) -> Self {
        Self { partial: [None, None, None], max_frame }
    }

    /// Takes the first segment off `record`, which is not empty, and returns the frame that it completes.
    ///
    /// # Errors
    /// [`Violation`]; the record is of no more use then.
    pub(super) fn take(&mut self, record: &mut Bytes) -> Result<Option<Bytes>, Violation> {
        let Segment { lane, start, end, len } = Segment::decode(record)?;
        record.advance(SEGMENT_LEN);
        let piece = record.split_to(usize::from(len));
        let partial = &mut self.partial[lane as usize];
        if start == partial.is_some() {
            return Err(Violation::Malformed { what: Part::Segment });
        }
        let gathered = partial.as_ref().map_or(0, BytesMut::len) + piece.len();
        if gathered > self.max_frame {
            let (len, limit) = (gathered as u64, self.max_frame as u64);
            return Err(Violation::TooLong { what: Part::Payload, len, limit });
        }
        match (partial.as_mut(), end) {
            (None, true) => return Ok(Some(piece)),
            (None, false) => *partial = Some(BytesMut::from(&piece[..])),
            (Some(buffer), _) => buffer.extend_from_slice(&piece),
        }
        Ok(if end { partial.take().map(BytesMut::freeze) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{link::Lane, wire::Frame};
    use proptest::prelude::*;
    use std::vec::Vec;

    fn record(segments: &[(Lane, bool, bool, &[u8])]) -> Bytes {
        let mut bytes = Vec::new();
        for &(lane, start, end, piece) in segments {
            bytes.extend_from_slice(&Segment { lane, start, end, len: piece.len() as u16 }.encode());
            bytes.extend_from_slice(piece);
        }
        bytes.into()
    }

    fn take_all(reassembly: &mut Reassembly, mut record: Bytes) -> Result<Vec<Bytes>, Violation> {
        let mut frames = Vec::new();
        while !record.is_empty() {
            frames.extend(reassembly.take(&mut record)?);
        }
        Ok(frames)
    }

    #[test]
    fn a_whole_frame_is_a_slice_of_its_record() {
        let record = record(&[(Lane::Data, true, true, b"abc")]);
        let place = record[SEGMENT_LEN..].as_ptr();
        let frames = take_all(&mut Reassembly::new(8), record).unwrap();
        assert_eq!((frames[0].as_ptr(), &frames[0][..]), (place, &b"abc"[..]));
    }

    #[test]
    fn pieces_of_three_lanes_may_be_mixed() {
        let mut reassembly = Reassembly::new(8);
        let first = record(&[(Lane::Bulk, true, false, b"ab"), (Lane::Data, true, false, b"12")]);
        assert_eq!(take_all(&mut reassembly, first), Ok(Vec::new()));
        let second = record(&[
            (Lane::Control, true, true, b"x"),
            (Lane::Data, false, true, b"3"),
            (Lane::Bulk, false, false, b"c"),
            (Lane::Bulk, false, true, b"d"),
        ]);
        assert_eq!(take_all(&mut reassembly, second).unwrap(), ["x", "123", "abcd"]);
    }

    #[test]
    fn pieces_out_of_order_are_malformed() {
        let malformed = Err(Violation::Malformed { what: Part::Segment });
        let no_start = record(&[(Lane::Data, false, true, b"a")]);
        assert_eq!(take_all(&mut Reassembly::new(8), no_start), malformed);
        let two_starts = record(&[(Lane::Data, true, false, b"a"), (Lane::Data, true, true, b"b")]);
        assert_eq!(take_all(&mut Reassembly::new(8), two_starts), malformed);
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_before_it_is_complete() {
        let too_long = Err(Violation::TooLong { what: Part::Payload, len: 9, limit: 8 });
        let pieces = record(&[(Lane::Bulk, true, false, b"12345678"), (Lane::Bulk, false, false, b"9")]);
        assert_eq!(take_all(&mut Reassembly::new(8), pieces), too_long);
        assert_eq!(take_all(&mut Reassembly::new(8), record(&[(Lane::Bulk, true, true, b"123456789")])), too_long);
    }

    proptest! {
        #[test]
        fn no_bytes_break_more_than_the_link(
            records in prop::collection::vec(prop::collection::vec(0..16u8, 1..64), 1..20)
        ) {
            let mut reassembly = Reassembly::new(100);
            for record in records {
                for frame in take_all(&mut reassembly, record.into()).unwrap_or_default() {
                    prop_assert!(!frame.is_empty() && frame.len() <= 100);
                    let _ = Frame::parse(frame);
                }
                prop_assert!(reassembly.partial.iter().flatten().all(|partial| partial.len() <= 100));
            }
        }
    }
}
