//! Noise on our own primitives: what snow asks for is taken from a [`Provider`], its randomness from [`Secrets`].
//!
//! snow draws exactly once per handshake, the ephemeral key, so the 32 bytes for it are drawn beforehand. A handshake
//! can therefore be built twice with the same ephemeral key; the acceptor does so to try one token after another.
//!
//! [`Secrets`]: crate::rng::Secrets

use alloc::boxed::Box;

use snow::{
    Builder, Error, HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Aead, Provider};
use crate::node::Suite;

/// What a Noise handshake is made of.
pub(super) struct Noise<'a> {
    /// The AEAD.
    pub(super) suite: Suite,
    /// The primitives.
    pub(super) provider: &'static dyn Provider,
    /// The secret of the static key.
    pub(super) secret: &'a [u8; 32],
    /// The secret of the ephemeral key.
    pub(super) ephemeral: &'a Zeroizing<[u8; 32]>,
    /// What both sides must agree on beforehand.
    pub(super) prologue: &'a [u8],
}

impl Noise<'_> {
    /// Begins as the one that speaks first.
    ///
    /// # Errors
    /// None that depends on anything but this build.
    pub(super) fn initiator(&self) -> Result<HandshakeState, Error> {
        self.builder()?.build_initiator()
    }

    /// Begins as the one that answers.
    ///
    /// # Errors
    /// None that depends on anything but this build.
    pub(super) fn responder(&self) -> Result<HandshakeState, Error> {
        self.builder()?.build_responder()
    }

    fn builder(&self) -> Result<Builder<'_>, Error> {
        let resolver = Resolver { provider: self.provider, ephemeral: self.ephemeral.clone() };
        Builder::with_resolver(protocol(self.suite).parse()?, Box::new(resolver))
            .local_private_key(self.secret)?
            .prologue(self.prologue)
    }
}

/// The Noise protocol of a suite.
const fn protocol(suite: Suite) -> &'static str {
    match suite {
        Suite::AesGcm => "Noise_XXpsk3_25519_AESGCM_BLAKE2s",
        Suite::ChaChaPoly => "Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s",
    }
}

struct Resolver {
    provider: &'static dyn Provider,
    ephemeral: Zeroizing<[u8; 32]>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(OneDraw(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => {
                Some(Box::new(X25519 { provider: self.provider, secret: Zeroizing::default(), public: [0; 32] }))
            }
            DHChoice::Curve448 => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        let suite = match choice {
            CipherChoice::AESGCM => Suite::AesGcm,
            CipherChoice::ChaChaPoly => Suite::ChaChaPoly,
        };
        Some(Box::new(OneKey { provider: self.provider, suite, key: Zeroizing::default() }))
    }
}

/// Gives 32 bytes, once.
struct OneDraw(Option<Zeroizing<[u8; 32]>>);

impl Random for OneDraw {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        match self.0.take() {
            Some(bytes) if out.len() == bytes.len() => {
                out.copy_from_slice(bytes.as_slice());
                Ok(())
            }
            Some(_) | None => Err(Error::Rng),
        }
    }
}

struct X25519 {
    provider: &'static dyn Provider,
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        if let Some(secret) = secret.first_chunk() {
            *self.secret = *secret;
            self.public = self.provider.x25519_public(secret);
        }
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), Error> {
        random.try_fill_bytes(self.secret.as_mut_slice())?;
        self.public = self.provider.x25519_public(&self.secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.secret.as_slice()
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let (Some(public), Some(out)) = (public.first_chunk(), out.first_chunk_mut()) else { return Err(Error::Dh) };
        let mut shared = self.provider.x25519(&self.secret, public).ok_or(Error::Dh)?;
        *out = shared;
        shared.zeroize();
        Ok(())
    }
}

/// A cipher whose key is expanded when it is used: snow sets many keys that seal nothing.
struct OneKey {
    provider: &'static dyn Provider,
    suite: Suite,
    key: Zeroizing<[u8; 32]>,
}

impl OneKey {
    fn aead(&self) -> Box<dyn Aead> {
        self.provider.aead(self.suite, &self.key)
    }
}

impl Cipher for OneKey {
    fn name(&self) -> &'static str {
        match self.suite {
            Suite::AesGcm => "AESGCM",
            Suite::ChaChaPoly => "ChaChaPoly",
        }
    }

    fn set(&mut self, key: &[u8; 32]) {
        *self.key = *key;
    }

    fn encrypt(&self, nonce: u64, associated: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        // snow has made room for the tag; without it, nothing is written and the peer refuses the message.
        if let Some((data, rest)) = out.split_at_mut_checked(plaintext.len())
            && let Some(tag) = rest.first_chunk_mut()
        {
            data.copy_from_slice(plaintext);
            *tag = self.aead().seal(nonce, associated, data);
            return data.len() + tag.len();
        }
        0
    }

    fn decrypt(&self, nonce: u64, associated: &[u8], ciphertext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let mut data = Zeroizing::new(ciphertext.to_vec());
        let len = self.aead().open(nonce, associated, &mut data).ok_or(Error::Decrypt)?;
        match (data.get(..len), out.get_mut(..len)) {
            (Some(plaintext), Some(out)) => {
                out.copy_from_slice(plaintext);
                Ok(len)
            }
            (_, _) => Err(Error::Decrypt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secure::SOFTWARE;
    use snow::resolvers::FallbackResolver;

    /// A handshake of snow's own primitives; only the random bytes are ours, as snow has none of its own here.
    fn plain_snow(suite: Suite, secret: &[u8; 32], ephemeral: [u8; 32]) -> Builder<'_> {
        let ours = Resolver { provider: SOFTWARE, ephemeral: Zeroizing::new(ephemeral) };
        let resolver = FallbackResolver::new(Box::new(DefaultResolver), Box::new(ours));
        let builder = Builder::with_resolver(protocol(suite).parse().unwrap(), Box::new(resolver));
        builder.local_private_key(secret).unwrap().prologue(b"p").unwrap().psk(3, &[9; 32]).unwrap()
    }

    #[test]
    fn the_handshake_is_the_one_that_snow_has_by_itself() {
        for provider in crate::secure::provider_list() {
            for suite in [Suite::AesGcm, Suite::ChaChaPoly] {
                let ephemeral = Zeroizing::new([2; 32]);
                let noise = Noise { suite, provider, secret: &[1; 32], ephemeral: &ephemeral, prologue: b"p" };
                let mut ours = noise.initiator().unwrap();
                ours.set_psk(3, &[9; 32]).unwrap();
                let mut theirs = plain_snow(suite, &[3; 32], [4; 32]).build_responder().unwrap();
                let (mut wire, mut got) = ([0; 200], [0; 200]);
                for message in [&b"one"[..], b"two", b"three"] {
                    let len = ours.write_message(message, &mut wire).unwrap();
                    let len = theirs.read_message(&wire[..len], &mut got).unwrap();
                    assert_eq!(&got[..len], message);
                    core::mem::swap(&mut ours, &mut theirs);
                }
                assert_eq!(ours.dangerously_get_raw_split(), theirs.dangerously_get_raw_split());
            }
        }
    }
}
