//! The calls of this node: where each goes, how far it got, how it ends.
//!
//! A call is pending from [`Calls::call`] until its one completion. Bounds: [`CALLS_MAX`] pending calls,
//! [`CALLS_PER_NODE_MAX`] at one node, [`CALLS_BYTES_MAX`] of payload kept for another try.

mod end;
mod hear;
mod pending;

use alloc::{sync::Arc, vec::Vec};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Call, CallId, CallView, Completion, Mode, Overload, Provider, Target,
    alarms::Alarms,
    budget::Budget,
    directory::{Choice, Directory, Known},
    env::{Ask, Env},
    slots::Slots,
};
use crate::{
    arena::Handle,
    error::Rejected,
    id::{NodeAddr, Token},
    limits::{
        CALL_DEADLINE_MAX, CALL_TRIES_MAX, CALLS_BYTES_MAX, CALLS_MAX, CALLS_PER_NODE_MAX, CLIENT_NAME_MAX,
        STREAM_WINDOW_BYTES, STREAM_WINDOW_ITEMS,
    },
    probe::Counter,
    time::Time,
    wire::v1,
};
use pending::{Inbound, Pending, Stage};

/// Two bits of a report's number are the try, the rest is the call.
const TRY_BITS: u32 = 2;

/// Every call that is not completed. See the module's first lines.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) directory: Directory,
    pending: Slots<Pending>,
    alarms: Alarms,
    budget: Budget,
    kept_bytes: usize,
}

impl Calls {
    /// None. `seed` varies where the tables keep things, `first` what calls are numbered from.
    pub(super) fn new(seed: u64, first: u32) -> Self {
        Self {
            directory: Directory::new(seed),
            pending: Slots::beginning_at(CALLS_MAX, first),
            alarms: Alarms::default(),
            budget: Budget::new(),
            kept_bytes: 0,
        }
    }

    /// Makes a call.
    ///
    /// # Errors
    /// [`Rejected`]: nothing was sent, and there is no completion.
    pub(super) fn call(&mut self, env: &mut Env<'_>, token: Token, call: Call) -> Result<CallId, Rejected> {
        let Call { service, to, from_client, payload, deadline, mode } = call;
        let limit = env.me.max_payload;
        if payload.len() > limit {
            return Err(Rejected::TooLarge { len: payload.len() as u64, limit: limit as u64 });
        }
        if deadline.is_zero() {
            return Err(Rejected::DeadlinePassed);
        }
        if from_client.as_ref().is_some_and(|name| name.len() > CLIENT_NAME_MAX) {
            return Err(Rejected::NoSuchClient);
        }
        let deadline = env.now + deadline.min(CALL_DEADLINE_MAX);
        let pending = Pending {
            token,
            from_client: from_client.filter(|name| !name.is_empty()),
            service,
            target: to,
            payload: Some(payload),
            kept: 0,
            deadline,
            tried: SmallVec::new(),
            tries: 0,
            known: None,
            at: None,
            life: None,
            stage: Stage::NotSent,
            told: env.now,
            inbound: matches!(mode, Mode::Streaming).then(Inbound::default),
            mode,
        };
        let number = self.pending.insert(pending).ok_or(Rejected::Busy)?;
        self.alarms.set(deadline, number);
        env.probe.count(Counter::Calls);
        self.budget.earn();
        self.attempt(env, number, None);
        Ok(CallId(number))
    }

