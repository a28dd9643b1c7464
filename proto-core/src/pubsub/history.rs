//! What was published before: for some topics, the last publications, for subscribers that come late or come back.
//!
//! A rule says which topics are kept and how much of each: so many publications, so many bytes, for so long. The rings
//! begin with a topic's first publication, and the one that was used longest ago goes when there are too many. Every
//! publication that is kept has a position: this node's life, which is the epoch, and a number that counts up by one within
//! its topic. Two publications never have the same position: a topic that was forgotten begins again above every number that
//! a forgotten one used.
//!
//! Bounds: [`HISTORY_TOPICS`] topics, [`HISTORY_BYTES`] bytes in all, and the rule's for each topic. What is too old is
//! never replayed, and goes within [`HISTORY_SWEEP`].

use alloc::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;

use super::{
    Position, Publication,
    topic::{Pattern, Topic},
    view::HistoryView,
};
use crate::{
    arena::{Arena, Handle},
    collections::DetMap,
    id::{Incarnation, Seq},
    limits::{HISTORY_BYTES, HISTORY_SWEEP, HISTORY_TOPICS},
    time::Time,
};

/// Which topics are kept, and how much of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRule {
    /// The topics. Of several rules that match, the first counts.
    pub pattern: Pattern,
    /// Most publications of one topic.
    pub messages: usize,
    /// Most bytes of one topic.
    pub bytes: usize,
    /// How long a publication is kept; `None`: until others take its place.
    pub age: Option<Duration>,
}

/// From where a new subscription is brought up to date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Resume {
    /// Nothing from before.
    #[default]
    Live,
    /// The last publications of each topic, so many at most.
    Last(usize),
    /// Everything after these positions, each the last one that the subscriber has of its topic; of a topic that is not
    /// listed, everything that is kept.
    After(Vec<(Topic, Position)>),
}

/// What a new subscription gets from before.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// In the order in which they came here.
    pub(super) publications: Vec<Arc<Publication>>,
    /// How many were asked for by position and are gone.
    pub(super) missing: u64,
    /// A position was of another life, or of a topic of which nothing is known, or was forgotten in between: what is gone
    /// cannot be counted.
    pub(super) unknown: bool,
}

/// All rings. See the module's first lines.
#[derive(Debug)]
pub(super) struct History {
    epoch: Incarnation,
    rules: Vec<HistoryRule>,
    rings: Arena<Ring>,
    by_topic: DetMap<Topic, Handle<Ring>>,
    /// By when they were used last.
    by_use: BTreeSet<(u64, Handle<Ring>)>,
    /// By when something in them is too old.
    by_age: BTreeSet<(Time, Handle<Ring>)>,
    /// Counts what came, over all topics.
    arrivals: u64,
    /// The highest number that a forgotten ring used.
    used: u64,
    bytes: usize,
}

/// The last publications of one topic.
#[derive(Debug)]
struct Ring {
    topic: Topic,
    rule: usize,
    kept: VecDeque<Kept>,
    /// The number of its first publication: of what the topic had before it was forgotten, nothing is known.
    begin: u64,
    next: u64,
    bytes: usize,
    used_at: u64,
    due: Option<Time>,
}

#[derive(Debug)]
struct Kept {
    at: Time,
    arrival: u64,
    publication: Arc<Publication>,
}

impl History {
    /// Nothing is kept yet. `epoch`: this node's life.
    pub(super) fn new(epoch: Incarnation, rules: Vec<HistoryRule>, seed: u64) -> Self {
        Self {
            epoch,
            rules,
            rings: Arena::with_limit(HISTORY_TOPICS),
            by_topic: DetMap::with_seed(seed),
            by_use: BTreeSet::new(),
            by_age: BTreeSet::new(),
            arrivals: 0,
            used: 0,
            bytes: 0,
        }
    }

    /// The rule that keeps a topic.
    pub(super) fn rule(&self, topic: &Topic) -> Option<usize> {
        self.rules.iter().position(|rule| rule.pattern.matches(topic))
    }

    /// Keeps a publication, and gives it its position.
    pub(super) fn keep(&mut self, now: Time, rule: usize, mut publication: Publication) -> Arc<Publication> {
        let topic = &publication.topic;
        let ring = self.by_topic.get(topic).copied().or_else(|| self.begin(topic, rule));
        let Some((handle, ring)) = ring.and_then(|handle| Some((handle, self.rings.get_mut(handle)?))) else {
            return Arc::new(publication);
        };
        self.arrivals += 1;
        let seq = Seq(ring.next);
        ring.next += 1;
        publication.position = Some(Position { epoch: self.epoch, seq });
        let publication = Arc::new(publication);
        self.bytes += publication.weight();
        ring.bytes += publication.weight();
        ring.kept.push_back(Kept { at: now, arrival: self.arrivals, publication: publication.clone() });
        self.by_use.remove(&(ring.used_at, handle));
        ring.used_at = self.arrivals;
        self.by_use.insert((ring.used_at, handle));
        self.trim(handle, now);
        while self.bytes > HISTORY_BYTES && self.forget_oldest() {}
        publication
    }

