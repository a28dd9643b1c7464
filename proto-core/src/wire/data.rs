//! The header of a message by hand: the same bytes as postcard's, which tests compare, in a fraction of the time. Every
//! message is encoded and decoded once at its ends, and every node on its way reads the [`v1::Transit`] in front.

use super::{Head, frame::HEAD_INLINE, v1};
use crate::id::{Incarnation, NodeAddr, Seq};

/// Length of an encoded [`v1::Transit`], in bytes.
const TRANSIT_LEN: usize = 19;
/// Most bytes of an encoded `u64`, and what the last of them may be at most.
pub(super) const U64: (u32, u8) = (10, 1);
/// Room that writing the length of a text takes: numbers are written as whole words.
pub(super) const TEXT_LEN_MAX: usize = 8;
/// Most bytes of an encoded `u32`, and what the last of them may be at most.
pub(super) const U32: (u32, u8) = (5, 15);

impl v1::Transit {
    /// Reads what every header of kind 16 and above begins with, and returns what follows it; `None` if it is cut short.
    #[must_use]
    #[inline]
    pub fn split_from(header: &[u8]) -> Option<(Self, &[u8])> {
        let (fixed, rest) = header.split_first_chunk::<TRANSIT_LEN>()?;
        let [hops_left, d0, d1, d2, d3, d4, d5, d6, d7, s0, s1, s2, s3, s4, s5, s6, s7, low, high] = *fixed;
        let dst = NodeAddr(u64::from_le_bytes([d0, d1, d2, d3, d4, d5, d6, d7]));
        let src = NodeAddr(u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]));
        Some((Self { hops_left, dst, src, flow: u16::from_le_bytes([low, high]) }, rest))
    }
}

impl<'a> v1::Data<'a> {
    /// Encodes it.
    #[must_use]
    #[inline]
    pub(super) fn encode(&self) -> Head {
        let mut head = Inline::new();
        head.put_transit(&self.transit);
        head.put_varint(self.src_incarnation.0);
        head.put_varint(self.dst_incarnation.0);
        head.put_varint(self.seq.0);
        head.put_varint(u64::from(self.behind));
        if self.to_client.is_empty() && self.from_client.is_empty() {
            head.put([0, 0]);
            return head.finish();
        }
        let (to, from) = (self.to_client, self.from_client);
        head.put_varint(to.len() as u64);
        let mut head = head.finish();
        head.extend_from_slice(to.as_bytes());
        let mut len = Inline::new();
        len.put_varint(from.len() as u64);
        head.extend_from_slice(&len.finish());
        head.extend_from_slice(from.as_bytes());
        head
    }

    /// The same, if it names no client: nothing is borrowed then.
    #[must_use]
    #[inline]
    pub fn without_clients(&self) -> Option<v1::Data<'static>> {
        let Self { transit, src_incarnation, dst_incarnation, seq, behind, to_client, from_client } = *self;
        let (to_client, from_client) = match (to_client, from_client) {
            ("", "") => ("", ""),
            (_, _) => return None,
        };
        Some(v1::Data { transit, src_incarnation, dst_incarnation, seq, behind, to_client, from_client })
    }

    /// Decodes a header that fills `header`.
    #[inline]
    pub(super) fn decode(header: &'a [u8]) -> Option<Self> {
        let (transit, mut rest) = v1::Transit::split_from(header)?;
        let src_incarnation = Incarnation(take_varint(&mut rest, U64)?);
        let dst_incarnation = Incarnation(take_varint(&mut rest, U64)?);
        let seq = Seq(take_varint(&mut rest, U64)?);
        let behind = u32::try_from(take_varint(&mut rest, U32)?).ok()?;
        let to_client = take_text(&mut rest)?;
        let from_client = take_text(&mut rest)?;
        rest.is_empty().then_some(Self {
            transit,
            src_incarnation,
            dst_incarnation,
            seq,
            behind,
            to_client,
            from_client,
        })
    }
}

impl v1::Parcel {
    /// Encodes it, with the rest of the header behind it.
    #[must_use]
    #[inline]
    pub(super) fn encode(&self, rest: &[u8]) -> Head {
        let mut head = Inline::new();
        head.put_transit(&self.transit);
        head.put([self.port as u8]);
        head.put_varint(self.src_incarnation.0);
        head.put_varint(self.dst_incarnation.0);
        head.put_varint(self.seq.0);
        head.put_varint(u64::from(self.behind));
        head.finish_with(rest)
    }

