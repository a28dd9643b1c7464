//! Publications of this node that are not over: somebody waits for the receipt, or a group may need another node.
//!
//! One with a receipt is over when every node has answered or cannot any more, or at its deadline. One without is kept for
//! a moment only ([`GROUP_RETRY`]), and only if a group was given to another node.
//!
//! Bounds: [`RECEIPTS_MAX`] with a receipt; [`GROUP_RETRY_MESSAGES`] without; [`GROUP_RETRY_BYTES`] of both, beyond which
//! no other node can be tried.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    vec::Vec,
};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Effect,
    api::{Destination, Missing, Publish, Report},
    subscription::Env,
    topic::{Group, Topic},
};
use crate::{
    error::Rejected,
    id::{NodeAddr, Seq, Token},
    limits::{GROUP_RETRY, GROUP_RETRY_BYTES, GROUP_RETRY_MESSAGES, GROUP_TRIES, RECEIPTS_MAX},
    node::Outcome,
    probe::Counter,
    time::Time,
    wire::{Head, v1},
};

/// What is not over. See the module's first lines.
#[derive(Debug)]
pub(super) struct Open {
    entries: BTreeMap<Seq, Entry>,
    due: BTreeSet<(Time, Seq)>,
    /// Those without a receipt, the oldest first; some may be over already.
    silent: VecDeque<Seq>,
    receipts: usize,
    bytes: usize,
}

/// A publication that was just sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// Its number.
    pub(super) seq: Seq,
    /// Who waits for the receipt.
    pub(super) token: Option<Token>,
    /// What this node's own subscriptions came to, and the groups that nobody serves.
    pub(super) report: Report,
    /// The nodes it went to, in order of address.
    pub(super) to: Arc<[Destination]>,
    /// The nodes that further parts of it went to, with the numbers of these.
    pub(super) further: Vec<(NodeAddr, u16)>,
    /// The groups that were given to other nodes.
    pub(super) given: Vec<Given>,
    /// What is sent again; `None` if it went to nobody.
    pub(super) parcel: Option<Parcel>,
    /// When nobody is interested in it any more.
    pub(super) deadline: Time,
}

/// A group that was given to a node.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// The group.
    pub(super) group: Group,
    /// The node.
    pub(super) node: NodeAddr,
    /// The part of the publication that it went with.
    pub(super) part: u16,
    /// Who comes next if that node has no member: the last first.
    pub(super) others: SmallVec<[NodeAddr; GROUP_TRIES]>,
}

/// What is needed to send a publication.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// What it is about.
    topic: Topic,
    /// The client that publishes.
    from_client: Option<Arc<str>>,
    /// How long its own headers are.
    headers: u32,
    /// Headers and payload.
    body: Bytes,
}

#[derive(Debug)]
struct Entry {
    token: Option<Token>,
    report: Report,
    /// The answers that did not come: one for each node and part, of one node in the order of the parts.
    waiting: Vec<Awaited>,
    /// The highest part that was sent.
    parts: u16,
    /// The nodes with a subscription that took it.
    reached: BTreeSet<NodeAddr>,
    given: Vec<Given>,
    /// `None` if it cannot be sent again.
    parcel: Option<Parcel>,
    deadline: Time,
    due: Time,
}

/// An answer that is awaited.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    node: NodeAddr,
    part: u16,
    /// Whether the node has the publication.
    arrived: bool,
}

impl Parcel {
    /// Keeps a publication with this body.
    pub(super) fn new(publish: &Publish, body: Bytes) -> Self {
        let (topic, from_client) = (publish.topic.clone(), publish.from_client.clone());
        Self { topic, from_client, headers: u32::try_from(publish.headers.len()).unwrap_or(u32::MAX), body }
    }

    /// The header for a later try, which is for groups only.
    fn header(&self, seq: Seq, receipt: bool) -> Head {
        let topic = self.topic.as_str();
        let from_client = self.from_client.as_deref().unwrap_or_default();
        v1::Publication { seq, receipt, groups_only: true, headers: self.headers, topic, from_client }.encode()
    }
}

impl Open {
    /// Nothing.
    pub(super) const fn new() -> Self {
        Self { entries: BTreeMap::new(), due: BTreeSet::new(), silent: VecDeque::new(), receipts: 0, bytes: 0 }
    }

    /// Whether one more receipt would be too many.
    pub(super) const fn is_full(&self) -> bool {
        self.receipts >= RECEIPTS_MAX
    }

