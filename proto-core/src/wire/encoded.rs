//! A frame as it lies in the record that it came in.

use bytes::{Buf as _, Bytes, BytesMut};
use serde::Deserialize;

use super::{Frame, Head, Kind, PRELUDE_LEN, Prelude, decode, v1};
use crate::error::{Part, Violation};

/// A frame that was received: prelude, header and payload in one piece, of which only the prelude was read. A node that
/// only forwards it decodes nothing of it but the route's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    bytes: Bytes,
    kind: Kind,
    /// What goes out as the header's first byte: the rest of the bytes may be shared and stays as it is.
    first: u8,
    head_len: u16,
}

impl Encoded {
    /// Takes a whole frame, once its prelude is read. `Ok(None)` for a kind that this version does not know.
    ///
    /// # Errors
    /// [`Violation`] if prelude or header are cut short or too long.
    #[inline]
    pub fn parse(bytes: Bytes) -> Result<Option<Self>, Violation> {
        let (prelude, rest) = Prelude::decode(&bytes)?;
        if rest.len() < usize::from(prelude.header_len) {
            return Err(Violation::Malformed { what: Part::Header });
        }
        let first = rest.first().copied().unwrap_or_default();
        let Some(kind) = Kind::from_byte(prelude.kind) else { return Ok(None) };
        Ok(Some(Self { bytes, kind, first, head_len: prelude.header_len }))
    }

    /// What it is.
    #[must_use]
    #[inline]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its length on the wire, in bytes.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: a frame has at least its prelude.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The encoded header, as received.
    #[must_use]
    #[inline]
    pub fn head(&self) -> &[u8] {
        self.bytes.get(PRELUDE_LEN..PRELUDE_LEN + usize::from(self.head_len)).unwrap_or_default()
    }

    /// Decodes the header.
    ///
    /// # Errors
    /// [`Violation`] if it is not an `H`, or has bytes left over.
    pub fn header<'a, H: Deserialize<'a>>(&'a self) -> Result<H, Violation> {
        decode(self.head())
    }

    /// Decodes the header of a message: [`Encoded::header`], faster.
    ///
    /// # Errors
    /// [`Violation`] if it is not one, or has bytes left over.
    #[inline]
    pub fn data_header(&self) -> Result<v1::Data<'_>, Violation> {
        v1::Data::decode(self.head()).ok_or(Violation::Malformed { what: Part::Header })
    }

    /// Takes the frame apart as a parcel: its header, the rest of the header, the payload.
    ///
    /// # Errors
    /// [`Violation`] if it is not one.
    #[inline]
    pub fn into_parcel(self) -> Result<(v1::Parcel, Bytes, Bytes), Violation> {
        let head = self.head();
        let (parcel, rest) = v1::Parcel::split_from(head).ok_or(Violation::Malformed { what: Part::Header })?;
        let place = PRELUDE_LEN + head.len() - rest.len()..PRELUDE_LEN + head.len();
        Ok((parcel, self.bytes.slice(place), self.into_body()))
    }

    /// The same for a parcel to several nodes.
    ///
    /// # Errors
    /// [`Violation`] if it is not one.
    #[inline]
    pub fn into_cast(self) -> Result<(v1::Cast, Bytes, Bytes), Violation> {
        let head = self.head();
        let (mut cast, rest) = v1::Cast::split_from(head).ok_or(Violation::Malformed { what: Part::Header })?;
        cast.transit.hops_left = self.first;
        let place = PRELUDE_LEN + head.len() - rest.len()..PRELUDE_LEN + head.len();
        Ok((cast, self.bytes.slice(place), self.into_body()))
    }

    /// The route's part of the header of a kind of 16 and above.
    ///
    /// # Errors
    /// [`Violation`] if the header is too short for one.
    #[inline]
    pub fn transit(&self) -> Result<v1::Transit, Violation> {
        let split = v1::Transit::split_from(self.head());
        split.map(|(transit, _)| transit).ok_or(Violation::Malformed { what: Part::Header })
    }

    /// The same frame with another hop limit, for a kind of 16 and above.
    #[must_use]
    #[inline]
    pub fn with_hops_left(self, hops_left: u8) -> Self {
        // The hop limit is the header's first byte: see `v1::Transit`.
        Self { first: hops_left, ..self }
    }

    /// The payload.
    #[must_use]
    #[inline]
    pub fn into_body(self) -> Bytes {
        let mut body = self.bytes;
        body.advance(PRELUDE_LEN + usize::from(self.head_len));
        body
    }

    /// Header and payload apart.
    #[must_use]
    pub fn into_frame(self) -> Frame {
        let mut head = Head::from_slice(self.head());
        if let Some(first) = head.first_mut() {
            *first = self.first;
        }
        Frame { kind: self.kind, head, body: self.into_body() }
    }

    /// Appends it as it is on the wire.
    #[inline]
    pub fn put(&self, out: &mut BytesMut) {
        let place = out.len() + PRELUDE_LEN;
        out.extend_from_slice(&self.bytes);
        if self.head_len > 0
            && let Some(first) = out.get_mut(place)
        {
            *first = self.first;
        }
    }

    /// Its bytes on the wire, in three pieces.
    pub(crate) fn parts(&self) -> [&[u8]; 3] {
        let (prelude, rest) = self.bytes.split_at_checked(PRELUDE_LEN).unwrap_or_default();
        if self.head_len == 0 {
            [prelude, &[], rest]
        } else {
            [prelude, core::slice::from_ref(&self.first), &rest[1..]]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeAddr;

    const TRANSIT: v1::Transit = v1::Transit { hops_left: 9, dst: NodeAddr(1), src: NodeAddr(2), flow: 3 };

    fn bytes(frame: &Frame) -> Bytes {
        let mut out = BytesMut::new();
        frame.put(&mut out);
        out.freeze()
    }

    #[test]
    fn a_new_hop_limit_changes_one_byte_of_what_goes_out() {
        let frame = Frame::with_body(Kind::Probe, &TRANSIT, Bytes::from_static(b"abc"));
        let received = Encoded::parse(bytes(&frame)).unwrap().unwrap();
        let changed = Frame::with_body(Kind::Probe, &v1::Transit { hops_left: 8, ..TRANSIT }, frame.body.clone());
        let passing = received.clone().with_hops_left(8);
        let mut out = BytesMut::from(&b"before"[..]);
        passing.put(&mut out);
        assert_eq!(out, [&b"before"[..], &bytes(&changed)].concat());
        assert_eq!(passing.parts().concat(), bytes(&changed));
        assert_eq!(passing.into_frame(), changed);
        assert_eq!(received.into_frame(), frame);
    }

    #[test]
    fn without_a_header_nothing_is_changed() {
        let frame = Frame::with_body(Kind::Want, &v1::Want {}, Bytes::from_static(b"abc"));
        let received = Encoded::parse(bytes(&frame)).unwrap().unwrap().with_hops_left(8);
        let mut out = BytesMut::new();
        received.put(&mut out);
        assert_eq!((&out[..], received.parts().concat()), (&bytes(&frame)[..], bytes(&frame).to_vec()));
        assert_eq!(received.into_body(), "abc");
    }
}
