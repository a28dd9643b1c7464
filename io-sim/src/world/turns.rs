//! Turns of nodes, and when they are due: when something is to be told, and exactly at the node's own deadline.

use core::{ops::ControlFlow, time::Duration};
use std::fmt::Write as _;

use bytes::BytesMut;
use proto_core::{
    engine::Turn,
    limits::INPUTS_PER_TURN,
    node::{ChannelEvent, Input, Output},
};

use super::{Observer, TurnRecord, World};
use crate::{
    host::{HostId, HostState},
    rng::Label,
    schedule::Happening,
    time::SimTime,
};

/// Most turns per host at one moment. More means that time stands still: a bug in a node.
const TURNS_AT_ONCE: u32 = 1_000;
/// Longest time until a wake-up that nobody asked for.
const SPURIOUS_MAX_NS: u64 = 20_000_000;

impl World {
    /// A node's deadline has come, unless it has moved.
    pub(super) fn wake(&mut self, id: HostId, serial: u32) {
        let now = self.now();
        let host = &mut self.hosts[id.index()];
        if serial != host.wake_serial || host.state != HostState::Up {
            return;
        }
        host.wake = None;
        let due = host.deadline.map(|deadline| host.clock.true_at(deadline));
        match due {
            Some(due) if due > now => self.schedule_wake(id, due),
            Some(_) => self.make_ready(id),
            None => {}
        }
    }

    /// A wake-up that is in the schedule for an earlier moment is left there: it will see that it came too early, which
    /// is cheaper than one more entry for every turn that moves the deadline.
    pub(super) fn schedule_wake(&mut self, id: HostId, due: SimTime) {
        let host = &mut self.hosts[id.index()];
        if host.wake.is_some_and(|wake| wake <= due) {
            return;
        }
        host.wake = Some(due);
        host.wake_serial += 1;
        self.schedule.at(due, Happening::Wake { host: id, serial: host.wake_serial });
    }

    /// Takes every turn that is due at the present moment.
    pub(super) fn take_turns<O: Observer>(&mut self, observer: &mut O) -> ControlFlow<O::Violation> {
        let mut next = 0;
        while let Some(id) = self.ready.get(next).copied() {
            next += 1;
            let host = &mut self.hosts[id.index()];
            host.ready = false;
            if host.state == HostState::Up
                && let ControlFlow::Break(violation) = self.take_turn(id, observer)
            {
                self.ready.drain(..next);
                return ControlFlow::Break(violation);
            }
        }
        self.ready.clear();
        ControlFlow::Continue(())
    }

    /// One turn of one node, and what follows from it. A node with more to do is made ready again.
    pub(super) fn take_turn<O: Observer>(&mut self, id: HostId, observer: &mut O) -> ControlFlow<O::Violation> {
        let at = self.now();
        let (mut inputs, mut outputs) = (core::mem::take(&mut self.inputs), core::mem::take(&mut self.outputs));
        let host = &mut self.hosts[id.index()];
        let local = host.clock.local(at);
        let Some(engine) = host.engine.as_mut() else { return ControlFlow::Continue(()) };
        let count = host.pile.len().min(INPUTS_PER_TURN);
        inputs.extend(host.pile.range(..count).map(outline));
        self.trace.begin(id, local, host.pile.range(..count));
        engine.inbox().extend(host.pile.drain(..count));
        let turn = engine.turn(local, &mut outputs);
        let rest = !host.pile.is_empty();
        let due = match turn {
            Turn::Again => Some(at),
            Turn::Park(_) if rest => Some(at),
            Turn::Park(deadline) => {
                host.deadline = deadline;
                deadline.map(|deadline| host.clock.true_at(deadline))
            }
        };
        self.trace.end(at, id, &inputs, &outputs);
        self.count_turn(&inputs, &outputs);
        let seen = observer.after_turn(self, &TurnRecord { host: id, at, local, inputs: &inputs, outputs: &outputs });
        inputs.clear();
        outputs.drain(..).for_each(|output| self.perform(id, output));
        (self.inputs, self.outputs) = (inputs, outputs);
        match due {
            Some(due) if due <= at => self.make_ready(id),
            Some(due) if self.hosts[id.index()].state == HostState::Up => self.schedule_wake(id, due),
            Some(_) | None => {}
        }
        self.maybe_wake_for_nothing(id);
        seen
    }

    fn count_turn(&mut self, inputs: &[Input], outputs: &[Output]) {
        self.stats.turns += 1;
        self.stats.inputs += inputs.len() as u64;
        self.stats.outputs += outputs.len() as u64;
        if self.moment != self.now() {
            (self.moment, self.turns_now) = (self.now(), 0);
        }
        self.turns_now += 1;
        let most = TURNS_AT_ONCE.saturating_mul(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        assert!(self.turns_now <= most, "time stands still at {}:\n{}", self.now(), self.last_steps());
    }

    fn last_steps(&self) -> String {
        let mut text = String::new();
        for step in self.trail().rev().take(32) {
            // Writing to a string cannot fail.
            _ = writeln!(text, "{step}");
        }
        text
    }

    fn maybe_wake_for_nothing(&mut self, id: HostId) {
        if self.options.spurious_wakes_per_mille == 0 {
            return;
        }
        let mut draws = self.draws(id, Label::Spurious);
        if draws.chance(self.options.spurious_wakes_per_mille) {
            let after = Duration::from_nanos(draws.below(SPURIOUS_MAX_NS));
            self.schedule.at(self.schedule.now() + after, Happening::Spurious { host: id });
        }
    }
}

/// An input without the bytes that arrived, which nobody needs who looks on: to copy them costs more than the rest.
fn outline(input: &Input) -> Input {
    match input {
        Input::Channel { channel, event: ChannelEvent::Received { .. } } => {
            Input::Channel { channel: *channel, event: ChannelEvent::Received { bytes: BytesMut::new() } }
        }
        Input::Channel {
            event: ChannelEvent::Opened { .. } | ChannelEvent::Written { .. } | ChannelEvent::Closed,
            ..
        }
        | Input::Command { .. }
        | Input::Consumed { .. }
        | Input::DialFailed { .. }
        | Input::Persisted { .. }
        | Input::Clock { .. } => input.clone(),
    }
}