    /// How many publications are not over.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keeps a publication for as long as it must be, and answers at once if that is not at all.
    pub(super) fn add(&mut self, env: &mut Env<'_>, sent: Sent) {
        let Sent { seq, token, report, to, further, given, parcel, deadline } = sent;
        let parts = further.iter().map(|(_, part)| *part).max().unwrap_or(0);
        let all = to.iter().map(|destination| (destination.node, 0)).chain(further);
        let awaited = |(node, part)| Awaited { node, part, arrived: false };
        let waiting: Vec<Awaited> = all.filter(|_| token.is_some()).map(awaited).collect();
        if waiting.is_empty() && given.is_empty() {
            answer(env, token, report);
            return;
        }
        let due = if token.is_some() { deadline } else { deadline.min(env.now + GROUP_RETRY) };
        let parcel = parcel.filter(|parcel| !given.is_empty() && self.make_room(parcel.body.len()));
        self.bytes += parcel.as_ref().map_or(0, |parcel| parcel.body.len());
        match token {
            Some(_) => self.receipts += 1,
            None => {
                self.silent.push_back(seq);
                self.limit_silent(GROUP_RETRY_MESSAGES);
            }
        }
        self.due.insert((due, seq));
        let reached = BTreeSet::new();
        self.entries.insert(seq, Entry { token, report, waiting, parts, reached, given, parcel, deadline, due });
    }

    /// A node answered.
    pub(super) fn receipt(&mut self, env: &mut Env<'_>, from: NodeAddr, receipt: &v1::Receipt<'_>) {
        let seq = receipt.seq;
        let Some(entry) = self.entries.get_mut(&seq) else {
            env.probe.add(Counter::GroupsUnserved, receipt.vacant.len() as u64);
            return;
        };
        if entry.forget_waiting(|awaited| awaited.node == from) {
            entry.report.subscribers += u64::from(receipt.subscriptions);
            if receipt.subscriptions > 0 && entry.reached.insert(from) {
                entry.report.nodes += 1;
            }
        }
        for group in &receipt.vacant {
            let given = entry.given.iter().position(|given| given.node == from && given.group.as_str() == *group);
            if let Some(index) = given {
                entry.give_to_next(env, seq, index);
            }
        }
        self.close_if_over(env, seq);
    }

    /// What became of a part of a publication on its way to a node.
    pub(super) fn outcome(&mut self, env: &mut Env<'_>, (seq, part): (Seq, u16), node: NodeAddr, outcome: Outcome) {
        let Some(entry) = self.entries.get_mut(&seq) else { return };
        let is_it = |awaited: &Awaited| (awaited.node, awaited.part) == (node, part);
        match outcome {
            Outcome::Delivered => {
                if let Some(awaited) = entry.waiting.iter_mut().find(|awaited| is_it(awaited)) {
                    awaited.arrived = true;
                }
                return;
            }
            Outcome::Rejected(reason) => {
                if entry.forget_waiting(is_it) {
                    entry.rejected(node, part, reason);
                }
                // From the end, since what nobody takes leaves the list.
                for index in (0..entry.given.len()).rev() {
                    if (entry.given[index].node, entry.given[index].part) == (node, part) {
                        entry.give_to_next(env, seq, index);
                    }
                }
            }
            // What may have arrived must not be tried elsewhere: two members would get it.
            Outcome::Unknown => {
                if entry.forget_waiting(is_it) {
                    entry.miss(node, Missing::Unknown);
                }
            }
        }
        self.close_if_over(env, seq);
    }

    /// Whether an answer of a node is awaited.
    pub(super) fn awaits(&self, node: NodeAddr) -> bool {
        self.receipts > 0 && self.entries.values().any(|entry| entry.waiting.iter().any(|awaited| awaited.node == node))
    }

    /// Whether any answer is awaited.
    pub(super) const fn awaits_any(&self) -> bool {
        self.receipts > 0
    }

    /// A node will not answer any more: nothing at all, or, if it restarted, nothing that it had got before.
    pub(super) fn lost(&mut self, env: &mut Env<'_>, node: NodeAddr, restarted: bool) {
        if self.receipts == 0 {
            return;
        }
        let gone = |awaited: &Awaited| awaited.node == node && (awaited.arrived || !restarted);
        let concerned = self.entries.iter().filter(|(_, entry)| entry.waiting.iter().any(gone));
        for seq in concerned.map(|(seq, _)| *seq).collect::<Vec<_>>() {
            if let Some(entry) = self.entries.get_mut(&seq) {
                entry.waiting.retain(|awaited| !gone(awaited));
                entry.miss(node, Missing::Unknown);
            }
            self.close_if_over(env, seq);
        }
    }

