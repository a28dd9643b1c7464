//! The wire format: frames of a prelude, a header and a payload.
//!
//! A [`Frame`] is two segments, the encoded header and the application's bytes, and they are joined only where a record
//! is sealed; one that was received and is only passed on stays in one piece ([`Encoded`]). Headers are the frozen types of [`v1`]; what a machine works with is decoded once, at the edge.
//! `docs/WIRE.md` shows every byte.

mod call;
mod cast;
mod data;
mod encoded;
mod frame;
mod prelude;
mod publication;
#[cfg(test)]
mod tests;
pub mod v1;

pub use encoded::Encoded;
pub use frame::{Frame, Head, Kind, decode, encode};
pub use prelude::{PRELUDE_LEN, Prelude};

/// The newest protocol version this build speaks.
pub const VERSION: u8 = 1;
/// The oldest protocol version this build speaks.
pub const VERSION_MIN: u8 = 1;
