//! The sending side of a link: three bounded queues, and the records that are filled from them.
//!
//! A record takes control frames first, then data, then bulk; each lane that waits gets at least [`LANE_SHARE`] of it, so
//! none is ever shut out. A record is full at [`RECORD_TARGET`]; a frame that fits whole below [`RECORD_MAX`] goes beyond
//! the target, since a whole frame costs its receiver no copy. A larger one is cut, so that frames of other lanes pass
//! between its pieces: a control frame never waits for more than what was sealed before it came.
//!
//! Frames below [`STAGED_BELOW`] are encoded when they are put on their lane, larger ones when they go out.
//!
//! Bounds: per lane by count and bytes. Control refuses, and its owner closes the link; data drops the oldest frame of
//! which nothing was sent yet; bulk refuses.

use alloc::collections::VecDeque;

use bytes::{BufMut as _, BytesMut};

use super::{
    Lane,
    segment::{SEGMENT_LEN, Segment},
    staged::Staged,
};
use crate::{
    limits::{
        LANE_BULK_BYTES, LANE_BULK_FRAMES, LANE_CONTROL_BYTES, LANE_CONTROL_FRAMES, LANE_DATA_BYTES, LANE_SHARE,
        PIECE_MIN, RECORD_MAX, RECORD_TARGET, STAGED_BELOW,
    },
    queue::{Bounded, Limit, Overflow, Pushed},
    wire::{Encoded, Frame},
};

/// Frames that wait to be sealed.
#[derive(Debug)]
pub(super) struct Lanes {
    control: Queue,
    data: Queue,
    bulk: Queue,
}

/// One lane: whole frames, and the one in front of which a part is sent already.
#[derive(Debug)]
struct Queue {
    lane: Lane,
    /// The lengths of all that wait, in order.
    waiting: Bounded<usize>,
    staged: Staged,
    large: VecDeque<Outgoing>,
    cut: Option<Cut>,
}

/// A frame of which the first `sent` bytes lie in earlier records.
#[derive(Debug)]
struct Cut {
    frame: Outgoing,
    sent: usize,
}

/// How much a lane may add to the record that begins at `start`.
#[derive(Debug)]
struct Room {
    start: usize,
    target: usize,
    max: usize,
}

/// A frame on its way out.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Of this node.
    Own(Frame),
    /// Of another, passing through.
    Passing(Encoded),
}

impl From<Frame> for Outgoing {
    #[inline]
    fn from(frame: Frame) -> Self {
        Self::Own(frame)
    }
}

impl From<Encoded> for Outgoing {
    #[inline]
    fn from(frame: Encoded) -> Self {
        Self::Passing(frame)
    }
}

impl Outgoing {
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Own(frame) => frame.len(),
            Self::Passing(frame) => frame.len(),
        }
    }

    #[inline]
    fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Own(frame) => frame.put(out),
            Self::Passing(frame) => frame.put(out),
        }
    }

    /// Appends bytes `from..from + len` of it as it is on the wire.
    fn put_piece(&self, out: &mut BytesMut, from: usize, len: usize) {
        let prelude;
        let parts = match self {
            Self::Own(frame) => {
                prelude = frame.prelude().encode();
                [&prelude[..], &frame.head[..], &frame.body[..]]
            }
            Self::Passing(frame) => frame.parts(),
        };
        let (mut skip, mut left) = (from, len);
        for part in parts {
            let begin = skip.min(part.len());
            let end = (begin + left).min(part.len());
            out.put_slice(&part[begin..end]);
            skip -= begin;
            left -= end - begin;
        }
    }
}

impl Lanes {
    /// Empty lanes; the data lane holds at most `data_frames`.
    pub(super) fn new(data_frames: usize) -> Self {
        let queue = |lane, count, weight, overflow| Queue {
            lane,
            waiting: Bounded::new(Limit { count, weight }, overflow),
            staged: Staged::default(),
            large: VecDeque::new(),
            cut: None,
        };
        Self {
            control: queue(Lane::Control, LANE_CONTROL_FRAMES, LANE_CONTROL_BYTES, Overflow::Refuse),
            data: queue(Lane::Data, data_frames, LANE_DATA_BYTES, Overflow::DropOldest),
            bulk: queue(Lane::Bulk, LANE_BULK_FRAMES, LANE_BULK_BYTES, Overflow::Refuse),
        }
    }

