//! Watches every turn of every node, keeps the oracle's books, and puts everything to the invariants.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use io_sim::{Fault, HostId, Observer, TurnRecord, World};
use proto_core::{
    id::{NodeAddr, NodeName, Token},
    node::{Answer, Endpoint, Event, Input, Mailbox, Message, Output},
    time::Time,
};

use super::{
    Options,
    reality::Reality,
    snap::{Camera, Follow},
    theatre::Sight,
};
use crate::{
    invariants::{Fact, Suite, What},
    oracle::{Key, Oracle},
    scenario::Scenario,
    snapshot::Snapshot,
    verdict::Violation,
};

/// The referee of one run.
#[derive(Debug)]
pub(crate) struct Referee<'a> {
    pub(crate) oracle: Oracle,
    pub(super) reality: Reality,
    suite: Suite,
    camera: Camera,
    scenario: &'a Scenario,
    by_name: BTreeMap<NodeName, HostId>,
    by_addr: BTreeMap<NodeAddr, HostId>,
    log: Option<fn(&str)>,
    glances: u32,
}

impl<'a> Referee<'a> {
    pub(super) fn new(scenario: &'a Scenario, options: Options, blur: Duration) -> Self {
        let names = || scenario.hosts.iter().map(|spec| &spec.name).zip(scenario.ids());
        Self {
            oracle: Oracle::with_blur(u64::try_from(blur.as_millis()).unwrap_or(u64::MAX)),
            reality: Reality::new(scenario),
            suite: Suite::default(),
            camera: Camera::new(scenario),
            scenario,
            by_name: names().map(|(name, host)| (name.clone(), host)).collect(),
            by_addr: names().map(|(name, host)| (name.addr(), host)).collect(),
            log: options.log,
            glances: 0,
        }
    }

    /// Writes a line for people, if anybody reads.
    pub(super) fn log(&self, world: &impl Sight, line: impl FnOnce() -> String) {
        if let Some(log) = self.log {
            log(&format!("{} {}", world.now(), line()));
        }
    }

    /// A fault has struck.
    pub(super) fn struck(&mut self, world: &impl Sight, fault: &Fault) -> Result<(), Violation> {
        self.reality.struck(fault);
        let struck = self.scenario.ids().filter(|host| concerns(fault, *host));
        for host in struck {
            self.fact(world, host, What::Struck(fault))?;
        }
        self.look(world)
    }

    /// Looks at what is really so.
    pub(crate) fn look(&mut self, world: &impl Sight) -> Result<(), Violation> {
        for host in self.scenario.ids() {
            self.look_at(world, host)?;
        }
        self.reality.look_around(world.now());
        Ok(())
    }

    /// What every node believes now, put to the invariants that always hold.
    pub(crate) fn sample(&mut self, world: &impl Sight, follow: Follow) -> Result<&Snapshot, Violation> {
        self.look(world)?;
        self.camera.shoot(world, follow);
        self.reality.tell(world.now(), &mut self.camera.snapshot);
        self.suite.always(&self.camera.snapshot)?;
        Ok(&self.camera.snapshot)
    }

    /// What a settled mesh would not do, if anything; puts a fresh snapshot to the invariants.
    pub(super) fn unsettled(&mut self, world: &impl Sight) -> Result<Option<Violation>, Violation> {
        self.sample(world, Follow::Everything)?;
        Ok(self.suite.settled(&self.camera.snapshot).err())
    }

    /// What to follow in the next look that is one of many.
    pub(crate) fn glance(&mut self) -> Follow {
        self.glances = self.glances.wrapping_add(1);
        Follow::Sample(self.glances)
    }

    /// The last snapshot.
    pub(super) const fn snapshot(&self) -> &Snapshot {
        &self.camera.snapshot
    }

    /// Puts an idle time to the invariants.
    pub(super) fn idle(&mut self, before: &Snapshot) -> Result<(), Violation> {
        self.suite.idle(before, &self.camera.snapshot)
    }

    /// Puts the end to the invariants.
    pub(super) fn finally(&mut self) -> Result<(), Violation> {
        self.suite.finally(&self.camera.snapshot, &self.oracle)
    }

    /// Looks at one host.
    pub(super) fn look_at(&mut self, world: &impl Sight, host: HostId) -> Result<(), Violation> {
        if let Some(life) = self.reality.look(world, host) {
            self.oracle.started(host, life);
            self.fact(world, host, What::Started)?;
        }
        Ok(())
    }

    fn fact(&mut self, world: &impl Sight, host: HostId, what: What<'_>) -> Result<(), Violation> {
        self.fact_at(world, host, world.local(host), what)
    }

    fn fact_at(&mut self, world: &impl Sight, host: HostId, local: Time, what: What<'_>) -> Result<(), Violation> {
        let life = world.life(host);
        let spec = &self.scenario.hosts[host.0 as usize];
        let fact = Fact { at_ms: world.now().as_millis(), node: host, life, local, spec, what };
        self.suite.fact(&fact, &self.oracle)
    }

