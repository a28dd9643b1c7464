//! Why a handshake failed.

use crate::error::{CloseReason, Part, Violation};

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HandshakeError {
    /// The first bytes are not those of this protocol, or ask for what this kind of channel does not do.
    #[error("not a Firelink node")]
    NotFirelink,
    /// Another token, another network, or altered on the way: these cannot be told apart.
    #[error("wrong token, wrong network, or altered on the way")]
    Refused,
    /// The signature for the name does not verify.
    #[error("the peer did not prove its name")]
    BadIdentity,
    /// An authenticated message that cannot be decoded.
    #[error("malformed handshake")]
    Malformed,
    /// A message is longer than any can be.
    #[error("a handshake message of {len} bytes exceeds the limit of {limit}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// This node has no token.
    #[error("no token is configured")]
    NoToken,
    /// The cryptography of this node refused its own part.
    #[error("the cryptography provider failed")]
    Provider,
}

impl From<HandshakeError> for CloseReason {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::NotFirelink
            | HandshakeError::Refused
            | HandshakeError::NoToken
            | HandshakeError::Provider => Self::HandshakeFailed,
            HandshakeError::BadIdentity => Self::Violation(Violation::BadSignature),
            HandshakeError::Malformed => Self::Violation(Violation::Malformed { what: Part::Handshake }),
            HandshakeError::TooLong { len, limit } => {
                Self::Violation(Violation::TooLong { what: Part::Handshake, len: len as u64, limit: limit as u64 })
            }
        }
    }
}
