//! The bytes between handshake messages: the preamble of the dialler, and a length before each message.

use bytes::{Buf as _, BufMut as _, BytesMut};

use super::HandshakeError;
use crate::{limits::HANDSHAKE_MAX, node::Suite};

/// The first bytes of every channel between nodes, from the dialler.
const MAGIC: [u8; 4] = *b"FLK1";
/// Length of the preamble: [`MAGIC`] and the mode.
pub(super) const PREAMBLE: usize = 5;

/// How the dialler wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// By Noise, with this suite.
    Noise(Suite),
    /// By proofs bound to a channel that is encrypted already.
    Channel,
}

impl Mode {
    /// The preamble that announces it.
    pub(super) const fn preamble(self) -> [u8; PREAMBLE] {
        let [a, b, c, d] = MAGIC;
        let mode = match self {
            Self::Noise(Suite::AesGcm) => 1,
            Self::Noise(Suite::ChaChaPoly) => 2,
            Self::Channel => 3,
        };
        [a, b, c, d, mode]
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Noise(Suite::AesGcm)),
            2 => Some(Self::Noise(Suite::ChaChaPoly)),
            3 => Some(Self::Channel),
            _ => None,
        }
    }
}

/// Takes the preamble out of `input`; `Ok(None)` while it is not all there.
///
/// # Errors
/// [`HandshakeError::NotFirelink`] with the first byte that is wrong.
pub(super) fn take_mode(input: &mut BytesMut) -> Result<Option<Mode>, HandshakeError> {
    if input.iter().zip(MAGIC).any(|(shown, wanted)| *shown != wanted) {
        return Err(HandshakeError::NotFirelink);
    }
    let Some(&byte) = input.get(MAGIC.len()) else { return Ok(None) };
    input.advance(PREAMBLE);
    Mode::from_byte(byte).map(Some).ok_or(HandshakeError::NotFirelink)
}

/// Takes the next message out of `input`; `Ok(None)` while it is not all there.
///
/// # Errors
/// [`HandshakeError::TooLong`] as soon as its length is there.
pub(super) fn take_message(input: &mut BytesMut) -> Result<Option<BytesMut>, HandshakeError> {
    let Some(&prefix) = input.first_chunk::<2>() else { return Ok(None) };
    let len = usize::from(u16::from_le_bytes(prefix));
    if len > HANDSHAKE_MAX {
        return Err(HandshakeError::TooLong { len, limit: HANDSHAKE_MAX });
    }
    if input.len() - prefix.len() < len {
        return Ok(None);
    }
    input.advance(prefix.len());
    Ok(Some(input.split_to(len)))
}

/// Appends a message, which no code here makes longer than [`HANDSHAKE_MAX`].
pub(super) fn put_message(write: &mut BytesMut, message: &[u8]) {
    debug_assert!(message.len() <= HANDSHAKE_MAX, "a handshake message of {} bytes", message.len());
    write.put_u16_le(u16::try_from(message.len()).unwrap_or(u16::MAX));
    write.put_slice(message);
}
