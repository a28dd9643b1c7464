//! All flows of a node.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::Bytes;

use super::{
    Effect, Event,
    arrivals::Arrivals,
    env::{Counted, Env, Heading, Label, Me, Parcel, Place, client, counter_of},
    ledger::{Ledger, Report},
    lives::Lives,
    outflows::Outflows,
    view::{Backlog, InboxView, InflowView, OutflowView},
};
use crate::{
    cx::Cx,
    error::Rejected,
    id::{NodeAddr, Token},
    limits::{FLOW_SWEEP, MESSAGE_DEADLINE_MAX, PARCEL_HEAD_MAX, PAYLOAD_HARD_MAX, RECEIVERS_MAX},
    node::{Config, Outcome, Send},
    time::Time,
    timers::earlier,
    wire::v1::Port,
};

/// What this node has sent and not heard of, and what it has received and not handed on. See the module's first lines.
#[derive(Debug)]
pub struct Messages {
    me: Me,
    max_payload: usize,
    draining: bool,
    ledger: Ledger,
    lives: Lives,
    outflows: Outflows,
    arrivals: Arrivals,
    /// When idle flows are looked for; while there is any flow.
    sweep_at: Option<Time>,
}

impl Messages {
    /// No flows yet, between applications.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self::with_port(config, None)
    }

    /// No flows yet, between machines.
    #[must_use]
    pub fn of_port(config: &Config, port: Port) -> Self {
        Self::with_port(config, Some(port))
    }

    fn with_port(config: &Config, port: Option<Port>) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = config.seed;
        let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Self {
            me: Me::new(config, port),
            max_payload: if port.is_some() { PAYLOAD_HARD_MAX } else { config.message.max_payload },
            draining: false,
            ledger: Ledger::new(),
            lives: Lives::new(seed),
            outflows: Outflows::new(seed, config.message.retry_max),
            arrivals: Arrivals::new(seed, &config.message),
            sweep_at: None,
        }
    }

    /// Sends one message. With `report` its outcome comes as [`Effect::Done`].
    ///
    /// # Errors
    /// [`Rejected`]: nothing was sent.
    pub fn send(&mut self, cx: &mut Cx<'_>, token: Token, send: Send, fx: &mut Vec<Effect>) -> Result<(), Rejected> {
        let result = self.try_send(cx, token, send, fx);
        if result.is_err() {
            cx.probe.count(counter_of(self.me.port, Counted::Refused));
        }
        result
    }

    /// Sends a parcel to the same machine of another node. With an `id` its outcome comes as [`Effect::Settled`].
    ///
    /// # Errors
    /// [`Rejected`]: nothing was sent.
    pub fn post(
        &mut self,
        cx: &mut Cx<'_>,
        to: NodeAddr,
        id: Option<u64>,
        head: Bytes,
        body: Bytes,
        deadline: Duration,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Rejected> {
        if head.len() > PARCEL_HEAD_MAX {
            return Err(Rejected::TooLarge { len: head.len() as u64, limit: PARCEL_HEAD_MAX as u64 });
        }
        self.admit(body.len(), deadline)?;
        let deadline = cx.now + deadline.min(MESSAGE_DEADLINE_MAX);
        let report = id.map_or(Report::Nobody, Report::Parcel);
        self.dispatch(cx, to, Parcel { payload: body, label: Label::Machine(head), deadline, report }, fx)
    }

    /// Sends one message to several nodes; one [`Effect::Done`] with every outcome.
    ///
    /// # Errors
    /// [`Rejected`]: nothing was sent to anybody.
    pub fn send_many(
        &mut self,
        cx: &mut Cx<'_>,
        token: Token,
        mut to: Vec<NodeAddr>,
        payload: Bytes,
        deadline: Duration,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Rejected> {
        to.sort_unstable();
        to.dedup();
        let list = self.admit(payload.len(), deadline).and_then(|()| match to.len() {
            0 => Err(Rejected::NoReceiver),
            1..=RECEIVERS_MAX => self.ledger.open_list(token, &to),
            _ => Err(Rejected::Busy),
        });
        let list = list.inspect_err(|_| cx.probe.count(counter_of(self.me.port, Counted::Refused)))?;
        let deadline = cx.now + deadline.min(MESSAGE_DEADLINE_MAX);
        for (index, node) in (0..).zip(to) {
            let report = Report::Listed { list, index };
            let label = Label::Clients { to: None, from: None };
            let parcel = Parcel { payload: payload.clone(), label, deadline, report };
            if let Err(rejected) = self.dispatch(cx, node, parcel, fx) {
                self.ledger.begin();
                cx.probe.count(counter_of(self.me.port, Counted::Refused));
                self.ledger.settle(report, node, Outcome::Rejected(rejected), fx);
            }
        }
        Ok(())
    }

    /// A client of this node came or went.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if there are too many, [`Rejected::NoSuchClient`] if no client can have this name.
    pub fn set_client(&mut self, client: Arc<str>, present: bool) -> Result<(), Rejected> {
        self.arrivals.inbox.set_client(client, present)
    }

    /// Takes in what happened.
    pub fn handle(&mut self, cx: &mut Cx<'_>, event: Event<'_>, fx: &mut Vec<Effect>) {
        let now = cx.now;
        match event {
            Event::Reachable { node, incarnation } if !self.lives.reached(node, incarnation) => return,
            Event::Unreachable { node } => self.lives.lost_reach(node, now),
            Event::Reachable { .. }
            | Event::Rerouted { .. }
            | Event::Data { .. }
            | Event::Parcel { .. }
            | Event::Ack(_)
            | Event::Consumed { .. }
            | Event::Drain => {}
        }
        let Self { me, lives, ledger, outflows, arrivals, .. } = self;
        let mut env = Env { now, me, lives, ledger, probe: cx.probe, fx };
        match event {
            Event::Data { header, body } => {
                let heading = Heading::Clients { to: header.to_client, from: header.from_client };
                arrivals.arrived(&mut env, &Place::from(&header), heading, body);
                if !arrivals.is_empty() {
                    self.sweep_at.get_or_insert(now + FLOW_SWEEP);
                }
            }
            Event::Parcel { place, head, body } => {
                arrivals.arrived(&mut env, &place, Heading::Machine(head), body);
                if !arrivals.is_empty() {
                    self.sweep_at.get_or_insert(now + FLOW_SWEEP);
                }
            }
            Event::Ack(ack) => outflows.acknowledged(&mut env, &ack),
            Event::Reachable { node, incarnation } => {
                arrivals.lives_as(node, incarnation);
                outflows.reached(&mut env, node, incarnation);
            }
            Event::Rerouted { node } => outflows.rerouted(&mut env, node),
            Event::Unreachable { node } => outflows.lost_reach(node, now),
            Event::Consumed { mailbox, messages } => {
                arrivals.inbox.consumed(mailbox, messages);
                arrivals.serve(&mut env);
            }
            Event::Drain => {
                self.draining = true;
                arrivals.inbox.drain();
                arrivals.serve(&mut env);
            }
        }
    }

    /// Acts on deadlines that have come.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        let now = cx.now;
        let Self { me, lives, ledger, outflows, arrivals, .. } = self;
        let mut env = Env { now, me, lives, ledger, probe: cx.probe, fx };
        arrivals.handle_timeout(&mut env);
        outflows.handle_timeout(&mut env);
        if self.sweep_at.is_some_and(|due| due <= now) {
            outflows.sweep(now);
            arrivals.sweep(now);
            self.lives.sweep(now);
            let any = !outflows.is_empty() || !arrivals.is_empty();
            self.sweep_at = any.then_some(now + FLOW_SWEEP);
        }
    }

    /// The next deadline and who wants it. "Now" while acknowledgements are gathered.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let flows = earlier(self.arrivals.poll_timeout(), self.outflows.poll_timeout());
        earlier(flows, self.sweep_at.map(|due| (due, "message: forget idle flows")))
    }

    /// How many messages wait for their outcome.
    #[must_use]
    pub const fn unanswered(&self) -> u64 {
        self.ledger.unanswered()
    }

    /// What waits or is unanswered for one receiver. A sender that stops at a bound of its own is never refused as busy.
    #[must_use]
    pub fn backlog(&self, to: NodeAddr) -> Backlog {
        if to == self.me.addr { self.arrivals.local_backlog() } else { self.outflows.backlog(to) }
    }

    /// What the application has before it.
    #[must_use]
    pub fn inbox(&self) -> InboxView {
        self.arrivals.inbox.view()
    }

    /// Whether something waits until the application takes messages out of the node's own mailbox.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.arrivals.holds_back()
    }

    /// Every flow from this node to another.
    pub fn outflows(&self) -> impl Iterator<Item = OutflowView> {
        self.outflows.views()
    }

    /// Every flow from another node to this one.
    pub fn inflows(&self) -> impl Iterator<Item = InflowView> {
        self.arrivals.views()
    }

    #[inline]
    fn try_send(&mut self, cx: &mut Cx<'_>, token: Token, send: Send, fx: &mut Vec<Effect>) -> Result<(), Rejected> {
        let Send { to, to_client, from_client, payload, deadline, report } = send;
        self.admit(payload.len(), deadline)?;
        let parcel = Parcel {
            payload,
            label: Label::Clients { to: client(to_client)?, from: client(from_client)? },
            deadline: cx.now + deadline.min(MESSAGE_DEADLINE_MAX),
            report: if report { Report::One(token) } else { Report::Nobody },
        };
        self.dispatch(cx, to, parcel, fx)
    }

    /// Whether a message may be sent at all.
    #[inline]
    fn admit(&self, len: usize, deadline: Duration) -> Result<(), Rejected> {
        if self.draining {
            return Err(Rejected::ShuttingDown);
        }
        if len > self.max_payload {
            return Err(Rejected::TooLarge { len: len as u64, limit: self.max_payload as u64 });
        }
        if deadline.is_zero() {
            return Err(Rejected::DeadlinePassed);
        }
        Ok(())
    }

    #[inline]
    fn dispatch(
        &mut self,
        cx: &mut Cx<'_>,
        to: NodeAddr,
        parcel: Parcel,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Rejected> {
        let Self { me, lives, ledger, outflows, arrivals, .. } = self;
        ledger.begin();
        let mut env = Env { now: cx.now, me, lives, ledger, probe: cx.probe, fx };
        let result = if to == me.addr {
            arrivals.send_local(&mut env, parcel)
        } else {
            self.sweep_at.get_or_insert(cx.now + FLOW_SWEEP);
            outflows.send(&mut env, to, parcel)
        };
        match result {
            Ok(()) => cx.probe.count(counter_of(self.me.port, Counted::Sent)),
            Err(_) => self.ledger.withdraw(),
        }
        result
    }
}
