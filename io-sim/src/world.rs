//! Hosts and network in motion.

use core::ops::ControlFlow;
use std::fmt::Write as _;

use proto_core::{
    engine::Turn,
    id::Token,
    limits::INPUTS_PER_TURN,
    node::{Command, Event, Input, Output},
    secure::{AWS_LC, Provider},
    time::{Time, WallTime},
};
use serde::{Deserialize, Serialize};

use crate::{
    config::HostSpec,
    host::{Host, HostId, HostRef, HostState},
    net::{Inbound, LinkSpec, Net, NetCx, Verdict},
    rng::{Dice, Draws, Label},
    schedule::{Happening, Schedule},
    stats::Stats,
    time::SimTime,
    trace::{Step, Trace},
};

mod faults;

/// How a world is, apart from its hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldOptions {
    /// What every path is like unless a fault changes it.
    pub link: LinkSpec,
    /// Turns after which the node is woken once more for nothing, in thousandths.
    pub spurious_wakes_per_mille: u32,
    /// Writes that are cut in two at any place, in thousandths.
    pub chop_per_mille: u32,
    /// Keep every step, to find where two runs part.
    pub record: bool,
    /// Be nondeterministic on purpose.
    pub canary: bool,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            link: LinkSpec::default(),
            spurious_wakes_per_mille: 0,
            chop_per_mille: 50,
            record: false,
            canary: false,
        }
    }
}

/// Looks on while a world runs.
pub trait Observer {
    /// What it stops the world with.
    type Violation;

    /// Called after every turn of every node, before what the node asked for has any effect. The world stops, until it is
    /// told to go on, if this breaks.
    fn after_turn(&mut self, world: &World, turn: &TurnRecord<'_>) -> ControlFlow<Self::Violation>;
}

/// Looks away.
impl Observer for () {
    type Violation = core::convert::Infallible;

    fn after_turn(&mut self, _: &World, _: &TurnRecord<'_>) -> ControlFlow<Self::Violation> {
        ControlFlow::Continue(())
    }
}

/// One turn of one node.
#[derive(Clone, Copy, Debug)]
pub struct TurnRecord<'a> {
    /// Whose.
    pub host: HostId,
    /// When.
    pub at: SimTime,
    /// What the host's clock showed.
    pub local: Time,
    /// What the node was told.
    pub inputs: &'a [Input],
    /// What it asked for.
    pub outputs: &'a [Output],
}

/// A world of hosts. See the crate's first lines.
#[derive(Debug)]
pub struct World {
    options: WorldOptions,
    dice: Dice,
    provider: &'static dyn Provider,
    schedule: Schedule,
    net: Net,
    hosts: Vec<Host>,
    /// Hosts whose turn is due at the present moment, in the order they became so.
    ready: Vec<HostId>,
    inbound: Vec<Inbound>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    trace: Trace,
    stats: Stats,
    tokens: u64,
    /// The moment of the last turn, and how many there were at it.
    moment: SimTime,
    turns_now: u32,
}

/// What the calendar says when the world begins: the start of 2026.
const WALL_START_MS: u64 = 1_767_225_600_000;
/// Most turns per host at one moment. More means that time stands still: a bug in a node.
const TURNS_AT_ONCE: u32 = 1_000;
/// Longest time until a wake-up that nobody asked for.
const SPURIOUS_MAX_NS: u64 = 20_000_000;

impl World {
    /// A world without hosts, at time zero.
    #[must_use]
    pub fn new(seed: u64, options: WorldOptions) -> Self {
        let dice = Dice::new(seed);
        Self {
            dice,
            provider: AWS_LC,
            schedule: Schedule::new(),
            net: Net::new(options.link, dice, options.chop_per_mille, options.canary),
            hosts: Vec::new(),
            ready: Vec::new(),
            inbound: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            trace: Trace::new(options.record),
            stats: Stats::default(),
            tokens: 0,
            moment: SimTime::ZERO,
            turns_now: 0,
            options,
        }
    }

