//! A frame: kind, encoded header, payload.

use bytes::{Bytes, BytesMut};
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Encoded, PRELUDE_LEN, Prelude, VERSION, cast, v1};
use crate::{
    error::{Part, Violation},
    id::Incarnation,
};

/// Bytes of an encoded header that need no memory of their own: every header of a message without client names fits, and
/// that of a publication with a topic of usual length.
pub(super) const HEAD_INLINE: usize = 96;

/// An encoded header.
pub type Head = SmallVec<[u8; HEAD_INLINE]>;

/// Declares the kinds with their bytes.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $byte:literal,)*) => {
        /// What a frame is. Bytes are for ever; new kinds get new bytes. Below 16: for the neighbour only; from 16:
        /// forwarded, and the header begins with [`v1::Transit`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $variant = $byte,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The kind of this byte, unless it is unknown to this version.
            #[must_use]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// [`v1::Hello`]
    Hello = 1,
    /// [`v1::Ping`]
    Ping = 2,
    /// [`v1::Pong`]
    Pong = 3,
    /// [`v1::Bye`]
    Bye = 4,
    /// [`v1::Advert`]
    Advert = 5,
    /// [`v1::Summary`]
    Summary = 6,
    /// [`v1::Want`]
    Want = 7,
    /// [`v1::Find`]
    Find = 8,
    /// [`v1::Data`]
    Data = 16,
    /// [`v1::Ack`]
    Ack = 17,
    /// [`v1::Probe`]
    Probe = 19,
    /// [`v1::ProbeReply`]
    ProbeReply = 20,
    /// [`v1::Parcel`]
    Parcel = 21,
    /// [`v1::ParcelAck`]
    ParcelAck = 22,
    /// [`v1::Cast`]
    Cast = 23,
}

impl Kind {
    /// Whether frames of this kind travel over several links, with a [`v1::Transit`] in front.
    #[must_use]
    pub const fn is_end_to_end(self) -> bool {
        self as u8 >= 16
    }
}

/// One frame, header and payload apart: what this node sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(Serialize, Deserialize))]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// The encoded header.
    #[cfg_attr(feature = "trace", serde(with = "head_serde"))]
    pub head: Head,
    /// The payload.
    pub body: Bytes,
}

impl Frame {
    /// A frame without payload.
    #[must_use]
    pub fn new(kind: Kind, header: &impl Serialize) -> Self {
        Self::with_body(kind, header, Bytes::new())
    }

    /// A frame with a payload.
    #[must_use]
    pub fn with_body(kind: Kind, header: &impl Serialize, body: Bytes) -> Self {
        Self { kind, head: encode(header), body }
    }

    /// A message.
    #[must_use]
    #[inline]
    pub fn data(header: &v1::Data<'_>, payload: Bytes) -> Self {
        Self { kind: Kind::Data, head: header.encode(), body: payload }
    }

    /// What one machine says to the same machine of another node.
    #[must_use]
    #[inline]
    pub fn parcel(header: &v1::Parcel, head: &[u8], body: Bytes) -> Self {
        Self { kind: Kind::Parcel, head: header.encode(head), body }
    }

    /// The same to several nodes.
    #[must_use]
    #[inline]
    pub fn cast(
        transit: &v1::Transit,
        src_incarnation: Incarnation,
        to: &[v1::CastTo],
        head: &[u8],
        body: Bytes,
    ) -> Self {
        Self { kind: Kind::Cast, head: cast::encode(transit, src_incarnation, to, head), body }
    }

    /// Its length on the wire, in bytes.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        PRELUDE_LEN + self.head.len() + self.body.len()
    }

    /// Never: a frame has at least its prelude.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Its prelude.
    #[must_use]
    #[inline]
    pub fn prelude(&self) -> Prelude {
        let header_len = u16::try_from(self.head.len()).unwrap_or(u16::MAX);
        Prelude { version: VERSION, flags: 0, kind: self.kind as u8, header_len }
    }

    /// Appends it as it is on the wire.
    #[inline]
    pub fn put(&self, out: &mut BytesMut) {
        out.reserve(self.len());
        out.extend_from_slice(&self.prelude().encode());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.body);
    }

    /// Takes a whole frame apart; the payload stays where it is. `Ok(None)` for a kind that this version does not know.
    ///
    /// # Errors
    /// [`Violation`] if prelude or header are cut short or too long.
    pub fn parse(bytes: Bytes) -> Result<Option<Self>, Violation> {
        Ok(Encoded::parse(bytes)?.map(Encoded::into_frame))
    }

    /// Decodes the header.
    ///
    /// # Errors
    /// [`Violation`] if it is not an `H`, or has bytes left over.
    pub fn header<'a, H: Deserialize<'a>>(&'a self) -> Result<H, Violation> {
        decode(&self.head)
    }
}

/// Encodes a header.
#[must_use]
pub fn encode(header: &impl Serialize) -> Head {
    // The flavour never fails, and the header types hold no unsized sequences, which are all that postcard refuses.
    postcard::serialize_with_flavor(header, ToHead(Head::new())).unwrap_or_default()
}

/// Decodes a header that fills `bytes`.
///
/// # Errors
/// [`Violation`] if it is not an `H`, or has bytes left over.
pub fn decode<'a, H: Deserialize<'a>>(bytes: &'a [u8]) -> Result<H, Violation> {
    match postcard::take_from_bytes(bytes) {
        Ok((header, [])) => Ok(header),
        Ok(_) | Err(_) => Err(Violation::Malformed { what: Part::Header }),
    }
}

/// Lets postcard write into a [`Head`].
struct ToHead(Head);

impl Flavor for ToHead {
    type Output = Head;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Head> {
        Ok(self.0)
    }
}

#[cfg(feature = "trace")]
mod head_serde {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Head;

    pub(super) fn serialize<S: Serializer>(head: &Head, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(head)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Head, D::Error> {
        bytes::Bytes::deserialize(deserializer).map(|bytes| Head::from_slice(&bytes))
    }
}
