//! Which adverts a node holds, written so that a neighbour can fill the gaps on both sides.
//!
//! A full summary is a run of frames; each covers a range of addresses, and the ranges join without a gap, so that what
//! is missing from a range is known to be missing. Bounds: [`SUMMARY_BODY_MAX`] per frame.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::{
    error::{Part, Violation},
    id::NodeAddr,
    limits::SUMMARY_BODY_MAX,
    wire::{
        Frame, Kind,
        v1::{Held, Summary, SummaryScope, Want},
    },
};

/// Longest encoded [`Held`]: an address and two varints.
const HELD_MAX: usize = 8 + 10 + 10;
const ADDR_LEN: usize = 8;

/// The frames of a full summary of what is held, in order of address.
pub(super) fn full(held: impl Iterator<Item = Held>) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut first = NodeAddr(0);
    let mut last = NodeAddr(0);
    let mut body: Vec<u8> = Vec::new();
    for line in held {
        if body.len() + HELD_MAX > SUMMARY_BODY_MAX {
            frames.push(range(first, last, core::mem::take(&mut body)));
            first = NodeAddr(last.0.saturating_add(1));
        }
        last = line.origin;
        // Every part of a line has a known length, which is all that postcard needs to succeed.
        body = postcard::to_extend(&line, body).unwrap_or_default();
    }
    frames.push(range(first, NodeAddr(u64::MAX), body));
    frames
}

/// The frame that compares digests.
pub(super) fn digest(digest: u64) -> Frame {
    Frame::new(Kind::Summary, &Summary { scope: SummaryScope::Digest(digest) })
}

/// The frames that ask for adverts.
pub(super) fn want(origins: &[NodeAddr]) -> impl Iterator<Item = Frame> {
    origins.chunks(SUMMARY_BODY_MAX / ADDR_LEN).map(|chunk| {
        let body: Vec<u8> = chunk.iter().flat_map(|addr| addr.0.to_le_bytes()).collect();
        Frame::with_body(Kind::Want, &Want {}, body.into())
    })
}

/// The lines of a range.
///
/// # Errors
/// [`Violation`] if they are too many, out of order, outside the range, or cannot be decoded.
pub(super) fn parse_range(first: NodeAddr, last: NodeAddr, body: &Bytes) -> Result<Vec<Held>, Violation> {
    const MALFORMED: Violation = Violation::Malformed { what: Part::Payload };
    check_length(body)?;
    let mut lines: Vec<Held> = Vec::new();
    let mut rest: &[u8] = body;
    while !rest.is_empty() {
        let (line, left) = postcard::take_from_bytes::<Held>(rest).map_err(|_| MALFORMED)?;
        let ascends = lines.last().is_none_or(|before| before.origin < line.origin);
        if !ascends || line.origin < first || line.origin > last {
            return Err(MALFORMED);
        }
        lines.push(line);
        rest = left;
    }
    if first > last { Err(MALFORMED) } else { Ok(lines) }
}

/// The addresses that a neighbour asks for.
///
/// # Errors
/// [`Violation`] if they are too many or one is cut short.
pub(super) fn parse_want(body: &Bytes) -> Result<impl Iterator<Item = NodeAddr>, Violation> {
    check_length(body)?;
    let (addrs, rest) = body.as_chunks::<ADDR_LEN>();
    if rest.is_empty() {
        Ok(addrs.iter().map(|bytes| NodeAddr(u64::from_le_bytes(*bytes))))
    } else {
        Err(Violation::Malformed { what: Part::Payload })
    }
}

fn check_length(body: &Bytes) -> Result<(), Violation> {
    if body.len() > SUMMARY_BODY_MAX {
        let (len, limit) = (body.len() as u64, SUMMARY_BODY_MAX as u64);
        return Err(Violation::TooLong { what: Part::Payload, len, limit });
    }
    Ok(())
}

fn range(first: NodeAddr, last: NodeAddr, body: Vec<u8>) -> Frame {
    Frame::with_body(Kind::Summary, &Summary { scope: SummaryScope::Range { first, last } }, body.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Incarnation;
    use std::vec;

    fn held(origin: u64) -> Held {
        Held { origin: NodeAddr(origin), incarnation: Incarnation(u64::MAX), seq: u64::MAX }
    }

    fn parse(frame: &Frame) -> (NodeAddr, NodeAddr, Vec<Held>) {
        let Ok(Summary { scope: SummaryScope::Range { first, last } }) = frame.header() else { panic!("a range") };
        (first, last, parse_range(first, last, &frame.body).unwrap())
    }

    #[test]
    fn the_ranges_of_a_full_summary_join_without_a_gap() {
        let all: Vec<Held> = (1..=2_000).map(|number| held(number * 10)).collect();
        let frames = full(all.iter().copied());
        assert_eq!(frames.len(), 4);
        let mut next = 0;
        let mut found = vec![];
        for frame in &frames {
            assert!(frame.body.len() <= SUMMARY_BODY_MAX);
            let (first, last, lines) = parse(frame);
            assert_eq!(first, NodeAddr(next));
            next = last.0.wrapping_add(1);
            found.extend(lines);
        }
        assert_eq!((next, found), (0, all), "from the lowest address to the highest");
    }

    #[test]
    fn who_holds_nothing_says_so_for_every_address() {
        let frames = full([].into_iter());
        assert_eq!(frames.len(), 1);
        assert_eq!(parse(&frames[0]), (NodeAddr(0), NodeAddr(u64::MAX), vec![]));
    }

    #[test]
    fn lines_out_of_order_or_range_are_refused() {
        let lines = |origins: &[u64]| -> Bytes {
            let body = origins.iter().fold(vec![], |body, addr| postcard::to_extend(&held(*addr), body).unwrap());
            body.into()
        };
        let parse = |first, last, body: &Bytes| parse_range(NodeAddr(first), NodeAddr(last), body).map(|all| all.len());
        let malformed = Err(Violation::Malformed { what: Part::Payload });
        assert_eq!(parse(1, 9, &lines(&[1, 5, 9])), Ok(3));
        assert_eq!(parse(1, 9, &lines(&[5, 1])), malformed);
        assert_eq!(parse(1, 9, &lines(&[5, 5])), malformed);
        assert_eq!(parse(2, 9, &lines(&[1])), malformed);
        assert_eq!(parse(1, 8, &lines(&[9])), malformed);
        assert_eq!(parse(9, 1, &lines(&[])), malformed);
        assert_eq!(parse(1, 9, &lines(&[1]).slice(..27)), malformed);
        let long = Bytes::from(vec![0; SUMMARY_BODY_MAX + 1]);
        assert!(matches!(parse(0, 9, &long), Err(Violation::TooLong { .. })));
    }

    #[test]
    fn wants_are_split_and_read_back() {
        let wanted: Vec<NodeAddr> = (0..5_000).map(NodeAddr).collect();
        let frames: Vec<Frame> = want(&wanted).collect();
        assert_eq!(frames.len(), 3);
        let read: Vec<NodeAddr> = frames.iter().flat_map(|frame| parse_want(&frame.body).unwrap()).collect();
        assert_eq!(read, wanted);
        assert!(parse_want(&Bytes::from_static(&[1; 9])).is_err());
    }
}
