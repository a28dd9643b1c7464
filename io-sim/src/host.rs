//! A host: a machine with a clock and a disk, on which a node lives several lives.
//!
//! Life of a host: it is down until it starts. Each start is a new life with a larger incarnation, a clock that shows
//! zero, and the pins that its disk kept. A crash or a stop ends that life; a pause does not.

use core::{fmt, time::Duration};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use proto_core::{
    engine::Engine,
    id::{Incarnation, NodeName, Token},
    node::{Input, Mailbox, Node},
    rpc::InvocationId,
    secure::{Identity, Provider},
    time::Time,
};
use serde::{Deserialize, Serialize};

use crate::{
    clock::Clock,
    config::{Birth, HostConfig, HostSpec},
    disk::Disk,
    handler::Handler,
    rng::{Dice, Label},
    time::SimTime,
};

/// Names a host of a world: hosts are numbered from zero in the order they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostId(pub u32);

impl HostId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}", self.0)
    }
}

/// How a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// Its node runs.
    Up,
    /// It has no node: not started yet, crashed, or stopped.
    Down,
    /// Its node stands still.
    Paused {
        /// Until then.
        until: SimTime,
    },
}

/// A host, to look at.
#[derive(Clone, Copy, Debug)]
pub struct HostRef<'a>(pub(crate) &'a Host);

impl<'a> HostRef<'a> {
    /// Its node's name.
    #[must_use]
    pub const fn name(self) -> &'a NodeName {
        &self.0.name
    }

    /// How it is.
    #[must_use]
    pub const fn state(self) -> HostState {
        self.0.state
    }

    /// Which life it is in, or was in last; zero before its first start.
    #[must_use]
    pub const fn incarnation(self) -> Incarnation {
        Incarnation(self.0.life)
    }

    /// When that life began.
    #[must_use]
    pub const fn started_at(self) -> SimTime {
        self.0.started_at
    }

    /// Its engine, unless it is down.
    #[must_use]
    pub const fn engine(self) -> Option<&'a Engine> {
        self.0.engine.as_ref()
    }

    /// Its node, unless it is down.
    #[must_use]
    pub fn node(self) -> Option<&'a Node> {
        self.engine().map(Engine::node)
    }

    /// What its clock shows at a moment.
    #[must_use]
    pub fn local(self, at: SimTime) -> Time {
        self.0.clock.local(at)
    }

    /// When its node wants to be woken, on its own clock, as it said after its last turn that was not one of several.
    #[must_use]
    pub const fn deadline(self) -> Option<Time> {
        self.0.deadline
    }

    /// How fast its clock runs, in parts per million too much.
    #[must_use]
    pub const fn clock_ppm(self) -> i32 {
        self.0.clock.ppm()
    }

    /// How it is configured.
    #[must_use]
    pub const fn config(self) -> &'a HostConfig {
        &self.0.config
    }

    /// Its key pair's public part.
    #[must_use]
    pub fn public_key(self) -> proto_core::secure::PublicKey {
        self.0.identity.public()
    }

    /// Inputs that wait for its next turn.
    #[must_use]
    pub fn waiting(self) -> usize {
        self.0.pile.len()
    }
}

/// A host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: NodeName,
    pub(crate) config: HostConfig,
    pub(crate) state: HostState,
    /// Which life it is in; its incarnation.
    pub(crate) life: u64,
    pub(crate) started_at: SimTime,
    pub(crate) engine: Option<Engine>,
    pub(crate) clock: Clock,
    /// What the node will be told in its next turns.
    pub(crate) pile: VecDeque<Input>,
    /// A turn is due at the present moment.
    pub(crate) ready: bool,
    /// When the node wants to be woken, on its clock.
    pub(crate) deadline: Option<Time>,
    /// The wake-up that is in the schedule, and its serial.
    pub(crate) wake: Option<SimTime>,
    pub(crate) wake_serial: u32,
    /// Which pause the scheduled end belongs to.
    pub(crate) pause_serial: u32,
    /// Messages that the application has not taken.
    pub(crate) unconsumed: BTreeMap<Mailbox, u32>,
    /// Calls that its handlers run.
    pub(crate) invoked: Vec<Handler>,
    /// Handlers that wait until their callers have room for items.
    pub(crate) blocked: BTreeMap<InvocationId, Handler>,
    /// Items of replies that the application has not taken, and their bytes, by call.
    pub(crate) items: BTreeMap<Token, (u64, u64)>,
    /// Clients that take nothing, and what lies before each.
    pub(crate) stuck: BTreeMap<Arc<str>, BTreeMap<Mailbox, u32>>,
    pub(crate) disk: Disk,
    /// The drain that a graceful stop waits for.
    pub(crate) stopping: Option<Token>,
    /// Chances that were taken, which names the draws of the next.
    pub(crate) chances: u64,
    ppm: i32,
    identity: Arc<Identity>,
}

impl Host {
    pub(crate) fn new(id: HostId, spec: HostSpec, dice: Dice, provider: &dyn Provider) -> Self {
        let identity = Identity::from_seed(dice.bytes32(Label::Identity, id.0, 0), provider);
        Self {
            name: spec.name,
            config: spec.template,
            state: HostState::Down,
            life: 0,
            started_at: SimTime::ZERO,
            engine: None,
            clock: Clock::new(SimTime::ZERO, spec.clock_ppm),
            pile: VecDeque::new(),
            ready: false,
            deadline: None,
            wake: None,
            wake_serial: 0,
            pause_serial: 0,
            unconsumed: BTreeMap::new(),
            invoked: Vec::new(),
            blocked: BTreeMap::new(),
            items: BTreeMap::new(),
            stuck: BTreeMap::new(),
            disk: Disk::default(),
            stopping: None,
            chances: 0,
            ppm: spec.clock_ppm,
            identity: Arc::new(identity),
        }
    }

    /// A new life begins.
    pub(crate) fn start(&mut self, id: HostId, now: SimTime, dice: Dice, provider: &'static dyn Provider) {
        self.life += 1;
        self.started_at = now;
        self.clock = Clock::new(now, self.ppm);
        self.state = HostState::Up;
        let birth = Birth {
            name: self.name.clone(),
            identity: Arc::clone(&self.identity),
            incarnation: Incarnation(self.life),
            provider,
            seed: dice.bytes32(Label::NodeSeed, id.0, self.life),
            secret_seed: dice.bytes32(Label::SecretSeed, id.0, self.life),
            pins: self.disk.pins(),
        };
        self.engine = Some(Engine::new(Node::new(self.config.node(birth))));
    }

    /// The life ends: everything that was only in memory is gone.
    pub(crate) fn end(&mut self) {
        self.state = HostState::Down;
        self.engine = None;
        self.pile.clear();
        (self.deadline, self.wake, self.stopping) = (None, None, None);
        self.wake_serial += 1;
        self.pause_serial += 1;
        self.unconsumed.clear();
        self.invoked.clear();
        self.blocked.clear();
        self.items.clear();
        self.stuck.clear();
    }

    /// The clock runs at another rate from now on, also in later lives.
    pub(crate) fn set_ppm(&mut self, now: SimTime, ppm: i32) {
        self.ppm = ppm;
        self.clock.set_ppm(now, ppm);
    }

    /// How long the application leaves messages lying.
    pub(crate) fn set_consume_after(&mut self, after: Duration) {
        self.config.consume_after = after;
    }
}
