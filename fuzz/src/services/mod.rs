//! What other nodes may say of calls and topics: true, late, of an earlier life, to the wrong node, made up.
//!
//! The input is a script about the calls and topics of one node, among nodes that all say what the script wants, and with
//! applications that ask for whatever it wants.
//!
//! Properties, after every line:
//! * Nothing panics, and law L5 holds (by [`Bench`](proto_core::testing::Bench)).
//! * A word of a node ends, or gives an item to, only a call that this node was asked to serve; each call ends once.
//! * An answer goes only to the node that made the call, and what is said of an own call only to the node that was asked.
//! * A receipt goes only to the node whose publication arrived.
//! * What is kept is as much as was asked for: calls and publications that are not over, calls that are served.
//! * One word leads to few others.
//!
//! Property at the end: after the longest deadline nothing is pending, open or served.

mod cast;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Result, Unstructured};
use proto_core::{
    id::{NodeAddr, Token},
    limits::{CALL_DEADLINE_MAX, HANDLER_STOP},
    pubsub::{self, SubscriptionId},
    rpc::{self, CallId, InvocationId, Reply},
    testing::Bench,
    wire::{self, v1},
};

use cast::{Effect, Event, NODES, Serving, addr};

/// Most lines of one script. More: it ends.
const OPS_MAX: usize = 128;

/// Runs a script.
///
/// # Panics
/// If a property does not hold.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mut script = Script {
        bench: cast::bench(),
        lives: [1; NODES],
        asked: BTreeMap::new(),
        served: BTreeSet::new(),
        requests: 0,
        handlers: Vec::new(),
        subscriptions: Vec::new(),
        open: BTreeSet::new(),
        tokens: 0,
    };
    for _ in 0..OPS_MAX {
        if input.is_empty() || script.op(&mut input).is_err() {
            break;
        }
        script.check();
    }
    script.advance(CALL_DEADLINE_MAX + HANDLER_STOP + Duration::from_secs(1));
    script.check();
    assert!(script.open.is_empty(), "never answered: {:?}", script.open);
    assert!(script.bench.machine.rpc.is_idle());
    assert_eq!(script.bench.machine.topics.open(), 0);
}

struct Script {
    bench: Bench<Serving>,
    /// The present life of each node.
    lives: [u64; NODES],
    /// Every call of this node that went to another, and the last one that it went to.
    asked: BTreeMap<u64, NodeAddr>,
    /// Every call that others made here.
    served: BTreeSet<(NodeAddr, u64)>,
    /// How often others called here: a number may come again.
    requests: u64,
    /// Every call that a handler was ever given.
    handlers: Vec<InvocationId>,
    subscriptions: Vec<SubscriptionId>,
    /// What is not answered: calls, and publications that want a receipt.
    open: BTreeSet<Token>,
    tokens: u64,
}