    /// Ends what has come to its deadline.
    pub(super) fn handle_timeout(&mut self, env: &mut Env<'_>) {
        while let Some(&(_, seq)) = self.due.first().filter(|(due, _)| *due <= env.now) {
            if let Some(mut entry) = self.take(seq) {
                for silent in core::mem::take(&mut entry.waiting) {
                    entry.miss(silent.node, Missing::NoAnswer);
                }
                answer(env, entry.token, entry.report);
            }
        }
    }

    /// The next deadline and what for.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.due.first().map(|(due, _)| (*due, "topics: a publication's deadline"))
    }

    fn close_if_over(&mut self, env: &mut Env<'_>, seq: Seq) {
        let over = self.entries.get(&seq).is_some_and(|entry| entry.token.is_some() && entry.waiting.is_empty());
        if over && let Some(entry) = self.take(seq) {
            answer(env, entry.token, entry.report);
        }
    }

    fn take(&mut self, seq: Seq) -> Option<Entry> {
        let entry = self.entries.remove(&seq)?;
        self.due.remove(&(entry.due, seq));
        self.bytes -= entry.parcel.as_ref().map_or(0, |parcel| parcel.body.len());
        self.receipts -= usize::from(entry.token.is_some());
        while let Some(seq) = self.silent.front()
            && !self.entries.contains_key(seq)
        {
            self.silent.pop_front();
        }
        Some(entry)
    }

    /// Whether so many more bytes may be kept; the oldest without a receipt go for them.
    fn make_room(&mut self, bytes: usize) -> bool {
        while self.bytes + bytes > GROUP_RETRY_BYTES && !self.silent.is_empty() {
            self.limit_silent(self.silent.len() - 1);
        }
        self.bytes + bytes <= GROUP_RETRY_BYTES
    }

    /// Lets go the oldest without a receipt until so many are left.
    fn limit_silent(&mut self, most: usize) {
        while self.silent.len() > most
            && let Some(seq) = self.silent.pop_front()
        {
            self.take(seq);
        }
    }
}

impl Entry {
    /// Whether such an answer was awaited: the first one is not any more.
    fn forget_waiting(&mut self, is_it: impl Fn(&Awaited) -> bool) -> bool {
        let found = self.waiting.iter().position(is_it);
        if let Some(index) = found {
            self.waiting.remove(index);
        }
        found.is_some()
    }

    /// A part was certainly not handed over at a node. That is to be told of the node only if no other part may be; a part
    /// for groups alone is tried elsewhere, or told as groups that nobody serves.
    fn rejected(&mut self, node: NodeAddr, part: u16, reason: Rejected) {
        let others = self.waiting.iter().any(|awaited| awaited.node == node) || self.reached.contains(&node);
        match (part, others) {
            (0, false) => self.miss(node, Missing::Rejected(reason)),
            (0, true) => self.miss(node, Missing::Unknown),
            (1.., _) => {}
        }
    }

    /// A node did not answer for a part. It is named once, with the least that is certain of all its parts.
    fn miss(&mut self, node: NodeAddr, why: Missing) {
        let several = self.parts > 0;
        match self.report.missing.iter_mut().find(|(named, _)| several && *named == node) {
            Some((_, before)) => *before = if *before == why { why } else { Missing::Unknown },
            None => self.report.missing.push((node, why)),
        }
    }

    /// Gives a group to the next node, if there is one and the publication is still at hand.
    fn give_to_next(&mut self, env: &mut Env<'_>, seq: Seq, index: usize) {
        let Some(given) = self.given.get_mut(index) else { return };
        let late = env.now >= self.deadline;
        let (Some(parcel), Some(node), false) = (&self.parcel, given.others.pop(), late) else {
            env.probe.count(Counter::GroupsUnserved);
            self.report.unserved.push(self.given.swap_remove(index).group);
            return;
        };
        let part = self.parts.saturating_add(1);
        (given.node, given.part, self.parts) = (node, part, part);
        let destination = Destination { node, groups: SmallVec::from_iter([given.group.clone()]) };
        if self.token.is_some() {
            self.waiting.push(Awaited { node, part, arrived: false });
            // What it was said never to get it may get now.
            if let Some((_, why)) = self.report.missing.iter_mut().find(|(named, _)| *named == node) {
                *why = Missing::Unknown;
            }
        }
        env.fx.push(Effect::Forward {
            seq,
            part,
            to: Arc::from([destination]),
            header: parcel.header(seq, self.token.is_some()),
            body: parcel.body.clone(),
            deadline: self.deadline,
        });
    }
}

fn answer(env: &mut Env<'_>, token: Option<Token>, report: Report) {
    if let Some(token) = token {
        env.fx.push(Effect::Published { token, report: Box::new(report) });
    }
}
