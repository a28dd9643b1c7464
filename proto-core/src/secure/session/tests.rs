//! Records between two sessions in memory.

use std::{vec, vec::Vec};

use proptest::prelude::*;
use snow::{
    params::CipherChoice,
    resolvers::{CryptoResolver as _, DefaultResolver},
};

use super::*;
use crate::secure::{SOFTWARE, provider_list};

const SUITES: [Suite; 2] = [Suite::AesGcm, Suite::ChaChaPoly];

/// Two ends of one channel.
fn pair(suite: Suite, provider: &'static dyn Provider) -> (Session, Session) {
    let (there, back) = ([1; 32], [2; 32]);
    (Session::sealed(7, suite, provider, &there, &back), Session::sealed(7, suite, provider, &back, &there))
}

fn seal(session: &mut Session, text: &[u8]) -> BytesMut {
    let mut out = BytesMut::from(&[0; Session::PREFIX][..]);
    out.extend_from_slice(text);
    session.seal(&mut out, 0);
    out
}

fn text(opened: Result<Option<Bytes>, Violation>) -> Vec<u8> {
    opened.unwrap().unwrap().to_vec()
}

#[test]
fn a_record_is_its_length_the_ciphertext_and_a_tag() {
    for suite in SUITES {
        let mut out = BytesMut::from(&b"before"[..]);
        out.extend_from_slice(b"\0\0secret");
        pair(suite, SOFTWARE).0.seal(&mut out, 6);
        assert_eq!(out.len(), 6 + 2 + 6 + 16);
        assert_eq!(&out[..8], b"before\x16\0");
        assert!(!out.windows(6).any(|window| window == b"secret"));
    }
}

#[test]
fn records_without_protection_have_a_length_and_nothing_else() {
    let (mut near, mut far) = (Session::plain(7), Session::plain(7));
    let mut wire = seal(&mut near, b"text");
    assert_eq!(&wire[..], b"\x04\0text");
    assert_eq!(text(far.open(&mut wire)), b"text");
}

#[test]
fn several_records_come_out_one_by_one_and_in_pieces() {
    for provider in provider_list() {
        for suite in SUITES {
            let (mut near, mut far) = pair(suite, provider);
            let wire = [&b"one"[..], b"", &[9; RECORD_MAX]].map(|text| seal(&mut near, text)).concat();
            let (mut input, mut got) = (BytesMut::new(), vec![]);
            for piece in wire.chunks(1_000) {
                input.extend_from_slice(piece);
                while let Some(record) = far.open(&mut input).unwrap() {
                    got.push(record.len());
                }
            }
            assert_eq!(got, [3, 0, RECORD_MAX]);
            assert!(input.is_empty());
        }
    }
}

#[test]
fn no_altered_byte_is_ever_accepted_and_nothing_opens_after_it() {
    for suite in SUITES {
        let whole = seal(&mut pair(suite, SOFTWARE).0, b"text");
        for at in 0..whole.len() {
            let mut near_far = pair(suite, SOFTWARE);
            seal(&mut near_far.0, b"text");
            let mut altered = whole.clone();
            altered[at] ^= 0x01;
            // A record that became longer has to be all there to be judged.
            altered.extend_from_slice(&[0; 256]);
            assert_eq!(near_far.1.open(&mut altered), Err(Violation::BadSeal), "byte {at}");
            let mut good = seal(&mut near_far.0, b"next");
            assert_eq!(near_far.1.open(&mut good), Err(Violation::BadSeal), "byte {at}");
        }
    }
}

