//! Majula's names in the mesh. There, topics, providers and functions are any text; here, topics are tokens between dots.
//!
//! A topic that is one here is itself. Of others, what may not stand is written `%XX`, byte by byte: white space, control
//! characters, `*` and `>`, a dot that would make an empty token or one too many, and a `%` that would read as such a code.
//! So two topics are never one, and a program of Majula, which knows its own text, gets that back. Functions are services
//! named `provider.function`, written in the same way, where dots may stand anywhere.

use std::fmt::Write as _;

use proto_core::limits::TOPIC_TOKENS_MAX;

/// The topic of a text.
pub(super) fn topic(text: &str) -> String {
    let mut dots = 0;
    let mut before = '.';
    let mut topic = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let rest = &text[at..];
        let stays = match character {
            '.' => {
                let next = rest[1..].chars().next();
                let alone = before == '.' || next.is_none_or(|next| next == '.');
                let stays = !alone && dots + 1 < TOPIC_TOKENS_MAX;
                dots += usize::from(stays);
                stays
            }
            '*' | '>' => false,
            _ => may_stand(rest, character),
        };
        put(&mut topic, character, stays);
        before = character;
    }
    topic
}

/// The service of a provider's function.
pub(super) fn service(provider: &str, function: &str) -> String {
    let mut service = plain(provider);
    service.push('.');
    service.push_str(&plain(function));
    service
}

/// The function of a provider that a service is; `None` if it is another's.
pub(super) fn function(service: &str, provider: &str) -> Option<String> {
    let encoded = service.strip_prefix(&plain(provider))?.strip_prefix('.')?;
    (!encoded.is_empty()).then(|| decoded(encoded))
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        put(&mut plain, character, may_stand(&text[at..], character));
    }
    plain
}

/// Whether a character may stand, with what follows it.
fn may_stand(rest: &str, character: char) -> bool {
    !character.is_whitespace() && !character.is_control() && code(rest.as_bytes()).is_none()
}

fn put(into: &mut String, character: char, stays: bool) {
    if stays {
        return into.push(character);
    }
    let mut bytes = [0; 4];
    for byte in character.encode_utf8(&mut bytes).bytes() {
        // Writing into a text cannot fail.
        let _ = write!(into, "%{byte:02X}");
    }
}

/// The byte that a text begins with the code of.
fn code(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some(first) = rest.first() {
        let (byte, length) = code(rest).map_or((*first, 1), |byte| (byte, 3));
        bytes.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use io_tokio::{ServiceName, Topic};

    use super::*;

    #[test]
    fn topics_of_both_worlds_are_the_same_where_they_can_be() {
        for text in ["orders", "orders.eu.new", "传火", "a|b", "50%", "a/b?c=d", "__private__"] {
            assert_eq!(topic(text), text);
        }
        assert_eq!(topic("a b"), "a%20b");
        assert_eq!(topic("a%20b"), "a%2520b");
        assert_eq!(topic("a.*"), "a.%2A");
        assert_eq!(topic(".a..b."), "%2Ea%2E%2Eb%2E");
    }

    #[test]
    fn every_topic_is_one_here_and_no_two_are_the_same() {
        let texts = [
            " ",
            ".",
            "..",
            "a.",
            ".a",
            "a..b",
            "a.b",
            "*",
            ">",
            "a.>",
            "%",
            "%%",
            "%2",
            "%2E",
            "%2e",
            "%25",
            "%2%2A",
            "%2*",
            "a\tb",
            "a\u{3000}b",
            "%E3%80%80",
            "\u{3000}",
            "\u{0}",
            "%20",
            "%%20",
            "% ",
            "%2520",
            "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r",
            "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p%2Eq%2Er",
        ];
        let topics: BTreeSet<_> = texts.iter().map(|text| topic(text)).collect();
        assert_eq!(topics.len(), texts.len());
        for topic in topics {
            assert!(Topic::new(&topic).is_ok(), "{topic}");
        }
    }

    #[test]
    fn functions_come_back_as_they_were() {
        for (provider, name) in [("P", "f"), ("a b", "c d"), ("p", "x.y"), ("p%20", "%41"), ("p", "加 法")] {
            let service = service(provider, name);
            assert!(ServiceName::new(&service).is_ok(), "{service}");
            assert_eq!(function(&service, provider).as_deref(), Some(name));
        }
        assert_eq!((function("Pf", "P"), function("P.", "P"), function("Q.f", "P")), (None, None, None));
    }
}