    /// One more host. It starts when its spec says.
    pub fn add_host(&mut self, spec: HostSpec) -> HostId {
        let id = HostId(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        self.net.add_host(id, spec.name.as_str());
        self.schedule.at(spec.start_at, Happening::Start { host: id });
        self.hosts.push(Host::new(id, spec, self.dice, self.provider));
        id
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> SimTime {
        self.schedule.now()
    }

    /// Hands a command to a node at the present moment, and tells the token that its answer will have. `None` if the host
    /// is down.
    pub fn command(&mut self, host: HostId, command: Command) -> Option<Token> {
        self.hosts.get(host.index())?.engine.as_ref()?;
        self.tokens += 1;
        let token = Token(self.tokens);
        self.tell(host, Input::Command { token, command });
        Some(token)
    }

    /// Runs the world up to and including `until`, unless the observer stops it.
    ///
    /// # Panics
    /// If nodes keep each other busy without time passing; the message has the last steps.
    pub fn run_until<O: Observer>(&mut self, until: SimTime, observer: &mut O) -> ControlFlow<O::Violation> {
        loop {
            self.take_turns(observer)?;
            if !self.schedule.advance(until) {
                break;
            }
            while let Some(what) = self.schedule.pop() {
                self.happen(what);
            }
        }
        self.schedule.pass(until);
        ControlFlow::Continue(())
    }

    /// A host, to look at.
    ///
    /// # Panics
    /// If there is no such host.
    #[must_use]
    pub fn host(&self, id: HostId) -> HostRef<'_> {
        HostRef(&self.hosts[id.index()])
    }

    /// Every host.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..u32::try_from(self.hosts.len()).unwrap_or(u32::MAX)).map(HostId)
    }

    /// Whether packets can now get from each of the two running nodes to the other.
    #[must_use]
    pub fn connected(&self, a: HostId, b: HostId) -> bool {
        self.net.passes(a, b) && self.net.passes(b, a)
    }

    /// What becomes of a datagram that one host sends to another at the present moment. Carrying it there is the caller's
    /// business.
    ///
    /// # Panics
    /// If there is no such host.
    pub fn datagram(&mut self, from: HostId, to: HostId, len: usize) -> Verdict {
        self.net.datagram(self.schedule.now(), from, to, len)
    }

