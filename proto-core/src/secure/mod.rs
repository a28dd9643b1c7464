//! Who is at the other end, and nobody else listening: Noise sessions, identities, pins.

mod identity;
mod pins;
mod provider;

pub use identity::{Identity, Psk, PublicKey};
pub use pins::{PinConflict, Pins};
pub use provider::{Aead, Provider};
