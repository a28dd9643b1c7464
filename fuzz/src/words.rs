//! Words: what the machines of nodes say to each other in parcels, of calls, topics and offers.
//!
//! The input is taken twice: as the bytes of every kind of word, and as a recipe for one.
//!
//! Properties: decoding never panics; what decodes encodes again, to no more bytes, and that is a fixpoint; a word within
//! its limits decodes to itself, and to nothing when it is cut short or drawn out.

use arbitrary::{Result, Unstructured};
use proto_core::{
    id::{Incarnation, Seq},
    rpc::Entry,
    wire::{self, Head, v1},
};
use serde::{Deserialize, Serialize};

/// The kinds of words.
#[derive(Clone, Copy, Debug)]
enum Word {
    Call,
    Notice,
    Receipt,
    Groups,
    Offer,
    Publication,
}

const ALL: [Word; 6] = [Word::Call, Word::Notice, Word::Receipt, Word::Groups, Word::Offer, Word::Publication];

/// The word comes back as it was, and is not to be had from fewer or more bytes.
macro_rules! check {
    ($type:ty, $word:expr) => {{
        let made = $word;
        let head = wire::encode(&made);
        // Behind the bytes, which its equal borrows from.
        let word = made;
        assert_eq!(wire::decode::<$type>(&head).as_ref(), Ok(&word));
        if let Some((_, shorter)) = head.split_last() {
            assert!(wire::decode::<$type>(shorter).is_err(), "{word:?} without its last byte");
        }
        let longer = [&head[..], &[0]].concat();
        assert!(wire::decode::<$type>(&longer).is_err(), "{word:?} with a byte more");
    }};
}

/// Reads words, and makes one.
///
/// # Panics
/// If a property does not hold.
pub fn run(bytes: &[u8]) {
    for word in ALL {
        if let Some(again) = again(word, bytes) {
            // postcard takes a varint in more bytes than it needs; everything else has one form.
            assert!(again.len() <= bytes.len(), "{word:?} grows to {again:?}");
            assert_eq!(
                self::again(word, &again),
                Some(again.clone()),
                "the canonical form of a {word:?} is a fixpoint"
            );
        }
    }
    if let Some(entry) = Entry::decode(bytes) {
        assert_eq!(Entry::decode(&entry.encode()), Some(entry));
    }
    // An input that ends early makes a word of zeros; there is nothing to learn from an error.
    let _ = made(&mut Unstructured::new(bytes));
}

/// A word decoded and encoded again; `None` if it is malformed.
fn again(word: Word, bytes: &[u8]) -> Option<Head> {
    fn again<'a, W: Deserialize<'a> + Serialize>(bytes: &'a [u8]) -> Option<Head> {
        wire::decode::<W>(bytes).ok().map(|word| wire::encode(&word))
    }
    match word {
        Word::Call => again::<v1::Call<'_>>(bytes),
        Word::Notice => again::<v1::Notice>(bytes),
        Word::Receipt => again::<v1::Receipt<'_>>(bytes),
        Word::Groups => again::<Vec<&str>>(bytes),
        Word::Offer => again::<v1::Offer<'_>>(bytes),
        Word::Publication => {
            let ours = v1::Publication::split_from(bytes);
            assert_eq!(ours, postcard::take_from_bytes(bytes).ok(), "both decoders say the same");
            let (header, groups) = ours?;
            let groups: Vec<&str> = wire::decode(groups).ok()?;
            let mut again = header.encode();
            again.extend_from_slice(&wire::encode(&groups));
            Some(again)
        }
    }
}