impl Script {
    /// One line.
    fn op(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=11)? {
            0 => {
                let (node, how) = (self.node(u)?, u.int_in_range(0..=3)?);
                self.lives[node] += u64::from(how == 0);
                cast::reach(addr(node), self.lives[node], how != 1).into_iter().for_each(|event| self.tell(event));
            }
            1 => {
                let (node, offer) = (addr(self.node(u)?), cast::offer(u)?);
                self.tell(cast::offered(node, offer));
            }
            2 => self.own_service(u)?,
            3 => self.own_subscription(u)?,
            4 | 5 => self.call(u)?,
            6 => self.publish(u)?,
            7 | 8 => {
                let (node, life) = self.somebody(u)?;
                let known: Vec<u64> =
                    self.asked.keys().copied().chain(self.served.iter().map(|(_, call)| *call)).collect();
                let call = if known.is_empty() || u.ratio(1, 4)? { u.arbitrary()? } else { *u.choose(&known)? };
                let head = cast::call_word(u, call)?;
                let is_request = matches!(wire::decode(&head), Ok(v1::Call::Request(_)));
                if is_request {
                    self.served.insert((node, call));
                    self.requests += 1;
                }
                self.hear(node, Event::Call { from: node, life, head, body: cast::body(u)? });
            }
            9 => {
                let (node, life) = self.somebody(u)?;
                let head = cast::topic_word(u)?;
                self.hear(node, Event::Topic { from: node, life, head, body: cast::body(u)? });
            }
            10 => self.reply(u)?,
            _ => self.advance(Duration::from_millis(u64::from(u.arbitrary::<u16>()?))),
        }
        Ok(())
    }

    fn own_service(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (entry, there) = (cast::entry(u)?, u.ratio(3, 4)?);
        if u.ratio(1, 8)? {
            let client = cast::client(u)?.unwrap_or_default();
            self.tell(Event::Topics(pubsub::Event::ClientGone { client: "ann" }));
            self.tell(Event::Rpc(rpc::Event::ClientGone { client }));
            return Ok(());
        }
        let now = self.bench.now();
        let effects = self.bench.with(now, |serving, cx, fx| serving.serve(cx, entry, there, fx));
        self.take(None, effects);
        Ok(())
    }

    fn own_subscription(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (now, wanted, number) = (self.bench.now(), cast::subscribe(u)?, u.arbitrary::<u8>()?);
        if let Some(id) = self.subscriptions.get(usize::from(number)).copied() {
            let effects = self.bench.with(now, |serving, _, fx| serving.unsubscribe(id, fx));
            self.take(None, effects);
            self.tell(Event::Topics(pubsub::Event::Consumed { subscription: id, messages: u.arbitrary()? }));
            return Ok(());
        }
        let mut made = None;
        let effects = self.bench.with(now, |serving, cx, fx| made = serving.subscribe(cx, &wanted, fx));
        self.subscriptions.extend(made);
        self.take(None, effects);
        Ok(())
    }

    fn call(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (now, call) = (self.bench.now(), cast::call(u)?);
        let token = self.token();
        let cancel = u.ratio(1, 4)?;
        let mut made: Option<CallId> = None;
        let effects = self.bench.with(now, |serving, cx, fx| made = serving.call(cx, token, call, fx));
        if made.is_some() {
            self.open.insert(token);
        }
        self.take(None, effects);
        if let (Some(id), true) = (made, cancel) {
            let effects = self.bench.with(now, |serving, cx, fx| serving.cancel(cx, id, fx));
            self.take(None, effects);
        }
        Ok(())
    }

    fn publish(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (now, publish) = (self.bench.now(), cast::publish(u)?);
        let token = self.token();
        let wants = publish.receipt;
        let mut taken = false;
        let effects = self.bench.with(now, |serving, cx, fx| taken = serving.publish(cx, token, publish, fx));
        if taken && wants {
            self.open.insert(token);
        }
        self.take(None, effects);
        Ok(())
    }

    fn reply(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.handlers.is_empty() {
            return Ok(());
        }
        let (id, body) = (*u.choose(&self.handlers)?, cast::body(u)?);
        let reply = match u.int_in_range(0..=2)? {
            0 => Reply::Done(body),
            1 => Reply::Item(body),
            _ => Reply::Error(rpc::AppError { payload: body, ..rpc::AppError::new(u.arbitrary()?, "no") }),
        };
        let now = self.bench.now();
        let effects = self.bench.with(now, |serving, cx, fx| serving.reply(cx, id, reply, fx));
        self.take(None, effects);
        Ok(())
    }

    /// A node other than this one.
    fn node(&self, u: &mut Unstructured<'_>) -> Result<usize> {
        u.int_in_range(1..=NODES - 1)
    }

    /// Somebody who says something, mostly in its present life.
    fn somebody(&self, u: &mut Unstructured<'_>) -> Result<(NodeAddr, u64)> {
        let node = self.node(u)?;
        let life = if u.ratio(1, 8)? { u.arbitrary()? } else { self.lives[node] };
        Ok((addr(node), life))
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    fn tell(&mut self, event: Event) {
        let now = self.bench.now();
        let effects = self.bench.handle(now, event);
        self.take(None, effects);
    }

    /// Takes in a word of a node.
    fn hear(&mut self, from: NodeAddr, event: Event) {
        let (now, before) = (self.bench.now(), self.bench.machine.under_way());
        let effects = self.bench.handle(now, event);
        // A word may let calls begin that wait, and let a group's publication be tried again, and no more than that.
        assert!(effects.len() <= 16 + 4 * before + self.subscriptions.len(), "{} effects", effects.len());
        self.take(Some(from), effects);
    }

    /// Lets time pass.
    fn advance(&mut self, time: Duration) {
        let until = self.bench.now() + time;
        let effects = self.bench.run_until(until).into_iter().map(|(_, effect)| effect).collect();
        self.take(None, effects);
    }

    /// Takes what was asked for. `from`: the node whose word led to it.
    fn take(&mut self, from: Option<NodeAddr>, effects: Vec<Effect>) {
        let asked_before = from.map(|_| self.asked.clone()).unwrap_or_default();
        let was_asked = |call: CallId, from: NodeAddr| {
            let number = call.0;
            assert_eq!(asked_before.get(&number), Some(&from), "{from} answers {call:?}, which it was not asked");
        };
        for effect in effects {
            match effect {
                Effect::Rpc(rpc::Effect::Send { to, header, .. }) => self.said(to, &header),
                Effect::Rpc(rpc::Effect::Invoke(invocation)) => self.handlers.push(invocation.id),
                Effect::Rpc(rpc::Effect::Item { call, .. }) => from.into_iter().for_each(|from| was_asked(call, from)),
                Effect::Rpc(rpc::Effect::Completed { token, call, .. }) => {
                    from.into_iter().for_each(|from| was_asked(call, from));
                    // A call may complete before it is known that it was made.
                    self.completed(token);
                }
                Effect::Topics(pubsub::Effect::Receipt { to, .. }) => assert_eq!(Some(to), from, "nobody asked"),
                Effect::Topics(pubsub::Effect::Published { token, report }) => {
                    assert!(report.nodes <= NODES);
                    self.completed(token);
                }
                Effect::Rpc(
                    rpc::Effect::CancelInvocation { .. } | rpc::Effect::Writable { .. } | rpc::Effect::Announce { .. },
                )
                | Effect::Topics(
                    pubsub::Effect::Interest { .. }
                    | pubsub::Effect::Forward { .. }
                    | pubsub::Effect::Deliver { .. }
                    | pubsub::Effect::Disconnected { .. }
                    | pubsub::Effect::Slow { .. }
                    | pubsub::Effect::SlowNode { .. },
                ) => {}
            }
        }
    }

    fn completed(&mut self, token: Token) {
        assert!(self.open.remove(&token), "{token:?} is answered twice");
    }

    /// Something is said to a node.
    fn said(&mut self, to: NodeAddr, header: &[u8]) {
        let Ok(word) = wire::decode::<v1::Call<'_>>(header) else { panic!("{header:?} is no word") };
        match word {
            v1::Call::Request(request) => _ = self.asked.insert(request.call, to),
            v1::Call::Cancel { call } | v1::Call::Credit { call, .. } => {
                assert_eq!(self.asked.get(&call), Some(&to), "{word:?} goes to somebody who was not asked");
            }
            v1::Call::Item { call, .. }
            | v1::Call::Done { call, .. }
            | v1::Call::Failed { call, .. }
            | v1::Call::Refused { call, .. }
            | v1::Call::Lost { call, .. }
            | v1::Call::Progress { call, .. } => {
                assert!(self.served.contains(&(to, call)), "{word:?} goes to somebody who did not call");
            }
        }
    }

    /// What must be true after every line.
    fn check(&self) {
        let Serving { rpc, topics, .. } = &self.bench.machine;
        assert!(rpc.pending() <= self.open.len(), "calls that nobody waits for");
        // A call within the node is pending at one end and served at the other.
        assert!(self.bench.machine.under_way() as u64 <= 2 * self.tokens + self.requests);
        assert!(topics.subscriptions().count() <= self.subscriptions.len());
    }
}
