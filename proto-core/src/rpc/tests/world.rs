//! Three nodes over a flow that delays, refuses, loses track and restarts, with handlers that take their time; and a
//! record of what really ran, against which every completion is checked.

use std::collections::BTreeMap;

use super::*;
use crate::{node::Outcome, rng::Rng};

pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

/// What the flows do to a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// Refused, and never delivered; in thousandths.
    pub(super) refused: u32,
    /// Nobody learns what became of it; in thousandths. Half of them arrive.
    pub(super) unknown: u32,
    /// Least and longest delay, in milliseconds.
    pub(super) delay: (u64, u64),
}

pub(super) const PERFECT: Flow = Flow { refused: 0, unknown: 0, delay: (1, 1) };

#[derive(Debug)]
struct Node {
    bench: Bench<Rpc>,
    life: Incarnation,
}

/// What has been put off.
#[derive(Debug)]
enum Later {
    Arrive { from: usize, from_life: Incarnation, to: usize, to_life: Incarnation, header: Head, body: Bytes },
    Report { node: usize, life: Incarnation, to: usize, id: u64, outcome: Outcome },
    Answer { node: usize, life: Incarnation, invocation: InvocationId },
}

/// What really happened to a call. Its payload is its number.
#[derive(Debug)]
struct Record {
    node: usize,
    life: Incarnation,
    deadline: Time,
    key: Option<String>,
    runs: u32,
    items_sent: u64,
    items_got: u64,
    completion: Option<Completion>,
}

/// A handler at work.
#[derive(Debug)]
struct Handler {
    number: u64,
    client: Option<Arc<str>>,
    items: u64,
}

