//! The world of a scenario, and the storm in it.

use std::{collections::BTreeMap, time::Duration};

use io_sim::{Fault, HostId, HostState, World, WorldOptions, time::SimTime};
use proto_core::{
    id::Token,
    node::{Command, Send},
};

use super::{Options, referee::Referee, snap::Follow, theatre::Theatre};
use crate::{
    oracle::{Key, Letter, Receivers, Request},
    scenario::{Op, Scenario, Service},
    snapshot::Snapshot,
    verdict::{Report, Violation},
};

/// A request as the node gets it, how long the answer may take, what it is for people, and the message it sends.
pub(super) type Wording = (Command, Duration, &'static str, Option<Key>);

/// How long it may take to take a client in, or a subscription or service.
pub(super) const CLIENT_WITHIN: Duration = Duration::from_secs(1);
/// Time between two looks at everything.
const SAMPLE: Duration = Duration::from_millis(250);

/// A scenario being played.
#[derive(Debug)]
pub(super) struct Stage<'a, W> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: W,
    pub(super) referee: Referee<'a>,
    /// The nodes that each node surely reaches in the calm, and that surely reach it.
    pub(super) sure: BTreeMap<HostId, Vec<HostId>>,
    sampled: SimTime,
}

/// The hosts of a scenario in a simulated world.
pub(super) fn world(scenario: &Scenario, options: Options) -> World {
    let Options { canary, .. } = options;
    let mut world = World::new(scenario.seed, WorldOptions { canary, ..scenario.network.options.clone() });
    for spec in &scenario.hosts {
        world.add_host(spec.clone());
    }
    world
}

impl<'a, W: Theatre> Stage<'a, W> {
    pub(super) fn new(scenario: &'a Scenario, options: Options, mut world: W) -> Self {
        for link in &scenario.network.links {
            world.apply(&Fault::Link { from: link.from, to: link.to, spec: link.spec });
        }
        let referee = Referee::new(scenario, options, world.blur());
        Self { scenario, world, referee, sure: BTreeMap::new(), sampled: SimTime::ZERO }
    }

    /// Plays faults and workload up to the calm.
    pub(super) fn storm(&mut self) -> Result<(), Violation> {
        let (mut faults, mut workload) =
            (self.scenario.faults.iter().peekable(), self.scenario.workload.iter().peekable());
        loop {
            let fault_ms = faults.peek().map_or(u64::MAX, |timed| timed.at_ms);
            let op_ms = workload.peek().map_or(u64::MAX, |timed| timed.at_ms);
            let next_ms = fault_ms.min(op_ms).min(self.scenario.calm_at_ms);
            self.advance(SimTime::from_millis(next_ms))?;
            if let Some(timed) = faults.next_if(|timed| timed.at_ms <= next_ms) {
                self.strike(&timed.fault)?;
            } else if let Some(timed) = workload.next_if(|timed| timed.at_ms <= next_ms) {
                // It may have begun a life of which nothing was seen yet.
                self.referee.look_at(&self.world, timed.op.from())?;
                let _ = self.ask(&timed.op, false);
            } else if next_ms == self.scenario.calm_at_ms {
                return Ok(());
            }
        }
    }

    /// Lets the world run, and looks at everything every so often.
    pub(super) fn advance(&mut self, until: SimTime) -> Result<(), Violation> {
        loop {
            let slice = until.min(self.sampled + SAMPLE);
            self.world.run_until(slice, &mut self.referee)?;
            if slice == self.sampled + SAMPLE {
                self.sampled = slice;
                self.sample()?;
            }
            if slice == until {
                return Ok(());
            }
        }
    }

    /// Lets the world run for a while.
    pub(super) fn pass(&mut self, time: Duration) -> Result<(), Violation> {
        self.advance(self.world.now() + time)
    }

    /// Looks at everything, and puts it to the invariants that always hold.
    pub(super) fn sample(&mut self) -> Result<&Snapshot, Violation> {
        let follow = self.referee.glance();
        self.world.look(follow, &mut self.referee)?;
        self.referee.sample(&self.world, follow)
    }

    /// What a settled mesh would not do, if anything.
    pub(super) fn unsettled(&mut self) -> Result<Option<Violation>, Violation> {
        self.world.look(Follow::Everything, &mut self.referee)?;
        self.referee.unsettled(&self.world)
    }

    /// Lets a fault strike.
    pub(super) fn strike(&mut self, fault: &Fault) -> Result<(), Violation> {
        self.referee.log(&self.world, || format!("FAULT {fault:?}"));
        self.world.apply(fault);
        self.referee.struck(&self.world, fault)
    }

