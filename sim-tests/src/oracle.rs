//! What was really asked for and what really happened, as the harness knows it. The judge of every message invariant.
//!
//! Every payload names the message it is of: who sent it, in which life, and its number there. So the oracle recognises
//! whatever an application is handed, however it came there.

pub mod calls;
mod clients;
mod services;
pub mod topics;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use io_sim::HostId;
use proto_core::{
    id::{Incarnation, NodeAddr, Token},
    node::{Answer, Outcome},
    time::Time,
};

use calls::Calls;
use clients::Clients;
use topics::Topics;

/// Names one message for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The sending node.
    pub from: HostId,
    /// Which life of it.
    pub life: Incarnation,
    /// Counts up in that life, from 1.
    pub serial: u32,
}

impl Key {
    /// Bytes of a payload that name the message; no payload is shorter.
    pub const LEN: usize = 16;

    /// The payload of this message, `len` bytes long.
    #[must_use]
    pub fn payload(self, len: u32) -> Bytes {
        let len = len.max(Self::LEN as u32);
        let mut bytes = Vec::with_capacity(len as usize);
        bytes.extend_from_slice(&(self.from.0 as u16).to_le_bytes());
        bytes.extend_from_slice(&(self.life.0 as u16).to_le_bytes());
        bytes.extend_from_slice(&self.serial.to_le_bytes());
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&self.mark().to_le_bytes());
        let filler = self.mark().to_le_bytes();
        bytes.resize(len as usize, 0);
        for chunk in bytes[Self::LEN..].chunks_mut(filler.len()) {
            chunk.copy_from_slice(&filler[..chunk.len()]);
        }
        Bytes::from(bytes)
    }

    /// The message that a payload names, if every byte of it is as it was sent.
    #[must_use]
    pub fn of(payload: &[u8]) -> Option<Self> {
        let (head, _) = payload.split_first_chunk::<{ Self::LEN }>()?;
        let [f0, f1, l0, l1, s0, s1, s2, s3, n0, n1, n2, n3, ..] = *head;
        let key = Self {
            from: HostId(u16::from_le_bytes([f0, f1]).into()),
            life: Incarnation(u16::from_le_bytes([l0, l1]).into()),
            serial: u32::from_le_bytes([s0, s1, s2, s3]),
        };
        let len = u32::from_le_bytes([n0, n1, n2, n3]);
        (len as usize == payload.len() && key.payload(len) == payload).then_some(key)
    }

    /// Four bytes that another message hardly shares.
    fn mark(self) -> u32 {
        let mixed = u64::from(self.from.0) << 48 ^ self.life.0 << 32 ^ u64::from(self.serial);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "message {} of {} in life {}", self.serial, self.from, self.life)
    }
}

/// For whom a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receivers {
    /// These nodes.
    These(Vec<HostId>),
    /// Whoever is within reach.
    Everyone,
}

impl Receivers {
    /// Whether a node is among them.
    #[must_use]
    pub fn include(&self, node: HostId) -> bool {
        match self {
            Self::These(nodes) => nodes.contains(&node),
            Self::Everyone => true,
        }
    }
}

/// What a message is, as its sender wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The sender's address.
    pub from: NodeAddr,
    /// The client that sends; `None` for the node itself.
    pub from_client: Option<Arc<str>>,
    /// For whom.
    pub to: Receivers,
    /// For which client of each; `None` for the node itself.
    pub to_client: Option<Arc<str>>,
}

/// A message that an application sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What was sent.
    pub letter: Letter,
    /// When, in the order of all that the oracle was told.
    pub place: u64,
    /// Whether it was sent after the calm had come, to be surely delivered.
    pub fresh: bool,
    /// Each time a receiver's application got it: who, and in which life.
    pub handed: Vec<(HostId, Incarnation)>,
    /// What the sender was told, receiver by receiver.
    pub told: Vec<(HostId, Outcome)>,
}

/// A request that must be answered once, or at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The message it sent, if it was to send one.
    pub message: Option<Key>,
    /// The latest time of the answer, on the node's own clock; `None` if none is owed: only a refusal may come.
    pub due: Option<Time>,
    /// What was asked for, for people.
    pub what: &'static str,
    /// Whether it was asked after the calm had come.
    pub fresh: bool,
    /// Every answer so far.
    pub answers: Vec<Answer>,
}

/// One life of a node, as far as the oracle cares.
#[derive(Clone, Debug, Default)]
struct Life {
    number: Incarnation,
    serial: u32,
    asked: BTreeMap<Token, Asked>,
    /// Unanswered requests by the time their answer is due.
    open: BTreeSet<(Time, Token)>,
    /// The last serial that was handed over, by sender and its life.
    last_handed: BTreeMap<(HostId, Incarnation), u32>,
    clients: Clients,
    /// Messages that were handed over and not consumed.
    held: u64,
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Messages that applications sent.
    pub sent: u64,
    /// Messages that applications were handed.
    pub handed: u64,
    /// Outcomes: delivered.
    pub delivered: u64,
    /// Outcomes: rejected.
    pub rejected: u64,
    /// Outcomes: unknown.
    pub unknown: u64,
}

