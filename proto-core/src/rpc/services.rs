//! Both ends of every call of a node, its providers, and the mesh's.

use alloc::{sync::Arc, vec::Vec};

use super::{
    Call, CallId, CallView, Effect, Entry, Event, InvocationId, NotTaken, ProviderView, Reply, ServedView, ServiceName,
    calls::Calls,
    env::{Answer, Ask, Env, Local, Me, Waiter},
    peers::Peers,
    serving::{Arrival, Serving},
};
use crate::{
    cx::Cx,
    error::Rejected,
    id::{Incarnation, NodeAddr, Token},
    limits::CALL_DEADLINE_MAX,
    node::Config,
    probe::Counter,
    rpc::AppError,
    time::Time,
    timers::earlier,
    wire::v1,
};

use core::time::Duration;

use bytes::Bytes;

/// The remote calls of a node. See the module's first lines.
#[derive(Debug)]
pub struct Rpc {
    me: Me,
    peers: Peers,
    local: Local,
    calls: Calls,
    serving: Serving,
    draining: bool,
}

impl Rpc {
    /// No calls and no providers.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = config.seed;
        let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let me = Me { addr: config.name.addr(), life: config.incarnation, max_payload: config.message.max_payload };
        let mut peers = Peers::new(seed);
        peers.reached(me.addr, me.life, 0);
        Self {
            me,
            peers,
            local: Local::default(),
            calls: Calls::new(seed, first_number(seed, me.life)),
            serving: Serving::new(seed),
            draining: false,
        }
    }

    /// Adds a provider of this node, or changes what an existing one says and allows.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if there are too many, [`Rejected::NoSuchClient`] if no client can have this name,
    /// [`Rejected::TooLarge`] if it says too much, [`Rejected::ShuttingDown`].
    pub fn register(&mut self, cx: &mut Cx<'_>, mut entry: Entry, fx: &mut Vec<Effect>) -> Result<(), Rejected> {
        entry.capacity = entry.capacity.bounded();
        entry.check()?;
        if self.draining {
            return Err(Rejected::ShuttingDown);
        }
        let me = self.me.addr;
        self.with(cx, fx, |serving, calls, env| {
            serving.register(env, entry.clone())?;
            if !calls.directory.announced(me, entry.clone(), Some(0)) {
                env.probe.count(Counter::ProvidersRefused);
            }
            env.fx.push(Effect::Announce { entry, present: true });
            Ok(())
        })
    }

    /// Takes a provider of this node back: calls that wait for it are refused, calls that run may finish. Returns whether
    /// it was there.
    pub fn unregister(
        &mut self,
        cx: &mut Cx<'_>,
        service: &ServiceName,
        client: Option<&str>,
        fx: &mut Vec<Effect>,
    ) -> bool {
        self.with(cx, fx, |serving, calls, env| withdraw(serving, calls, env, service, client))
    }

    /// Makes a call. Its one [`Effect::Completed`] may be among `fx` at once.
    ///
    /// # Errors
    /// [`Rejected`]: nothing was sent, and there is no completion.
    pub fn call(
        &mut self,
        cx: &mut Cx<'_>,
        token: Token,
        call: Call,
        fx: &mut Vec<Effect>,
    ) -> Result<CallId, Rejected> {
        if self.draining {
            return Err(Rejected::ShuttingDown);
        }
        self.with(cx, fx, |_, calls, env| calls.call(env, token, call))
    }

    /// Ends a call; its handler is told to stop. Returns whether it was pending.
    pub fn cancel(&mut self, cx: &mut Cx<'_>, call: CallId, fx: &mut Vec<Effect>) -> bool {
        self.with(cx, fx, |_, calls, env| calls.cancel(env, call))
    }

    /// The application has taken items of a streaming reply in; its provider may send as many more.
    pub fn consumed(&mut self, cx: &mut Cx<'_>, call: CallId, items: u64, bytes: u64, fx: &mut Vec<Effect>) {
        self.with(cx, fx, |_, calls, env| calls.consumed(env, call, items, bytes));
    }

    /// A handler of this node answers.
    ///
    /// # Errors
    /// [`NotTaken`]: the answer counts for nothing. After [`NotTaken::NoCredit`] and [`NotTaken::TooLarge`] the call goes on.
    pub fn reply(
        &mut self,
        cx: &mut Cx<'_>,
        invocation: InvocationId,
        reply: Reply,
        fx: &mut Vec<Effect>,
    ) -> Result<(), NotTaken> {
        self.with(cx, fx, |serving, _, env| serving.reply(env, invocation, reply))
    }

    /// Takes in what happened.
    pub fn handle(&mut self, cx: &mut Cx<'_>, event: Event<'_>, fx: &mut Vec<Effect>) {
        if matches!(event, Event::Drain) {
            self.draining = true;
        }
        self.with(cx, fx, |serving, calls, env| match event {
            Event::Received { from, incarnation, header, body } => {
                receive(serving, calls, env, (from, incarnation), header, body);
            }
            Event::Sent { id, outcome } => calls.sent(env, id, outcome),
            Event::Reachable { node, incarnation, cost } => {
                if env.peers.reached(node, incarnation, cost) {
                    calls.restarted(env, node, incarnation);
                    serving.caller_restarted(env, node, incarnation);
                }
                calls.directory.set_cost(node, Some(cost));
            }
            Event::Unreachable { node } => {
                env.peers.lost_reach(node, env.now);
                calls.directory.set_cost(node, None);
            }
            Event::Announced { node, entry, present } => announced(calls, env, node, entry, present),
            Event::Forget { node } if node == env.me.addr => {}
            Event::Forget { node } => calls.directory.forget(node),
            Event::ClientGone { client } => {
                for service in serving.services_of(&client) {
                    withdraw(serving, calls, env, &service, Some(&client));
                }
                serving.client_gone(env, &client);
                calls.client_gone(env, &client);
            }
            Event::Drain => {
                for entry in serving.drain(env) {
                    calls.directory.withdrawn(env.me.addr, &entry.service, entry.client.clone());
                    env.fx.push(Effect::Announce { entry, present: false });
                }
            }
        });
    }

    /// Acts on deadlines that have come.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        self.with(cx, fx, |serving, calls, env| {
            while let Some(node) = env.peers.take_lost(env.now) {
                calls.lost(env, node);
            }
            calls.handle_timeout(env);
            serving.handle_timeout(env);
        });
    }

    /// The next deadline and who wants it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let calls = earlier(self.calls.poll_timeout(), self.serving.poll_timeout());
        earlier(calls, self.peers.next_lost().map(|due| (due, "rpc: a node out of reach")))
    }

    /// How many calls of this node are not completed.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.calls.len()
    }

    /// Whether a node that shuts down may go: nothing is pending, nothing runs.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.len() == 0 && self.serving.is_idle()
    }

    /// Whose handler runs a call: the node's own (`Some(None)`), a client's, or none any more. Only that one may answer.
    #[must_use]
    pub fn handler_of(&self, invocation: InvocationId) -> Option<Option<&Arc<str>>> {
        self.serving.handler_of(invocation)
    }

    /// Who makes a call: the node itself (`Some(None)`), a client, or nobody any more. Only that one may cancel it.
    #[must_use]
    pub fn caller_of(&self, call: CallId) -> Option<Option<&Arc<str>>> {
        self.calls.caller_of(call)
    }

    /// Every provider in the mesh that is known.
    pub fn providers(&self, now: Time) -> impl Iterator<Item = ProviderView<'_>> {
        self.calls.directory.views(now)
    }

    /// Every provider of this node, and how it fares.
    pub fn served(&self) -> impl Iterator<Item = ServedView<'_>> {
        self.serving.views()
    }

    /// Every call of this node that is not completed.
    pub fn calls(&self, now: Time) -> impl Iterator<Item = CallView> {
        self.calls.views(now)
    }

    /// Takes one step, and carries what the two ends within this node say to each other back and forth. That ends: a
    /// request is answered once and tried a few times.
    fn with<T>(
        &mut self,
        cx: &mut Cx<'_>,
        fx: &mut Vec<Effect>,
        step: impl FnOnce(&mut Serving, &mut Calls, &mut Env<'_>) -> T,
    ) -> T {
        let Self { me, peers, local, calls, serving, draining: _ } = self;
        let mut env = Env { now: cx.now, me: *me, peers, local, probe: cx.probe, fx };
        let result = step(serving, calls, &mut env);
        loop {
            if let Some(ask) = env.local.asks.pop_front() {
                asked(serving, &mut env, ask);
            } else if let Some((number, answer)) = env.local.answers.pop_front() {
                calls.answered(&mut env, (me.addr, me.life), number, answer);
            } else {
                break;
            }
        }
        calls.tidy();
        serving.tidy();
        result
    }
}

