//! What happened to the node, kept for `node events`; and which names were shown with a key that they are not pinned to,
//! which is why nothing reaches them.
//!
//! Bounds: the last [`KEPT`] events; a follower that is [`FOLLOW`] events behind misses the oldest and is told; the last
//! [`CONFLICTS_MAX`] names with a wrong key; the names within reach, which are as many as the mesh has nodes.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use io_tokio::{Event, Events, Notice};
use tokio::sync::broadcast;

use super::{
    Document as _, EventDoc, Lines,
    session::{Answered, item},
};
use crate::{clock, errors::Code};

/// Events that are kept.
const KEPT: usize = 1_000;
/// Events that a follower may be behind.
const FOLLOW: usize = 1_000;

/// Names remembered with the key they should not have. More: the oldest are forgotten.
const CONFLICTS_MAX: usize = 256;

/// The journal of one node.
#[derive(Debug)]
pub(crate) struct Journal {
    kept: Mutex<Kept>,
    news: broadcast::Sender<EventDoc>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<EventDoc>,
    last: u64,
    /// Names and what was said of their keys, the oldest first.
    conflicts: VecDeque<(String, String)>,
    /// Names within reach: what is shown under them elsewhere explains nothing.
    reachable: BTreeSet<String>,
}

impl Journal {
    /// Nothing happened yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { kept: Mutex::default(), news: broadcast::channel(FOLLOW).0 })
    }

    /// Writes down events until the node is over.
    pub(crate) async fn watch(self: Arc<Self>, mut events: Events) {
        while let Some(notice) = events.recv().await {
            match notice {
                Notice::Event(event) => {
                    self.note_key(&event);
                    if let Some((kind, id, text)) = describe(&event) {
                        self.enter(kind, id, text);
                    }
                }
                Notice::Missed(count) => {
                    // Any of them may be out of reach by now.
                    self.lock().reachable.clear();
                    self.enter("missed", None, format!("{count} events were missed"));
                }
            }
        }
    }

    /// What is remembered, the oldest first, and what happens from now on.
    pub(crate) fn follow(&self) -> (VecDeque<EventDoc>, broadcast::Receiver<EventDoc>) {
        let kept = self.lock();
        (kept.events.clone(), self.news.subscribe())
    }

    /// Streams what happened, and what happens if `follow`.
    pub(super) async fn serve(&self, follow: bool, lines: &mut Lines) -> Answered {
        let (past, mut news) = self.follow();
        for event in past {
            if lines.writer.line(&item(event.json()), b"").await.is_err() {
                return Ok(None);
            }
        }
        if !follow {
            return Ok(Some(serde_json::Value::Null));
        }
        loop {
            let event = tokio::select! {
                event = news.recv() => event,
                _ = lines.reader.line::<serde_json::Value>() => return Ok(None),
            };
            let event = match event {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(count)) => EventDoc {
                    at: clock::rfc3339(clock::wall()),
                    kind: "missed".to_owned(),
                    text: format!("{count} events were missed"),
                    ..EventDoc::default()
                },
                Err(broadcast::error::RecvError::Closed) => return Ok(Some(serde_json::Value::Null)),
            };
            if lines.writer.line(&item(event.json()), b"").await.is_err() {
                return Ok(None);
            }
        }
    }

    /// What was said of the key of a node that is out of reach, if it was shown with another one than it is pinned to.
    pub(super) fn conflict(&self, node: &str) -> Option<String> {
        self.lock().conflicts.iter().find(|(name, _)| name == node).map(|(_, text)| text.clone())
    }

    /// Remembers a wrong key until the name is reached with the right one. One that is shown while the name is within
    /// reach is not why it goes away later.
    fn note_key(&self, event: &Event) {
        let kept = &mut *self.lock();
        let (name, conflict) = match event {
            Event::KeyConflict { name, .. } if kept.reachable.contains(name.as_str()) => return,
            Event::KeyConflict { name, pinned, shown } => {
                (name, Some(format!("{name} shows the key {shown}, but is pinned to {pinned}")))
            }
            Event::Reachable { node: name, .. } => {
                kept.reachable.insert(name.to_string());
                (name, None)
            }
            Event::LinkUp { peer: name, .. } => (name, None),
            Event::Unreachable { node } => {
                kept.reachable.remove(node.as_str());
                return;
            }
            Event::Message(_)
            | Event::Done { .. }
            | Event::Topic(_)
            | Event::Call(_)
            | Event::Hop { .. }
            | Event::LinkDown { .. }
            | Event::LinkFailed { .. }
            | Event::Unpinned { .. }
            | Event::IdentityInUse { .. }
            | Event::StoreFailed
            | Event::Misuse(_) => return,
        };
        let conflicts = &mut kept.conflicts;
        conflicts.retain(|(other, _)| other != name.as_str());
        if let Some(text) = conflict {
            if conflicts.len() == CONFLICTS_MAX {
                conflicts.pop_front();
            }
            conflicts.push_back((name.to_string(), text));
        }
    }

    fn enter(&self, kind: &str, id: Option<String>, text: String) {
        let mut kept = self.lock();
        kept.last += 1;
        let event = EventDoc { number: kept.last, at: clock::rfc3339(clock::wall()), kind: kind.to_owned(), id, text };
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(event.clone());
        // Nobody may be following.
        let _ = self.news.send(event);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sort of an event, the node it is about, and it in words; `None` for what is no news.
fn describe(event: &Event) -> Option<(&'static str, Option<String>, String)> {
    let told = match event {
        Event::Message(_) | Event::Topic(_) | Event::Call(_) | Event::Done { .. } | Event::Hop { .. } => return None,
        Event::LinkUp { peer, remote, .. } => {
            ("link_up", Some(peer.to_string()), format!("link to {peer} at {remote} is up"))
        }
        Event::LinkDown { peer, reason } => {
            ("link_down", Some(peer.to_string()), format!("link to {peer} is down: {reason}"))
        }
        Event::LinkFailed { peer, remote, reason, retry_in } => {
            let who = peer.as_ref().map_or_else(|| remote.to_string(), |peer| format!("{peer} at {remote}"));
            let again = retry_in.map(again).unwrap_or_default();
            ("link_failed", peer.as_ref().map(ToString::to_string), format!("no link to {who}: {reason}{again}"))
        }
        Event::Reachable { node, .. } => ("reachable", Some(node.to_string()), format!("{node} is within reach")),
        Event::Unreachable { node } => ("unreachable", Some(node.to_string()), format!("{node} is out of reach")),
        Event::KeyConflict { name, pinned, shown } => {
            let text = format!("{}: {name} shows the key {shown}, but is pinned to {pinned}", Code::E0203);
            ("key_conflict", Some(name.to_string()), text)
        }
        Event::IdentityInUse { .. } => {
            ("identity_in_use", None, format!("{}: this node's identity is used by another process", Code::E0204))
        }
        Event::Unpinned { name, key } => {
            let text = format!("{name} is no longer pinned to {key:?}: no room for another name");
            ("unpinned", Some(name.to_string()), text)
        }
        Event::StoreFailed => ("store_failed", None, format!("{}: nothing is durable any more", Code::E0303)),
        Event::Misuse(misuse) => ("misuse", None, format!("{}: {misuse}", Code::E0310)),
    };
    Some(told)
}

fn again(pause: Duration) -> String {
    format!("; next try in {}", clock::humane(pause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use io_tokio::NodeName;
    use proto_core::{id::Incarnation, secure::PublicKey};

    fn b() -> NodeName {
        NodeName::new("b").unwrap()
    }

    fn conflict() -> Event {
        Event::KeyConflict { name: b(), pinned: PublicKey([1; 32]), shown: PublicKey([2; 32]) }
    }

    #[test]
    fn a_wrong_key_explains_an_absence_only_if_it_was_shown_meanwhile() {
        let journal = Journal::new();
        let explained = |events: &[Event]| {
            events.iter().for_each(|event| journal.note_key(event));
            journal.conflict("b").is_some()
        };
        let (reachable, unreachable) =
            (Event::Reachable { node: b(), incarnation: Incarnation(1) }, Event::Unreachable { node: b() });
        assert!(explained(&[conflict()]));
        assert!(!explained(&[reachable, conflict(), unreachable]));
        assert!(explained(&[conflict()]));
    }
}
