//! The node whose calls and topics are tried, and what it and others may say.

use core::time::Duration;
use std::sync::{Arc, LazyLock};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use proto_core::{
    cx::Cx,
    id::{Incarnation, NodeAddr, NodeName, Seq, Token},
    limits::MESSAGE_DEADLINE_MAX,
    node::{Config, Outcome},
    pubsub::{self, Group, HistoryRule, Pattern, Policy, Publish, Resume, Subscribe, SubscriptionId, Topic, Topics},
    queue::Limit,
    rpc::{
        self, Balance, Call, CallId, Capacity, Entry, InvocationId, Key, Mode, Provider, Reply, Rpc, ServiceName,
        Target,
    },
    secure::{AWS_LC, Identity},
    testing::{Bench, Machine},
    time::Time,
    timers::earlier,
    wire::{self, v1},
};

/// How many nodes there are. Node 0 is the one that is tried.
pub(super) const NODES: usize = 5;
/// The life that node 0 is in.
const LIFE: Incarnation = Incarnation(2);
const SERVICES: [&str; 3] = ["sum", "sort", "seek"];
const TOPICS: [&str; 4] = ["a", "a.b", "a.b.c", "d"];
const PATTERNS: [&str; 5] = ["a", "a.*", ">", "a.>", "d"];
const GROUPS: [&str; 3] = ["", "left", "right"];
const CLIENTS: [&str; 3] = ["", "ann", "bob"];

/// The calls and topics of one node, which reads words as the node does.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) rpc: Rpc,
    pub(super) topics: Topics,
}

/// What can happen to them.
#[derive(Debug)]
pub(super) enum Event {
    /// A word of a node's calls.
    Call { from: NodeAddr, life: u64, head: Bytes, body: Bytes },
    /// A word of a node's topics.
    Topic { from: NodeAddr, life: u64, head: TopicWord, body: Bytes },
    /// Anything else.
    Rpc(rpc::Event<'static>),
    /// Likewise.
    Topics(pubsub::Event<'static>),
}

/// A word of topics.
#[derive(Clone, Debug)]
pub(super) enum TopicWord {
    /// Its header, then the groups.
    Publication(Bytes),
    Receipt(Bytes),
}

/// What they ask for.
#[derive(Debug)]
pub(super) enum Effect {
    Rpc(rpc::Effect),
    Topics(pubsub::Effect),
}

impl Machine for Serving {
    type Event = Event;
    type Effect = Effect;

    fn handle(&mut self, cx: &mut Cx<'_>, event: Event, effects: &mut Vec<Effect>) {
        let (mut calls, mut topics) = (Vec::new(), Vec::new());
        match event {
            Event::Call { from, life, head, body } => {
                if let Ok(header) = wire::decode(&head) {
                    let event = rpc::Event::Received { from, incarnation: Incarnation(life), header, body };
                    self.rpc.handle(cx, event, &mut calls);
                }
            }
            Event::Topic { from, life, head: TopicWord::Publication(head), body } => {
                if let Some((header, rest)) = v1::Publication::split_from(&head)
                    && let Ok(groups) = wire::decode(rest)
                {
                    let event = pubsub::Event::Arrived { from, incarnation: Incarnation(life), header, groups, body };
                    self.topics.handle(cx, event, &mut topics);
                }
            }
            Event::Topic { from, head: TopicWord::Receipt(head), .. } => {
                if let Ok(receipt) = wire::decode(&head) {
                    self.topics.handle(cx, pubsub::Event::Receipt { from, receipt }, &mut topics);
                }
            }
            Event::Rpc(event) => self.rpc.handle(cx, event, &mut calls),
            Event::Topics(event) => self.topics.handle(cx, event, &mut topics),
        }
        collect(calls, topics, effects);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Effect>) {
        let (mut calls, mut topics) = (Vec::new(), Vec::new());
        self.rpc.handle_timeout(cx, &mut calls);
        self.topics.handle_timeout(cx, &mut topics);
        collect(calls, topics, effects);
    }

    fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        earlier(self.rpc.poll_timeout(), self.topics.poll_timeout())
    }
}

fn collect(calls: Vec<rpc::Effect>, topics: Vec<pubsub::Effect>, effects: &mut Vec<Effect>) {
    effects.extend(calls.into_iter().map(Effect::Rpc));
    effects.extend(topics.into_iter().map(Effect::Topics));
}

impl Serving {
    /// Calls and publications that are not over, and calls that are served.
    pub(super) fn under_way(&self) -> usize {
        let served: u32 = self.rpc.served().map(|served| served.running + served.queued).sum();
        self.rpc.pending() + self.topics.open() + served as usize
    }

