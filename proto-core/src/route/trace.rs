//! Which way frames take in fact, and how long it takes: probes, and the nodes that answer them.
//!
//! Life of a trace: a probe goes out with the full hop limit. The destination answers; with `every_hop` the nodes on the
//! way answer too, and a node where the probe goes no further says why. The trace ends when the destination has answered
//! and, with `every_hop`, all nodes before it; answers that are late by more than the round trip end it without them.
//! At the latest it ends at its deadline.
//!
//! A probe of limit `n` leaves with `hops_left = n - 1`: what it may cross after the link that it is sent over.
//!
//! Answers are not signed. An id is drawn at random, so that only nodes on the way can answer, and each distance is told
//! once. Bounds: [`TRACES_MAX`] at a time.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

use crate::{
    cx::Cx,
    error::{DropReason, Rejected},
    id::{NodeAddr, NodeName, Token},
    limits::TRACES_MAX,
    node::Hop,
    time::Time,
    wire::{
        Frame, Kind,
        v1::{self, Stopped, Transit},
    },
};

/// Least time that answers of nodes on the way may be later than the destination's.
const GRACE_MIN: Duration = Duration::from_millis(100);

/// What a trace asks for and tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a probe along the route to its destination. If there is no link to send it on: [`Traces::unsent`].
    Send {
        /// The trace.
        token: Token,
        /// The destination.
        dst: NodeAddr,
        /// The probe's flow.
        flow: u16,
        /// The probe.
        frame: Frame,
    },
    /// A node answered.
    Hop {
        /// The trace.
        token: Token,
        /// The answer.
        hop: Hop,
    },
    /// The trace is over.
    Done {
        /// The trace.
        token: Token,
        /// Whether the destination answered.
        reached: bool,
    },
}

/// A question for the way.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Names the trace.
    pub token: Token,
    /// The node at the end of the way.
    pub to: NodeAddr,
    /// Whether the nodes on the way answer too.
    pub every_hop: bool,
    /// How long to wait.
    pub deadline: Duration,
    /// Links that the probe may cross.
    pub hops_max: u8,
}

/// All traces under way.
#[derive(Debug, Default)]
pub struct Traces {
    by_id: BTreeMap<u64, Trace>,
    by_due: BTreeSet<(Time, u64)>,
}

#[derive(Debug)]
struct Trace {
    question: Question,
    asked_at: Time,
    due: Time,
    /// The distances that were told.
    told: BTreeSet<u8>,
    /// The distance of the node that ended the way, and whether it is the destination.
    end: Option<(u8, bool)>,
}

impl Traces {
    /// No traces.
    #[must_use]
    pub const fn new() -> Self {
        Self { by_id: BTreeMap::new(), by_due: BTreeSet::new() }
    }

