//! Where the cryptography comes from. The one `dyn` of the core: chosen once, at the start, like rustls' provider.

#[cfg(feature = "aws-lc")]
mod aws_lc;
mod software;
#[cfg(test)]
mod tests;

#[cfg(feature = "aws-lc")]
pub use aws_lc::AWS_LC;
pub use software::SOFTWARE;

use alloc::boxed::Box;
use core::fmt::Debug;

use crate::node::Suite;

/// A source of cryptographic primitives. Implementations hold no state and draw no randomness: every random byte comes
/// from the caller, so a seeded node is reproducible whatever the provider.
pub trait Provider: Debug + Send + Sync {
    /// The Ed25519 public key of a 32-byte seed (RFC 8032).
    fn ed25519_public(&self, seed: &[u8; 32]) -> [u8; 32];
    /// Signs `message` with the Ed25519 key of `seed`.
    fn ed25519_sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64];
    /// Whether `signature` is `public`'s over `message`. Strict: no malleable encodings, no small-order keys.
    fn ed25519_verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;
    /// Scalar multiplication on X25519 (RFC 7748); `None` if the result is all zero.
    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]>;
    /// The X25519 public key of a secret.
    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32];
    /// An AEAD under `key`.
    fn aead(&self, suite: Suite, key: &[u8; 32]) -> Box<dyn Aead>;
}

/// An AEAD under one key, as Noise uses it: a 64-bit counter as nonce, a 16-byte tag.
pub trait Aead: Send + Sync {
    /// Encrypts `data` in place and returns the tag.
    fn seal(&self, counter: u64, associated: &[u8], data: &mut [u8]) -> [u8; 16];
    /// Decrypts `data`, whose last 16 bytes are the tag, in place, and returns the length of the plaintext; `None` if it
    /// does not authenticate.
    #[must_use]
    fn open(&self, counter: u64, associated: &[u8], data: &mut [u8]) -> Option<usize>;
}

/// Length of the tag of both suites, in bytes.
const TAG: usize = 16;

/// A counter as the 96-bit nonce of its suite, as Noise lays it out: 32 zero bits, then the counter, most significant
/// byte first for AES-GCM and last for ChaCha20-Poly1305.
const fn nonce(suite: Suite, counter: u64) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = match suite {
        Suite::AesGcm => counter.to_be_bytes(),
        Suite::ChaChaPoly => counter.to_le_bytes(),
    };
    [0, 0, 0, 0, a, b, c, d, e, f, g, h]
}