#[test]
fn a_record_that_comes_twice_late_or_never_is_noticed() {
    for suite in SUITES {
        let replay = |order: &[usize]| {
            let (mut near, mut far) = pair(suite, SOFTWARE);
            let records = [seal(&mut near, b"0"), seal(&mut near, b"1"), seal(&mut near, b"2")];
            order.iter().map(|&which| far.open(&mut records[which].clone()).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(replay(&[0, 1, 2]), [true, true, true]);
        assert_eq!(replay(&[0, 0]), [true, false]);
        assert_eq!(replay(&[1, 0]), [false, false]);
        assert_eq!(replay(&[0, 2]), [true, false]);
    }
}

#[test]
fn a_record_sent_back_is_refused() {
    let (mut near, _) = pair(Suite::AesGcm, SOFTWARE);
    let mut own = seal(&mut near, b"text");
    assert_eq!(near.open(&mut own), Err(Violation::BadSeal));
}

#[test]
fn a_record_shorter_than_its_tag_is_refused() {
    for len in 0..16 {
        let mut record = BytesMut::from(&[len, 0][..]);
        record.extend_from_slice(&vec![0; usize::from(len)]);
        assert_eq!(pair(Suite::AesGcm, SOFTWARE).1.open(&mut record), Err(Violation::BadSeal));
    }
}

#[test]
fn a_record_longer_than_any_is_refused_before_it_is_waited_for() {
    let mut input = BytesMut::from(&[0xff, 0xff][..]);
    let too_long = Violation::TooLong { what: Part::Record, len: 65_535, limit: 65_519 };
    assert_eq!(Session::plain(0).open(&mut input), Err(too_long));
    assert_eq!(
        pair(Suite::AesGcm, SOFTWARE).1.open(&mut input),
        Ok(None),
        "with its tag, that is no longer than allowed"
    );
}

#[test]
fn both_ends_change_the_key_after_the_same_record() {
    for provider in provider_list() {
        for suite in SUITES {
            let (mut near, mut far) = pair(suite, provider);
            for session in [&mut near, &mut far] {
                let Protection::Sealed { send, receive } = &mut session.protection else { panic!("sealed") };
                (send.records, receive.records) = (RECORDS_PER_KEY - 1, RECORDS_PER_KEY - 1);
            }
            assert_eq!(text(far.open(&mut seal(&mut near, b"last of the old key"))), b"last of the old key");
            let first = seal(&mut near, b"first of the new");
            assert_eq!(text(far.open(&mut first.clone())), b"first of the new");
            assert_eq!(text(far.open(&mut seal(&mut near, b"and on"))), b"and on");
            assert_eq!(text(near.open(&mut seal(&mut far, b"back"))), b"back", "each direction by itself");

            let old = provider.aead(suite, &[1; 32]);
            for counter in [0, RECORDS_PER_KEY] {
                assert_eq!(old.open(counter, &[], &mut first[2..].to_vec()), None, "the key really is another");
            }
        }
    }
}

#[test]
fn records_and_rekey_are_those_of_noise() {
    for provider in provider_list() {
        for (suite, choice) in [(Suite::AesGcm, CipherChoice::AESGCM), (Suite::ChaChaPoly, CipherChoice::ChaChaPoly)] {
            let mut reference = DefaultResolver.resolve_cipher(&choice).unwrap();
            reference.set(&[1; 32]);
            let mut near = pair(suite, provider).0;
            let mut out = [0; 20];
            for counter in 0..3 {
                reference.encrypt(counter, &[], b"text", &mut out);
                assert_eq!(seal(&mut near, b"text")[2..], out);
            }
            let Protection::Sealed { send, .. } = &mut near.protection else { panic!("sealed") };
            send.records = RECORDS_PER_KEY;
            reference.rekey();
            reference.encrypt(0, &[], b"text", &mut out);
            assert_eq!(seal(&mut near, b"text")[2..], out);
        }
    }
}

proptest! {
    #![proptest_config(crate::testing::cases(256))]

    #[test]
    fn no_bytes_open_under_keys_that_did_not_seal_them(
        bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        chunk in 1..300_usize,
    ) {
        for suite in SUITES {
            let (mut session, mut input) = (pair(suite, SOFTWARE).1, BytesMut::new());
            for piece in bytes.chunks(chunk) {
                input.extend_from_slice(piece);
                let before = input.len();
                match session.open(&mut input) {
                    Ok(None) => prop_assert_eq!(input.len(), before, "nothing is taken of a part"),
                    Ok(Some(record)) => prop_assert!(false, "opened {record:?}"),
                    Err(violation) => prop_assert_eq!(violation, Violation::BadSeal),
                }
            }
        }
    }

    #[test]
    fn without_protection_every_byte_comes_out_in_order(
        texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..20),
        chunk in 1..300_usize,
    ) {
        let (mut near, mut far) = (Session::plain(0), Session::plain(0));
        let wire = texts.iter().map(|text| seal(&mut near, text)).collect::<Vec<_>>().concat();
        let (mut input, mut got) = (BytesMut::new(), vec![]);
        for piece in wire.chunks(chunk) {
            input.extend_from_slice(piece);
            while let Some(record) = far.open(&mut input).unwrap() {
                got.push(record.to_vec());
            }
        }
        prop_assert_eq!(got, texts);
    }

    #[test]
    fn arbitrary_bytes_without_protection_break_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let (mut session, mut input) = (Session::plain(0), BytesMut::from(&bytes[..]));
        let mut taken = 0;
        while let Ok(Some(record)) = session.open(&mut input) {
            taken += record.len() + Session::PREFIX;
        }
        prop_assert_eq!(&input[..], &bytes[taken..]);
    }
}