    /// Decodes the beginning of a header, and returns what follows it.
    #[inline]
    pub(super) fn split_from(header: &[u8]) -> Option<(Self, &[u8])> {
        let (transit, rest) = v1::Transit::split_from(header)?;
        let (&[port], mut rest) = rest.split_first_chunk()?;
        let port = match port {
            0 => v1::Port::Directory,
            1 => v1::Port::Calls,
            2 => v1::Port::Topics,
            _ => return None,
        };
        let src_incarnation = Incarnation(take_varint(&mut rest, U64)?);
        let dst_incarnation = Incarnation(take_varint(&mut rest, U64)?);
        let seq = Seq(take_varint(&mut rest, U64)?);
        let behind = u32::try_from(take_varint(&mut rest, U32)?).ok()?;
        Some((Self { transit, port, src_incarnation, dst_incarnation, seq, behind }, rest))
    }
}

/// A header under way; everything but texts fits.
pub(super) struct Inline {
    bytes: [u8; HEAD_INLINE],
    len: usize,
}

const _: () =
    assert!(TRANSIT_LEN + (4 * U64.0 + U32.0) as usize <= HEAD_INLINE, "everything before the first name fits");
const _: () =
    assert!(TRANSIT_LEN + (3 * U64.0 + U32.0) as usize + 8 + 2 <= HEAD_INLINE, "a cast's first receiver fits");

impl Inline {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; HEAD_INLINE], len: 0 }
    }

    #[inline]
    pub(super) fn put_transit(&mut self, transit: &v1::Transit) {
        let v1::Transit { hops_left, dst, src, flow } = *transit;
        self.put([hops_left]);
        self.put(dst.0.to_le_bytes());
        self.put(src.0.to_le_bytes());
        self.put(flow.to_le_bytes());
    }

    #[inline]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(room) = self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            *room = bytes;
            self.len += N;
        }
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    #[inline]
    pub(super) fn put_varint(&mut self, value: u64) {
        let bytes = (u64::BITS - (value | 1).leading_zeros()).div_ceil(7);
        let room = self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut);
        match room {
            Some(room) if bytes <= 8 => {
                let more = CONTINUES & !(u64::MAX << (8 * (bytes - 1)));
                *room = (spread(value) | more).to_le_bytes();
                self.len += bytes as usize;
            }
            Some(_) | None => self.put_long_varint(value),
        }
    }

    #[cold]
    fn put_long_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            let [low, ..] = value.to_le_bytes();
            self.put([low | 0x80]);
            value >>= 7;
        }
        let [low, ..] = value.to_le_bytes();
        self.put([low]);
    }

    #[inline]
    pub(super) fn finish(self) -> Head {
        Head::from_buf_and_len(self.bytes, self.len)
    }

    /// [`Inline::finish`], with `rest` behind it.
    #[inline]
    pub(super) fn finish_with(mut self, rest: &[u8]) -> Head {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + rest.len()) {
            room.copy_from_slice(rest);
            self.len += rest.len();
            return self.finish();
        }
        let mut head = self.finish();
        head.extend_from_slice(rest);
        head
    }

    /// Puts a text with its length in front, if there is room for it with `after` more bytes behind it.
    #[inline]
    pub(super) fn put_text(&mut self, text: &str, after: usize) -> bool {
        let fits = self.len + TEXT_LEN_MAX + text.len() + after <= HEAD_INLINE;
        if fits {
            self.put_bytes(text.as_bytes());
        }
        fits
    }

    /// Puts bytes that fit, with their length in front.
    #[inline]
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_varint(bytes.len() as u64);
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

/// The bit of each byte that says that more follow.
const CONTINUES: u64 = 0x8080_8080_8080_8080;

/// Seven bits of the lower 56 in each byte.
#[inline]
const fn spread(bits: u64) -> u64 {
    let bits = (bits & 0x0000_0000_0fff_ffff) | (bits & 0x00ff_ffff_f000_0000) << 4;
    let bits = (bits & 0x0000_3fff_0000_3fff) | (bits & 0x0fff_c000_0fff_c000) << 2;
    (bits & 0x007f_007f_007f_007f) | (bits & 0x3f80_3f80_3f80_3f80) << 1
}

/// What [`spread`] made this of; the highest bit of each byte counts for nothing.
#[inline]
const fn gather(bytes: u64) -> u64 {
    let bits = (bytes & 0x007f_007f_007f_007f) | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let bits = (bits & 0x0000_3fff_0000_3fff) | (bits & 0x3fff_0000_3fff_0000) >> 2;
    (bits & 0x0000_0000_0fff_ffff) | (bits & 0x0fff_ffff_0000_0000) >> 4
}

#[inline]
pub(super) fn take_varint(from: &mut &[u8], (longest, last_max): (u32, u8)) -> Option<u64> {
    let (&first, rest) = from.split_first()?;
    if first < 0x80 {
        *from = rest;
        return Some(u64::from(first));
    }
    let word = from.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let bytes = (!word & CONTINUES).trailing_zeros() / 8 + 1;
    // Fewer than eight bytes are left, or more belong to the number.
    if !(2..=8).contains(&bytes) || bytes >= longest {
        return take_any_varint(from, longest, last_max);
    }
    *from = from.get(bytes as usize..)?;
    Some(gather(word & (u64::MAX >> (u64::BITS - 8 * bytes))))
}

