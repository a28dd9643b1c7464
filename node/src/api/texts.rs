//! Publications as the texts that clients get. What many clients get is written once, and shared.
//!
//! Bounds: [`KEPT`] publications of [`KEPT_BYTES`] together, [`FORMS`] texts each. What has no room is written again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use io_tokio::Publication;

/// Publications whose texts are kept.
const KEPT: usize = 1_024;
/// Bytes of those and of their texts.
const KEPT_BYTES: usize = 16 * 1_024 * 1_024;
/// Texts of one publication.
const FORMS: usize = 8;

/// The texts.
#[derive(Debug, Default)]
pub(super) struct Texts(Mutex<State>);

/// In whose words a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tongue {
    /// The native protocol.
    Native,
    /// Majula's.
    Majula,
}

#[derive(Debug, Default)]
struct State {
    /// By where the publication is; it stays there as long as it is kept here.
    kept: BTreeMap<usize, Kept>,
    order: VecDeque<usize>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    publication: Arc<Publication>,
    texts: Vec<Text>,
    bytes: usize,
}

#[derive(Debug)]
struct Text {
    tongue: Tongue,
    subscription: Box<str>,
    text: Utf8Bytes,
}

impl Texts {
    /// The text for subscriptions of this name, written by `write` if it is not there.
    pub(super) fn get(
        &self,
        tongue: Tongue,
        subscription: &str,
        publication: &Arc<Publication>,
        write: impl FnOnce() -> String,
    ) -> Utf8Bytes {
        let place = Arc::as_ptr(publication).addr();
        let is_it = |text: &&Text| text.tongue == tongue && &*text.subscription == subscription;
        let known =
            self.lock().kept.get(&place).and_then(|kept| kept.texts.iter().find(is_it)).map(|it| it.text.clone());
        if let Some(text) = known {
            return text;
        }
        // Others must not wait for a long one. At worst, two write the same.
        let text = Utf8Bytes::from(write());
        self.lock().keep(place, publication, Text { tongue, subscription: subscription.into(), text: text.clone() });
        text
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, place: usize, publication: &Arc<Publication>, text: Text) {
        let more = text.text.len();
        let kept = self.kept.entry(place).or_insert_with(|| {
            self.order.push_back(place);
            self.bytes += publication.weight();
            Kept { publication: Arc::clone(publication), texts: Vec::new(), bytes: publication.weight() }
        });
        debug_assert!(Arc::ptr_eq(&kept.publication, publication), "what is kept stays where it is");
        if kept.texts.len() < FORMS {
            kept.texts.push(text);
            kept.bytes += more;
            self.bytes += more;
        }
        while self.kept.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.kept.remove(&oldest).map_or(0, |kept| kept.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use io_tokio::Topic;
    use proto_core::id::{Incarnation, NodeAddr, NodeName, Seq};

    use super::*;

    fn publication(payload: usize) -> Arc<Publication> {
        let from: NodeAddr = NodeName::new("a").unwrap().addr();
        let (topic, payload) = (Topic::new("t").unwrap(), vec![0; payload].into());
        Arc::new(Publication {
            topic,
            headers: bytes::Bytes::new(),
            payload,
            from,
            incarnation: Incarnation(1),
            from_client: None,
            seq: Seq(1),
            position: None,
        })
    }

    #[test]
    fn a_text_is_written_once_for_each_form() {
        let (texts, publication, other) = (Texts::default(), publication(1), publication(1));
        let get = |tongue, name: &str, publication, text: &str| {
            texts.get(tongue, name, publication, || text.to_owned()).to_string()
        };
        assert_eq!(get(Tongue::Native, "t", &publication, "one"), "one");
        assert_eq!(get(Tongue::Native, "t", &publication, "never written"), "one");
        assert_eq!(get(Tongue::Native, ">", &publication, "two"), "two");
        assert_eq!(get(Tongue::Majula, "t", &publication, "three"), "three");
        assert_eq!(get(Tongue::Native, "t", &other, "four"), "four");
        for form in 0..2 * FORMS {
            assert_eq!(get(Tongue::Majula, &form.to_string(), &publication, &form.to_string()), form.to_string());
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let texts = Texts::default();
        for _ in 0..2 * KEPT {
            texts.get(Tongue::Native, "t", &publication(1), || "x".to_owned());
        }
        let kept = {
            let state = texts.lock();
            (state.kept.len(), state.order.len())
        };
        assert_eq!(kept, (KEPT, KEPT));
        for _ in 0..20 {
            texts.get(Tongue::Native, "t", &publication(1_024 * 1_024), || "x".to_owned());
        }
        let state = texts.lock();
        assert!(state.bytes <= KEPT_BYTES && state.kept.len() < 20);
        assert_eq!(state.bytes, state.kept.values().map(|kept| kept.bytes).sum::<usize>());
    }
}
