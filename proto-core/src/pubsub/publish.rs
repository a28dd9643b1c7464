//! One publication, from this node's application to everybody who wants it: who gets it, and on which way.

use alloc::{sync::Arc, vec::Vec};

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::{
    Effect,
    api::{Destination, Publication, Publish, Report, SubscriptionId},
    history::History,
    interest::Interests,
    matches::{GroupMatch, Matches},
    open::{Given, Open, Parcel, Sent},
    subscription::{Env, Shared},
    subscriptions::{Doomed, Except, Subscriptions},
    topic::Group,
};
use crate::{
    collections::emplace,
    error::Rejected,
    id::{Incarnation, NodeAddr, Seq, Token},
    limits::{CLIENT_NAME_MAX, GROUP_TRIES, MESSAGE_DEADLINE_MAX, PARCEL_HEAD_MAX, PUBLICATION_HEADERS_MAX},
    node::Config,
    probe::Counter,
    time::Time,
    wire::v1,
};

/// Who this node is to those who get its publications.
#[derive(Debug)]
pub(super) struct Author {
    pub(super) addr: NodeAddr,
    pub(super) incarnation: Incarnation,
    max_payload: usize,
    next: Seq,
}

/// What a publication may use. Lives for one call.
#[derive(Debug)]
pub(super) struct Step<'a, 'env> {
    pub(super) env: &'a mut Env<'env>,
    pub(super) author: &'a mut Author,
    pub(super) interests: &'a mut Interests,
    pub(super) subscriptions: &'a mut Subscriptions,
    pub(super) history: &'a mut History,
    pub(super) open: &'a mut Open,
    pub(super) doomed: &'a mut Doomed,
}

/// Who gets a publication for the groups that want it.
#[derive(Debug, Default)]
struct Choice {
    here: SmallVec<[SubscriptionId; 2]>,
    given: Vec<Given>,
    unserved: Vec<Group>,
}

/// What is kept of a publication that was sent, as [`Sent`] has it.
#[derive(Debug)]
struct Kept {
    to: Arc<[Destination]>,
    further: Vec<(NodeAddr, u16)>,
    parcel: Option<Parcel>,
}

impl Author {
    /// Nothing published yet.
    pub(super) fn new(config: &Config) -> Self {
        let (addr, incarnation) = (config.name.addr(), config.incarnation);
        Self { addr, incarnation, max_payload: config.message.max_payload, next: Seq(1) }
    }

    /// Whether something may be published at all.
    pub(super) fn admit(&self, publish: &Publish) -> Result<(), Rejected> {
        let headers = publish.headers.len();
        if headers > PUBLICATION_HEADERS_MAX {
            return Err(Rejected::TooLarge { len: headers as u64, limit: PUBLICATION_HEADERS_MAX as u64 });
        }
        let len = headers + publish.payload.len();
        if len > self.max_payload {
            return Err(Rejected::TooLarge { len: len as u64, limit: self.max_payload as u64 });
        }
        if publish.from_client.as_ref().is_some_and(|name| name.is_empty() || name.len() > CLIENT_NAME_MAX) {
            return Err(Rejected::NoSuchClient);
        }
        if publish.deadline.is_zero() { Err(Rejected::DeadlinePassed) } else { Ok(()) }
    }
}

/// Sends a publication that may be sent to everybody who wants it. Answers its number.
pub(super) fn publish(
    step: &mut Step<'_, '_>,
    matches: &Matches,
    token: Token,
    publish: Publish,
    cost: impl Fn(NodeAddr) -> Option<u32>,
) -> Seq {
    let seq = step.author.next;
    step.author.next = seq.next();
    let mut choice = choose(step, matches, &publish, cost);
    let to = destinations(matches, &choice.given);
    let deadline = step.env.now + publish.deadline.min(MESSAGE_DEADLINE_MAX);
    let kept = forward(step, &publish, seq, to, &mut choice.given, deadline);
    let token = publish.receipt.then_some(token);
    let taken = deliver_here(step, matches, seq, publish, &choice.here);
    if let Some(Kept { to, further, parcel }) = kept {
        let nodes = usize::from(taken > 0);
        let report = Report { subscribers: u64::from(taken), nodes, missing: Vec::new(), unserved: choice.unserved };
        step.open.add(step.env, Sent { seq, token, report, to, further, given: choice.given, parcel, deadline });
    }
    seq
}

