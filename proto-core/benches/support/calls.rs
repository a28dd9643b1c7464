//! Two machines of remote calls, joined directly: what the flows between them would add is left out.

use std::time::Duration;

use bytes::Bytes;
use proto_core::{
    cx::Cx,
    id::{Incarnation, NodeAddr, NodeName, Token},
    node::{Config, Outcome},
    probe::Probe,
    rng::Rng,
    rpc::{Balance, Call, Completion, Effect, Entry, Event, Mode, Reply, Rpc, ServiceName, Target},
    secure::{Identity, SOFTWARE},
    time::Time,
    wire::{decode, v1},
};

const LIFE: Incarnation = Incarnation(1_700_000_000_000);

/// One end: its machine, and what a machine is given.
struct End {
    addr: NodeAddr,
    rpc: Rpc,
    rng: Rng,
    probe: Probe,
    fx: Vec<Effect>,
}

impl End {
    fn new(name: &str) -> Self {
        let name = NodeName::new(name).unwrap();
        let identity = std::sync::Arc::new(Identity::from_seed([0; 32], SOFTWARE));
        let rpc = Rpc::new(&Config::new(name.clone(), identity, LIFE, SOFTWARE));
        Self { addr: name.addr(), rpc, rng: Rng::new([1; 32]), probe: Probe::new(), fx: Vec::new() }
    }

    fn with<T>(&mut self, now: Time, call: impl FnOnce(&mut Rpc, &mut Cx<'_>, &mut Vec<Effect>) -> T) -> T {
        let mut cx = Cx { now, rng: &mut self.rng, probe: &mut self.probe };
        call(&mut self.rpc, &mut cx, &mut self.fx)
    }
}

/// A caller and a provider of one service, which answers with what it is given.
pub(crate) struct Pair {
    caller: End,
    provider: End,
    now: Time,
    call: Call,
    spare: Vec<Effect>,
    completed: u64,
}

impl Pair {
    /// Calls with a payload of 128 bytes, to the nearest provider or to the provider's node.
    pub(crate) fn new(balanced: bool) -> Self {
        let (mut caller, mut provider) = (End::new("caller"), End::new("provider"));
        let service = ServiceName::new("geo.lookup").unwrap();
        let entry = Entry::new(service.clone(), None);
        let (now, other) = (Time::ZERO, provider.addr);
        provider.with(now, |rpc, cx, fx| rpc.register(cx, entry.clone(), fx).unwrap());
        provider.fx.clear();
        for event in [
            Event::Reachable { node: other, incarnation: LIFE, cost: 1 },
            Event::Announced { node: other, entry, present: true },
        ] {
            caller.with(now, |rpc, cx, fx| rpc.handle(cx, event, fx));
        }
        let node = caller.addr;
        provider.with(now, |rpc, cx, fx| rpc.handle(cx, Event::Reachable { node, incarnation: LIFE, cost: 1 }, fx));
        let call = Call {
            service,
            to: if balanced { Target::Balanced(Balance::Nearest) } else { Target::Node(other) },
            from_client: None,
            payload: Bytes::from_static(&[7; 128]),
            deadline: Duration::from_secs(10),
            mode: Mode::Unary { key: None },
        };
        Self { caller, provider, now, call, spare: Vec::new(), completed: 0 }
    }

    /// Makes that many calls at once, and lets all of them be answered and completed.
    pub(crate) fn round(&mut self, calls: u64) {
        self.now += Duration::from_micros(50);
        for token in 0..calls {
            let call = self.call.clone();
            self.caller.with(self.now, |rpc, cx, fx| rpc.call(cx, Token(token), call, fx).unwrap());
        }
        carry(&mut self.caller, &mut self.provider, self.now, &mut self.spare);
        std::mem::swap(&mut self.provider.fx, &mut self.spare);
        for effect in self.spare.drain(..) {
            let Effect::Invoke(invocation) = effect else { panic!("{effect:?}") };
            let reply = Reply::Done(invocation.payload);
            self.provider.with(self.now, |rpc, cx, fx| rpc.reply(cx, invocation.id, reply, fx).unwrap());
        }
        carry(&mut self.provider, &mut self.caller, self.now, &mut self.spare);
        for effect in self.caller.fx.drain(..) {
            let Effect::Completed { completion: Completion::Ok(_), .. } = effect else { panic!("{effect:?}") };
            self.completed += 1;
        }
    }

    /// How many calls have ended well.
    pub(crate) const fn completed(&self) -> u64 {
        self.completed
    }
}

/// Hands what one end sends to the other, and tells it so.
fn carry(from: &mut End, to: &mut End, now: Time, spare: &mut Vec<Effect>) {
    std::mem::swap(&mut from.fx, spare);
    for effect in spare.drain(..) {
        let Effect::Send { id, header, body, .. } = effect else { panic!("{effect:?}") };
        let header: v1::Call<'_> = decode(&header).unwrap();
        let event = Event::Received { from: from.addr, incarnation: LIFE, header, body };
        to.with(now, |rpc, cx, fx| rpc.handle(cx, event, fx));
        if let Some(id) = id {
            from.with(now, |rpc, cx, fx| rpc.handle(cx, Event::Sent { id, outcome: Outcome::Delivered }, fx));
        }
    }
}
