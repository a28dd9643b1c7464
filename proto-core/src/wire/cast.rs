//! The header of a parcel to several nodes by hand: the same bytes as postcard's, which tests compare. Every publication is
//! encoded and decoded once at its ends, and once more by each node where the ways to its receivers part.

use smallvec::SmallVec;

use super::{
    Head,
    data::{Inline, U32, U64, take_varint},
    v1::{Cast, CastTo, Transit},
};
use crate::id::{Incarnation, NodeAddr, Seq};

/// Least bytes of one receiver.
const RECEIVER_MIN: usize = 8 + 1 + 1 + 1;

/// Encodes the header of a [`Cast`], with the rest of the header behind it.
#[must_use]
#[inline]
pub(super) fn encode(transit: &Transit, src_incarnation: Incarnation, to: &[CastTo], rest: &[u8]) -> Head {
    let mut fixed = Inline::new();
    fixed.put_transit(transit);
    fixed.put_varint(src_incarnation.0);
    fixed.put_varint(to.len() as u64);
    let mut receivers = to.iter();
    // The usual single receiver goes into the same piece.
    if let Some(first) = receivers.next() {
        fixed.put_receiver(first);
    }
    if to.len() <= 1 {
        return fixed.finish_with(rest);
    }
    let mut head = fixed.finish();
    for to in receivers {
        let mut piece = Inline::new();
        piece.put_receiver(to);
        head.extend_from_slice(&piece.finish());
    }
    head.extend_from_slice(rest);
    head
}

impl Cast {
    /// Decodes the beginning of a header, and returns what follows it.
    #[inline]
    pub(super) fn split_from(header: &[u8]) -> Option<(Self, &[u8])> {
        let (transit, mut rest) = Transit::split_from(header)?;
        let src_incarnation = Incarnation(take_varint(&mut rest, U64)?);
        let count = usize::try_from(take_varint(&mut rest, U64)?).ok()?;
        // What is said to follow must fit, so that nobody has memory reserved for what never comes.
        if count > rest.len() / RECEIVER_MIN {
            return None;
        }
        let mut to = SmallVec::new();
        for _ in 0..count {
            to.push(take_receiver(&mut rest)?);
        }
        Some((Self { transit, src_incarnation, to }, rest))
    }
}

impl Inline {
    #[inline]
    fn put_receiver(&mut self, to: &CastTo) {
        let CastTo { node, incarnation, seq, behind } = *to;
        self.put(node.0.to_le_bytes());
        self.put_varint(incarnation.0);
        self.put_varint(seq.0);
        self.put_varint(u64::from(behind));
    }
}

#[inline]
fn take_receiver(from: &mut &[u8]) -> Option<CastTo> {
    let (node, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(CastTo {
        node: NodeAddr(u64::from_le_bytes(*node)),
        incarnation: Incarnation(take_varint(from, U64)?),
        seq: Seq(take_varint(from, U64)?),
        behind: u32::try_from(take_varint(from, U32)?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::encode as by_postcard;
    use proptest::prelude::*;
    use std::vec::Vec;

    prop_compose! {
        fn receiver()(node: u64, life: u64, seq: u64, shift in 0..64u32, behind: u32, less in 0..32u32) -> CastTo {
            let (node, incarnation) = (NodeAddr(node), Incarnation(life >> shift));
            CastTo { node, incarnation, seq: Seq(seq >> shift), behind: behind >> less }
        }
    }

    prop_compose! {
        fn cast(receivers: usize)(
            to in prop::collection::vec(receiver(), 0..=receivers), hops_left: u8, dst: u64, src: u64, flow: u16, life: u64
        ) -> Cast {
            let transit = Transit { hops_left, dst: NodeAddr(dst), src: NodeAddr(src), flow };
            Cast { transit, src_incarnation: Incarnation(life), to: to.into() }
        }
    }

    fn by_hand(cast: &Cast, rest: &[u8]) -> Head {
        super::encode(&cast.transit, cast.src_incarnation, &cast.to, rest)
    }

    proptest! {
        #[test]
        fn a_cast_is_what_postcard_makes_of_it_with_the_rest_behind(
            cast in cast(150), rest in prop::collection::vec(any::<u8>(), 0..40)
        ) {
            let bytes = by_hand(&cast, &rest);
            prop_assert_eq!(&bytes[..], &[&by_postcard(&cast)[..], &rest].concat()[..]);
            prop_assert_eq!(Cast::split_from(&bytes), Some((cast, &rest[..])));
        }

        #[test]
        fn what_postcard_refuses_is_refused(
            cast in cast(5), at: prop::sample::Index, byte: u8, cut: prop::sample::Index
        ) {
            let mut bytes: Vec<u8> = by_hand(&cast, &[]).into_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            prop_assert_eq!(Cast::split_from(&bytes), postcard::take_from_bytes(&bytes).ok());
            bytes.truncate(cut.index(bytes.len()));
            prop_assert_eq!(Cast::split_from(&bytes), postcard::take_from_bytes(&bytes).ok());
        }
    }
}