    /// The hash of all inputs and outputs of all nodes so far.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Turns so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.trace.steps()
    }

    /// The last turns, or all of them if the world records.
    pub fn trail(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.trace.kept()
    }

    /// What the world has done so far.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Net(event) => self.with_net(|net, cx| net.handle(cx, event)),
            Happening::Wake { host, serial } => self.wake(host, serial),
            Happening::Spurious { host } => self.make_ready(host),
            Happening::Start { host } => self.start(host),
            Happening::Resume { host, serial } => self.resume(host, serial),
            Happening::Consume { host, life } => self.consume(host, life),
            Happening::Synced { host, life } => self.synced(host, life),
            Happening::StopOverdue { host, life } => self.stop_overdue(host, life),
        }
    }

    /// Lets something happen in the network, and piles up what nodes must be told.
    fn with_net(&mut self, act: impl FnOnce(&mut Net, &mut NetCx<'_>)) {
        let Self { net, schedule, inbound, stats, .. } = self;
        act(net, &mut NetCx { schedule, inbound, stats });
        if self.inbound.is_empty() {
            return;
        }
        let mut inbound = core::mem::take(&mut self.inbound);
        inbound.drain(..).for_each(|Inbound { host, input }| self.tell(host, input));
        self.inbound = inbound;
    }

    fn tell(&mut self, host: HostId, input: Input) {
        self.hosts[host.index()].pile.push_back(input);
        self.make_ready(host);
    }

    fn make_ready(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        if host.state == HostState::Up && !host.ready {
            host.ready = true;
            self.ready.push(id);
        }
    }

    /// A node's deadline has come, unless it has moved.
    fn wake(&mut self, id: HostId, serial: u32) {
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
    fn schedule_wake(&mut self, id: HostId, due: SimTime) {
        let host = &mut self.hosts[id.index()];
        if host.wake.is_some_and(|wake| wake <= due) {
            return;
        }
        host.wake = Some(due);
        host.wake_serial += 1;
        self.schedule.at(due, Happening::Wake { host: id, serial: host.wake_serial });
    }

    fn consume(&mut self, id: HostId, life: u64) {
        let host = &mut self.hosts[id.index()];
        if host.life == life && host.engine.is_some() {
            let messages = core::mem::take(&mut host.unconsumed);
            self.stats.messages_consumed += u64::from(messages);
            self.tell(id, Input::Consumed { messages });
        }
    }

    fn synced(&mut self, id: HostId, life: u64) {
        let host = &mut self.hosts[id.index()];
        if host.life != life || host.engine.is_none() {
            return;
        }
        let (told, again) = host.disk.synced();
        if again {
            let at = self.schedule.now() + host.config.sync_latency;
            self.schedule.at(at, Happening::Synced { host: id, life });
        }
        if let Some(input) = told {
            self.stats.records_synced += 1;
            self.tell(id, input);
        }
    }

    /// Takes every turn that is due at the present moment.
    fn take_turns<O: Observer>(&mut self, observer: &mut O) -> ControlFlow<O::Violation> {
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
    fn take_turn<O: Observer>(&mut self, id: HostId, observer: &mut O) -> ControlFlow<O::Violation> {
        let at = self.now();
        let (mut inputs, mut outputs) = (core::mem::take(&mut self.inputs), core::mem::take(&mut self.outputs));
        let host = &mut self.hosts[id.index()];
        let local = host.clock.local(at);
        let Some(engine) = host.engine.as_mut() else { return ControlFlow::Continue(()) };
        let count = host.pile.len().min(INPUTS_PER_TURN);
        inputs.extend(host.pile.range(..count).cloned());
        engine.inbox().extend(host.pile.drain(..count));
        self.trace.begin(id, local, inputs.iter());
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
            let after = core::time::Duration::from_nanos(draws.below(SPURIOUS_MAX_NS));
            self.schedule.at(self.schedule.now() + after, Happening::Spurious { host: id });
        }
    }

    fn draws(&mut self, id: HostId, label: Label) -> Draws {
        let host = &mut self.hosts[id.index()];
        host.chances += 1;
        self.dice.draws(label, id.0, id.0, host.chances)
    }

    /// Does what a node asked for.
    fn perform(&mut self, id: HostId, output: Output) {
        if self.hosts[id.index()].engine.is_none() {
            return;
        }
        match output {
            Output::Dial { dial, endpoint } => self.with_net(|net, cx| net.dial(cx, id, dial, &endpoint)),
            Output::Write { channel, bytes } => self.with_net(|net, cx| net.write(cx, id, channel, bytes)),
            Output::Close { channel } => self.with_net(|net, cx| net.close(cx, id, channel)),
            Output::Persist { ticket, record } => {
                let host = &mut self.hosts[id.index()];
                if host.disk.write(ticket, record) {
                    let at = self.schedule.now() + host.config.sync_latency;
                    self.schedule.at(at, Happening::Synced { host: id, life: host.life });
                }
            }
            Output::Event(event) => self.hear(id, &event),
        }
    }

    /// Plays the application.
    fn hear(&mut self, id: HostId, event: &Event) {
        let host = &mut self.hosts[id.index()];
        match event {
            Event::Message(_) => {
                host.unconsumed += 1;
                if host.unconsumed == 1 {
                    let at = self.schedule.now() + host.config.consume_after;
                    self.schedule.at(at, Happening::Consume { host: id, life: host.life });
                }
            }
            Event::Done { token, .. } if host.stopping == Some(*token) => self.leave(id),
            Event::Done { .. }
            | Event::Hop { .. }
            | Event::LinkUp { .. }
            | Event::LinkDown { .. }
            | Event::LinkFailed { .. }
            | Event::Reachable { .. }
            | Event::Unreachable { .. }
            | Event::KeyConflict { .. }
            | Event::IdentityInUse { .. }
            | Event::StoreFailed
            | Event::Misuse(_) => {}
        }
    }

    /// What the calendar says at the present moment.
    fn wall(&self) -> WallTime {
        WallTime(WALL_START_MS + self.now().as_millis())
    }
}