    pub(super) fn serve(&mut self, cx: &mut Cx<'_>, entry: Entry, there: bool, effects: &mut Vec<Effect>) {
        let mut calls = Vec::new();
        if there {
            let _ = self.rpc.register(cx, entry, &mut calls);
        } else {
            self.rpc.unregister(cx, &entry.service, entry.client.as_deref(), &mut calls);
        }
        collect(calls, Vec::new(), effects);
    }

    pub(super) fn call(&mut self, cx: &mut Cx<'_>, token: Token, call: Call, fx: &mut Vec<Effect>) -> Option<CallId> {
        let mut calls = Vec::new();
        let made = self.rpc.call(cx, token, call, &mut calls).ok();
        collect(calls, Vec::new(), fx);
        made
    }

    pub(super) fn cancel(&mut self, cx: &mut Cx<'_>, call: CallId, effects: &mut Vec<Effect>) {
        let mut calls = Vec::new();
        self.rpc.cancel(cx, call, &mut calls);
        collect(calls, Vec::new(), effects);
    }

    pub(super) fn reply(&mut self, cx: &mut Cx<'_>, id: InvocationId, reply: Reply, effects: &mut Vec<Effect>) {
        let mut calls = Vec::new();
        let _ = self.rpc.reply(cx, id, reply, &mut calls);
        collect(calls, Vec::new(), effects);
    }

    pub(super) fn subscribe(
        &mut self,
        cx: &mut Cx<'_>,
        wanted: &Subscribe,
        effects: &mut Vec<Effect>,
    ) -> Option<SubscriptionId> {
        let mut topics = Vec::new();
        let made = self.topics.subscribe(cx, wanted, &mut topics).ok();
        collect(Vec::new(), topics, effects);
        made.map(|made| made.id)
    }

    pub(super) fn unsubscribe(&mut self, id: SubscriptionId, effects: &mut Vec<Effect>) {
        let mut topics = Vec::new();
        self.topics.unsubscribe(id, &mut topics);
        collect(Vec::new(), topics, effects);
    }