/// Everything that was sent, handed over and answered in a run.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    sent: BTreeMap<Key, Sent>,
    lives: BTreeMap<HostId, Life>,
    /// The most that each node ever held at once of what its application did not consume.
    most_held: BTreeMap<HostId, u64>,
    /// Counts what the oracle is told.
    place: u64,
    /// What happens at one moment may be told that much apart.
    blur_ms: u64,
    counts: Counts,
    topics: Topics,
    calls: Calls,
}

impl Oracle {
    /// Knows of nothing. What happens at one moment may be told `blur_ms` apart.
    #[must_use]
    pub fn with_blur(blur_ms: u64) -> Self {
        Self { blur_ms, ..Self::default() }
    }

    /// A node started a life. What the last one was asked will never be answered.
    pub fn started(&mut self, node: HostId, life: Incarnation) {
        self.lives.insert(node, Life { number: life, ..Life::default() });
        self.topics.started(node, life);
    }

    /// A node's life ended.
    pub fn ended(&mut self, node: HostId) {
        self.lives.remove(&node);
    }

    /// Names the next message of a running node.
    pub fn next_key(&mut self, node: HostId) -> Option<Key> {
        let life = self.lives.get_mut(&node)?;
        life.serial += 1;
        Some(Key { from: node, life: life.number, serial: life.serial })
    }

    /// An application sent a message.
    pub fn sent(&mut self, key: Key, letter: Letter, fresh: bool) {
        self.counts.sent += 1;
        self.place += 1;
        let place = self.place;
        self.sent.insert(key, Sent { letter, place, fresh, handed: Vec::new(), told: Vec::new() });
    }

    /// An application asked for something that must be answered by `due`, on the node's own clock. `None`: that need not
    /// be answered, unless it is refused at once.
    pub fn asked(&mut self, node: HostId, token: Token, due: Option<Time>, request: Request) {
        let Some(life) = self.lives.get_mut(&node) else { return };
        let Request { message, what, fresh } = request;
        life.asked.insert(token, Asked { message, due, what, fresh, answers: Vec::new() });
        life.open.extend(due.map(|due| (due, token)));
    }

    /// A request, which [`Oracle::asked`] told of, says that a client comes or goes.
    pub fn client(&mut self, node: HostId, token: Token, client: &Arc<str>, present: bool) {
        if let Some(life) = self.lives.get_mut(&node) {
            life.clients.asked(token, client, present);
            if !present {
                self.calls.left(node, life.number, client);
                self.place += 1;
                self.topics.leaves(node, token, client, self.place);
            }
        }
    }

    /// An application consumed messages that it had been handed.
    pub fn consumed(&mut self, node: HostId, messages: u32) {
        if let Some(life) = self.lives.get_mut(&node) {
            life.held = life.held.saturating_sub(messages.into());
        }
    }

    /// An application was handed a message. Returns the serial handed over before it in the same flow.
    pub fn handed(&mut self, node: HostId, key: Key) -> Option<u32> {
        let life = self.lives.get_mut(&node)?;
        self.counts.handed += 1;
        life.held += 1;
        let most = self.most_held.entry(node).or_default();
        *most = life.held.max(*most);
        if let Some(sent) = self.sent.get_mut(&key) {
            sent.handed.push((node, life.number));
        }
        life.last_handed.insert((key.from, key.life), key.serial)
    }

    /// A request was answered.
    pub fn answered(
        &mut self,
        node: HostId,
        token: Token,
        answer: &Answer,
        at_ms: u64,
        host_of: impl Fn(NodeAddr) -> Option<HostId>,
    ) {
        self.place += 1;
        if let Some(life) = self.lives.get_mut(&node) {
            life.clients.answered(token, answer, self.place, at_ms);
        }
        self.topics.answered(node, token, answer, self.place);
        let Some(asked) = self.lives.get_mut(&node).and_then(|life| life.answer(token, answer)) else { return };
        if let Some(key) = asked {
            self.completed(key, answer);
        }
        let Some(sent) = asked.and_then(|key| self.sent.get_mut(&key)) else { return };
        let told: Vec<(HostId, Outcome)> = match answer {
            Answer::Sent(outcome) => sent.sole_receiver().map(|to| (to, *outcome)).into_iter().collect(),
            Answer::SentMany(list) => list.iter().filter_map(|(addr, what)| Some((host_of(*addr)?, *what))).collect(),
            Answer::Rejected(reason) => {
                sent.sole_receiver().map(|to| (to, Outcome::Rejected(*reason))).into_iter().collect()
            }
            Answer::Traced { .. }
            | Answer::Found(_)
            | Answer::Published(_)
            | Answer::Subscribed(_)
            | Answer::Called { .. }
            | Answer::NotTaken(_)
            | Answer::Accepted
            | Answer::Drained { .. } => Vec::new(),
        };
        for (_, outcome) in &told {
            match outcome {
                Outcome::Delivered => self.counts.delivered += 1,
                Outcome::Rejected(_) => self.counts.rejected += 1,
                Outcome::Unknown => self.counts.unknown += 1,
            }
        }
        sent.told.extend(told);
    }

