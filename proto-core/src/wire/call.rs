//! The header of a call's usual steps by hand: a request, an item, a result. The same bytes as postcard's, which tests
//! compare; what is rarer, or has long texts, is left to postcard.

use super::{
    Head,
    data::{Inline, U32, U64, take_text, take_varint},
    decode,
    frame::HEAD_INLINE,
    v1::{Call, Request},
};
use crate::error::{Part, Violation};

/// The first byte of each, by the order of [`Call`].
const REQUEST: u8 = 0;
const ITEM: u8 = 1;
const DONE: u8 = 2;
/// Most bytes of texts and key that a request written by hand has: behind all else that it holds, and with a whole word of
/// room for its last number.
const TEXTS_MAX: usize = HEAD_INLINE - (1 + 2 * U64.0 as usize + 2 * U32.0 as usize + 6) - 8;

impl<'a> Call<'a> {
    /// Encodes it.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> Head {
        let mut head = Inline::new();
        match self {
            Self::Request(request) if request.texts() <= TEXTS_MAX => head.put_request(request),
            Self::Item { call, seq } => {
                head.put([ITEM]);
                head.put_varint(*call);
                head.put_varint(*seq);
            }
            Self::Done { call, items, load } => {
                head.put([DONE]);
                head.put_varint(*call);
                head.put_varint(*items);
                head.put_varint(u64::from(*load));
            }
            Self::Request(_)
            | Self::Failed { .. }
            | Self::Refused { .. }
            | Self::Lost { .. }
            | Self::Progress { .. }
            | Self::Cancel { .. }
            | Self::Credit { .. } => return super::encode(self),
        }
        head.finish()
    }

    /// Decodes one that fills `header`.
    ///
    /// # Errors
    /// [`Violation`] if it is malformed, or has bytes left over.
    #[inline]
    pub fn decode(header: &'a [u8]) -> Result<Self, Violation> {
        let usual = match header.split_first() {
            Some((&REQUEST, rest)) => take_request(rest),
            Some((&ITEM, rest)) => take_item(rest),
            Some((&DONE, rest)) => take_done(rest),
            Some(_) | None => return decode(header),
        };
        match usual {
            Some((call, [])) => Ok(call),
            Some(_) | None => Err(Violation::Malformed { what: Part::Header }),
        }
    }
}

impl Request<'_> {
    const fn texts(&self) -> usize {
        let to = match self.to {
            Some(to) => to.len(),
            None => 0,
        };
        self.service.len() + to + self.from_client.len() + self.key.len()
    }
}

impl Inline {
    #[inline]
    fn put_request(&mut self, request: &Request<'_>) {
        let Request { call, service, to, from_client, left_us, key, window } = *request;
        self.put([REQUEST]);
        self.put_varint(call);
        self.put_bytes(service.as_bytes());
        self.put([u8::from(to.is_some())]);
        if let Some(to) = to {
            self.put_bytes(to.as_bytes());
        }
        self.put_bytes(from_client.as_bytes());
        self.put_varint(left_us);
        self.put_bytes(key);
        self.put([u8::from(window.is_some())]);
        if let Some((items, bytes)) = window {
            self.put_varint(u64::from(items));
            self.put_varint(u64::from(bytes));
        }
    }
}

fn take_request(mut rest: &[u8]) -> Option<(Call<'_>, &[u8])> {
    let call = take_varint(&mut rest, U64)?;
    let service = take_text(&mut rest)?;
    let to = if take_flag(&mut rest)? { Some(take_text(&mut rest)?) } else { None };
    let from_client = take_text(&mut rest)?;
    let left_us = take_varint(&mut rest, U64)?;
    let (key, mut rest) = rest_of_bytes(rest)?;
    let window = if take_flag(&mut rest)? { Some((take_u32(&mut rest)?, take_u32(&mut rest)?)) } else { None };
    Some((Call::Request(Request { call, service, to, from_client, left_us, key, window }), rest))
}

fn take_item(mut rest: &[u8]) -> Option<(Call<'_>, &[u8])> {
    let (call, seq) = (take_varint(&mut rest, U64)?, take_varint(&mut rest, U64)?);
    Some((Call::Item { call, seq }, rest))
}

fn take_done(mut rest: &[u8]) -> Option<(Call<'_>, &[u8])> {
    let (call, items) = (take_varint(&mut rest, U64)?, take_varint(&mut rest, U64)?);
    Some((Call::Done { call, items, load: take_u32(&mut rest)? }, rest))
}

/// Bytes with their length in front, and what follows them.
fn rest_of_bytes(mut from: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::try_from(take_varint(&mut from, U64)?).ok()?;
    from.split_at_checked(len)
}

fn take_u32(from: &mut &[u8]) -> Option<u32> {
    u32::try_from(take_varint(from, U32)?).ok()
}

fn take_flag(from: &mut &[u8]) -> Option<bool> {
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
    use crate::wire::{encode as by_postcard, v1::CallLoss};
    use proptest::prelude::*;
    use std::{string::String, vec::Vec};

    /// Numbers of every length.
    fn number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
    }

    /// Which step, its numbers, and what it borrows.
    type Parts = (u8, [u64; 2], [u32; 2], [String; 3], Vec<u8>, [bool; 2]);

    fn parts() -> impl Strategy<Value = Parts> {
        let small = (any::<u32>(), 0..32u32).prop_map(|(number, shift)| number >> shift);
        let texts = [".{0,20}", ".{0,20}", ".{0,20}"];
        let (numbers, key) = ([number(), number()], prop::collection::vec(any::<u8>(), 0..20));
        (0..5u8, numbers, [small.clone(), small], texts, key, any::<[bool; 2]>())
    }

    fn step((step, [call, other], [few, more], texts, key, some): &Parts) -> Call<'_> {
        let [service, to, from_client] = texts.each_ref().map(String::as_str);
        let (call, to, window) = (*call, some[0].then_some(to), some[1].then_some((*few, *more)));
        match step {
            0 | 1 => Call::Request(Request { call, service, to, from_client, left_us: *other, key, window }),
            2 => Call::Item { call, seq: *other },
            3 => Call::Done { call, items: *other, load: *few },
            _ => Call::Lost { call, why: CallLoss::HandlerGone },
        }
    }

    #[test]
    fn a_request_with_the_largest_numbers_and_as_much_text_as_may_be_is_written_whole() {
        let text = "x".repeat(TEXTS_MAX + 1);
        let window = Some((u32::MAX, u32::MAX));
        for (service, key) in [(&text[1..], ""), ("", &text[1..]), (&text[..], "")] {
            let (to, from_client, key) = (Some(""), "", key.as_bytes());
            let request = Request { call: u64::MAX, service, to, from_client, left_us: u64::MAX, key, window };
            let call = Call::Request(request);
            assert_eq!(call.encode(), by_postcard(&call));
        }
    }

    proptest! {
        #[test]
        fn a_step_is_what_postcard_makes_of_it(parts in parts()) {
            let call = step(&parts);
            let bytes = call.encode();
            prop_assert_eq!(&bytes, &by_postcard(&call));
            prop_assert_eq!(Call::decode(&bytes), Ok(call));
        }

        #[test]
        fn what_postcard_refuses_is_refused(
            parts in parts(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index, more in 0..2usize
        ) {
            let mut bytes: Vec<u8> = step(&parts).encode().into_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.extend_from_slice(&[0, 0][..more]);
            prop_assert_eq!(Call::decode(&bytes), decode(&bytes));
            bytes.truncate(cut.index(bytes.len()));
            prop_assert_eq!(Call::decode(&bytes), decode(&bytes));
        }
    }
}
