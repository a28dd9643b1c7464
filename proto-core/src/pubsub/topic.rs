//! Topics, patterns and the names of groups: validated once, cheap to clone.
//!
//! A topic is a run of tokens separated by dots: `site.7.door`. A pattern is the same, and a whole token of it may be `*`,
//! which stands for any one token, or, at the end, `>`, which stands for one token or more. Bounds: [`TOPIC_MAX`] bytes,
//! [`TOPIC_TOKENS_MAX`] tokens, [`GROUP_NAME_MAX`] bytes for a group.

use alloc::{string::String, sync::Arc};
use core::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::{GROUP_NAME_MAX, TOPIC_MAX, TOPIC_TOKENS_MAX};

/// The token that stands for any one token.
pub(super) const ANY: &str = "*";
/// The token that stands for one token or more.
pub(super) const REST: &str = ">";

/// Declares a validated text.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a text.
            ///
            /// # Errors
            /// [`BadTopic`] says which rule the text breaks.
            pub fn new(text: &str) -> Result<Self, BadTopic> {
                $check(text).map(|()| Self(Arc::from(text)))
            }

            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadTopic;

            fn from_str(text: &str) -> Result<Self, BadTopic> {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(de::Error::custom)
            }
        }
    };
}

text! {
    /// What a publication is about: tokens separated by dots, without wildcards.
    Topic, check_topic
}
text! {
    /// Which topics are wanted: a topic in which `*` stands for any token and `>`, at the end, for one or more.
    Pattern, check_pattern
}
text! {
    /// The name of a queue group: of all its members in the mesh, one gets each publication.
    Group, check_group
}

impl Pattern {
    /// Whether it wants this topic. By comparing tokens; [`Interests`](super::Interests) does it for many at once.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        wants(self.as_str(), topic.as_str())
    }

    /// The topic that it is, if it has no wildcards.
    #[must_use]
    pub fn literal(&self) -> Option<Topic> {
        let wild = self.as_str().split('.').any(|token| token == ANY || token == REST);
        (!wild).then(|| Topic(self.0.clone()))
    }

    /// A pattern that was checked before.
    pub(super) fn trusted(text: String) -> Self {
        Self(Arc::from(text))
    }
}

impl Group {
    /// The name that no group has.
    pub(super) fn nobody() -> Self {
        Self(Arc::from(""))
    }
}

/// A topic wants itself.
impl From<Topic> for Pattern {
    fn from(topic: Topic) -> Self {
        Self(topic.0)
    }
}

/// Why a text is no topic, pattern or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTopic {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Too many bytes.
    #[error("has {len} bytes, at most {limit} are allowed")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// Too many tokens.
    #[error("has {tokens} tokens, at most {TOPIC_TOKENS_MAX} are allowed")]
    TooManyTokens {
        /// How many it has.
        tokens: usize,
    },
    /// Two dots in a row, or one at an end.
    #[error("has an empty token at position {at}")]
    EmptyToken {
        /// Its byte position.
        at: usize,
    },
    /// White space or a control character.
    #[error("must not contain {found:?}, found at position {at}")]
    BadCharacter {
        /// The character.
        found: char,
        /// Its byte position.
        at: usize,
    },
    /// `*` or `>` where none may be: anywhere in a topic, beside other characters or, for `>`, before the end of a
    /// pattern.
    #[error("must not contain a wildcard at position {at}")]
    Wildcard {
        /// Its byte position.
        at: usize,
    },
}

/// Whether a pattern, or the end of one, wants a topic, or the end of one.
pub(super) fn wants(pattern: &str, topic: &str) -> bool {
    let mut topic = topic.split('.');
    for token in pattern.split('.') {
        match (token, topic.next()) {
            (REST, Some(_)) => return true,
            (ANY, Some(_)) => {}
            (token, Some(found)) if token == found => {}
            (_, Some(_) | None) => return false,
        }
    }
    topic.next().is_none()
}

fn check_topic(text: &str) -> Result<(), BadTopic> {
    check_tokens(text)?;
    text.find(['*', '>']).map_or(Ok(()), |at| Err(BadTopic::Wildcard { at }))
}