    /// A message, if it was ever sent.
    #[must_use]
    pub fn message(&self, key: Key) -> Option<&Sent> {
        self.sent.get(&key)
    }

    /// Every message, in order.
    pub fn messages(&self) -> impl Iterator<Item = (Key, &Sent)> {
        self.sent.iter().map(|(key, sent)| (*key, sent))
    }

    /// A request of the present life of a node.
    #[must_use]
    pub fn request(&self, node: HostId, token: Token) -> Option<&Asked> {
        self.lives.get(&node)?.asked.get(&token)
    }

    /// Every request of the present life of a node.
    pub fn requests(&self, node: HostId) -> impl Iterator<Item = (Token, &Asked)> {
        self.lives.get(&node).into_iter().flat_map(|life| life.asked.iter().map(|(token, asked)| (*token, asked)))
    }

    /// The unanswered request of a node whose answer has been due longest.
    #[must_use]
    pub fn first_due(&self, node: HostId) -> Option<(Time, Token)> {
        self.lives.get(&node)?.open.first().copied()
    }

    /// How many requests of a node are unanswered.
    #[must_use]
    pub fn open(&self, node: HostId) -> usize {
        self.lives.get(&node).map_or(0, |life| life.open.len())
    }

    /// Whether a client may be at a node, or may have been so just now.
    #[must_use]
    pub fn may_have(&self, node: HostId, client: &str, at_ms: u64) -> bool {
        self.lives.get(&node).is_some_and(|life| life.clients.perhaps(client, at_ms, self.blur_ms))
    }

    /// Whether a client has surely been at a node ever since a message was sent.
    #[must_use]
    pub fn had_since(&self, node: HostId, client: &str, sent: &Sent) -> bool {
        let since = self.lives.get(&node).and_then(|life| life.clients.surely_since(client));
        since.is_some_and(|since| since < sent.place)
    }

    /// The most messages that a node ever held at once and its application did not consume.
    #[must_use]
    pub fn most_held(&self, node: HostId) -> u64 {
        self.most_held.get(&node).copied().unwrap_or(0)
    }

    /// How many messages the sender of one had sent to a node in that life, up to that one.
    #[must_use]
    pub fn sent_to(&self, node: HostId, last: Key) -> u64 {
        let sent = self.sent.range(Key { serial: 0, ..last }..=last);
        sent.filter(|(_, sent)| sent.letter.to.include(node)).count() as u64
    }

    /// The life of a node that runs.
    #[must_use]
    pub fn life(&self, node: HostId) -> Option<Incarnation> {
        self.lives.get(&node).map(|life| life.number)
    }

    /// Counts so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

/// What a request is about, for [`Oracle::asked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The message it sends, if any.
    pub message: Option<Key>,
    /// For people.
    pub what: &'static str,
    /// Whether it was asked after the calm had come.
    pub fresh: bool,
}

impl Sent {
    /// Its receiver, if it is for one node only.
    #[must_use]
    pub fn sole_receiver(&self) -> Option<HostId> {
        match &self.letter.to {
            Receivers::These(nodes) => nodes.first().copied().filter(|_| nodes.len() == 1),
            Receivers::Everyone => None,
        }
    }
}

impl Life {
    /// Notes an answer; returns the message that the request had sent, if it is known at all.
    fn answer(&mut self, token: Token, answer: &Answer) -> Option<Option<Key>> {
        let asked = self.asked.get_mut(&token)?;
        asked.answers.push(answer.clone());
        asked.due.map(|due| self.open.remove(&(due, token)));
        Some(asked.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key { from: HostId(3), life: Incarnation(2), serial: 77 };

    #[test]
    fn a_payload_names_its_message() {
        for len in [0, 16, 17, 300] {
            let payload = KEY.payload(len);
            assert_eq!((Key::of(&payload), payload.len()), (Some(KEY), (len as usize).max(16)));
        }
    }

    #[test]
    fn a_changed_payload_names_none() {
        let payload = KEY.payload(40);
        for at in 0..payload.len() {
            let mut changed = payload.to_vec();
            changed[at] ^= 1;
            assert_ne!(Key::of(&changed), Some(KEY), "byte {at}");
        }
        assert_eq!(Key::of(&payload[..39]), None);
        assert_eq!(Key::of(b"short"), None);
    }

    #[test]
    fn a_new_life_forgets_what_the_last_one_was_asked() {
        let mut oracle = Oracle::default();
        oracle.started(HostId(0), Incarnation(1));
        let request = Request { message: None, what: "trace", fresh: false };
        oracle.asked(HostId(0), Token(5), Some(Time::from_secs(3)), request);
        assert_eq!(oracle.first_due(HostId(0)), Some((Time::from_secs(3), Token(5))));
        oracle.started(HostId(0), Incarnation(2));
        assert_eq!(oracle.first_due(HostId(0)), None);
    }
}
