//! Who is at the other end, and nobody else listening: Noise sessions, identities, pins.

mod handshake;
mod identity;
mod pins;
mod provider;
mod resolver;
mod session;

pub use handshake::{Handshake, HandshakeError, Local, PeerIdentity, Step};
pub use identity::{Identity, PUBLISHED_TOKEN, Psk, PublicKey, TOKEN_CHARS_MIN, Weakness};
pub use pins::{PinChange, PinConflict, Pins};
#[cfg(feature = "aws-lc")]
pub use provider::AWS_LC;
pub use provider::{Aead, Provider, SOFTWARE};
pub use session::Session;

/// Every provider of this build.
#[cfg(test)]
fn provider_list() -> alloc::vec::Vec<&'static dyn Provider> {
    alloc::vec![
        SOFTWARE,
        #[cfg(feature = "aws-lc")]
        AWS_LC,
    ]
}