    /// Takes in what a node has done. Tells whether links or routes changed.
    pub(crate) fn turned(&mut self, world: &impl Sight, turn: &TurnRecord<'_>) -> Result<bool, Violation> {
        self.look_at(world, turn.host)?;
        for input in turn.inputs {
            if let Input::Consumed { mailbox: Mailbox::Node | Mailbox::Client(_), messages } = input {
                self.oracle.consumed(turn.host, *messages);
            }
            self.oracle.told(turn.host, input);
        }
        let mut changed = false;
        for output in turn.outputs {
            match output {
                Output::Dial { endpoint, .. } => self.dialled(world, turn, endpoint)?,
                Output::Event(event) => changed |= self.told(world, turn, event)?,
                Output::Write { .. } | Output::Close { .. } | Output::Persist { .. } => {}
            }
        }
        let due = world.due(turn.host);
        self.fact_at(world, turn.host, turn.local, What::Turned { due })?;
        Ok(changed)
    }

    fn dialled(&mut self, world: &impl Sight, turn: &TurnRecord<'_>, endpoint: &Endpoint) -> Result<(), Violation> {
        let name = endpoint.0.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':')).map(|(name, _)| name);
        match name.and_then(|name| self.by_name.get(name).copied()) {
            Some(to) => self.fact_at(world, turn.host, turn.local, What::Dialled { to }),
            None => Ok(()),
        }
    }

    /// Tells whether links or routes changed.
    fn told(&mut self, world: &impl Sight, turn: &TurnRecord<'_>, event: &Event) -> Result<bool, Violation> {
        self.log(world, || format!("{} {}", self.name(turn.host), brief(event)));
        match event {
            Event::Message(message) => self.handed(world, turn, message).map(|()| false),
            Event::Done { token, answer } => self.answered(world, turn, *token, answer).map(|()| false),
            Event::Topic(_) | Event::Call(_) => {
                self.oracle.heard(turn.host, event);
                self.plain(world, turn, event).map(|()| false)
            }
            Event::Hop { .. } | Event::LinkFailed { .. } => self.plain(world, turn, event).map(|()| false),
            Event::LinkUp { .. }
            | Event::LinkDown { .. }
            | Event::Reachable { .. }
            | Event::Unreachable { .. }
            | Event::KeyConflict { .. }
            | Event::IdentityInUse { .. }
            | Event::Unpinned { .. }
            | Event::StoreFailed
            | Event::Misuse(_) => self.plain(world, turn, event).map(|()| true),
        }
    }

    fn plain(&mut self, world: &impl Sight, turn: &TurnRecord<'_>, event: &Event) -> Result<(), Violation> {
        self.fact_at(world, turn.host, turn.local, What::Told(event))
    }

    fn handed(&mut self, world: &impl Sight, turn: &TurnRecord<'_>, message: &Message) -> Result<(), Violation> {
        let key = Key::of(&message.payload);
        let before = key.and_then(|key| self.oracle.handed(turn.host, key).filter(|_| world.in_order(key)));
        self.fact_at(world, turn.host, turn.local, What::Handed { message, key, before })
    }

    fn answered(
        &mut self,
        world: &impl Sight,
        turn: &TurnRecord<'_>,
        token: Token,
        answer: &Answer,
    ) -> Result<(), Violation> {
        // The world itself asks a node to drain when it stops it, and plays the handlers.
        if token == World::OWN || matches!(answer, Answer::Drained { .. } | Answer::NotTaken(_)) {
            return Ok(());
        }
        let at_ms = world.now().as_millis();
        self.oracle.answered(turn.host, token, answer, at_ms, |addr| self.by_addr.get(&addr).copied());
        self.fact_at(world, turn.host, turn.local, What::Answered { token, answer })
    }

    pub(super) fn name(&self, host: HostId) -> &NodeName {
        &self.scenario.hosts[host.0 as usize].name
    }
}

impl Observer for Referee<'_> {
    type Violation = Violation;

    fn after_turn(&mut self, world: &World, turn: &TurnRecord<'_>) -> ControlFlow<Violation> {
        let seen = self.turned(world, turn).and_then(|changed| {
            // Every state that a node is in, however short, must be sound.
            if !changed {
                return Ok(());
            }
            let follow = self.glance();
            self.sample(world, follow).map(drop)
        });
        seen.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }
}

/// Whether a fault must be known to invariants as something that struck this host.
fn concerns(fault: &Fault, host: HostId) -> bool {
    match fault {
        Fault::Corrupt { from, to } => *from == host || *to == host,
        Fault::FailDisk { host: struck }
        | Fault::Crash { host: struck }
        | Fault::Kill { host: struck }
        | Fault::Stop { host: struck } => *struck == host,
        Fault::Restart { .. }
        | Fault::Pause { .. }
        | Fault::Partition { .. }
        | Fault::Heal
        | Fault::Link { .. }
        | Fault::ClockRate { .. }
        | Fault::CutStreams { .. }
        | Fault::SlowApplication { .. }
        | Fault::StuckClient { .. } => false,
    }
}

/// An event in one line, without payloads.
fn brief(event: &Event) -> String {
    match event {
        Event::Message(message) => match Key::of(&message.payload) {
            Some(key) => format!("gets {key}"),
            None => format!("gets {} bytes that nobody sent", message.payload.len()),
        },
        Event::Done { token, answer } => format!("answers {token}: {answer:?}"),
        Event::Topic(_)
        | Event::Call(_)
        | Event::Hop { .. }
        | Event::LinkUp { .. }
        | Event::LinkDown { .. }
        | Event::LinkFailed { .. }
        | Event::Reachable { .. }
        | Event::Unreachable { .. }
        | Event::KeyConflict { .. }
        | Event::IdentityInUse { .. }
        | Event::Unpinned { .. }
        | Event::StoreFailed
        | Event::Misuse(_) => format!("{event:?}"),
    }
}
