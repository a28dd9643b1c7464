//! Hosts and network in motion.

use core::ops::ControlFlow;

use proto_core::{
    id::Token,
    node::{Command, Input, Output},
    secure::Provider,
    time::{Time, WallTime},
};
use serde::{Deserialize, Serialize};

use crate::{
    config::HostSpec,
    crypto::REMEMBERING,
    host::{Host, HostId, HostRef, HostState},
    net::{Inbound, LinkSpec, Net, NetCx, Verdict},
    rng::{Dice, Draws, Label},
    schedule::{Happening, Schedule},
    stats::Stats,
    time::SimTime,
    trace::{Step, Trace},
};

mod faults;
mod outputs;
#[cfg(test)]
mod tests;
mod turns;

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
    /// What the node was told; the bytes that arrived are left out.
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

impl World {
    /// The token of what the applications say that the world plays: handlers, and who takes items.
    pub const OWN: Token = Token(0);

    /// A world without hosts, at time zero.
    #[must_use]
    pub fn new(seed: u64, options: WorldOptions) -> Self {
        let dice = Dice::new(seed);
        Self {
            dice,
            provider: REMEMBERING,
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
        let leaver =
            if let Command::SetClient { client, present: false } = &command { Some(client.clone()) } else { None };
        self.tell(host, Input::Command { token, command });
        if let Some(client) = leaver {
            self.unstick(host, &client);
        }
        Some(token)
    }

    /// Runs the world up to and including `until`, unless the observer stops it.
    ///
    /// # Panics
    /// If nodes keep each other busy without time passing; the message has the last steps.
    pub fn run_until<O: Observer>(&mut self, until: SimTime, observer: &mut O) -> ControlFlow<O::Violation> {
        self.turns_now = 0;
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

    /// Whether packets can now get both ways between the two nodes, which both run.
    #[must_use]
    pub fn connected(&self, a: HostId, b: HostId) -> bool {
        let runs = |id: HostId| self.hosts[id.index()].state == HostState::Up;
        runs(a) && runs(b) && self.net.carries(a, b) && self.net.carries(b, a)
    }

    /// What becomes of a datagram that one host sends to another at the present moment. Carrying it there is the caller's
    /// business.
    ///
    /// # Panics
    /// If there is no such host.
    pub fn datagram(&mut self, from: HostId, to: HostId, len: usize) -> Verdict {
        self.net.datagram(self.schedule.now(), from, to, len)
    }

    /// Whether the network carries packets from one host to the other now, whatever state the two are in.
    #[must_use]
    pub fn reaches(&self, from: HostId, to: HostId) -> bool {
        self.net.carries(from, to)
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

    fn draws(&mut self, id: HostId, label: Label) -> Draws {
        let host = &mut self.hosts[id.index()];
        host.chances += 1;
        self.dice.draws(label, id.0, id.0, host.chances)
    }

    /// What the calendar says at the present moment.
    fn wall(&self) -> WallTime {
        WallTime(WALL_START_MS + self.now().as_millis())
    }
}