    /// What a subscription to these topics shall get from before.
    pub(super) fn replay(&self, now: Time, pattern: &Pattern, resume: &Resume) -> Replay {
        let mut replay = Replay::default();
        let mut found: Vec<(u64, Arc<Publication>)> = Vec::new();
        let known: DetMap<&Topic, Position> = match resume {
            Resume::Live => return replay,
            Resume::Last(_) => DetMap::with_seed(0),
            Resume::After(positions) => {
                let mut known = DetMap::with_seed(0);
                for (topic, position) in positions {
                    replay.unknown |= pattern.matches(topic) && !self.by_topic.contains_key(topic);
                    known.insert(topic, *position);
                }
                known
            }
        };
        for (_, ring) in self.rings.iter().filter(|(_, ring)| pattern.matches(&ring.topic)) {
            let fresh = ring.kept.iter().skip_while(|kept| self.is_stale(ring.rule, kept.at, now));
            let count = fresh.clone().count();
            let skipped = match resume {
                Resume::Live => count,
                Resume::Last(most) => count.saturating_sub(*most),
                Resume::After(_) => self.skipped(ring, count, known.get(&&ring.topic), &mut replay),
            };
            found.extend(fresh.skip(skipped).map(|kept| (kept.arrival, kept.publication.clone())));
        }
        found.sort_unstable_by_key(|(arrival, _)| *arrival);
        replay.publications = found.into_iter().map(|(_, publication)| publication).collect();
        replay
    }

    /// Lets go what is too old.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        while let Some(&(due, handle)) = self.by_age.first().filter(|(due, _)| *due <= now) {
            self.by_age.remove(&(due, handle));
            if let Some(ring) = self.rings.get_mut(handle) {
                ring.due = None;
            }
            self.trim(handle, now);
        }
    }

    /// The next deadline and what for.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.by_age.first().map(|(due, _)| (*due, "topics: let go what is too old"))
    }

    /// Every topic of which something is kept or was.
    pub(super) fn views(&self) -> impl Iterator<Item = HistoryView> {
        self.rings.iter().map(|(_, ring)| HistoryView {
            topic: ring.topic.clone(),
            epoch: self.epoch,
            first: Seq(ring.next - ring.kept.len() as u64),
            next: Seq(ring.next),
            bytes: ring.bytes,
        })
    }

    /// How many of the `count` fresh ones of a ring the subscriber has already; books what is gone.
    fn skipped(&self, ring: &Ring, count: usize, known: Option<&Position>, replay: &mut Replay) -> usize {
        let first = ring.next - count as u64;
        match known {
            Some(position) if position.epoch == self.epoch && position.seq.0 < ring.next => {
                let next = position.seq.0 + 1;
                replay.unknown |= next < ring.begin;
                replay.missing += first.saturating_sub(next.max(ring.begin));
                usize::try_from(next.saturating_sub(first)).unwrap_or(count)
            }
            Some(_) => {
                replay.unknown = true;
                0
            }
            None => {
                replay.unknown |= ring.begin > 1;
                replay.missing += first.saturating_sub(ring.begin);
                0
            }
        }
    }

    fn begin(&mut self, topic: &Topic, rule: usize) -> Option<Handle<Ring>> {
        if self.rings.is_full() {
            self.forget_oldest();
        }
        let ring = Ring {
            topic: topic.clone(),
            rule,
            kept: VecDeque::new(),
            begin: self.used + 1,
            next: self.used + 1,
            bytes: 0,
            used_at: self.arrivals,
            due: None,
        };
        let handle = self.rings.insert(ring).ok()?;
        self.by_topic.insert(topic.clone(), handle);
        self.by_use.insert((self.arrivals, handle));
        Some(handle)
    }

    /// Forgets the topic that was used longest ago. Answers whether there was one.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, handle)) = self.by_use.pop_first() else { return false };
        if let Some(ring) = self.rings.remove(handle) {
            self.by_topic.remove(&ring.topic);
            self.bytes -= ring.bytes;
            self.used = self.used.max(ring.next - 1);
            if let Some(due) = ring.due {
                self.by_age.remove(&(due, handle));
            }
        }
        true
    }

    /// Keeps a ring to its rule.
    fn trim(&mut self, handle: Handle<Ring>, now: Time) {
        let Some(ring) = self.rings.get_mut(handle) else { return };
        let Some(rule) = self.rules.get(ring.rule) else { return };
        let stale = |at: Time| rule.age.is_some_and(|age| now.since(at) > age);
        while let Some(kept) = ring.kept.front()
            && (ring.kept.len() > rule.messages || ring.bytes > rule.bytes || stale(kept.at))
        {
            let weight = kept.publication.weight();
            ring.bytes -= weight;
            self.bytes -= weight;
            ring.kept.pop_front();
        }
        if let (None, Some(age), Some(kept)) = (ring.due, rule.age, ring.kept.front()) {
            let due = (kept.at + age + HISTORY_SWEEP).max(now + HISTORY_SWEEP);
            ring.due = Some(due);
            self.by_age.insert((due, handle));
        }
    }

    fn is_stale(&self, rule: usize, at: Time, now: Time) -> bool {
        self.rules.get(rule).and_then(|rule| rule.age).is_some_and(|age| now.since(at) > age)
    }
}
