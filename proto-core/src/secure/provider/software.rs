//! The provider in pure Rust, for the simulator and for targets that have nothing better.

use alloc::boxed::Box;

use aes_gcm::{AesGcm, aead::consts::U12};
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit};
use curve25519_dalek::{montgomery::MontgomeryPoint, traits::IsIdentity as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::{Aead, Provider, TAG, nonce};
use crate::node::Suite;

/// The RustCrypto and dalek crates.
pub static SOFTWARE: &'static dyn Provider = &Software;

#[derive(Debug)]
struct Software;

impl Provider for Software {
    fn ed25519_public(&self, seed: &[u8; 32]) -> [u8; 32] {
        SigningKey::from_bytes(seed).verifying_key().to_bytes()
    }

    fn ed25519_sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(seed).sign(message).to_bytes()
    }

    fn ed25519_verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(public)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }

    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        let shared = MontgomeryPoint(*public).mul_clamped(*secret);
        (!shared.is_identity()).then(|| shared.to_bytes())
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        MontgomeryPoint::mul_base_clamped(*secret).to_bytes()
    }

    fn aead(&self, suite: Suite, key: &[u8; 32]) -> Box<dyn Aead> {
        match suite {
            Suite::AesGcm => Box::new(Keyed { suite, cipher: AesGcm::<aes::Aes256, U12>::new(key.into()) }),
            Suite::ChaChaPoly => Box::new(Keyed { suite, cipher: ChaCha20Poly1305::new(key.into()) }),
        }
    }
}

/// A cipher with its key expanded.
struct Keyed<C> {
    suite: Suite,
    cipher: C,
}

impl<C> Aead for Keyed<C>
where
    C: AeadInPlace<NonceSize = U12, TagSize = aes_gcm::aead::consts::U16> + Send + Sync,
{
    fn seal(&self, counter: u64, associated: &[u8], data: &mut [u8]) -> [u8; TAG] {
        let nonce = nonce(self.suite, counter);
        match self.cipher.encrypt_in_place_detached(&nonce.into(), associated, data) {
            Ok(tag) => tag.into(),
            // Only beyond 64 GiB. Nothing readable leaves, and the peer refuses what does.
            Err(_) => {
                data.fill(0);
                [0; TAG]
            }
        }
    }

    fn open(&self, counter: u64, associated: &[u8], data: &mut [u8]) -> Option<usize> {
        let (ciphertext, tag) = data.split_last_chunk_mut::<TAG>()?;
        let nonce = nonce(self.suite, counter);
        let opened = self.cipher.decrypt_in_place_detached(&nonce.into(), associated, ciphertext, (&*tag).into());
        opened.is_ok().then_some(ciphertext.len())
    }
}
