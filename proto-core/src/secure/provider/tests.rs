//! Both providers against published vectors, and against each other.

use std::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::secure::provider_list;

const SUITES: [Suite; 2] = [Suite::AesGcm, Suite::ChaChaPoly];

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let bytes: Vec<u8> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

#[test]
fn ed25519_signs_as_in_rfc_8032_test_2() {
    let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let signature = hex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee\
         b00d291612bb0c00",
    );
    for provider in provider_list() {
        assert_eq!(provider.ed25519_public(&seed), public);
        assert_eq!(provider.ed25519_sign(&seed, &[0x72]), signature);
        assert!(provider.ed25519_verify(&public, &[0x72], &signature));
        assert!(!provider.ed25519_verify(&public, &[0x73], &signature));
    }
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // Under the neutral point as key, any commitment r * B with s = r satisfies the bare equation for every message.
    let neutral: [u8; 32] = hex("0100000000000000000000000000000000000000000000000000000000000000");
    let base: [u8; 32] = hex("5866666666666666666666666666666666666666666666666666666666666666");
    let (zero, one) = ([0; 32], neutral);
    for provider in provider_list() {
        for (commitment, scalar) in [(neutral, zero), (base, one)] {
            let signature: [u8; 64] = [commitment, scalar].concat().try_into().unwrap();
            assert!(!provider.ed25519_verify(&neutral, b"anything", &signature), "{provider:?}");
        }
    }
}

#[test]
fn a_signature_with_a_larger_scalar_is_refused() {
    let order: [u8; 32] = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    for provider in provider_list() {
        let public = provider.ed25519_public(&[7; 32]);
        let mut signature = provider.ed25519_sign(&[7; 32], b"m");
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert!(!provider.ed25519_verify(&public, b"m", &signature), "{provider:?}");
    }
}

#[test]
fn x25519_agrees_as_in_rfc_7748() {
    let secret = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    let point = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    let shared: [u8; 32] = hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    let mut base = [0; 32];
    base[0] = 9;
    for provider in provider_list() {
        assert_eq!(provider.x25519(&secret, &point), Some(shared));
        assert_eq!(provider.x25519(&secret, &base), Some(provider.x25519_public(&secret)));
        assert_eq!(provider.x25519(&secret, &[0; 32]), None, "a point of small order agrees on nothing");
    }
}

#[test]
fn aes_gcm_seals_as_in_test_case_14_of_its_specification() {
    for provider in provider_list() {
        let aead = provider.aead(Suite::AesGcm, &[0; 32]);
        let mut data = [0; 16];
        let tag = aead.seal(0, &[], &mut data);
        assert_eq!(data, hex("cea7403d4d606b6e074ec5d3baf39d18"));
        assert_eq!(tag, hex("d0d1c8a799996bf0265b98b5d48ab919"));
    }
}

#[test]
fn chacha20_poly1305_opens_the_message_of_rfc_8439_a_5() {
    let key = hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    let associated: [u8; 12] = hex("f33388860000000000004e91");
    let sealed: [u8; 281] = hex(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100\
         d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b350638\
         3606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa115\
         5b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10\
         49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f\
         38",
    );
    for provider in provider_list() {
        let aead = provider.aead(Suite::ChaChaPoly, &key);
        let mut data = sealed;
        assert_eq!(aead.open(0x0807_0605_0403_0201, &associated, &mut data), Some(265));
        assert!(data.starts_with(b"Internet-Drafts are draft documents valid for a maximum of six months"));
    }
}

#[test]
fn the_counter_lies_in_the_nonce_as_noise_says() {
    assert_eq!(nonce(Suite::AesGcm, 0x0102), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(nonce(Suite::ChaChaPoly, 0x0102), [0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn nothing_shorter_than_a_tag_opens() {
    for provider in provider_list() {
        for suite in SUITES {
            let aead = provider.aead(suite, &[3; 32]);
            for len in 0..TAG {
                assert_eq!(aead.open(0, &[], &mut vec![0; len]), None);
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::testing::cases(64))]

    #[test]
    fn all_providers_give_the_same_bytes(
        key: [u8; 32],
        other: [u8; 32],
        counter: u64,
        associated in proptest::collection::vec(any::<u8>(), 0..40),
        plaintext in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let reference = SOFTWARE;
        let public = reference.ed25519_public(&key);
        let signature = reference.ed25519_sign(&key, &plaintext);
        for provider in provider_list() {
            prop_assert_eq!(provider.ed25519_public(&key), public);
            prop_assert_eq!(provider.ed25519_sign(&key, &plaintext), signature);
            prop_assert!(provider.ed25519_verify(&public, &plaintext, &signature));
            prop_assert!(!provider.ed25519_verify(&other, &plaintext, &signature));
            prop_assert_eq!(provider.x25519(&key, &other), reference.x25519(&key, &other));
            prop_assert_eq!(provider.x25519_public(&key), reference.x25519_public(&key));
            for suite in SUITES {
                let mut sealed = plaintext.clone();
                let tag = provider.aead(suite, &key).seal(counter, &associated, &mut sealed);
                sealed.extend_from_slice(&tag);
                let mut opened = sealed.clone();
                let len = reference.aead(suite, &key).open(counter, &associated, &mut opened);
                prop_assert_eq!(len, Some(plaintext.len()));
                prop_assert_eq!(&opened[..plaintext.len()], &plaintext[..]);
                prop_assert_eq!(provider.aead(suite, &key).open(counter ^ 1, &associated, &mut sealed), None);
            }
        }
    }
}
