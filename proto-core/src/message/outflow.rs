//! The sending side of a flow: everything from this node to one other.
//!
//! A message waits, is in flight, and is settled. It gets its number when it is first transmitted, so what waits may
//! expire without a trace. Numbers go on over restarts of the receiver and over the flow being forgotten; in one life of
//! this node no two messages to one node ever have the same number. What is in flight keeps its place until it and all
//! before it are settled; the front is therefore the oldest message that the receiver may still expect, and every
//! transmission tells it (`behind`).
//!
//! Nothing is transmitted while the receiver is out of reach. What its old life left unanswered when it restarts is
//! unknown for good and never sent again; what waits goes to the new life.
//!
//! Bounds: `FLOW_QUEUE_MESSAGES` and `FLOW_QUEUE_BYTES` in all; `FLOW_WINDOW`, `FLOW_FLIGHT_BYTES`, the receiver's window
//! and [`Pace`] in flight.

use alloc::sync::Arc;
use core::time::Duration;

use super::{
    Effect,
    env::{Counted, Env, Label, Parcel, refused},
    line::Line,
    pace::Pace,
    rto::Rto,
    view::{Backlog, OutflowView},
};
use crate::{
    collections::emplace,
    error::Rejected,
    id::{Incarnation, NodeAddr, Seq},
    limits::{FLOW_FLIGHT_BYTES, FLOW_IDLE, FLOW_QUEUE_BYTES, FLOW_QUEUE_MESSAGES, FLOW_WINDOW, REFUSALS_PER_ACK},
    node::Outcome,
    time::Time,
    timers::earlier,
    wire::{
        Frame,
        v1::{self, Port},
    },
};

/// Selectively acknowledged messages above a hole that prove it lost.
const PROOF_OF_LOSS: u32 = 3;

/// One flow, seen from its sender. See the module's first lines.
#[derive(Debug)]
pub(super) struct Outflow {
    to: NodeAddr,
    path: u16,
    /// The receiver's life, once known.
    life: Option<Incarnation>,
    reachable: bool,
    waiting: Line<Parcel>,
    flight: Line<Flying>,
    bytes: usize,
    flight_bytes: usize,
    /// The receiver is done with everything up to here.
    acked: u64,
    /// How many after `acked` (or after what was given up) the receiver takes.
    window: u32,
    /// The front of `flight` when something was last transmitted: what the receiver was told to expect nothing before.
    told: u64,
    /// After a timeout everything up to `lost` counts as lost, and is sent again from `resend` on as the pace allows.
    resend: u64,
    lost: u64,
    rto: Rto,
    pace: Pace,
    retry_at: Option<Time>,
    active: Time,
    retransmissions: u64,
}

/// A message in flight.
#[derive(Debug)]
struct Flying {
    parcel: Parcel,
    /// When it was last transmitted.
    sent: Time,
    /// The receiver has it and waits for others before it.
    held: bool,
    /// Transmitted more than once.
    again: bool,
}

impl Outflow {
    /// A flow whose first message gets the number `first`.
    pub(super) fn new(to: NodeAddr, path: u16, first: u64, retry_max: Duration, now: Time) -> Self {
        Self {
            to,
            path,
            life: None,
            reachable: false,
            waiting: Line::new(0),
            flight: Line::new(first),
            bytes: 0,
            flight_bytes: 0,
            acked: first - 1,
            window: WINDOW,
            told: first,
            resend: first,
            lost: first,
            rto: Rto::new(retry_max),
            pace: Pace::new(),
            retry_at: None,
            active: now,
            retransmissions: 0,
        }
    }

    /// Takes a message to send.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if too much waits already.
    #[inline]
    pub(super) fn send(&mut self, env: &mut Env<'_>, parcel: Parcel) -> Result<(), Rejected> {
        let len = parcel.payload.len();
        let count = self.waiting.len() + self.flight.len();
        if count >= FLOW_QUEUE_MESSAGES || (self.bytes > 0 && len > FLOW_QUEUE_BYTES.saturating_sub(self.bytes)) {
            return Err(Rejected::Busy);
        }
        self.active = env.now;
        self.bytes += len;
        if self.waiting.is_empty() && self.may_transmit(len) {
            self.transmit_new(env, parcel);
        } else {
            self.waiting.push(parcel.deadline, parcel);
        }
        self.arm(env.now);
        Ok(())
    }

    /// What waits or is in flight.
    pub(super) fn backlog(&self) -> Backlog {
        Backlog { messages: self.waiting.len() + self.flight.len(), bytes: self.bytes }
    }