fn check_pattern(text: &str) -> Result<(), BadTopic> {
    check_tokens(text)?;
    let mut at = 0;
    for token in text.split('.') {
        let end = at + token.len();
        let alone = token == ANY || (token == REST && end == text.len());
        if let (false, Some(inside)) = (alone, token.find(['*', '>'])) {
            return Err(BadTopic::Wildcard { at: at + inside });
        }
        at = end + 1;
    }
    Ok(())
}

fn check_group(text: &str) -> Result<(), BadTopic> {
    check_characters(text, GROUP_NAME_MAX)
}

fn check_tokens(text: &str) -> Result<(), BadTopic> {
    check_characters(text, TOPIC_MAX)?;
    let mut at = 0;
    for token in text.split('.') {
        if token.is_empty() {
            return Err(BadTopic::EmptyToken { at });
        }
        at += token.len() + 1;
    }
    let tokens = text.split('.').count();
    if tokens > TOPIC_TOKENS_MAX { Err(BadTopic::TooManyTokens { tokens }) } else { Ok(()) }
}

fn check_characters(text: &str, limit: usize) -> Result<(), BadTopic> {
    if text.is_empty() {
        return Err(BadTopic::Empty);
    }
    if text.len() > limit {
        return Err(BadTopic::TooLong { len: text.len(), limit });
    }
    match text.char_indices().find(|(_, c)| c.is_whitespace() || c.is_control()) {
        Some((at, found)) => Err(BadTopic::BadCharacter { found, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(pattern: &str, topic: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(&Topic::new(topic).unwrap())
    }

    #[test]
    fn a_star_stands_for_one_token_and_an_arrow_for_one_or_more() {
        assert!(wants("a.b", "a.b") && !wants("a.b", "a") && !wants("a.b", "a.b.c") && !wants("a.b", "a.c"));
        assert!(wants("a.*", "a.b") && !wants("a.*", "a") && !wants("a.*", "a.b.c"));
        assert!(wants("*.b", "a.b") && wants("*", "a") && !wants("*", "a.b"));
        assert!(wants("a.>", "a.b") && wants("a.>", "a.b.c") && !wants("a.>", "a") && !wants("a.>", "b.a"));
        assert!(wants(">", "a") && wants(">", "a.b.c") && wants("*.>", "a.b") && !wants("*.>", "a"));
    }

    #[test]
    fn a_topic_has_tokens_and_no_wildcards() {
        assert!(Topic::new("gz.门.7-a_B/c").is_ok());
        assert_eq!(Topic::new(""), Err(BadTopic::Empty));
        assert_eq!(Topic::new("a..b"), Err(BadTopic::EmptyToken { at: 2 }));
        assert_eq!(Topic::new(".a"), Err(BadTopic::EmptyToken { at: 0 }));
        assert_eq!(Topic::new("a."), Err(BadTopic::EmptyToken { at: 2 }));
        assert_eq!(Topic::new("a. b"), Err(BadTopic::BadCharacter { found: ' ', at: 2 }));
        assert_eq!(Topic::new("a.\0"), Err(BadTopic::BadCharacter { found: '\0', at: 2 }));
        assert_eq!(Topic::new("a.*"), Err(BadTopic::Wildcard { at: 2 }));
        assert_eq!(Topic::new("a>b"), Err(BadTopic::Wildcard { at: 1 }));
        assert_eq!(Topic::new(&"x".repeat(256)), Err(BadTopic::TooLong { len: 256, limit: 255 }));
        assert_eq!(Topic::new(&["x"; 17].join(".")), Err(BadTopic::TooManyTokens { tokens: 17 }));
        assert!(Topic::new(&["x"; 16].join(".")).is_ok());
    }

    #[test]
    fn a_wildcard_of_a_pattern_is_a_whole_token() {
        assert!(Pattern::new("a.*.>").is_ok());
        assert_eq!(Pattern::new("a.b*"), Err(BadTopic::Wildcard { at: 3 }));
        assert_eq!(Pattern::new("a.>.b"), Err(BadTopic::Wildcard { at: 2 }));
        assert_eq!(Pattern::new("a.>>"), Err(BadTopic::Wildcard { at: 2 }));
        assert_eq!(Pattern::new("a.*").map(|pattern| pattern.literal()), Ok(None));
        assert_eq!(Pattern::new("a.b").map(|pattern| pattern.literal()), Ok(Topic::new("a.b").ok()));
    }
}
