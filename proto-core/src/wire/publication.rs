//! The header of a publication by hand: the same bytes as postcard's, which tests compare, without a copy of the topic.

use super::{
    Head,
    data::{Inline, TEXT_LEN_MAX, U32, U64, take_text, take_varint},
    v1,
};
use crate::id::Seq;

impl<'a> v1::Publication<'a> {
    /// Encodes it, to stand after what carries it in a header.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> Head {
        let Self { seq, receipt, groups_only, headers, topic, from_client } = *self;
        let mut fixed = Inline::new();
        fixed.put_varint(seq.0);
        fixed.put([u8::from(receipt), u8::from(groups_only)]);
        fixed.put_varint(u64::from(headers));
        // The usual one fits.
        if fixed.put_text(topic, TEXT_LEN_MAX + from_client.len()) && fixed.put_text(from_client, 0) {
            return fixed.finish();
        }
        fixed.put_varint(topic.len() as u64);
        let mut head = fixed.finish_with(topic.as_bytes());
        let mut len = Inline::new();
        len.put_varint(from_client.len() as u64);
        head.extend_from_slice(&len.finish());
        head.extend_from_slice(from_client.as_bytes());
        head
    }

    /// Reads one from the beginning of `header`, and returns what follows it; `None` if it is malformed.
    #[must_use]
    #[inline]
    pub fn split_from(header: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut rest = header;
        let seq = Seq(take_varint(&mut rest, U64)?);
        let receipt = take_bool(&mut rest)?;
        let groups_only = take_bool(&mut rest)?;
        let headers = u32::try_from(take_varint(&mut rest, U32)?).ok()?;
        let topic = take_text(&mut rest)?;
        let from_client = take_text(&mut rest)?;
        Some((Self { seq, receipt, groups_only, headers, topic, from_client }, rest))
    }
}

#[inline]
fn take_bool(from: &mut &[u8]) -> Option<bool> {
    let (&byte, rest) = from.split_first()?;
    *from = rest;
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::Incarnation,
        limits::{CLIENT_NAME_MAX, TOPIC_MAX},
        wire::{decode, encode},
    };
    use proptest::prelude::*;
    use smallvec::smallvec;
    use std::{format, string::String, vec::Vec};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_publication_is_on_the_wire_as_it_was_frozen() {
        let bare = v1::Publication {
            seq: Seq(1_000),
            receipt: false,
            groups_only: false,
            headers: 0,
            topic: "site.7.door",
            from_client: "",
        };
        assert_eq!(hex(&bare.encode()), "e8070000000b736974652e372e646f6f7200");
        let full = v1::Publication { receipt: true, groups_only: true, headers: 300, from_client: "cam", ..bare };
        assert_eq!(hex(&full.encode()), "e8070101ac020b736974652e372e646f6f720363616d");
    }

    #[test]
    fn a_receipt_is_on_the_wire_as_it_was_frozen() {
        let all = v1::Receipt { incarnation: Incarnation(3), seq: Seq(1_000), subscriptions: 2, vacant: smallvec![] };
        assert_eq!(hex(&encode(&all)), "03e8070200");
        let bytes = encode(&v1::Receipt { vacant: smallvec!["workers"], ..all });
        assert_eq!(hex(&bytes), "03e807020107776f726b657273");
        let decoded: v1::Receipt<'_> = decode(&bytes).unwrap();
        assert_eq!((decoded.seq, decoded.vacant.as_slice()), (Seq(1_000), &["workers"][..]));
    }

    #[test]
    fn the_usual_publication_needs_no_allocation() {
        let topic = "region.12.device.4711.temperature";
        let seq = Seq(1 << 40);
        let usual =
            v1::Publication { seq, receipt: false, groups_only: false, headers: 0, topic, from_client: "sensor" };
        assert!(!usual.encode().spilled());
        let (topic, client) = ("x".repeat(TOPIC_MAX), "c".repeat(CLIENT_NAME_MAX));
        let longest =
            v1::Publication { seq: Seq(u64::MAX), headers: u32::MAX, topic: &topic, from_client: &client, ..usual };
        assert!(longest.encode().len() <= 64 + TOPIC_MAX + CLIENT_NAME_MAX);
    }

    proptest! {
        #[test]
        fn the_bytes_are_postcards(
            seq: u64, shift in 0..64u32, receipt: bool, groups_only: bool, headers: u32, topic in ".{0,80}", client in ".{0,40}"
        ) {
            let seq = Seq(seq >> shift);
            let header = v1::Publication { seq, receipt, groups_only, headers, topic: &topic, from_client: &client };
            let bytes = header.encode();
            prop_assert_eq!(&bytes, &encode(&header));
            let followed = [&bytes, &b"more"[..]].concat();
            prop_assert_eq!(v1::Publication::split_from(&followed), Some((header, &b"more"[..])));
        }

        #[test]
        fn what_postcard_refuses_is_refused(
            seq: u64, topic in ".{0,20}", at: prop::sample::Index, byte: u8, cut: prop::sample::Index
        ) {
            let header = v1::Publication {
                seq: Seq(seq), receipt: true, groups_only: false, headers: 70_000, topic: &topic, from_client: "c"
            };
            let mut bytes: Vec<u8> = header.encode().into_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            prop_assert_eq!(v1::Publication::split_from(&bytes), postcard::take_from_bytes(&bytes).ok());
            bytes.truncate(cut.index(bytes.len()));
            prop_assert_eq!(v1::Publication::split_from(&bytes), postcard::take_from_bytes(&bytes).ok());
        }
    }
}