    /// The receiver is within reach, in this life.
    pub(super) fn reached(&mut self, env: &mut Env<'_>, life: Incarnation) {
        self.live(env, life);
        self.reachable = true;
        self.rto.forgive();
        self.retry_at = None;
        if !self.flight.is_empty() {
            self.send_again(env, false);
        }
        self.pump(env);
        self.arm(env.now);
    }

    /// The way to the receiver is another now. If the old one was silent, that says nothing of this one.
    pub(super) fn rerouted(&mut self, env: &mut Env<'_>) {
        if self.rto.is_silent() && self.reachable && self.window > 0 {
            self.rto.forgive();
            self.retry_at = None;
            if !self.flight.is_empty() {
                self.send_again(env, false);
            }
            self.pump(env);
            self.arm(env.now);
        }
    }

    /// The receiver is out of reach.
    pub(super) fn lost_reach(&mut self, now: Time) {
        self.reachable = false;
        self.arm(now);
    }

    /// Takes in an acknowledgement, which is for this life of this node.
    pub(super) fn acknowledged(&mut self, env: &mut Env<'_>, ack: &v1::Ack) {
        let upto = ack.upto.0;
        // What was never sent cannot be acknowledged; an older answer than one that came before tells nothing new.
        if self.life != Some(ack.src_incarnation) || upto >= self.flight.end() || upto < self.acked {
            return;
        }
        self.active = env.now;
        self.acked = upto;
        let was_closed = self.window == 0;
        self.window = ack.window;
        let mut newest = None;
        let settled = self.settle_acked(env, ack, &mut newest);
        self.mark_held(ack, &mut newest);
        // The receiver answers when the application has room; with a closed window that says nothing of the way.
        if let Some(sent) = newest.filter(|_| !was_closed) {
            self.rto.sample(env.now - sent);
        }
        if was_closed && ack.window > 0 {
            self.rto.forgive();
        }
        if settled > 0 || (was_closed && ack.window > 0) {
            self.rto.heard();
            self.retry_at = None;
            self.pace.acked(settled);
        }
        if ack.window > 0 {
            self.resend_holes(env, ack);
        }
        let more_refused = ack.refused.len() >= REFUSALS_PER_ACK && self.told < self.flight.first();
        if more_refused || self.gap_unknown_to_receiver() {
            self.transmit_again(env, self.flight.first());
        }
        self.pump(env);
        self.arm(env.now);
    }

    /// Acts on deadlines that have come.
    pub(super) fn handle_timeout(&mut self, env: &mut Env<'_>) {
        self.expire(env);
        if self.retry_at.is_some_and(|due| due <= env.now) {
            self.retry(env);
        }
        self.pump(env);
        self.arm(env.now);
    }

