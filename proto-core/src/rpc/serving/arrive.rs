//! What callers ask for.

use alloc::sync::Arc;

use bytes::Bytes;
use smallvec::smallvec;

use super::{
    Answer, Caller, Env, Serving, State, Waiter,
    run::{Run, Stream},
};
use crate::{
    id::{Incarnation, NodeAddr},
    limits::{
        CLIENT_NAME_MAX, IDEMPOTENCY_JOINED_MAX, IDEMPOTENCY_KEY_MAX, INVOCATIONS_PER_NODE_MAX, SERVICE_QUEUE_BYTES,
    },
    probe::Counter,
    rpc::{
        Effect, InvocationId, Room,
        keys::{Scoped, Stored, Used, scoped},
    },
    wire::v1::CallRefusal,
};

/// A call that arrives.
#[derive(Debug)]
pub(in super::super) struct Arrival<'a> {
    pub(in super::super) waiter: Waiter,
    pub(in super::super) service: &'a str,
    pub(in super::super) to: Option<&'a str>,
    pub(in super::super) from_client: Option<Arc<str>>,
    pub(in super::super) key: &'a [u8],
    pub(in super::super) window: Option<(u32, u32)>,
    pub(in super::super) payload: Bytes,
}

/// Why a call is not taken in, and what the provider has to do otherwise.
struct Refusal {
    why: CallRefusal,
    load: u32,
}

impl From<CallRefusal> for Refusal {
    fn from(why: CallRefusal) -> Self {
        Self { why, load: 0 }
    }
}

impl Serving {
    /// A call arrives.
    pub(in super::super) fn request(&mut self, env: &mut Env<'_>, arrival: Arrival<'_>) {
        let waiter = arrival.waiter;
        if waiter.deadline <= env.now {
            env.probe.count(Counter::InvocationsExpired);
            return;
        }
        // The flow delivers nothing twice; but a number that is in use must not name two calls, whoever says so.
        if self.by_call.contains_key(&(waiter.node, waiter.call)) {
            env.probe.count(Counter::CallsMalformed);
            return;
        }
        if let Err(Refusal { why, load }) = self.take_in(env, arrival) {
            env.probe.count(Counter::InvocationsRefused);
            env.answer(waiter, Answer::Refused { why, load });
        }
    }

    /// A caller wants no answer any more.
    pub(in super::super) fn cancelled(&mut self, env: &mut Env<'_>, node: NodeAddr, life: Incarnation, call: u64) {
        if let Some(number) = self.run_of(node, life, call) {
            self.leave(env, number, (node, call), super::super::Stop::Cancelled);
        }
    }

    /// A caller has room for more items.
    pub(in super::super) fn credited(
        &mut self,
        env: &mut Env<'_>,
        (node, life, call): (NodeAddr, Incarnation, u64),
        items: u64,
        bytes: u64,
    ) {
        let Some(number) = self.run_of(node, life, call) else { return };
        let Some(stream) = self.runs.get_mut(number).and_then(|run| run.stream.as_mut()) else { return };
        let Room { items: items_before, bytes: bytes_before } = stream.room;
        if items > items_before || bytes > bytes_before {
            stream.room = Room { items: items.max(items_before), bytes: bytes.max(bytes_before) };
            env.fx.push(Effect::Writable { invocation: InvocationId(number), room: stream.room });
        }
    }

    fn run_of(&self, node: NodeAddr, life: Incarnation, call: u64) -> Option<u64> {
        let number = *self.by_call.get(&(node, call))?;
        let waits = |waiter: &Waiter| (waiter.node, waiter.life, waiter.call) == (node, life, call);
        self.runs.get(number)?.waiters.iter().any(waits).then_some(number)
    }