    /// Puts a frame at the end of a lane, if its bound and rule allow it.
    #[inline]
    pub(super) fn push(&mut self, lane: Lane, frame: impl Into<Outgoing>) -> Pushed {
        let queue = match lane {
            Lane::Control => &mut self.control,
            Lane::Data => &mut self.data,
            Lane::Bulk => &mut self.bulk,
        };
        queue.push(frame.into())
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.data.is_empty() && self.bulk.is_empty()
    }

    /// How many frames wait: control, data, bulk.
    pub(super) fn queued(&self) -> [usize; 3] {
        [self.control.len(), self.data.len(), self.bulk.len()]
    }

    /// Bytes that wait on all lanes, segment headers left out.
    pub(super) fn bytes(&self) -> usize {
        self.control.bytes() + self.data.bytes() + self.bulk.bytes()
    }

    /// Appends the plaintext of one record to `out`: at most [`RECORD_MAX`] bytes, at least one if anything waits.
    pub(super) fn fill(&mut self, out: &mut BytesMut) {
        let start = out.len();
        let mut shares = usize::from(!self.data.is_empty()) + usize::from(!self.bulk.is_empty());
        self.control.fill(out, start, shares);
        shares = usize::from(!self.bulk.is_empty());
        self.data.fill(out, start, shares);
        self.bulk.fill(out, start, 0);
    }
}

impl Queue {
    #[inline]
    fn push(&mut self, frame: Outgoing) -> Pushed {
        let Self { lane, waiting, staged, large, .. } = self;
        let len = frame.len();
        let pushed = waiting.push_and(len, len, |older| {
            if older < STAGED_BELOW {
                staged.skip(SEGMENT_LEN + older);
            } else {
                large.pop_front();
            }
        });
        match pushed {
            Pushed::Kept | Pushed::Dropped(_) if len < STAGED_BELOW => staged.push(*lane, len, |out| frame.put(out)),
            Pushed::Kept | Pushed::Dropped(_) => large.push_back(frame),
            Pushed::Refused => {}
        }
        pushed
    }

    fn is_empty(&self) -> bool {
        self.cut.is_none() && self.waiting.is_empty()
    }

    fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.cut.is_some())
    }

    fn bytes(&self) -> usize {
        self.waiting.weight() + self.cut.as_ref().map_or(0, |cut| cut.frame.len() - cut.sent)
    }

    /// Appends segments to the record that begins at `start`, and leaves `shares` lower lanes their part of it.
    fn fill(&mut self, out: &mut BytesMut, start: usize, shares: usize) {
        let max = RECORD_MAX - shares * LANE_SHARE;
        // A higher lane may have gone beyond the target with a whole frame; the share of this one stays.
        let target = (RECORD_TARGET - shares * LANE_SHARE).max(out.len() - start + LANE_SHARE).min(max);
        let room = Room { start, target, max };
        while let Some(rest) = self.rest_of_first() {
            let used = out.len() - start + SEGMENT_LEN;
            if used >= target {
                return;
            }
            if used + rest <= max {
                self.take_rest(out, &room);
            } else if target - used >= PIECE_MIN {
                self.take_piece(out, target - used);
                return;
            } else {
                return;
            }
        }
    }

    /// Bytes of the first frame that are not sent yet.
    fn rest_of_first(&self) -> Option<usize> {
        match &self.cut {
            Some(cut) => Some(cut.frame.len() - cut.sent),
            None => self.waiting.front().copied(),
        }
    }

    /// Appends all that is left of the first frame; of small ones as many as fit.
    fn take_rest(&mut self, out: &mut BytesMut, room: &Room) {
        if let Some(Cut { frame, sent }) = self.cut.take() {
            let len = frame.len() - sent;
            put_header(out, self.lane, false, true, len);
            frame.put_piece(out, sent, len);
        } else if self.waiting.front().is_some_and(|len| *len < STAGED_BELOW) {
            self.take_staged(out, room);
        } else if let Some(frame) = self.pop_large() {
            put_header(out, self.lane, true, true, frame.len());
            frame.put(out);
        }
    }

    /// Appends the small frames in front, as many as fit, in one piece.
    fn take_staged(&mut self, out: &mut BytesMut, room: &Room) {
        let mut taken = 0;
        while let Some(&len) = self.waiting.front()
            && len < STAGED_BELOW
        {
            let used = out.len() - room.start + taken + SEGMENT_LEN;
            if used >= room.target || used + len > room.max {
                break;
            }
            self.waiting.pop();
            taken += SEGMENT_LEN + len;
        }
        self.staged.take(out, taken);
    }

    /// Appends `len` bytes of the first frame, which has more than that left.
    fn take_piece(&mut self, out: &mut BytesMut, len: usize) {
        let next = self.cut.take().or_else(|| self.pop_large().map(|frame| Cut { frame, sent: 0 }));
        let Some(mut cut) = next else { return };
        put_header(out, self.lane, cut.sent == 0, false, len);
        cut.frame.put_piece(out, cut.sent, len);
        cut.sent += len;
        self.cut = Some(cut);
    }

    /// Takes the first frame, which is a large one.
    fn pop_large(&mut self) -> Option<Outgoing> {
        self.waiting.pop()?;
        self.large.pop_front()
    }
}