/// Sends it to the nodes that shall get it. Answers what is kept for a receipt or another try; most publications are only
/// sent.
fn forward(
    step: &mut Step<'_, '_>,
    publish: &Publish,
    seq: Seq,
    mut to: Arc<[Destination]>,
    given: &mut [Given],
    deadline: Time,
) -> Option<Kept> {
    let keep = publish.receipt || !given.is_empty();
    if to.is_empty() {
        return keep.then_some(Kept { to, further: Vec::new(), parcel: None });
    }
    let first = header(publish, seq);
    let header = first.encode();
    let body = joined(&publish.headers, &publish.payload);
    if !keep {
        emplace(step.env.fx, || Effect::Forward { seq, part: 0, to, header, body, deadline });
        return None;
    }
    let parcel = Parcel::new(publish, body.clone());
    let parts = split(&mut to, given, header.len());
    step.env.fx.push(Effect::Forward { seq, part: 0, to: to.clone(), header, body: body.clone(), deadline });
    let mut further = Vec::with_capacity(parts.len());
    for (part, destination) in (1..).zip(parts) {
        further.push((destination.node, part));
        let header = v1::Publication { groups_only: true, ..first }.encode();
        let (to, body) = (Arc::from([destination]), body.clone());
        step.env.fx.push(Effect::Forward { seq, part, to, header, body, deadline });
    }
    Some(Kept { to, further, parcel: Some(parcel) })
}

/// Chooses a member of each group: one of this node, or a node.
fn choose(
    step: &mut Step<'_, '_>,
    matches: &Matches,
    publish: &Publish,
    cost: impl Fn(NodeAddr) -> Option<u32>,
) -> Choice {
    let mut choice = Choice::default();
    if matches.groups.is_empty() {
        return choice;
    }
    let except = except(publish);
    let weight = publish.headers.len() + publish.payload.len();
    for group in &matches.groups {
        let turn = step.interests.turn(group.group);
        let name = step.interests.group(group.group);
        if let Some(member) = step.subscriptions.choose(&group.here, turn, except, weight) {
            choice.here.push(member);
        } else if let Some(given) = give(group, turn, name, &cost) {
            choice.given.push(given);
        } else {
            step.env.probe.count(Counter::GroupsUnserved);
            choice.unserved.push(name.clone());
        }
    }
    choice
}

/// Gives a group to the nearest node with members. Of several, each gets as many of so many turns as it has members.
fn give(group: &GroupMatch, turn: u64, name: &Group, cost: impl Fn(NodeAddr) -> Option<u32>) -> Option<Given> {
    let reachable = group.there.iter().filter_map(|&(node, members)| Some((cost(node)?, node, members.max(1))));
    let mut by_cost: SmallVec<[(u32, NodeAddr, u64); 8]> = reachable.collect();
    by_cost.sort_unstable();
    let &(least, ..) = by_cost.first()?;
    let near = by_cost.iter().take_while(|(cost, ..)| *cost == least).count();
    let (nearest, _) = by_cost.split_at_mut(near);
    let mut left = turn % nearest.iter().map(|(.., members)| members).sum::<u64>();
    let first = nearest.iter().position(|(.., members)| {
        let found = left < *members;
        left = left.saturating_sub(*members);
        found
    });
    nearest.rotate_left(first.unwrap_or_default());
    let mut in_turn = by_cost.iter().map(|&(_, node, _)| node).take(GROUP_TRIES);
    let node = in_turn.next()?;
    let mut others: SmallVec<[NodeAddr; GROUP_TRIES]> = in_turn.collect();
    others.reverse();
    Some(Given { group: name.clone(), node, part: 0, others })
}

/// Everybody it goes to, with the groups that are meant there.
fn destinations(matches: &Matches, given: &[Given]) -> Arc<[Destination]> {
    if given.is_empty() {
        return matches.there.clone();
    }
    let mut to = matches.there.to_vec();
    for Given { group, node, .. } in given {
        let place = to.binary_search_by_key(node, |destination| destination.node).unwrap_or_else(|place| {
            to.insert(place, Destination::plain(*node));
            place
        });
        to[place].groups.push(group.clone());
    }
    to.into()
}