/// See the module's first lines.
#[derive(Debug)]
pub(super) struct World {
    nodes: Vec<Node>,
    now: Time,
    rng: Rng,
    flow: Flow,
    later: BTreeMap<(Time, u64), Later>,
    order: u64,
    /// When the last message between two nodes arrives: flows keep their order.
    last: BTreeMap<(usize, usize), Time>,
    apart: Vec<(usize, usize)>,
    calls: Vec<Record>,
    ids: BTreeMap<(usize, Incarnation, CallId), u64>,
    handlers: BTreeMap<(usize, Incarnation, InvocationId), Handler>,
    /// Runs of a key of a caller at a life of a provider.
    keyed: BTreeMap<(usize, String, usize, Incarnation), u32>,
    /// What a provider said about a request: the moment after which it must not begin.
    begin_by: BTreeMap<(usize, u64), Time>,
    caps: BTreeMap<(usize, Option<Arc<str>>), u32>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let life = Incarnation(1);
        let nodes = NAMES.map(|name| Node { bench: Bench::new(machine(name, life)), life });
        let mut world = Self {
            nodes: nodes.into(),
            now: Time::ZERO,
            rng: Rng::new(key),
            flow: PERFECT,
            later: BTreeMap::new(),
            order: 0,
            last: BTreeMap::new(),
            apart: Vec::new(),
            calls: Vec::new(),
            ids: BTreeMap::new(),
            handlers: BTreeMap::new(),
            keyed: BTreeMap::new(),
            begin_by: BTreeMap::new(),
            caps: BTreeMap::new(),
        };
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            world.introduce(a, b);
        }
        world
    }

    pub(super) fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    /// Two nodes are within reach of each other, and know each other's providers.
    pub(super) fn introduce(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.apart.retain(|pair| *pair != (a.min(b), a.max(b)));
        for (one, other) in [(a, b), (b, a)] {
            let (node, incarnation) = (addr(NAMES[other]), self.nodes[other].life);
            let cost = u32::try_from(one + other).unwrap();
            self.tell(one, Event::Reachable { node, incarnation, cost });
            let entries: Vec<_> = self.nodes[other].bench.machine.served().map(|served| served.entry.clone()).collect();
            self.tell(one, Event::Forget { node });
            for entry in entries {
                self.tell(one, Event::Announced { node, entry, present: true });
            }
        }
    }

    pub(super) fn part(&mut self, a: usize, b: usize) {
        if a != b {
            self.apart.push((a.min(b), a.max(b)));
            self.tell(a, Event::Unreachable { node: addr(NAMES[b]) });
            self.tell(b, Event::Unreachable { node: addr(NAMES[a]) });
        }
    }

    /// A node starts anew. What was on its way to it is lost; the others learn of it when they are introduced.
    pub(super) fn restart(&mut self, node: usize) {
        let life = self.nodes[node].life.next();
        let mut bench = Bench::new(machine(NAMES[node], life));
        bench.run_until(self.now);
        self.nodes[node] = Node { bench, life };
        self.handlers.retain(|(at, ..), _| *at != node);
        self.caps.retain(|(at, _), _| *at != node);
        self.lose_track(node);
        for other in 0..NAMES.len() {
            if other != node {
                self.tell(other, Event::Unreachable { node: addr(NAMES[node]) });
                self.introduce(node, other);
            }
        }
    }

    /// Nobody learns any more what became of what was sent to a node, unless it was refused.
    fn lose_track(&mut self, of: usize) {
        let now = self.now;
        let moved = self.later.extract_if(.., |_, later| {
            matches!(later, Later::Report { to, outcome: Outcome::Delivered | Outcome::Unknown, .. } if *to == of)
        });
        for later in moved.map(|(_, later)| later).collect::<Vec<_>>() {
            if let Later::Report { node, life, to, id, .. } = later {
                self.put_off(now, Later::Report { node, life, to, id, outcome: Outcome::Unknown });
            }
        }
    }

    pub(super) fn register(&mut self, node: usize, client: Option<&'static str>, concurrency: u32, queue: u32) {
        let entry = entry(client, concurrency, queue);
        // A smaller cap lets what runs already finish; the larger one is what must never be exceeded.
        let cap = self.caps.entry((node, entry.client.clone())).or_default();
        *cap = (*cap).max(concurrency);
        self.with(node, |rpc, cx, fx| rpc.register(cx, entry, fx).unwrap());
    }

    pub(super) fn client_gone(&mut self, node: usize, client: &'static str) {
        let life = self.nodes[node].life;
        self.handlers
            .retain(|(at, of, _), handler| (*at, *of, handler.client.as_deref()) != (node, life, Some(client)));
        self.tell(node, Event::ClientGone { client: Arc::from(client) });
    }

    pub(super) fn call(&mut self, node: usize, mut call: Call) {
        let (number, life) = (self.calls.len() as u64, self.nodes[node].life);
        let key = match &call.mode {
            Mode::Unary { key: Some(key) } => Some(String::from_utf8(key.as_bytes().to_vec()).unwrap()),
            Mode::Unary { key: None } | Mode::Streaming => None,
        };
        let deadline = self.now + call.deadline;
        call.payload = bytes(&std::format!("{number}"));
        let (runs, items_sent, items_got, completion) = (0, 0, 0, None);
        self.calls.push(Record { node, life, deadline, key, runs, items_sent, items_got, completion });
        let mut id = None;
        self.with(node, |rpc, cx, fx| id = rpc.call(cx, Token(number), call, fx).ok());
        self.ids.insert((node, life, id.unwrap()), number);
    }

    /// Cancels a call of a node, if it has that many pending.
    pub(super) fn cancel(&mut self, node: usize, which: usize) {
        let call = self.nodes[node].bench.machine.calls(self.now).map(|call| call.id).nth(which);
        if let Some(call) = call {
            self.with(node, |rpc, cx, fx| assert!(rpc.cancel(cx, call, fx)));
        }
    }

    pub(super) fn run(&mut self, millis: u64) {
        let end = self.now + ms(millis);
        loop {
            let next_timer = self.nodes.iter().filter_map(|node| node.bench.machine.poll_timeout()).map(|(due, _)| due);
            let next = next_timer.chain(self.later.keys().map(|(due, _)| *due).take(1)).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= self.now) {
                let later = first.remove();
                self.happen(later);
            }
            for node in 0..self.nodes.len() {
                for (_, effect) in self.nodes[node].bench.run_until(self.now) {
                    self.effect(node, effect);
                }
            }
        }
        self.now = end;
    }

    /// Everything must be over, and as it was said.
    pub(super) fn check_calm(&self) {
        for node in &self.nodes {
            assert!(node.bench.machine.is_idle(), "{:?}", node.bench.machine);
        }
        for (number, call) in self.calls.iter().enumerate() {
            let lives = self.nodes[call.node].life == call.life;
            assert!(!lives || call.completion.is_some(), "call {number} never ended: {call:?}");
            let definite = call.completion.as_ref().is_some_and(|completion| !completion.may_have_run());
            assert!(!definite || call.runs == 0, "call {number} ran although it was said not to: {call:?}");
        }
    }

    /// How many calls ended with a result.
    pub(super) fn successes(&self) -> usize {
        self.calls.iter().filter(|call| matches!(call.completion, Some(Completion::Ok(_)))).count()
    }

    fn tell(&mut self, node: usize, event: Event<'static>) {
        self.with(node, |rpc, cx, fx| rpc.handle(cx, event, fx));
    }

    fn with(&mut self, node: usize, call: impl FnOnce(&mut Rpc, &mut Cx<'_>, &mut Vec<Effect>)) {
        for effect in self.nodes[node].bench.with(self.now, call) {
            self.effect(node, effect);
        }
    }

    fn put_off(&mut self, due: Time, later: Later) {
        self.order += 1;
        self.later.insert((due, self.order), later);
    }

    fn happen(&mut self, later: Later) {
        match later {
            Later::Arrive { from, from_life, to, to_life, header, body } => {
                if self.nodes[to].life != to_life || self.nodes[from].life != from_life {
                    return;
                }
                let words: v1::Call<'_> = decode(&header).unwrap();
                if let v1::Call::Request(request) = &words {
                    let by = self.now + Duration::from_micros(request.left_us);
                    self.begin_by.insert((to, text(&body).parse().unwrap()), by);
                }
                let mut effects = Vec::new();
                let (from, now) = (addr(NAMES[from]), self.now);
                let event = Event::Received { from, incarnation: from_life, header: words, body };
                effects.extend(self.nodes[to].bench.with(now, |rpc, cx, fx| rpc.handle(cx, event, fx)));
                for effect in effects {
                    self.effect(to, effect);
                }
            }
            Later::Report { node, life, to: _, id, outcome } => {
                if self.nodes[node].life == life {
                    self.tell(node, Event::Sent { id, outcome });
                }
            }
            Later::Answer { node, life, invocation } => self.answer(node, life, invocation),
        }
    }

    /// A handler does its next step: an item, or the last answer.
    fn answer(&mut self, node: usize, life: Incarnation, invocation: InvocationId) {
        let Some(handler) = self.handlers.get_mut(&(node, life, invocation)) else { return };
        let number = handler.number;
        let item = handler.items > 0;
        let what = match (item, self.rng.below(4)) {
            (true, _) => Reply::Item(bytes(&std::format!("{}", self.calls[number as usize].items_sent))),
            (false, 0) => Reply::Error(AppError { code: 1, message: Arc::from("no"), payload: bytes("") }),
            (false, _) => Reply::Done(bytes(&std::format!("result of {number}"))),
        };
        let mut taken = Ok(());
        if item {
            handler.items -= 1;
        } else {
            self.handlers.remove(&(node, life, invocation));
        }
        self.with(node, |rpc, cx, fx| taken = rpc.reply(cx, invocation, what, fx));
        if item {
            match taken {
                Ok(()) => self.calls[number as usize].items_sent += 1,
                Err(NotTaken::NoCredit) => {
                    if let Some(handler) = self.handlers.get_mut(&(node, life, invocation)) {
                        handler.items += 1;
                    }
                    return;
                }
                Err(_) => {}
            }
            let due = self.now + ms(self.rng.below(20));
            self.put_off(due, Later::Answer { node, life, invocation });
        } else {
            assert_eq!(taken, Ok(()), "the last answer of a handler that was not given up counts");
        }
    }

    fn effect(&mut self, node: usize, effect: Effect) {
        let life = self.nodes[node].life;
        match effect {
            Effect::Send { to, id, header, body, deadline } => self.send(node, to, id, header, body, deadline),
            Effect::Invoke(invocation) => self.invoke(node, life, invocation),
            Effect::CancelInvocation { invocation, why: _ } => {
                if let Some(handler) = self.handlers.get_mut(&(node, life, invocation)) {
                    handler.items = 0;
                }
                self.put_off(self.now + ms(10), Later::Answer { node, life, invocation });
            }
            Effect::Writable { invocation, room: _ } => {
                self.put_off(self.now, Later::Answer { node, life, invocation })
            }
            Effect::Item { token, call, payload } => {
                let record = &mut self.calls[token.0 as usize];
                assert_eq!(record.completion, None, "no item after the end");
                assert_eq!(text(&payload), std::format!("{}", record.items_got), "items in order, without gaps");
                record.items_got += 1;
                self.with(node, |rpc, cx, fx| rpc.consumed(cx, call, 1, payload.len() as u64, fx));
            }
            Effect::Completed { token, call: _, at: _, completion } => {
                let now = self.now;
                let record = &mut self.calls[token.0 as usize];
                assert_eq!((record.node, record.life), (node, life));
                assert!(now <= record.deadline, "ended at {now}: {record:?}");
                if let Completion::Ok(payload) = &completion {
                    let same = |other: &u64| self.calls[*other as usize].key == self.calls[token.0 as usize].key;
                    let of: u64 = text(payload).strip_prefix("result of ").unwrap().parse().unwrap();
                    assert!(of == token.0 || self.calls[of as usize].key.is_some() && same(&of), "another's result");
                    let record = &self.calls[token.0 as usize];
                    assert!(record.runs == 1 || record.key.is_some(), "a result without a run: {record:?}");
                    assert_eq!(record.items_got, record.items_sent, "a result is the end of all items");
                }
                let record = &mut self.calls[token.0 as usize];
                assert_eq!(record.completion.replace(completion), None, "call {} ended twice", token.0);
            }
            Effect::Announce { entry, present } => {
                for other in (0..NAMES.len()).filter(|other| *other != node) {
                    let event = Event::Announced { node: addr(NAMES[node]), entry: entry.clone(), present };
                    self.tell(other, event);
                }
            }
        }
    }

    fn invoke(&mut self, node: usize, life: Incarnation, invocation: Invocation) {
        let number: u64 = text(&invocation.payload).parse().unwrap();
        let record = &mut self.calls[number as usize];
        record.runs += 1;
        assert_eq!(record.runs, 1, "call {number} runs twice: {record:?}");
        let local = record.node == node;
        let by = if local { record.deadline } else { self.begin_by[&(node, number)] };
        let joined = record.key.is_some();
        assert!(self.now < by || joined, "call {number} begins at {} after {by}", self.now);
        if let Some(key) = record.key.clone() {
            let runs = self.keyed.entry((record.node, key, node, life)).or_default();
            *runs += 1;
            assert_eq!(*runs, 1, "a key runs twice at one life of a provider");
        }
        let client = invocation.client.clone();
        let items = if invocation.room.is_some() { self.rng.below(200) } else { 0 };
        self.handlers.insert((node, life, invocation.id), Handler { number, client: client.clone(), items });
        let running =
            self.handlers.iter().filter(|((at, of, _), handler)| (*at, *of, &handler.client) == (node, life, &client));
        let (running, cap) = (running.count(), self.caps[&(node, client)]);
        assert!(running <= cap as usize, "{running} run where {cap} may");
        let due = self.now + ms(self.rng.below(400));
        self.put_off(due, Later::Answer { node, life, invocation: invocation.id });
    }

    fn send(&mut self, from: usize, to: NodeAddr, id: Option<u64>, header: Head, body: Bytes, deadline: Duration) {
        assert!(!deadline.is_zero(), "nothing is sent after the deadline");
        let to = NAMES.iter().position(|name| addr(name) == to).unwrap();
        let (least, most) = self.flow.delay;
        let delay = ms(least + self.rng.below(most - least + 1));
        let cut = self.apart.contains(&(from.min(to), from.max(to)));
        let refused = cut && self.rng.chance(500) || self.rng.chance(self.flow.refused);
        let unknown = cut || self.rng.chance(self.flow.unknown);
        let arrives = !refused && !cut && (!unknown || self.rng.chance(500));
        let (from_life, to_life) = (self.nodes[from].life, self.nodes[to].life);
        let mut arrival = self.now + delay;
        if arrives {
            let last = self.last.entry((from, to)).or_default();
            arrival = arrival.max(*last);
            *last = arrival;
            self.put_off(arrival, Later::Arrive { from, from_life, to, to_life, header, body });
        }
        if let Some(id) = id {
            let (due, outcome) = match (refused, unknown) {
                (true, _) => (self.now + delay, Outcome::Rejected(Rejected::ReceiverBusy)),
                (false, true) => (self.now + deadline, Outcome::Unknown),
                (false, false) => (arrival + delay, Outcome::Delivered),
            };
            self.put_off(due, Later::Report { node: from, life: from_life, to, id, outcome });
        }
    }
}
