//! Payloads that can be recognised: a number and a moment, then filling.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Bytes of number and moment: the least size of a payload.
pub const SIZE_MIN: usize = 16;

/// Payloads are cut from blocks of this size, as a program that builds its messages in a buffer would.
const BLOCK: usize = 64 * 1024;

/// Makes payloads of one size.
#[derive(Debug)]
pub struct Payloads {
    block: BytesMut,
    size: usize,
}

impl Payloads {
    /// Makes payloads of `size` bytes, at least [`SIZE_MIN`].
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { block: BytesMut::new(), size: size.max(SIZE_MIN) }
    }

    /// The payload of message `number`, to be published at `due`; zero: its time is not taken.
    pub fn make(&mut self, number: u64, due: u64) -> Bytes {
        if self.block.capacity() < self.size {
            self.block = BytesMut::with_capacity(BLOCK.max(self.size));
        }
        self.block.put_u64_le(number);
        self.block.put_u64_le(due);
        self.block.put_bytes(0x5a, self.size - SIZE_MIN);
        self.block.split().freeze()
    }
}

/// Number and moment of a payload; `None` if it is none of ours.
pub(super) fn read(mut payload: &[u8]) -> Option<(u64, u64)> {
    (payload.len() >= SIZE_MIN).then(|| (payload.get_u64_le(), payload.get_u64_le()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut payloads = Payloads::new(100);
        for number in 0..2_000 {
            let payload = payloads.make(number, number * 7);
            assert_eq!((payload.len(), read(&payload)), (100, Some((number, number * 7))));
        }
        assert_eq!(Payloads::new(1).make(1, 2).len(), SIZE_MIN);
        assert_eq!(read(&[0; 15]), None);
    }
}
