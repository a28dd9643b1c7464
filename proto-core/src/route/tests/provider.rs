use std::boxed::Box;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::{
    node::Suite,
    secure::{Aead, Provider},
};

/// Signatures only: routing needs nothing else.
#[derive(Debug)]
pub(super) struct Signatures;

impl Provider for Signatures {
    fn ed25519_public(&self, seed: &[u8; 32]) -> [u8; 32] {
        SigningKey::from_bytes(seed).verifying_key().to_bytes()
    }

    fn ed25519_sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(seed).sign(message).to_bytes()
    }

    fn ed25519_verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        VerifyingKey::from_bytes(public).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }

    fn x25519(&self, _secret: &[u8; 32], _public: &[u8; 32]) -> Option<[u8; 32]> {
        unreachable!("routing agrees on no keys")
    }

    fn x25519_public(&self, _secret: &[u8; 32]) -> [u8; 32] {
        unreachable!("routing agrees on no keys")
    }

    fn aead(&self, _suite: Suite, _key: &[u8; 32]) -> Box<dyn Aead> {
        unreachable!("routing encrypts nothing")
    }
}