    fn take_in(&mut self, env: &mut Env<'_>, arrival: Arrival<'_>) -> Result<(), Refusal> {
        let Arrival { waiter, service, to, from_client, key, window, payload } = arrival;
        let client = from_client.as_deref();
        let sound = key.len() <= IDEMPOTENCY_KEY_MAX
            && (key.is_empty() || window.is_none())
            && client.is_none_or(|name| name.len() <= CLIENT_NAME_MAX);
        if !sound {
            return Err(CallRefusal::Malformed.into());
        }
        if self.draining {
            return Err(CallRefusal::ShuttingDown.into());
        }
        let key = (!key.is_empty()).then(|| scoped(waiter.node, client, service, key));
        if let Some(key) = key {
            match self.keys.get(&key) {
                None => {}
                Some(Used::Open(number)) => {
                    let number = *number;
                    return self.join(env, number, waiter);
                }
                Some(Used::Closed(stored)) => {
                    env.probe.count(Counter::InvocationsRepeated);
                    env.answer(waiter, again(stored.clone()));
                    return Ok(());
                }
            }
        }
        let endpoint = self.registry.find(service, to).ok_or(CallRefusal::NoSuchService)?;
        self.admit(waiter.node, env, key)?;
        let Some(provider) = self.registry.get_mut(endpoint) else { return Err(CallRefusal::NoSuchService.into()) };
        let runs_now = provider.running < provider.entry.capacity.concurrency;
        if !runs_now {
            let places = provider.waiting.len() < provider.entry.capacity.queue as usize;
            if !places || payload.len() > SERVICE_QUEUE_BYTES.saturating_sub(self.waiting_bytes) {
                provider.stats.refused += 1;
                return Err(Refusal { why: CallRefusal::QueueFull, load: provider.load() });
            }
        }
        let caller = Caller { node: waiter.node, incarnation: waiter.life, client: from_client };
        let run = Run {
            endpoint,
            client: provider.entry.client.clone(),
            waiters: smallvec![waiter],
            state: State::Waiting { caller, payload },
            deadline: waiter.deadline,
            note: Run::first_note(env.now, waiter.deadline - env.now),
            told_queued: false,
            alarm: None,
            stream: window.map(Stream::new),
            key,
        };
        let bytes = run.waiting_bytes();
        let Some(number) = self.runs.insert(run) else { return Err(CallRefusal::TooManyCalls.into()) };
        self.by_call.insert((waiter.node, waiter.call), number);
        env.peers.serving_begins(waiter.node);
        if let Some(key) = key {
            self.keys.open(key, number);
        }
        if runs_now {
            self.start(env, number);
        } else {
            provider.waiting.push_back(number);
            self.waiting_bytes += bytes;
        }
        self.set_alarm(number);
        Ok(())
    }

    /// Whether one more call of this node may be taken in.
    fn admit(&self, from: NodeAddr, env: &Env<'_>, key: Option<Scoped>) -> Result<(), CallRefusal> {
        if self.runs.is_full() || env.peers.serving(from) >= INVOCATIONS_PER_NODE_MAX {
            return Err(CallRefusal::TooManyCalls);
        }
        if key.is_some() && self.keys.is_full() {
            return Err(CallRefusal::TooManyKeys);
        }
        Ok(())
    }

    /// A call waits for a run that another call with the same key began.
    fn join(&mut self, env: &mut Env<'_>, number: u64, waiter: Waiter) -> Result<(), Refusal> {
        self.admit(waiter.node, env, None)?;
        let Some(run) = self.runs.get_mut(number) else { return Err(CallRefusal::TooManyCalls.into()) };
        if run.waiters.len() >= IDEMPOTENCY_JOINED_MAX {
            return Err(CallRefusal::TooManyCalls.into());
        }
        run.waiters.push(waiter);
        run.deadline = run.deadline.max(waiter.deadline);
        run.note = run.note.min(Run::first_note(env.now, waiter.deadline - env.now));
        self.by_call.insert((waiter.node, waiter.call), number);
        env.peers.serving_begins(waiter.node);
        env.probe.count(Counter::InvocationsRepeated);
        self.set_alarm(number);
        Ok(())
    }
}

/// The answer to a call whose run is over.
fn again(stored: Stored) -> Answer {
    match stored {
        Stored::Done(payload) => Answer::Done { items: 0, load: 0, payload },
        Stored::Failed(error) => Answer::Failed { items: 0, load: 0, error },
        Stored::Lost(why) => Answer::Lost { why },
    }
}