    /// Lets an application ask for something, if it runs; tells the request's token. A frozen one asks for nothing.
    pub(super) fn ask(&mut self, op: &Op, fresh: bool) -> Option<Token> {
        let from = op.from();
        if self.world.state(from) != HostState::Up {
            return None;
        }
        let (command, within, what, key) = self.command(op, fresh)?;
        let reports = wants_answer(op);
        let within = self.world.patience(&command, within);
        let token = self.world.command(from, command)?;
        self.referee.log(&self.world, || format!("{} is asked {token}: {op:?}", self.referee.name(from)));
        let due = reports.then(|| self.world.local(from) + within);
        self.referee.oracle.asked(from, token, due, Request { message: key, what, fresh });
        if let Op::Client { at, client, present } = op {
            self.referee.oracle.client(*at, token, client, *present);
        }
        if let Op::Service(service) = op {
            self.note_service(token, service, key, fresh);
        }
        Some(token)
    }

    fn command(&mut self, op: &Op, fresh: bool) -> Option<Wording> {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let addr = |host: &HostId| self.scenario.hosts[host.0 as usize].name.addr();
        Some(match op {
            Op::Send { from, to, bytes, deadline_ms, report } => {
                let letter = self.letter(*from, Receivers::These(vec![*to]));
                self.send(letter, *from, *to, (*bytes, ms(*deadline_ms), *report), fresh)?
            }
            Op::SendToClient { from, from_client, to, to_client, bytes, deadline_ms } => {
                let letter = Letter {
                    from_client: from_client.clone(),
                    to_client: to_client.clone(),
                    ..self.letter(*from, Receivers::These(vec![*to]))
                };
                self.send(letter, *from, *to, (*bytes, ms(*deadline_ms), true), fresh)?
            }
            Op::Client { client, present, .. } => {
                let set = Command::SetClient { client: client.clone(), present: *present };
                (set, CLIENT_WITHIN, "client", None)
            }
            Op::SendMany { from, to, bytes, deadline_ms } => {
                let key = self.post(*from, self.letter(*from, Receivers::These(to.clone())), fresh)?;
                let (to, payload, deadline) = (to.iter().map(addr).collect(), key.payload(*bytes), ms(*deadline_ms));
                (Command::SendMany { to, payload, deadline }, deadline, "send to many", Some(key))
            }
            Op::Broadcast { from, bytes, deadline_ms } => {
                let key = self.post(*from, self.letter(*from, Receivers::Everyone), fresh)?;
                let (payload, deadline) = (key.payload(*bytes), ms(*deadline_ms));
                (Command::Broadcast { payload, deadline }, deadline, "broadcast", Some(key))
            }
            Op::Trace { to, every_hop, deadline_ms, .. } => {
                let (to, deadline) = (addr(to), ms(*deadline_ms));
                (Command::Trace { to, every_hop: *every_hop, deadline }, deadline, "trace", None)
            }
            Op::FindNode { to, deadline_ms, .. } => {
                let (name, deadline) = (self.referee.name(*to).clone(), ms(*deadline_ms));
                (Command::FindNode { name, deadline }, deadline, "look-up", None)
            }
            Op::Service(service) => self.word_service(service)?,
        })
    }

    /// A message between nodes.
    fn letter(&self, from: HostId, to: Receivers) -> Letter {
        Letter { from: self.referee.name(from).addr(), from_client: None, to, to_client: None }
    }

    /// Tells the oracle of a message.
    fn post(&mut self, from: HostId, letter: Letter, fresh: bool) -> Option<Key> {
        let key = self.referee.oracle.next_key(from)?;
        self.referee.oracle.sent(key, letter, fresh);
        Some(key)
    }

    /// Words a message to one receiver: its size, its deadline, whether the outcome is to be told.
    fn send(
        &mut self,
        letter: Letter,
        from: HostId,
        to: HostId,
        (bytes, deadline, report): (u32, Duration, bool),
        fresh: bool,
    ) -> Option<Wording> {
        let (from_client, to_client) = (letter.from_client.clone(), letter.to_client.clone());
        let key = self.post(from, letter, fresh)?;
        let (to, payload) = (self.referee.name(to).addr(), key.payload(bytes));
        let send = Send { to, to_client, from_client, payload, deadline, report };
        Some((Command::Send(send), deadline, "send", Some(key)))
    }

    /// What a run in which everything held came to.
    pub(super) fn report(&self, settled_ms: u64) -> Report {
        Report {
            hash: self.world.trace_hash(),
            sim_ms: self.world.now().as_millis(),
            steps: self.world.steps(),
            settled_ms,
            counts: self.referee.oracle.counts(),
        }
    }
}

/// Whether a request is answered even if it is not refused.
const fn wants_answer(op: &Op) -> bool {
    !matches!(
        op,
        Op::Send { report: false, .. } | Op::Service(Service::Publish { receipt: false, .. } | Service::Cancel { .. })
    )
}
