//! The provider of production, on AWS-LC: several times faster than pure Rust.

use alloc::boxed::Box;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, X25519},
    error::Unspecified,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};

use super::{Aead, Provider, TAG, nonce};
use crate::node::Suite;

/// AWS-LC, the library behind rustls as configured here.
pub static AWS_LC: &'static dyn Provider = &AwsLc;

/// The library's results say that allocation or a self-test failed. None is worth a panic: a key or signature of zeros
/// fails at the other end, and so does the handshake.
#[derive(Debug)]
struct AwsLc;

impl Provider for AwsLc {
    fn ed25519_public(&self, seed: &[u8; 32]) -> [u8; 32] {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok();
        pair.and_then(|pair| pair.public_key().as_ref().try_into().ok()).unwrap_or([0; 32])
    }

    fn ed25519_sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok();
        pair.and_then(|pair| pair.sign(message).as_ref().try_into().ok()).unwrap_or([0; 64])
    }

    fn ed25519_verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let Some(commitment) = signature.first_chunk::<32>() else { return false };
        !has_small_order(public)
            && !has_small_order(commitment)
            && UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
    }

    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        let secret = agreement::PrivateKey::from_private_key(&X25519, secret).ok()?;
        let public = agreement::UnparsedPublicKey::new(&X25519, public);
        agreement::agree(&secret, public, Unspecified, |shared| shared.try_into().map_err(|_| Unspecified)).ok()
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        let secret = agreement::PrivateKey::from_private_key(&X25519, secret).ok();
        let public = secret.and_then(|secret| secret.compute_public_key().ok());
        public.and_then(|public| public.as_ref().try_into().ok()).unwrap_or([0; 32])
    }

    fn aead(&self, suite: Suite, key: &[u8; 32]) -> Box<dyn Aead> {
        let algorithm = match suite {
            Suite::AesGcm => &AES_256_GCM,
            Suite::ChaChaPoly => &CHACHA20_POLY1305,
        };
        Box::new(Keyed { suite, key: UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new) })
    }
}

/// A cipher with its key expanded. Without a key it opens nothing and seals zeros.
struct Keyed {
    suite: Suite,
    key: Option<LessSafeKey>,
}

impl Aead for Keyed {
    fn seal(&self, counter: u64, associated: &[u8], data: &mut [u8]) -> [u8; TAG] {
        let nonce = Nonce::assume_unique_for_key(nonce(self.suite, counter));
        let tag = self.key.as_ref().and_then(|key| {
            let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), data).ok()?;
            tag.as_ref().try_into().ok()
        });
        tag.unwrap_or_else(|| {
            data.fill(0);
            [0; TAG]
        })
    }

    fn open(&self, counter: u64, associated: &[u8], data: &mut [u8]) -> Option<usize> {
        let nonce = Nonce::assume_unique_for_key(nonce(self.suite, counter));
        let plaintext = self.key.as_ref()?.open_in_place(nonce, Aad::from(associated), data).ok()?;
        Some(plaintext.len())
    }
}

/// The y coordinates of every encoding of a point of small order, without the sign of x. The library verifies
/// signatures by such keys, and a signature by one of them can fit any message.
const SMALL_ORDER: [[u8; 32]; 7] = {
    let mut list = [[0; 32]; 7];
    list[1][0] = 1;
    list[2] = *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
                 \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05";
    list[3] = *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\
                 \x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a";
    // p - 1, p and p + 1, where p = 2^255 - 19.
    let mut low = 0xec;
    while low <= 0xee {
        let at = low as usize - 0xec + 4;
        list[at] = [0xff; 32];
        list[at][0] = low;
        list[at][31] = 0x7f;
        low += 1;
    }
    list
};

/// Whether these bytes encode a point of small order. They are public, so time may depend on them.
fn has_small_order(encoded: &[u8; 32]) -> bool {
    let mut y = *encoded;
    y[31] &= 0x7f;
    SMALL_ORDER.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::{constants::EIGHT_TORSION, edwards::CompressedEdwardsY};

    #[test]
    fn the_list_is_the_torsion_group_and_its_other_encodings() {
        for point in EIGHT_TORSION {
            assert!(has_small_order(&point.compress().to_bytes()));
        }
        for y in SMALL_ORDER {
            assert!(CompressedEdwardsY(y).decompress().unwrap().is_small_order(), "{y:02x?}");
        }
        assert!(!has_small_order(&AWS_LC.ed25519_public(&[1; 32])));
    }
}
