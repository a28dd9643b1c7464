//! The first four bytes of every frame, readable by every version: `[version:4|flags:4][kind:u8][header_len:u16 LE]`.

use crate::{
    error::{Part, Violation},
    limits::HEADER_MAX,
};

/// Length of an encoded prelude, in bytes.
pub const PRELUDE_LEN: usize = 4;

/// A decoded prelude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prelude {
    /// Protocol version, 0 to 15.
    pub version: u8,
    /// Reserved, 0 to 15: zero when sent, ignored when received.
    pub flags: u8,
    /// The kind byte; see [`Kind`](super::Kind).
    pub kind: u8,
    /// Length of the header that follows, at most [`HEADER_MAX`].
    pub header_len: u16,
}

impl Prelude {
    /// The four bytes.
    #[must_use]
    #[inline]
    pub const fn encode(self) -> [u8; PRELUDE_LEN] {
        let [low, high] = self.header_len.to_le_bytes();
        [self.version << 4 | (self.flags & 0x0f), self.kind, low, high]
    }

    /// Reads a prelude from the start of `bytes` and returns what follows it.
    ///
    /// # Errors
    /// [`Violation`] if there are fewer than four bytes, or the header is longer than allowed.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), Violation> {
        let Some((&[first, kind, low, high], rest)) = bytes.split_first_chunk::<PRELUDE_LEN>() else {
            return Err(Violation::Malformed { what: Part::Prelude });
        };
        let header_len = u16::from_le_bytes([low, high]);
        if usize::from(header_len) > HEADER_MAX {
            return Err(Violation::TooLong {
                what: Part::Header,
                len: u64::from(header_len),
                limit: HEADER_MAX as u64,
            });
        }
        Ok((Self { version: first >> 4, flags: first & 0x0f, kind, header_len }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_bytes_are_these() {
        let prelude = Prelude { version: 1, flags: 0, kind: 0x10, header_len: 0x0203 };
        assert_eq!(prelude.encode(), [0x10, 0x10, 0x03, 0x02]);
        assert_eq!(Prelude::decode(&[0x10, 0x10, 0x03, 0x02, 9]), Ok((prelude, &[9][..])));
    }

    #[test]
    fn a_long_header_is_refused_before_it_is_read() {
        let long = Prelude { version: 1, flags: 0, kind: 1, header_len: 1_025 }.encode();
        assert_eq!(Prelude::decode(&long), Err(Violation::TooLong { what: Part::Header, len: 1_025, limit: 1_024 }));
        assert_eq!(Prelude::decode(&[1, 2, 3]), Err(Violation::Malformed { what: Part::Prelude }));
    }
}