fn put_header(out: &mut BytesMut, lane: Lane, start: bool, end: bool, len: usize) {
    debug_assert!(len <= RECORD_MAX, "a piece fits a record");
    let len = u16::try_from(len).unwrap_or(u16::MAX);
    out.put_slice(&Segment { lane, start, end, len }.encode());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        link::reassembly::Reassembly,
        wire::{Kind, v1},
    };
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::{collections::VecDeque, vec, vec::Vec};

    const MAX_FRAME: usize = 4 * 1_024 * 1_024;

    fn frame(fill: u8, len: usize) -> Frame {
        Frame::with_body(Kind::Advert, &v1::Advert { age_ms: u32::from(fill) }, Bytes::from(vec![fill; len]))
    }

    fn record(lanes: &mut Lanes) -> Bytes {
        let mut out = BytesMut::new();
        lanes.fill(&mut out);
        assert!(out.len() <= RECORD_MAX, "{} bytes", out.len());
        out.freeze()
    }

    /// The segments of a record: lane, start, end, length.
    fn segments(mut record: Bytes) -> Vec<(Lane, bool, bool, u16)> {
        let mut found = vec![];
        while !record.is_empty() {
            let Segment { lane, start, end, len } = Segment::decode(&record).unwrap();
            found.push((lane, start, end, len));
            let _ = record.split_to(SEGMENT_LEN + usize::from(len));
        }
        found
    }

    #[test]
    fn small_frames_of_all_lanes_share_a_record_in_order_of_their_lanes() {
        let mut lanes = Lanes::new(8);
        for lane in [Lane::Bulk, Lane::Data, Lane::Control, Lane::Data] {
            assert_eq!(lanes.push(lane, frame(1, 95)), Pushed::Kept);
        }
        let expected = [Lane::Control, Lane::Data, Lane::Data, Lane::Bulk].map(|lane| (lane, true, true, 100));
        assert_eq!(segments(record(&mut lanes)), expected);
        assert!(lanes.is_empty());
        assert_eq!(lanes.bytes(), 0);
    }

    #[test]
    fn a_control_frame_passes_between_the_pieces_of_a_large_one() {
        let mut lanes = Lanes::new(8);
        let _ = lanes.push(Lane::Bulk, frame(1, 100_000));
        assert_eq!(segments(record(&mut lanes)), [(Lane::Bulk, true, false, 32_765)]);
        let _ = lanes.push(Lane::Control, frame(2, 5));
        assert_eq!(segments(record(&mut lanes)), [(Lane::Control, true, true, 10), (Lane::Bulk, false, false, 32_752)]);
        assert_eq!(segments(record(&mut lanes)), [(Lane::Bulk, false, true, 34_488)]);
    }

    #[test]
    fn data_does_not_shut_out_bulk() {
        let mut lanes = Lanes::new(1_000);
        for _ in 0..100 {
            let _ = lanes.push(Lane::Data, frame(1, 1_000));
        }
        let _ = lanes.push(Lane::Bulk, frame(2, 100_000));
        let taken: usize = segments(record(&mut lanes))
            .iter()
            .filter(|(lane, ..)| *lane == Lane::Bulk)
            .map(|(_, _, _, len)| usize::from(*len))
            .sum();
        assert!((LANE_SHARE - SEGMENT_LEN..=LANE_SHARE).contains(&taken), "{taken}");
    }

    #[test]
    fn a_frame_below_the_largest_record_is_not_cut() {
        let mut lanes = Lanes::new(8);
        let _ = lanes.push(Lane::Data, frame(1, 30_000));
        let _ = lanes.push(Lane::Data, frame(2, 30_000));
        assert_eq!(segments(record(&mut lanes)), [(Lane::Data, true, true, 30_005); 2]);
    }

    #[test]
    fn a_full_data_lane_drops_its_oldest_but_never_one_that_is_half_sent() {
        let mut lanes = Lanes::new(2);
        let _ = lanes.push(Lane::Data, frame(1, 100_000));
        let mut records = vec![record(&mut lanes)];
        assert_eq!(lanes.push(Lane::Data, frame(2, 1)), Pushed::Kept);
        assert_eq!(lanes.push(Lane::Data, frame(3, 1)), Pushed::Kept);
        assert_eq!(lanes.push(Lane::Data, frame(4, 1)), Pushed::Dropped(1));
        while !lanes.is_empty() {
            records.push(record(&mut lanes));
        }
        let mut reassembly = Reassembly::new(MAX_FRAME);
        let mut bodies = vec![];
        for mut record in records {
            while !record.is_empty() {
                bodies.extend(reassembly.take(&mut record).unwrap());
            }
        }
        let arrived: Vec<_> = bodies.into_iter().map(|bytes| Frame::parse(bytes).unwrap().unwrap()).collect();
        assert_eq!(arrived, [frame(1, 100_000), frame(3, 1), frame(4, 1)]);
    }

    #[test]
    fn full_control_and_bulk_lanes_refuse() {
        let mut lanes = Lanes::new(8);
        for _ in 0..LANE_CONTROL_FRAMES {
            assert_eq!(lanes.push(Lane::Control, frame(1, 0)), Pushed::Kept);
        }
        assert_eq!(lanes.push(Lane::Control, frame(1, 0)), Pushed::Refused);
        for _ in 0..LANE_BULK_FRAMES {
            assert_eq!(lanes.push(Lane::Bulk, frame(1, 0)), Pushed::Kept);
        }
        assert_eq!(lanes.push(Lane::Bulk, frame(1, 0)), Pushed::Refused);
        assert_eq!(lanes.queued(), [LANE_CONTROL_FRAMES, 0, LANE_BULK_FRAMES]);
    }

    fn lane() -> impl Strategy<Value = Lane> {
        prop_oneof![Just(Lane::Control), Just(Lane::Data), Just(Lane::Bulk)]
    }

    /// Mostly small, now and then large.
    fn size() -> impl Strategy<Value = usize> {
        prop_oneof![6 => 0..300usize, 2 => 300..40_000usize, 1 => 60_000..200_000usize]
    }

    proptest! {
        #![proptest_config(crate::testing::cases(64))]

        #[test]
        fn what_goes_in_comes_out_whole_and_in_the_order_of_its_lane(
            work in prop::collection::vec((lane(), size(), 0..4u8), 1..60)
        ) {
            let mut lanes = Lanes::new(1_000);
            let mut reassembly = Reassembly::new(MAX_FRAME);
            let mut expected: [VecDeque<Frame>; 3] = Default::default();
            let mut pull = |lanes: &mut Lanes, expected: &mut [VecDeque<Frame>; 3]| {
                let mut record = record(lanes);
                assert!(!record.is_empty(), "progress");
                while !record.is_empty() {
                    let lane = Segment::decode(&record).unwrap().lane;
                    if let Some(bytes) = reassembly.take(&mut record).unwrap() {
                        let frame = Frame::parse(bytes).unwrap().unwrap();
                        assert_eq!(Some(frame), expected[lane as usize].pop_front());
                    }
                }
            };
            for (number, (lane, size, records)) in work.into_iter().enumerate() {
                let frame = frame(u8::try_from(number).unwrap(), size);
                prop_assert_eq!(lanes.push(lane, frame.clone()), Pushed::Kept);
                expected[lane as usize].push_back(frame);
                // Records are taken at arbitrary moments, so cuts fall anywhere.
                for _ in 1..records {
                    if !lanes.is_empty() {
                        pull(&mut lanes, &mut expected);
                    }
                }
            }
            while !lanes.is_empty() {
                pull(&mut lanes, &mut expected);
            }
            prop_assert!(expected.iter().all(VecDeque::is_empty));
        }
    }
}