    /// The next deadline and what for.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let expiry = earlier(
            self.flight.next_due().map(|due| (due, "message: deadline")),
            self.waiting.next_due().map(|due| (due, "message: deadline")),
        );
        earlier(expiry, self.retry_at.map(|due| (due, "message: retry")))
    }

    /// Whether it may be forgotten.
    pub(super) fn is_idle(&self, now: Time) -> bool {
        self.is_empty() && now - self.active >= FLOW_IDLE
    }

    /// Whether nothing waits and nothing is in flight.
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.flight.is_empty()
    }

    /// When it was last used.
    pub(super) const fn active(&self) -> Time {
        self.active
    }

    /// The receiver.
    pub(super) const fn to(&self) -> NodeAddr {
        self.to
    }

    /// The number that the next message gets.
    pub(super) fn next(&self) -> u64 {
        self.flight.end()
    }

    /// What people may see of it.
    pub(super) fn view(&self) -> OutflowView {
        OutflowView {
            to: self.to,
            incarnation: self.life,
            reachable: self.reachable,
            waiting: self.waiting.len(),
            in_flight: self.flight.len(),
            bytes: self.bytes,
            receiver_window: self.window,
            pace: self.pace.window(),
            round_trip: self.rto.smoothed(),
            retry_after: self.rto.current(),
            retransmissions: self.retransmissions,
        }
    }

    /// From now on the receiver is in this life. What another one left unanswered stays so.
    fn live(&mut self, env: &mut Env<'_>, life: Incarnation) {
        if self.life == Some(life) {
            return;
        }
        self.life = Some(life);
        while let Some(flying) = self.flight.pop() {
            env.settle(flying.parcel.report, self.to, Outcome::Unknown);
        }
        self.bytes -= self.flight_bytes;
        self.flight_bytes = 0;
        let first = self.flight.end();
        (self.acked, self.told, self.resend, self.lost) = (first - 1, first, first, first);
        self.window = WINDOW;
        self.pace = Pace::new();
        self.rto.forgive();
        self.retry_at = None;
    }

    /// Settles what the acknowledgement covers; returns how many.
    fn settle_acked(&mut self, env: &mut Env<'_>, ack: &v1::Ack, newest: &mut Option<Time>) -> u64 {
        let mut settled = 0;
        for refusal in ack.refused.iter().filter(|refusal| refusal.seq <= ack.upto) {
            if let Some(flying) = self.flight.remove(refusal.seq.0) {
                settled += 1;
                let outcome = refused(refusal.code, flying.parcel.payload.len());
                self.landed(env, &flying, newest, Outcome::Rejected(outcome));
            }
        }
        while self.flight.first() <= ack.upto.0
            && let Some(flying) = self.flight.pop()
        {
            settled += 1;
            self.landed(env, &flying, newest, Outcome::Delivered);
        }
        settled
    }

    fn landed(&mut self, env: &mut Env<'_>, flying: &Flying, newest: &mut Option<Time>, outcome: Outcome) {
        self.flight_bytes -= flying.parcel.payload.len();
        self.bytes -= flying.parcel.payload.len();
        if !flying.again && !flying.held {
            *newest = (*newest).max(Some(flying.sent));
        }
        env.settle(flying.parcel.report, self.to, outcome);
    }

    fn mark_held(&mut self, ack: &v1::Ack, newest: &mut Option<Time>) {
        let mut bits = ack.beyond;
        while bits != 0 {
            let seq = ack.upto.0 + 2 + u64::from(bits.trailing_zeros());
            bits &= bits - 1;
            if let Some(flying) = self.flight.get_mut(seq).filter(|flying| !flying.held) {
                flying.held = true;
                if !flying.again {
                    *newest = (*newest).max(Some(flying.sent));
                }
            }
        }
    }

    /// Sends again, once, what is missing below messages that arrived. A second loss is left to the timeout.
    fn resend_holes(&mut self, env: &mut Env<'_>, ack: &v1::Ack) {
        if ack.beyond.count_ones() < PROOF_OF_LOSS {
            return;
        }
        let mut proof = ack.beyond;
        for _ in 1..PROOF_OF_LOSS {
            proof ^= 1 << proof.ilog2();
        }
        let below = ack.upto.0 + 2 + u64::from(proof.ilog2());
        for seq in self.flight.first()..below {
            if self.flight.get_mut(seq).is_some_and(|flying| !flying.held && !flying.again) {
                self.pace.lost(seq, self.flight.end());
                self.transmit_again(env, seq);
            }
        }
    }

    /// Whether the receiver holds the front but does not know that nothing before it will come.
    fn gap_unknown_to_receiver(&self) -> bool {
        let front = self.flight.first();
        front > self.acked + 1 && front > self.told && self.flight.front().is_some_and(|flying| flying.held)
    }

    /// Gives up what is past its deadline.
    fn expire(&mut self, env: &mut Env<'_>) {
        let cause = if !self.reachable {
            Rejected::NoRoute
        } else if self.window_end() <= self.next() {
            Rejected::ReceiverBusy
        } else {
            Rejected::Busy
        };
        while let Some(parcel) = self.waiting.take_due(env.now) {
            self.bytes -= parcel.payload.len();
            env.settle(parcel.report, self.to, Outcome::Rejected(cause));
        }
        self.waiting.close_gaps(|parcel| parcel.deadline);
        while let Some(Flying { parcel, .. }) = self.flight.take_due(env.now) {
            self.bytes -= parcel.payload.len();
            self.flight_bytes -= parcel.payload.len();
            env.settle(parcel.report, self.to, Outcome::Unknown);
        }
        if self.gap_unknown_to_receiver() {
            self.transmit_again(env, self.flight.first());
        }
    }

    /// Nothing was heard for the time of a round trip and more.
    fn retry(&mut self, env: &mut Env<'_>) {
        self.retry_at = None;
        let again = self.rto.is_silent();
        self.rto.back_off();
        if self.flight.is_empty() {
            // The window is closed and its opening may have been lost: one message asks for it.
            if let Some(parcel) = self.waiting.pop() {
                self.transmit_new(env, parcel);
            }
        } else if self.window == 0 {
            self.transmit_again(env, self.flight.first());
        } else {
            self.send_again(env, again);
        }
    }

    /// Takes everything in flight for lost, perhaps not for the first time: sends the front, and leaves the rest to [`Outflow::pump`]. The front goes out
    /// even if the receiver holds it, because it carries the news of what was given up before it.
    fn send_again(&mut self, env: &mut Env<'_>, again: bool) {
        let front = self.flight.first();
        self.pace.silent(self.flight.end(), again);
        self.lost = self.flight.end();
        self.resend = front + 1;
        self.transmit_again(env, front);
    }

    /// Transmits what may be: first again what counts as lost, then what waits.
    fn pump(&mut self, env: &mut Env<'_>) {
        if !self.reachable {
            return;
        }
        self.skip_settled();
        while self.resend < self.lost && self.in_flight() < self.pace.window() {
            let seq = self.resend;
            self.resend += 1;
            if self.flight.get_mut(seq).is_some_and(|flying| !flying.held) {
                self.transmit_again(env, seq);
            }
        }
        while let Some(len) = self.waiting.front().map(|parcel| parcel.payload.len())
            && self.may_transmit(len)
            && let Some(parcel) = self.waiting.pop()
        {
            self.transmit_new(env, parcel);
        }
    }

    fn may_transmit(&self, len: usize) -> bool {
        let next = self.next();
        self.reachable
            && self.lost <= self.resend.max(self.flight.first())
            && next < self.window_end()
            && next - self.flight.first() < FLOW_WINDOW as u64
            && self.in_flight() < self.pace.window()
            && (self.flight.is_empty() || self.flight_bytes + len <= FLOW_FLIGHT_BYTES)
    }

    /// The first number that the receiver does not take yet.
    const fn window_end(&self) -> u64 {
        let done = if self.acked + 1 > self.flight.first() { self.acked + 1 } else { self.flight.first() };
        done + self.window as u64
    }

    /// How many are in flight and not taken for lost.
    fn in_flight(&self) -> u64 {
        let front = self.flight.first();
        (self.resend.max(front) - front) + (self.next() - self.lost.max(front))
    }

    fn skip_settled(&mut self) {
        self.resend = self.resend.max(self.flight.first());
        self.lost = self.lost.max(self.resend);
    }

    #[inline]
    fn transmit_new(&mut self, env: &mut Env<'_>, parcel: Parcel) {
        self.flight_bytes += parcel.payload.len();
        self.forward(env, self.next(), &parcel);
        self.flight.push(parcel.deadline, Flying { parcel, sent: env.now, held: false, again: false });
        self.told = self.flight.first();
    }

    fn transmit_again(&mut self, env: &mut Env<'_>, seq: u64) {
        let Some(flying) = self.flight.get_mut(seq).filter(|_| self.reachable) else { return };
        flying.sent = env.now;
        flying.again = true;
        let parcel = flying.parcel.clone();
        if self.forward(env, seq, &parcel) {
            self.told = self.flight.first();
            self.retransmissions += 1;
            env.count(Counted::Retransmitted);
        }
    }

    /// Sends a message on its way; `false` while the receiver's life is not known.
    #[inline]
    fn forward(&self, env: &mut Env<'_>, seq: u64, parcel: &Parcel) -> bool {
        let (Some(life), Ok(behind)) = (self.life, u32::try_from(seq - self.flight.first())) else { return false };
        let (transit, src_incarnation) = (env.me.transit(self.to, self.path), env.me.incarnation);
        let (dst_incarnation, seq, payload) = (life, Seq(seq), parcel.payload.clone());
        match (&parcel.label, env.me.port) {
            (Label::Machine(head), Some(Port::Topics)) => {
                let to = v1::CastTo { node: self.to, incarnation: dst_incarnation, seq, behind };
                emplace(env.fx, || Effect::Cast { to, head: head.clone(), body: payload });
            }
            (Label::Machine(head), port) => {
                let port = port.unwrap_or(Port::Directory);
                let header = v1::Parcel { transit, port, src_incarnation, dst_incarnation, seq, behind };
                env.forward(self.to, self.path, Frame::parcel(&header, head, payload));
            }
            (Label::Clients { to, from }, _) => {
                let (to_client, from_client) = (name(to.as_ref()), name(from.as_ref()));
                let header =
                    v1::Data { transit, src_incarnation, dst_incarnation, seq, behind, to_client, from_client };
                env.forward(self.to, self.path, Frame::data(&header, payload));
            }
        }
        true
    }

    /// Sets the retry timer if something depends on an answer, and stops it if nothing does.
    fn arm(&mut self, now: Time) {
        if !self.reachable || self.is_empty() {
            self.retry_at = None;
        } else if self.retry_at.is_none() {
            self.retry_at = Some(now + self.rto.current());
        }
    }
}

/// [`FLOW_WINDOW`] as it travels.
const WINDOW: u32 = FLOW_WINDOW as u32;

fn name(client: Option<&Arc<str>>) -> &str {
    client.map_or("", |client| client)
}