    /// Sends a call to a provider that it was not sent to, or ends it: as `refused`, if a provider said that before.
    fn attempt(&mut self, env: &mut Env<'_>, number: u64, refused: Option<Completion>) {
        let Some(pending) = self.pending.get_mut(number) else { return };
        let Pending { target, service, mode, tried, .. } = pending;
        let (known, at) = match target {
            Target::Node(node) => (None, Provider { node: *node, client: None }),
            Target::Provider(provider) => (None, provider.clone()),
            Target::Balanced(balance) => match self.directory.choose(service, *balance, mode.key(), tried, env.now) {
                Choice::Chosen(known, provider) => (Some(known), provider),
                Choice::NoneInReach => {
                    self.end(env, number, refused.unwrap_or(Completion::Unreachable { sent: false }));
                    return;
                }
                Choice::Nobody => {
                    self.end(env, number, refused.unwrap_or(Completion::NoResponder));
                    return;
                }
            },
        };
        let here = at.node == env.me.addr;
        if !here && env.peers.cost(at.node).is_none() {
            pending.at = Some(at);
            self.end(env, number, refused.unwrap_or(Completion::Unreachable { sent: false }));
            return;
        }
        if env.peers.calls(at.node) >= CALLS_PER_NODE_MAX {
            pending.at = Some(at);
            self.end(env, number, refused.unwrap_or(Completion::Overloaded(Overload::Transport)));
            return;
        }
        pending.tries += 1;
        pending.tried.extend(known);
        pending.known = known;
        pending.life = env.peers.life(at.node);
        pending.stage = if here { Stage::Delivered } else { Stage::Sent };
        pending.told = env.now;
        env.peers.call_begins(at.node);
        if let Some(known) = known {
            self.directory.call_begins(known);
        }
        let payload = keep(pending, &mut self.kept_bytes);
        pending.at = Some(at);
        pending.request(env, number, here, payload);
    }

    /// The application has taken items of a streaming reply in: there is room for more.
    pub(super) fn consumed(&mut self, env: &mut Env<'_>, id: CallId, items: u64, bytes: u64) {
        let Some(pending) = self.pending.get_mut(id.0) else { return };
        let (Some(inbound), Some(at)) = (&mut pending.inbound, &pending.at) else { return };
        let Some((items, bytes)) = inbound.consume(items, bytes) else { return };
        if at.node == env.me.addr {
            env.local.asks.push_back(Ask::Credit { call: id.0, items, bytes });
        } else {
            let credit = v1::Call::Credit { call: id.0, items, bytes };
            env.send(at.node, None, &credit, Bytes::new(), pending.deadline);
        }
    }

    /// Acts on deadlines that have come.
    pub(super) fn handle_timeout(&mut self, env: &mut Env<'_>) {
        while let Some((_, number)) = self.alarms.take_due(env.now) {
            if let Some(pending) = self.pending.get(number) {
                let progress = pending.progress(env.now);
                self.end(env, number, Completion::Timeout(progress));
            }
        }
    }

    /// The next deadline.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.alarms.first().map(|due| (due, "rpc: a call's deadline"))
    }

    /// Drops alarms that do not count any more.
    pub(super) fn tidy(&mut self) {
        let Self { pending, alarms, .. } = self;
        alarms.tidy(pending.len(), |_, number| pending.get(number).is_some());
    }

    /// How many calls are pending.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Who makes a call.
    pub(super) fn caller_of(&self, id: CallId) -> Option<Option<&Arc<str>>> {
        self.pending.get(id.0).map(|pending| pending.from_client.as_ref())
    }

    /// What people may see of the calls.
    pub(super) fn views(&self, now: Time) -> impl Iterator<Item = CallView> {
        self.pending.iter().map(move |(number, pending)| CallView {
            id: CallId(number),
            service: pending.service.clone(),
            from_client: pending.from_client.clone(),
            at: pending.at.clone(),
            tries: pending.tries,
            progress: pending.progress(now),
            left: pending.deadline - now,
        })
    }

    /// The calls at a node, for which something holds.
    fn at(&self, node: NodeAddr, holds: impl Fn(&Pending) -> bool) -> Vec<u64> {
        let there = |pending: &Pending| pending.at.as_ref().is_some_and(|at| at.node == node);
        let all = self.pending.iter().filter(|(_, pending)| there(pending) && holds(pending));
        all.map(|(number, _)| number).collect()
    }
}

/// The payload to send, and whether it stays here for another try.
fn keep(pending: &mut Pending, kept_bytes: &mut usize) -> Bytes {
    if pending.kept > 0 {
        return pending.payload.clone().unwrap_or_default();
    }
    let payload = pending.payload.take().unwrap_or_default();
    // An empty payload weighs one byte, so that having kept it shows.
    let weight = payload.len().max(1);
    if pending.may_move() && weight <= CALLS_BYTES_MAX.saturating_sub(*kept_bytes) {
        *kept_bytes += weight;
        pending.kept = weight;
        pending.payload = Some(payload.clone());
    }
    payload
}
