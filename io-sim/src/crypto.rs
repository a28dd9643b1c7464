//! The cryptography of simulated nodes: that of production, worked out once.
//!
//! All nodes of a world compute in one process, and much of it is the same: both ends of a handshake come to the same
//! shared secret, every node verifies the same advert, and a node's static key is made public anew in every handshake.
//! Every such result depends on nothing but what was asked, so remembering it changes what nobody sees but the clock. A
//! signature that was made here needs no verification with the same key over the same bytes; any other is verified.
//!
//! Bounds: [`KEPT`] results of each kind; then all are forgotten and worked out again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use proto_core::{
    collections::DetMap,
    node::Suite,
    secure::{AWS_LC, Aead, Provider},
};

/// Production's cryptography, with a memory. Shared by all worlds of the process.
pub(crate) static REMEMBERING: &dyn Provider = &SHARED;

static SHARED: Remembering = Remembering(Mutex::new(None));

/// Most results of one kind that are kept.
const KEPT: usize = 4_096;

type Key = [u8; 32];

#[derive(Debug)]
struct Remembering(Mutex<Option<Memory>>);

/// What was worked out. Its secrets are those of simulated nodes.
#[derive(Debug)]
struct Memory {
    /// X25519 public keys, by secret.
    publics: DetMap<Key, Key>,
    /// X25519 shared secrets, by both public keys, the smaller one first.
    shared: DetMap<(Key, Key), Option<Key>>,
    /// Key and message of signatures that are good.
    good: DetMap<[u8; 64], (Key, Vec<u8>)>,
    /// Ed25519 public keys, by seed.
    signers: DetMap<Key, Key>,
}

impl Memory {
    fn new() -> Self {
        Self {
            publics: DetMap::with_seed(0),
            shared: DetMap::with_seed(0),
            good: DetMap::with_seed(0),
            signers: DetMap::with_seed(0),
        }
    }
}

impl Remembering {
    fn with<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory: MutexGuard<'_, _> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(memory.get_or_insert_with(Memory::new))
    }
}

impl Provider for Remembering {
    fn ed25519_public(&self, seed: &Key) -> Key {
        if let Some(public) = self.with(|memory| memory.signers.get(seed).copied()) {
            return public;
        }
        let public = AWS_LC.ed25519_public(seed);
        self.with(|memory| keep(&mut memory.signers, *seed, public));
        public
    }

    fn ed25519_sign(&self, seed: &Key, message: &[u8]) -> [u8; 64] {
        let (signature, public) = (AWS_LC.ed25519_sign(seed, message), self.ed25519_public(seed));
        self.with(|memory| keep(&mut memory.good, signature, (public, message.to_vec())));
        signature
    }

    fn ed25519_verify(&self, public: &Key, message: &[u8], signature: &[u8; 64]) -> bool {
        let known = |memory: &mut Memory| {
            memory.good.get(signature).is_some_and(|(key, bytes)| key == public && bytes == message)
        };
        self.with(known) || AWS_LC.ed25519_verify(public, message, signature)
    }

    fn x25519(&self, secret: &Key, public: &Key) -> Option<Key> {
        let own = self.x25519_public(secret);
        let pair = (own.min(*public), own.max(*public));
        if let Some(shared) = self.with(|memory| memory.shared.get(&pair).copied()) {
            return shared;
        }
        let shared = AWS_LC.x25519(secret, public);
        self.with(|memory| keep(&mut memory.shared, pair, shared));
        shared
    }

    fn x25519_public(&self, secret: &Key) -> Key {
        if let Some(public) = self.with(|memory| memory.publics.get(secret).copied()) {
            return public;
        }
        let public = AWS_LC.x25519_public(secret);
        self.with(|memory| keep(&mut memory.publics, *secret, public));
        public
    }

    fn aead(&self, suite: Suite, key: &Key) -> Box<dyn Aead> {
        AWS_LC.aead(suite, key)
    }
}

fn keep<K: Eq + core::hash::Hash, V>(map: &mut DetMap<K, V>, key: K, value: V) {
    if map.len() >= KEPT {
        map.clear();
    }
    map.insert(key, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_always_says_what_production_says() {
        for round in 0..3_u8 {
            for a in 0..20_u8 {
                let (secret, other) = ([a; 32], AWS_LC.x25519_public(&[a / 2; 32]));
                assert_eq!(REMEMBERING.x25519_public(&secret), AWS_LC.x25519_public(&secret), "{round}");
                assert_eq!(REMEMBERING.x25519(&secret, &other), AWS_LC.x25519(&secret, &other), "{round}");
            }
        }
        assert_eq!(REMEMBERING.ed25519_public(&[1; 32]), AWS_LC.ed25519_public(&[1; 32]));
        assert_eq!([(); 2].map(|()| REMEMBERING.x25519(&[1; 32], &[0; 32])), [None, None]);
    }

    #[test]
    fn both_ends_come_to_the_same_secret() {
        let [a, b] = [[77; 32], [88; 32]];
        let one = REMEMBERING.x25519(&a, &REMEMBERING.x25519_public(&b));
        assert!(one.is_some());
        assert_eq!(REMEMBERING.x25519(&b, &REMEMBERING.x25519_public(&a)), one);
        assert_eq!(AWS_LC.x25519(&b, &AWS_LC.x25519_public(&a)), one);
    }

    #[test]
    fn a_signature_is_good_for_its_key_and_message_only() {
        let (seed, message) = ([5; 32], b"advert");
        let (key, signature) = (AWS_LC.ed25519_public(&seed), REMEMBERING.ed25519_sign(&seed, message));
        let mut forged = signature;
        forged[40] ^= 1;
        for _ in 0..2 {
            assert!(AWS_LC.ed25519_verify(&key, message, &signature));
            assert!(REMEMBERING.ed25519_verify(&key, message, &signature));
            assert!(!REMEMBERING.ed25519_verify(&key, b"another", &signature));
            assert!(!REMEMBERING.ed25519_verify(&AWS_LC.ed25519_public(&[6; 32]), message, &signature));
            assert!(!REMEMBERING.ed25519_verify(&key, message, &forged));
        }
    }

    #[test]
    fn it_forgets_rather_than_grow() {
        let mut map = DetMap::with_seed(0);
        for number in 0..2 * KEPT {
            keep(&mut map, number, ());
            assert!(map.len() <= KEPT);
        }
    }
}