/// [`take_varint`] byte by byte.
fn take_any_varint(from: &mut &[u8], longest: u32, last_max: u8) -> Option<u64> {
    let mut value = 0;
    for (index, &byte) in (0..longest).zip(*from) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *from = from.get(index as usize + 1..)?;
            return (index + 1 < longest || byte <= last_max).then_some(value);
        }
    }
    None
}

#[inline]
pub(super) fn take_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let len = usize::try_from(take_varint(from, U64)?).ok()?;
    if len == 0 {
        return Some("");
    }
    let (text, rest) = from.split_at_checked(len)?;
    *from = rest;
    core::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode, encode};
    use proptest::prelude::*;
    use std::{string::String, vec::Vec};

    prop_compose! {
        fn transit()(hops_left: u8, dst: u64, src: u64, flow: u16) -> v1::Transit {
            v1::Transit { hops_left, dst: NodeAddr(dst), src: NodeAddr(src), flow }
        }
    }

    /// Numbers of every length.
    fn number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
    }

    /// A header and what it borrows.
    type Parts = (v1::Transit, u64, u64, u64, u32, String, String);

    fn parts() -> impl Strategy<Value = Parts> {
        let behind = (any::<u32>(), 0..32u32).prop_map(|(number, shift)| number >> shift);
        (transit(), number(), number(), number(), behind, ".{0,70}", ".{0,70}")
    }

    fn header((transit, src_life, dst_life, seq, behind, to_client, from_client): &Parts) -> v1::Data<'_> {
        v1::Data {
            transit: *transit,
            src_incarnation: Incarnation(*src_life),
            dst_incarnation: Incarnation(*dst_life),
            seq: Seq(*seq),
            behind: *behind,
            to_client,
            from_client,
        }
    }

    #[test]
    fn the_largest_numbers_fit() {
        let most = (v1::Transit { hops_left: 255, dst: NodeAddr(u64::MAX), src: NodeAddr(u64::MAX), flow: u16::MAX },);
        let parts = (most.0, u64::MAX, u64::MAX, u64::MAX, u32::MAX, String::new(), "x".repeat(200));
        assert_eq!(header(&parts).encode(), encode(&header(&parts)));
    }

    proptest! {
        #[test]
        fn the_bytes_are_postcards(parts in parts()) {
            let header = header(&parts);
            let bytes = header.encode();
            prop_assert_eq!(&bytes, &encode(&header));
            prop_assert_eq!(v1::Data::decode(&bytes), Some(header));
        }

        #[test]
        fn a_parcel_is_what_postcard_makes_of_it_with_the_rest_behind(
            parts in parts(), port in prop::sample::select(&[v1::Port::Directory, v1::Port::Calls, v1::Port::Topics][..]),
            rest in prop::collection::vec(any::<u8>(), 0..90), cut: prop::sample::Index
        ) {
            let v1::Data { transit, src_incarnation, dst_incarnation, seq, behind, .. } = header(&parts);
            let parcel = v1::Parcel { transit, port, src_incarnation, dst_incarnation, seq, behind };
            let bytes = parcel.encode(&rest);
            prop_assert_eq!(&bytes[..], &[&encode(&parcel)[..], &rest].concat()[..]);
            prop_assert_eq!(v1::Parcel::split_from(&bytes), Some((parcel, &rest[..])));
            let cut = &bytes[..cut.index(bytes.len())];
            prop_assert_eq!(v1::Parcel::split_from(cut), postcard::take_from_bytes(cut).ok());
        }

        #[test]
        fn what_postcard_refuses_is_refused(parts in parts(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let mut bytes: Vec<u8> = encode(&header(&parts)).into_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            prop_assert_eq!(v1::Data::decode(&bytes), decode(&bytes).ok());
            bytes.truncate(cut.index(bytes.len()));
            prop_assert_eq!(v1::Data::decode(&bytes), decode(&bytes).ok());
            let transit = postcard::take_from_bytes::<v1::Transit>(&bytes).ok();
            prop_assert_eq!(v1::Transit::split_from(&bytes), transit);
        }

        #[test]
        fn any_numbers_are_read_like_postcard_reads_them(
            numbers in prop::collection::vec(prop_oneof![Just(0xffu8), Just(0x80), 0..0x12u8, any::<u8>()], 0..48)
        ) {
            let bytes = [&[0; TRANSIT_LEN][..], &numbers].concat();
            prop_assert_eq!(v1::Data::decode(&bytes), decode(&bytes).ok());
        }
    }
}