/// Makes a word and takes it through its bytes.
fn made(u: &mut Unstructured<'_>) -> Result<()> {
    match u.choose(&ALL)? {
        Word::Call => check!(v1::Call<'_>, call(u)?),
        Word::Notice => {
            let round = u.arbitrary()?;
            let notices = [v1::Notice::Want { round }, v1::Notice::Begin { round }, v1::Notice::Offers { round }];
            check!(v1::Notice, *u.choose(&notices)?);
        }
        Word::Receipt => {
            let (incarnation, seq, subscriptions) = (Incarnation(u.arbitrary()?), Seq(u.arbitrary()?), u.arbitrary()?);
            check!(v1::Receipt<'_>, v1::Receipt { incarnation, seq, subscriptions, vacant: names(u)?.into() });
        }
        Word::Groups => check!(Vec<&str>, names(u)?),
        Word::Offer => match u.arbitrary()? {
            true => {
                let (pattern, group, members) = (text(u)?, text(u)?, u.arbitrary()?);
                check!(v1::Offer<'_>, v1::Offer::Interest { pattern, group, members });
            }
            false => {
                let (service, client) = (text(u)?, text(u)?);
                check!(v1::Offer<'_>, v1::Offer::NoService { service, client });
            }
        },
        Word::Publication => {
            let (seq, receipt, groups_only, headers) =
                (Seq(u.arbitrary()?), u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
            let (topic, from_client, groups) = (text(u)?, text(u)?, names(u)?);
            let publication = v1::Publication { seq, receipt, groups_only, headers, topic, from_client };
            assert_eq!(publication.encode(), wire::encode(&publication), "both encoders say the same");
            let mut head = publication.encode();
            head.extend_from_slice(&wire::encode(&groups));
            let Some((header, rest)) = v1::Publication::split_from(&head) else { panic!("{publication:?} is lost") };
            assert_eq!((header, wire::decode(rest)), (publication, Ok(groups)));
        }
    }
    Ok(())
}

/// Any word of a call.
fn call<'a>(u: &mut Unstructured<'a>) -> Result<v1::Call<'a>> {
    use v1::{
        CallLoss::{AnswerLost, HandlerGone, ResultForgotten},
        CallRefusal::{Malformed, NoSuchService, QueueFull, ShuttingDown, TooManyCalls, TooManyKeys},
    };
    let call = u.arbitrary()?;
    Ok(match u.int_in_range(0..=8)? {
        0 => {
            let (service, from_client, left_us) = (text(u)?, text(u)?, u.arbitrary()?);
            let to = if u.arbitrary()? { Some(text(u)?) } else { None };
            let (key, window) = (text(u)?.as_bytes(), u.arbitrary()?);
            v1::Call::Request(v1::Request { call, service, to, from_client, left_us, key, window })
        }
        1 => v1::Call::Item { call, seq: u.arbitrary()? },
        2 => v1::Call::Done { call, items: u.arbitrary()?, load: u.arbitrary()? },
        3 => {
            let (items, load, code) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
            v1::Call::Failed { call, items, load, code, message: text(u)? }
        }
        4 => {
            let all = [NoSuchService, QueueFull, TooManyCalls, TooManyKeys, ShuttingDown, Malformed];
            v1::Call::Refused { call, why: *u.choose(&all)?, load: u.arbitrary()? }
        }
        5 => v1::Call::Lost { call, why: *u.choose(&[HandlerGone, ResultForgotten, AnswerLost])? },
        6 => {
            let stage = match u.arbitrary()? {
                true => v1::CallStage::Queued { behind: u.arbitrary()? },
                false => v1::CallStage::Running { for_us: u.arbitrary()? },
            };
            v1::Call::Progress { call, stage }
        }
        7 => v1::Call::Cancel { call },
        _ => v1::Call::Credit { call, items: u.arbitrary()?, bytes: u.arbitrary()? },
    })
}

/// A few short texts.
fn names<'a>(u: &mut Unstructured<'a>) -> Result<Vec<&'a str>> {
    let count = u.int_in_range(0..=20)?;
    (0..count).map(|_| text(u)).collect()
}

/// A short text.
fn text<'a>(u: &mut Unstructured<'a>) -> Result<&'a str> {
    let len = usize::from(u.arbitrary::<u8>()? % 32).min(u.len());
    core::str::from_utf8(u.bytes(len)?).map_err(|_| arbitrary::Error::IncorrectFormat)
}