/// Longest beginning of a receipt that names the groups of a part: the machine's own byte, the publisher's life, the
/// publication's number, and how many took it and how many groups follow.
const RECEIPT_BEGINS: usize = 1 + 10 + 10 + 5 + 2;

/// Leaves every destination as many groups as fit behind a header of this length, and makes further parts of the rest, from
/// part 1 on: without that, a node with many groups would get nothing at all. A receipt that names all of a part fits too.
fn split(to: &mut Arc<[Destination]>, given: &mut [Given], header: usize) -> Vec<Destination> {
    // The machine's own byte and the number of groups come with it.
    let room = PARCEL_HEAD_MAX.saturating_sub(RECEIPT_BEGINS.max(header + 1 + 2));
    let weight = |group: &Group| 1 + group.as_str().len();
    let fits = |groups: &[Group]| groups.iter().map(weight).sum::<usize>() <= room;
    if to.iter().all(|destination| fits(&destination.groups)) {
        return Vec::new();
    }
    let (mut all, mut parts) = (to.to_vec(), Vec::<Destination>::new());
    for destination in &mut all {
        let (mut left, first) = (room, parts.len());
        // In the same order as the groups of the destination.
        let mut of_node = given.iter_mut().filter(|given| given.node == destination.node);
        for group in core::mem::take(&mut destination.groups) {
            let weight = weight(&group);
            if weight > left {
                parts.push(Destination::plain(destination.node));
                left = room;
            }
            left = left.saturating_sub(weight);
            let part = if parts.len() > first { parts.len() } else { 0 };
            if let Some(given) = of_node.next() {
                given.part = u16::try_from(part).unwrap_or(u16::MAX);
            }
            match parts.last_mut().filter(|_| part > 0) {
                Some(further) => further.groups.push(group),
                None => destination.groups.push(group),
            }
        }
    }
    *to = all.into();
    parts
}

/// Hands it to this node's own subscriptions, and keeps it if a rule says so. Answers how many took it.
fn deliver_here(
    step: &mut Step<'_, '_>,
    matches: &Matches,
    seq: Seq,
    publish: Publish,
    members: &[SubscriptionId],
) -> u32 {
    if matches.here.is_empty() && members.is_empty() && matches.rule.is_none() {
        return 0;
    }
    let client = publish.from_client.clone();
    let except = Except { active: !publish.echo, client: client.as_ref() };
    let (from, incarnation) = (step.author.addr, step.author.incarnation);
    let Publish { headers, payload, from_client, .. } = publish;
    let topic = matches.topic.clone();
    let mut publication = Publication { topic, headers, payload, from, incarnation, from_client, seq, position: None };
    let publication = match matches.rule {
        Some(rule) => {
            publication.compact();
            step.history.keep(step.env.now, rule, publication)
        }
        None => Arc::new(publication),
    };
    let mut shared = Shared::new(publication);
    let mut taken = step.subscriptions.deliver(step.env, &matches.here, except, &mut shared, step.doomed);
    for &member in members {
        taken += step.subscriptions.deliver_to(step.env, member, &mut shared, step.doomed);
    }
    taken
}

fn except(publish: &Publish) -> Except<'_> {
    Except { active: !publish.echo, client: publish.from_client.as_ref() }
}

/// What is said of a publication that is sent for the first time.
fn header(publish: &Publish, seq: Seq) -> v1::Publication<'_> {
    v1::Publication {
        seq,
        receipt: publish.receipt,
        groups_only: false,
        headers: u32::try_from(publish.headers.len()).unwrap_or(u32::MAX),
        topic: publish.topic.as_str(),
        from_client: publish.from_client.as_deref().unwrap_or_default(),
    }
}

/// Headers and payload in one piece, which costs a copy only if there are both.
fn joined(headers: &Bytes, payload: &Bytes) -> Bytes {
    match (headers.is_empty(), payload.is_empty()) {
        (true, _) => payload.clone(),
        (false, true) => headers.clone(),
        (false, false) => {
            let mut both = BytesMut::with_capacity(headers.len() + payload.len());
            both.extend_from_slice(headers);
            both.extend_from_slice(payload);
            both.freeze()
        }
    }
}