/// What the calls of a life are numbered from. An answer to the life before may wait in a flow and come to this one: it must
/// not find a call of its number.
fn first_number(seed: u64, life: Incarnation) -> u32 {
    let mixed = (seed ^ life.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u32::try_from(mixed >> 32).unwrap_or_default()
}

/// Takes a provider of this node back.
fn withdraw(
    serving: &mut Serving,
    calls: &mut Calls,
    env: &mut Env<'_>,
    service: &ServiceName,
    client: Option<&str>,
) -> bool {
    let Some(entry) = serving.unregister(env, service.as_str(), client) else { return false };
    calls.directory.withdrawn(env.me.addr, service, entry.client.clone());
    env.fx.push(Effect::Announce { entry, present: false });
    true
}

/// Another node says what it serves. What it says of this node is this node's to know.
fn announced(calls: &mut Calls, env: &mut Env<'_>, node: NodeAddr, entry: Entry, present: bool) {
    if node == env.me.addr {
        return;
    }
    if !present {
        calls.directory.withdrawn(node, &entry.service, entry.client);
        return;
    }
    let cost = env.peers.cost(node);
    if entry.check().is_err() || !calls.directory.announced(node, entry, cost) {
        env.probe.count(Counter::ProvidersRefused);
    }
}

/// Another node's words.
fn receive(
    serving: &mut Serving,
    calls: &mut Calls,
    env: &mut Env<'_>,
    (from, life): (NodeAddr, Incarnation),
    header: v1::Call<'_>,
    body: Bytes,
) {
    let (call, answer) = match header {
        v1::Call::Request(request) => {
            let left = Duration::from_micros(request.left_us).min(CALL_DEADLINE_MAX);
            let arrival = Arrival {
                waiter: Waiter { node: from, life, call: request.call, deadline: env.now + left },
                service: request.service,
                to: request.to,
                from_client: (!request.from_client.is_empty()).then(|| Arc::from(request.from_client)),
                key: request.key,
                window: request.window,
                payload: body,
            };
            return serving.request(env, arrival);
        }
        v1::Call::Cancel { call } => return serving.cancelled(env, from, life, call),
        v1::Call::Credit { call, items, bytes } => return serving.credited(env, (from, life, call), items, bytes),
        v1::Call::Item { call, seq } => (call, Answer::Item { seq, payload: body }),
        v1::Call::Done { call, items, load } => (call, Answer::Done { items, load, payload: body }),
        v1::Call::Failed { call, items, load, code, message } => {
            let error = AppError { code, message: Arc::from(message), payload: body };
            (call, Answer::Failed { items, load, error })
        }
        v1::Call::Refused { call, why, load } => (call, Answer::Refused { why, load }),
        v1::Call::Lost { call, why } => (call, Answer::Lost { why }),
        v1::Call::Progress { call, stage } => (call, Answer::Progress { stage }),
    };
    calls.answered(env, (from, life), call, answer);
}

/// What a caller of this node says to a provider of this node.
fn asked(serving: &mut Serving, env: &mut Env<'_>, ask: Ask) {
    let (node, life) = (env.me.addr, env.me.life);
    match ask {
        Ask::Request { call, service, to, from_client, deadline, key, window, payload } => {
            let arrival = Arrival {
                waiter: Waiter { node, life, call, deadline },
                service: service.as_str(),
                to: to.as_ref().map(|client| client.as_deref().unwrap_or_default()),
                from_client,
                key: key.as_ref().map(super::Key::as_bytes).unwrap_or_default(),
                window,
                payload,
            };
            serving.request(env, arrival);
        }
        Ask::Cancel { call } => serving.cancelled(env, node, life, call),
        Ask::Credit { call, items, bytes } => serving.credited(env, (node, life, call), items, bytes),
    }
}