    /// Starts a trace from `me`.
    ///
    /// # Errors
    /// [`Rejected`] if too many are under way, or there is no time.
    pub fn start(
        &mut self,
        cx: &mut Cx<'_>,
        me: NodeAddr,
        question: Question,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Rejected> {
        let Question { token, to, every_hop, deadline, hops_max } = question;
        if deadline.is_zero() {
            return Err(Rejected::DeadlinePassed);
        }
        if self.by_id.len() >= TRACES_MAX {
            return Err(Rejected::Busy);
        }
        if to == me {
            fx.push(Effect::Done { token, reached: true });
            return Ok(());
        }
        let id = cx.rng.next_u64();
        let [low, high, ..] = cx.rng.next_u64().to_le_bytes();
        let flow = u16::from_le_bytes([low, high]);
        let transit = Transit { hops_left: hops_max.saturating_sub(1), dst: to, src: me, flow };
        let frame = Frame::new(Kind::Probe, &v1::Probe { transit, id, every_hop, hops_start: hops_max });
        let due = cx.now + deadline;
        self.by_due.insert((due, id));
        let trace = Trace { question, asked_at: cx.now, due, told: BTreeSet::new(), end: None };
        self.by_id.insert(id, trace);
        fx.push(Effect::Send { token, dst: to, flow, frame });
        Ok(())
    }

    /// A probe could not be sent at all: `me` itself is where it stopped.
    pub fn unsent(&mut self, token: Token, me: &NodeName, reason: DropReason, fx: &mut Vec<Effect>) {
        let Some((&id, _)) = self.by_id.iter().find(|(_, trace)| trace.question.token == token) else { return };
        self.remove(id);
        let stopped = Some(stopped(reason));
        let hop = Hop { hop: 0, name: me.clone(), rtt: Duration::ZERO, last: false, stopped };
        fx.push(Effect::Hop { token, hop });
        fx.push(Effect::Done { token, reached: false });
    }

    /// Takes in an answer.
    pub fn on_reply(&mut self, cx: &mut Cx<'_>, reply: v1::ProbeReply, fx: &mut Vec<Effect>) {
        let Some(trace) = self.by_id.get_mut(&reply.id) else { return };
        let from = reply.transit.src;
        if reply.name.addr() != from || (reply.last && from != trace.question.to) {
            return;
        }
        if reply.hop > trace.question.hops_max || !trace.told.insert(reply.hop) {
            return;
        }
        let rtt = cx.now - trace.asked_at;
        if reply.last || reply.stopped.is_some() {
            trace.end = Some((reply.hop, reply.last));
        }
        let hop = Hop { hop: reply.hop, name: reply.name, rtt, last: reply.last, stopped: reply.stopped };
        fx.push(Effect::Hop { token: trace.question.token, hop });
        self.settle(cx.now, reply.id, rtt, fx);
    }

    /// Acts on deadlines that have come.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        while let Some(&(_, id)) = self.by_due.first().filter(|(due, _)| *due <= cx.now) {
            self.end(id, fx);
        }
    }

    /// The next deadline and who wants it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.by_due.first().map(|(due, _)| (*due, "trace: deadline"))
    }

    /// Ends a trace that has all its answers; one that has the last answer waits only a moment for the others.
    fn settle(&mut self, now: Time, id: u64, rtt: Duration, fx: &mut Vec<Effect>) {
        let Some(trace) = self.by_id.get_mut(&id) else { return };
        let Some((end, _)) = trace.end else { return };
        let before_it = usize::from(end.saturating_sub(1));
        if !trace.question.every_hop || trace.told.range(1..end.max(1)).count() >= before_it {
            self.end(id, fx);
            return;
        }
        self.by_due.remove(&(trace.due, id));
        trace.due = trace.due.min(now + rtt.max(GRACE_MIN));
        self.by_due.insert((trace.due, id));
    }

    fn end(&mut self, id: u64, fx: &mut Vec<Effect>) {
        if let Some(trace) = self.remove(id) {
            let reached = trace.end.is_some_and(|(_, last)| last);
            fx.push(Effect::Done { token: trace.question.token, reached });
        }
    }

    fn remove(&mut self, id: u64) -> Option<Trace> {
        let trace = self.by_id.remove(&id)?;
        self.by_due.remove(&(trace.due, id));
        Some(trace)
    }
}

/// Where a probe is, for [`answer_probe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At its destination.
    Destination,
    /// On its way, and going on.
    Passing,
    /// Where it goes no further.
    Stopped(DropReason),
}

/// What the node `me` answers to a probe that came here, if anything. `hops_max`: the links that the answer may cross.
///
/// A passing probe is answered if it asks every hop; one that has arrived or goes no further is answered always.
#[must_use]
pub fn answer_probe(probe: &v1::Probe, me: &NodeName, place: Place, hops_max: u8) -> Option<Frame> {
    let src = me.addr();
    let (last, stopped) = match place {
        Place::Destination => (true, None),
        Place::Passing if !probe.every_hop => return None,
        Place::Passing => (false, None),
        Place::Stopped(reason) => (false, Some(stopped(reason))),
    };
    if probe.transit.src == src {
        return None;
    }
    let flow = probe.transit.flow;
    let transit = Transit { hops_left: hops_max.saturating_sub(1), dst: probe.transit.src, src, flow };
    let hop = probe.hops_start.saturating_sub(probe.transit.hops_left);
    let reply = v1::ProbeReply { transit, id: probe.id, hop, name: me.clone(), last, stopped };
    Some(Frame::new(Kind::ProbeReply, &reply))
}

const fn stopped(reason: DropReason) -> Stopped {
    match reason {
        DropReason::NoRoute => Stopped::NoRoute,
        DropReason::HopLimit => Stopped::HopLimit,
        DropReason::WouldReturn => Stopped::WouldReturn,
        DropReason::NoTransit => Stopped::NoTransit,
        DropReason::QueueFull => Stopped::QueueFull,
    }
}

#[cfg(test)]
mod tests;