    /// Answers whether it was taken.
    pub(super) fn publish(&mut self, cx: &mut Cx<'_>, token: Token, publish: Publish, fx: &mut Vec<Effect>) -> bool {
        let mut topics = Vec::new();
        let cost = |node: NodeAddr| (1..NODES).position(|number| addr(number) == node).map(|place| place as u32 / 2);
        let taken = self.topics.publish(cx, token, publish, cost, &mut topics).is_ok();
        collect(Vec::new(), topics, fx);
        taken
    }
}

fn name(number: usize) -> NodeName {
    let Ok(name) = NodeName::new(&format!("node-{number}")) else { panic!("a good name") };
    name
}

/// The address of a node.
pub(super) fn addr(number: usize) -> NodeAddr {
    static ALL: LazyLock<Vec<NodeAddr>> = LazyLock::new(|| (0..NODES).map(|number| name(number).addr()).collect());
    ALL[number]
}

/// Node 0, which knows nobody, and keeps a little history.
pub(super) fn bench() -> Bench<Serving> {
    let config = Config::new(name(0), Arc::new(Identity::from_seed([0; 32], AWS_LC)), LIFE, AWS_LC);
    let rule = HistoryRule { pattern: pattern("a.>"), messages: 3, bytes: 10_000, age: Some(Duration::from_secs(5)) };
    let topics = pubsub::Config { history: vec![rule] };
    Bench::new(Serving { rpc: Rpc::new(&config), topics: Topics::new(&config, &topics) })
}

/// A node comes within reach, or gets out of it.
pub(super) fn reach(node: NodeAddr, life: u64, there: bool) -> [Event; 2] {
    let incarnation = Incarnation(life);
    if there {
        let cost = u32::try_from(life % 3).unwrap_or_default();
        let calls = rpc::Event::Reachable { node, incarnation, cost };
        return [Event::Rpc(calls), Event::Topics(pubsub::Event::Reachable { node, incarnation })];
    }
    [Event::Rpc(rpc::Event::Unreachable { node }), Event::Topics(pubsub::Event::Unreachable { node })]
}

/// What a node may offer.
#[derive(Debug)]
pub(super) enum Offered {
    Service(Entry, bool),
    Interest(Pattern, Option<Group>, u32),
    Nothing,
    /// What became of something that was sent to it.
    Outcome(u64, bool, u64, Outcome),
}

/// Something that a node offers.
pub(super) fn offer(u: &mut Unstructured<'_>) -> Result<Offered> {
    Ok(match u.int_in_range(0..=7)? {
        0..=2 => Offered::Service(entry(u)?, u.ratio(3, 4)?),
        3..=5 => Offered::Interest(pattern(u.choose(&PATTERNS)?), group(u)?, u.int_in_range(0..=3)?),
        6 => Offered::Nothing,
        _ => {
            let all = [Outcome::Delivered, Outcome::Unknown, Outcome::Rejected(proto_core::error::Rejected::Busy)];
            Offered::Outcome(u.int_in_range(0..=40)?, u.arbitrary()?, u.int_in_range(0..=3)?, *u.choose(&all)?)
        }
    })
}

/// How the node hears of it.
pub(super) fn offered(node: NodeAddr, offer: Offered) -> Event {
    match offer {
        Offered::Service(entry, present) => Event::Rpc(rpc::Event::Announced { node, entry, present }),
        Offered::Interest(pattern, group, members) => {
            Event::Topics(pubsub::Event::Interest { node, pattern, group, present: members > 0, members })
        }
        Offered::Nothing => Event::Topics(pubsub::Event::Forget { node }),
        Offered::Outcome(number, true, one_try, outcome) => {
            // Of a call's numbering nothing is known here; a small number is none's, as a rule.
            Event::Rpc(rpc::Event::Sent { id: number << 18 | one_try, outcome })
        }
        Offered::Outcome(number, false, part, outcome) => {
            let part = u16::try_from(part).unwrap_or_default();
            Event::Topics(pubsub::Event::Outcome { seq: Seq(number), part, node, outcome })
        }
    }
}

/// A provider.
pub(super) fn entry(u: &mut Unstructured<'_>) -> Result<Entry> {
    let capacity = Capacity { concurrency: u.int_in_range(1..=2)?, queue: u.int_in_range(0..=2)? };
    Ok(Entry { capacity, ..Entry::new(service(u)?, client(u)?) })
}

/// A call of this node.
pub(super) fn call(u: &mut Unstructured<'_>) -> Result<Call> {
    let to = match u.int_in_range(0..=3)? {
        0 => Target::Node(addr(u.int_in_range(0..=NODES - 1)?)),
        1 => Target::Provider(Provider { node: addr(u.int_in_range(0..=NODES - 1)?), client: client(u)? }),
        _ => Target::Balanced(*u.choose(&[Balance::Nearest, Balance::RoundRobin, Balance::LeastPending])?),
    };
    let key = if u.ratio(1, 4)? { Key::new(Bytes::from_static(b"k")) } else { None };
    let mode = if key.is_none() && u.arbitrary()? { Mode::Streaming } else { Mode::Unary { key } };
    let deadline = Duration::from_millis(u64::from(u.arbitrary::<u16>()?));
    Ok(Call { service: service(u)?, to, from_client: client(u)?, payload: body(u)?, deadline, mode })
}

/// A publication of this node.
pub(super) fn publish(u: &mut Unstructured<'_>) -> Result<Publish> {
    let Ok(topic) = Topic::new(u.choose(&TOPICS)?) else { panic!("a good topic") };
    let deadline = Duration::from_millis(u64::from(u.arbitrary::<u16>()?)).min(MESSAGE_DEADLINE_MAX);
    Ok(Publish {
        receipt: u.arbitrary()?,
        deadline,
        echo: u.arbitrary()?,
        from_client: client(u)?,
        ..Publish::new(topic, body(u)?)
    })
}

/// A subscription of this node.
pub(super) fn subscribe(u: &mut Unstructured<'_>) -> Result<Subscribe> {
    let policy = *u.choose(&[Policy::DropOldest, Policy::DropNewest, Policy::Disconnect])?;
    let queue = Limit { count: u.int_in_range(0..=2)?, weight: 1_000 };
    let resume = if u.arbitrary()? { Resume::Last(2) } else { Resume::Live };
    let (credit, pattern) = (u.int_in_range(1..=2)?, pattern(u.choose(&PATTERNS)?));
    Ok(Subscribe { group: group(u)?, client: client(u)?, policy, queue, credit, resume, ..Subscribe::new(pattern) })
}

/// A word about the call of this number, or any bytes.
pub(super) fn call_word(u: &mut Unstructured<'_>, call: u64) -> Result<Bytes> {
    use v1::{CallLoss::HandlerGone, CallRefusal::QueueFull};
    let small = u.int_in_range(0..=3)?;
    let word = match u.int_in_range(0..=10)? {
        0 | 1 => {
            let (service, to) = (*u.choose(&SERVICES)?, if u.arbitrary()? { Some(*u.choose(&CLIENTS)?) } else { None });
            let (from_client, left_us) = (*u.choose(&CLIENTS)?, u64::from(u.arbitrary::<u32>()?));
            let (key, window) = (if u.ratio(1, 4)? { &b"k"[..] } else { &[] }, u.arbitrary()?);
            v1::Call::Request(v1::Request { call, service, to, from_client, left_us, key, window })
        }
        2 => v1::Call::Item { call, seq: small },
        3 => v1::Call::Done { call, items: small, load: u.arbitrary()? },
        4 => v1::Call::Failed { call, items: small, load: u.arbitrary()?, code: u.arbitrary()?, message: "no" },
        5 => v1::Call::Refused { call, why: QueueFull, load: u.arbitrary()? },
        6 => v1::Call::Lost { call, why: HandlerGone },
        7 => v1::Call::Progress { call, stage: v1::CallStage::Running { for_us: u.arbitrary()? } },
        8 => v1::Call::Cancel { call },
        9 => v1::Call::Credit { call, items: u.arbitrary()?, bytes: u.arbitrary()? },
        _ => return body(u),
    };
    Ok(Bytes::copy_from_slice(&wire::encode(&word)))
}

/// A word about topics, or any bytes.
pub(super) fn topic_word(u: &mut Unstructured<'_>) -> Result<TopicWord> {
    let groups = (0..u.int_in_range(0..=3)?).map(|_| u.choose(&GROUPS).copied()).collect::<Result<Vec<&str>>>()?;
    let seq = Seq(if u.ratio(1, 8)? { u.arbitrary()? } else { u.int_in_range(0..=40)? });
    Ok(match u.int_in_range(0..=7)? {
        0..=3 => {
            let (receipt, groups_only, headers) = (u.arbitrary()?, u.arbitrary()?, u.int_in_range(0..=20)?);
            let (topic, from_client) = (*u.choose(&TOPICS)?, *u.choose(&CLIENTS)?);
            let mut head = v1::Publication { seq, receipt, groups_only, headers, topic, from_client }.encode();
            head.extend_from_slice(&wire::encode(&groups));
            TopicWord::Publication(Bytes::copy_from_slice(&head))
        }
        4..=6 => {
            let incarnation = if u.ratio(1, 8)? { Incarnation(u.arbitrary()?) } else { LIFE };
            let receipt = v1::Receipt { incarnation, seq, subscriptions: u.arbitrary()?, vacant: groups.into() };
            TopicWord::Receipt(Bytes::copy_from_slice(&wire::encode(&receipt)))
        }
        _ => {
            let made_up = body(u)?;
            if u.arbitrary()? { TopicWord::Publication(made_up) } else { TopicWord::Receipt(made_up) }
        }
    })
}

/// A few bytes.
pub(super) fn body(u: &mut Unstructured<'_>) -> Result<Bytes> {
    let len = usize::from(u.arbitrary::<u8>()? % 24).min(u.len());
    Ok(Bytes::copy_from_slice(u.bytes(len)?))
}

/// A client of any node, or the node itself.
pub(super) fn client(u: &mut Unstructured<'_>) -> Result<Option<Arc<str>>> {
    let name = *u.choose(&CLIENTS)?;
    Ok((!name.is_empty()).then(|| Arc::from(name)))
}

fn group(u: &mut Unstructured<'_>) -> Result<Option<Group>> {
    Ok(Group::new(u.choose(&GROUPS)?).ok())
}

fn service(u: &mut Unstructured<'_>) -> Result<ServiceName> {
    let Ok(service) = ServiceName::new(u.choose(&SERVICES)?) else { panic!("a good name") };
    Ok(service)
}

fn pattern(text: &str) -> Pattern {
    let Ok(pattern) = Pattern::new(text) else { panic!("a good pattern") };
    pattern
}
