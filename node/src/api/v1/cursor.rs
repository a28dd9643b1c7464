//! How far the reader of a stream of publications got: the `id` of each event.
//!
//! `EPOCH-SEQ` for one topic: the life of the node that the position belongs to, and the position. Where a pattern matches
//! several topics, `EPOCH-` and the positions of all of them, in a form that only this node need understand.
//!
//! Bounds: [`TOPICS_MAX`] topics. A stream that saw more has no ids any more, and cannot be resumed.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use io_tokio::{Pattern, Position, Topic};
use proto_core::id::{Incarnation, Seq};

/// Most topics whose positions an id tells.
pub(super) const TOPICS_MAX: usize = 16;

/// The positions of one reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    epoch: u64,
    /// The one topic, if the pattern is one.
    literal: Option<Topic>,
    /// The last position seen of each topic; `None` once there were too many.
    seen: Option<BTreeMap<String, u64>>,
}

impl Cursor {
    /// A reader that begins in this life of the node, with the topics that were there by then.
    pub(super) fn new(epoch: u64, pattern: &Pattern, there: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut cursor = Self { epoch, literal: pattern.literal(), seen: Some(BTreeMap::new()) };
        there.into_iter().for_each(|(topic, seq)| cursor.see(&topic, seq));
        cursor
    }

    /// Reads an id of such a reader; `None` if it is of another life, or of another kind.
    pub(super) fn read(epoch: u64, pattern: &Pattern, id: &str) -> Option<Self> {
        let (life, rest) = id.split_once('-')?;
        if life.parse() != Ok(epoch) {
            return None;
        }
        let literal = pattern.literal();
        let seen = match &literal {
            Some(topic) => {
                let seq: u64 = rest.parse().ok()?;
                (seq > 0).then(|| (topic.to_string(), seq)).into_iter().collect()
            }
            None => {
                let seen: BTreeMap<String, u64> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(rest).ok()?).ok()?;
                // Of topics that the reader has not asked for, it is told nothing.
                let asked = |topic: &String| Topic::new(topic).is_ok_and(|topic| pattern.matches(&topic));
                (seen.len() <= TOPICS_MAX && seen.keys().all(asked)).then_some(seen)?
            }
        };
        Some(Self { epoch, literal, seen: Some(seen) })
    }

    /// The reader has seen this.
    pub(super) fn see(&mut self, topic: &str, seq: u64) {
        if let Some(seen) = &mut self.seen {
            if let Some(last) = seen.get_mut(topic) {
                *last = seq;
            } else if seen.len() < TOPICS_MAX {
                seen.insert(topic.to_owned(), seq);
            } else {
                self.seen = None;
            }
        }
    }

    /// The id; empty if the stream cannot be resumed.
    pub(super) fn id(&self) -> String {
        let Some(seen) = &self.seen else { return String::new() };
        match &self.literal {
            Some(topic) => format!("{}-{}", self.epoch, seen.get(topic.as_str()).copied().unwrap_or(0)),
            None => {
                let seen = serde_json::to_vec(seen).unwrap_or_default();
                format!("{}-{}", self.epoch, URL_SAFE_NO_PAD.encode(seen))
            }
        }
    }

    /// The positions, to go on after.
    pub(super) fn positions(&self) -> impl Iterator<Item = (Topic, Position)> {
        let seen = self.seen.iter().flatten();
        seen.filter(|(_, seq)| **seq > 0).filter_map(|(topic, seq)| {
            Some((Topic::new(topic).ok()?, Position { epoch: Incarnation(self.epoch), seq: Seq(*seq) }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).unwrap()
    }

    #[test]
    fn an_id_says_how_far_the_reader_got() {
        let (one, many) = (pattern("a.b"), pattern("a.*"));
        let mut cursor = Cursor::new(7, &one, []);
        assert_eq!(cursor.id(), "7-0");
        cursor.see("a.b", 12);
        assert_eq!(cursor.id(), "7-12");
        assert_eq!(Cursor::read(7, &one, "7-12"), Some(cursor));
        let mut cursor = Cursor::new(7, &many, [("a.b".to_owned(), 3)]);
        cursor.see("a.门", 1);
        let again = Cursor::read(7, &many, &cursor.id()).unwrap();
        assert_eq!(again, cursor);
        assert_eq!(again.positions().count(), 2);
    }

    #[test]
    fn an_id_of_another_life_or_kind_is_none() {
        let one = pattern("a.b");
        for id in ["", "7", "8-1", "7-", "7-x", "-1", "7--1"] {
            assert_eq!(Cursor::read(7, &one, id), None, "{id}");
        }
        for id in ["7-1", "7-!", "7-bm8"] {
            assert_eq!(Cursor::read(7, &pattern(">"), id), None, "{id}");
        }
    }

    #[test]
    fn an_id_tells_nothing_of_topics_beyond_the_pattern() {
        let mut cursor = Cursor::new(7, &pattern(">"), []);
        cursor.see("secret.x", 1);
        assert_eq!(Cursor::read(7, &pattern("a.*"), &cursor.id()), None);
        assert_eq!(
            Cursor::read(7, &pattern("secret.*"), &cursor.id()).map(|cursor| cursor.positions().count()),
            Some(1)
        );
    }

    #[test]
    fn a_stream_of_too_many_topics_has_no_ids() {
        let mut cursor = Cursor::new(1, &pattern(">"), []);
        (0..TOPICS_MAX).for_each(|number| cursor.see(&format!("t{number}"), 1));
        assert_ne!(cursor.id(), "");
        cursor.see("one-more", 1);
        assert_eq!(cursor.id(), "");
    }
}
