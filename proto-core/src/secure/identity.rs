//! A node's key pair, and the secret of its mesh.

use core::fmt;

use blake2::{Blake2s256, Digest as _};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Provider;

/// A node's public identity: an Ed25519 key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "key:{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

/// A node's key pair, all of it derived from one 32-byte seed: an Ed25519 key that signs, and an X25519 key for Noise.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Identity {
    seed: [u8; 32],
    noise_secret: [u8; 32],
    #[zeroize(skip)]
    noise_public: [u8; 32],
    #[zeroize(skip)]
    public: PublicKey,
}

impl Identity {
    /// The identity of a seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32], provider: &dyn Provider) -> Self {
        let noise_secret = Blake2s256::new().chain_update(b"firelink noise static v1\0").chain_update(seed).finalize();
        let noise_secret = noise_secret.into();
        let noise_public = provider.x25519_public(&noise_secret);
        Self { seed, noise_secret, noise_public, public: PublicKey(provider.ed25519_public(&seed)) }
    }

    /// The public part.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8], provider: &dyn Provider) -> [u8; 64] {
        provider.ed25519_sign(&self.seed, message)
    }

    /// The secret of the Noise static key.
    pub(crate) const fn noise_secret(&self) -> &[u8; 32] {
        &self.noise_secret
    }

    /// The Noise static key.
    pub(crate) const fn noise_public(&self) -> &[u8; 32] {
        &self.noise_public
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.public)
    }
}

/// The secret that all nodes of a mesh share, as the pre-shared key of Noise.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Psk([u8; 32]);

/// Characters of which a token should have at least so many: a shorter one can be guessed.
pub const TOKEN_CHARS_MIN: usize = 16;

/// The token that stands in the template of Majula.
pub const PUBLISHED_TOKEN: &str = "default_token";

/// Why a token can be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// It is [`PUBLISHED_TOKEN`], which everybody knows.
    Published,
    /// It has less than [`TOKEN_CHARS_MIN`] characters.
    Short,
}

impl Psk {
    /// Why a token can be guessed, if it can.
    #[must_use]
    pub fn weakness(token: &str) -> Option<Weakness> {
        if token == PUBLISHED_TOKEN {
            return Some(Weakness::Published);
        }
        (token.chars().count() < TOKEN_CHARS_MIN).then_some(Weakness::Short)
    }

    /// The key of a token: its BLAKE2s hash. The token should be random: whoever a node
    /// dials, member or not, and who knows the name of the network, gets a handshake message that tells right guesses from
    /// wrong ones, and can try as many off line as it likes.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Self {
        let digest = Blake2s256::new().chain_update(b"firelink mesh token v1\0").chain_update(token).finalize();
        Self(digest.into())
    }

    /// The 32 bytes.
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_measured_in_characters() {
        assert_eq!(Psk::weakness("default_token"), Some(Weakness::Published));
        assert_eq!(Psk::weakness("fifteen letters"), Some(Weakness::Short));
        assert_eq!(Psk::weakness("令牌令牌令牌"), Some(Weakness::Short), "eighteen bytes");
        assert_eq!(Psk::weakness("sixteen letters."), None);
    }
}
