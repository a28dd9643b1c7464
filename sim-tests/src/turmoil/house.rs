//! The hosts of a scenario on the simulator: what strikes them, what they are asked, what is seen of them.
//!
//! Time goes in steps of [`TICK`]. Before each step, what is due strikes, and the wires carry what arrives; after it, what
//! the hosts have done is put to the referee.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::turmoil::{Builder, Sim};
use io_sim::{Fault, HostId, HostState, Paths, SimTime, TurnRecord, hash::Hash64};
use proto_core::{
    id::{Incarnation, NodeAddr, NodeName, Token},
    node::Command,
    rng::Rng,
    time::Time,
};

use super::{
    app::{self, Booth, Order},
    broken::Broken,
    hub::Hub,
    log::{Entry, Happened, Log},
    net::TurmoilNet,
    request,
    wires::Wires,
};
use crate::{
    oracle::Key,
    run::{
        Options, guard,
        referee::Referee,
        snap::Follow,
        theatre::{Sight, Theatre},
    },
    scenario::Scenario,
    snapshot::NodeSnap,
    verdict::Violation,
};

/// How far time goes in one step of the simulator. Segments arrive between steps only; timers go off in between, too.
pub const TICK: Duration = Duration::from_millis(5);
/// Segments of a connection, or handshakes at a listener, that the simulator holds.
const SEGMENTS: usize = 128;
/// Steps within which every node must have told what it believes.
const LOOK_STEPS: u32 = 20;
/// Time beyond its drain within which a node that shuts down must be over: answers, goodbyes and last writes.
const STOP_GRACE: Duration = Duration::from_secs(6);
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// All hosts.
pub(crate) struct House<'a> {
    sim: Sim<'a>,
    now: SimTime,
    hub: Arc<Hub>,
    log: Arc<Log>,
    wires: Wires,
    rooms: Vec<Room>,
    spurious_per_mille: u32,
    draws: Rng,
    last_token: Token,
    /// Messages to several receivers. What is sent after them without waiting for them may arrive before them.
    to_many: BTreeSet<Key>,
    hash: Hash64,
    entries: u64,
    /// Links or routes have changed since everybody last told what it believes.
    changed: bool,
}

/// A host as the harness knows it.
struct Room {
    booth: Rc<Booth>,
    /// Which life it is in, or was in last.
    life: u64,
    state: HostState,
    started: bool,
    ppm: i32,
    /// When it must have ended, if it was asked to.
    must_end: Option<SimTime>,
    belief: Option<Box<NodeSnap>>,
    /// It has not told what it believes since it was asked.
    awaited: bool,
}

impl<'a> House<'a> {
    pub(crate) fn new(scenario: &Scenario, options: Options) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&scenario.seed.to_le_bytes());
        let draws = Rng::new(seed);
        let everyone: Arc<[NodeName]> = scenario.hosts.iter().map(|spec| spec.name.clone()).collect();
        let world = &scenario.network.options;
        let hub = Arc::new(Hub::new(everyone.to_vec(), world.chop_per_mille, draws.fork("hub")));
        let log = Arc::new(Log::default());
        let mut sim = Builder::new()
            .rng_seed(scenario.seed)
            .epoch(std::time::UNIX_EPOCH)
            .tick_duration(TICK)
            .simulation_duration(FOR_EVER)
            .tcp_capacity(SEGMENTS)
            .build();
        let mut rooms = Vec::new();
        let mut by_ip = BTreeMap::new();
        for (host, spec) in scenario.ids().zip(&scenario.hosts) {
            let draws = draws.fork(spec.name.as_str());
            let (hub, log) = (Arc::clone(&hub), Arc::clone(&log));
            let booth = Rc::new(Booth::new(host, spec.clone(), Arc::clone(&everyone), hub, log, draws));
            move_in(&mut sim, &booth, options);
            by_ip.insert(sim.lookup(spec.name.as_str()), host);
            rooms.push(Room::new(booth));
        }
        by_ip.iter().for_each(|(ip, host)| hub.place(*host, *ip));
        for a in by_ip.keys() {
            by_ip.keys().filter(|b| a < *b).for_each(|b| sim.hold(*a, *b));
        }
        let paths = Paths::of_hosts(rooms.len(), world.link, scenario.seed, options.canary);
        Self {
            sim,
            now: SimTime::ZERO,
            hub,
            log,
            wires: Wires::new(paths, by_ip),
            rooms,
            spurious_per_mille: world.spurious_wakes_per_mille,
            draws: draws.fork("house"),
            last_token: Token(0),
            to_many: BTreeSet::new(),
            hash: Hash64::new(),
            entries: 0,
            changed: false,
        }
    }

    /// Lets one tick pass.
    fn step(&mut self, referee: &mut Referee<'_>) -> Result<(), Violation> {
        self.on_time()?;
        let (now, horizon, wires) = (self.now, self.now + TICK / 2, &mut self.wires);
        self.sim.links(|links| wires.carry(links, now, horizon));
        let stepped = self.sim.step();
        self.now += TICK;
        self.hub.arrive(self.now);
        if let Some(panic) = guard::take_panic() {
            return Err(self.broken("panic", panic));
        }
        stepped.map_err(|error| self.broken("harness", format!("a host ended: {error}")))?;
        self.rooms.iter().for_each(|room| room.booth.glance());
        for entry in self.log.take() {
            self.take_in(&entry, referee)?;
        }
        Ok(())
    }

    /// Does what is due: first starts, ends of pauses, wake-ups for nothing.
    fn on_time(&mut self) -> Result<(), Violation> {
        for host in (0..).map(HostId).take(self.rooms.len()) {
            let Some(room) = self.rooms.get_mut(host.0 as usize) else { continue };
            let (state, name) = (room.state, &room.booth.spec.name);
            if room.must_end.is_some_and(|at| at <= self.now) {
                let detail = format!("{name} has not shut down {STOP_GRACE:?} after its deadline");
                return Err(self.broken("shell_stops", detail));
            }
            match state {
                HostState::Down if !room.started && room.booth.spec.start_at <= self.now => self.start(host),
                HostState::Paused { until } if until <= self.now => {
                    room.state = HostState::Up;
                    self.hub.thaw(host);
                }
                HostState::Up if self.draws.chance(self.spurious_per_mille) => self.hub.rouse(host),
                HostState::Up | HostState::Down | HostState::Paused { .. } => {}
            }
        }
        Ok(())
    }

    /// Takes in what happened on a host.
    fn take_in(&mut self, entry: &Entry, referee: &mut Referee<'_>) -> Result<(), Violation> {
        let place = entry.host.0 as usize;
        self.entries += 1;
        self.hash.word(u64::from(entry.host.0));
        self.hash.word(entry.at.as_nanos());
        self.hash.word(entry.local.as_nanos());
        match &entry.what {
            Happened::Did(output) => {
                self.hash.value(output);
                let outputs = std::slice::from_ref(output);
                let turn = TurnRecord { host: entry.host, at: entry.at, local: entry.local, inputs: &[], outputs };
                let changed = referee.turned(self, &turn)?;
                self.changed |= changed;
            }
            Happened::Believes(snap) => {
                if let Some(room) = self.rooms.get_mut(place).filter(|room| room.state != HostState::Down) {
                    room.belief = Some(snap.clone());
                    room.awaited = false;
                }
            }
            Happened::Stopped => self.switch_off(entry.host),
            Happened::Broken(what) => {
                let name = self.room(entry.host).map(|room| &room.booth.spec.name);
                let detail = name.map(|name| format!("{name}: {what}"));
                return Err(self.broken("shell", detail.unwrap_or_default()));
            }
        }
        Ok(())
    }

    /// A host that is down begins a life.
    fn start(&mut self, host: HostId) {
        let Some(room) = self.rooms.get_mut(host.0 as usize).filter(|room| room.state == HostState::Down) else {
            return;
        };
        room.booth.begin();
        room.life = room.booth.disk.incarnation().0 + 1;
        self.sim.bounce(room.booth.spec.name.as_str());
        self.hub.boot(host, room.ppm);
        self.wires.lighten(host);
        (room.state, room.started, room.must_end) = (HostState::Up, true, None);
        (room.belief, room.awaited) = (None, false);
    }

    /// The machine loses its power: nothing of what it had not sent gets out, not even an end of its connections.
    fn crash(&mut self, host: HostId) {
        if let Some(room) = self.rooms.get_mut(host.0 as usize) {
            room.end();
            self.sim.crash(room.booth.spec.name.as_str());
            self.wires.darken(host);
        }
    }

    /// The process ends; the kernel closes its connections and refuses new ones.
    fn switch_off(&mut self, host: HostId) {
        if let Some(room) = self.rooms.get_mut(host.0 as usize).filter(|room| room.state != HostState::Down) {
            room.end();
            self.sim.bounce(room.booth.spec.name.as_str());
        }
    }

    fn stop(&mut self, host: HostId) {
        let Some(room) = self.rooms.get_mut(host.0 as usize) else { return };
        if room.state != HostState::Down && room.must_end.is_none() {
            let drain = room.booth.spec.template.drain;
            room.booth.order(Order::Stop { drain });
            let frozen = if let HostState::Paused { until } = room.state { until - self.now } else { Duration::ZERO };
            room.must_end = Some(self.now + drain + STOP_GRACE + frozen);
        }
    }

    fn pause(&mut self, host: HostId, length: Duration) {
        let Some(room) = self.rooms.get_mut(host.0 as usize) else { return };
        let until = self.now + length;
        let until = match room.state {
            HostState::Down => return,
            HostState::Up => {
                self.hub.freeze(host);
                until
            }
            HostState::Paused { until: already } => until.max(already),
        };
        room.state = HostState::Paused { until };
        room.must_end = room.must_end.map(|at| at + length);
    }

    fn cut_changed(&self) {
        let hosts = || (0..).map(HostId).take(self.rooms.len());
        let pairs = hosts().flat_map(|from| hosts().map(move |to| (from, to)));
        self.hub.set_cuts(pairs.filter(|(from, to)| self.wires.paths.is_cut(*from, *to)).collect());
    }

    fn broken(&self, invariant: &str, detail: String) -> Violation {
        Violation { invariant: String::from(invariant), at_ms: self.now.as_millis(), detail }
    }

    fn room(&self, host: HostId) -> Option<&Room> {
        self.rooms.get(host.0 as usize)
    }
}

/// Adds a host to the simulator, with nothing running.
fn move_in(sim: &mut Sim<'_>, booth: &Rc<Booth>, options: Options) {
    let name = booth.spec.name.as_str().to_owned();
    let booth = Rc::clone(booth);
    sim.host(name, move || {
        let booth = Rc::clone(&booth);
        let net = TurmoilNet::new(Arc::clone(&booth.hub), Arc::clone(&booth.log), booth.host);
        async move {
            match options.sabotage {
                None => app::software(booth, net).await,
                Some(sabotage) => app::software(booth, Broken::new(net, sabotage)).await,
            }
        }
    });
}

impl Room {
    fn new(booth: Rc<Booth>) -> Self {
        let ppm = booth.spec.clock_ppm;
        let state = HostState::Down;
        Self { booth, life: 0, state, started: false, ppm, must_end: None, belief: None, awaited: false }
    }

    fn end(&mut self) {
        self.booth.end();
        (self.state, self.must_end, self.belief, self.awaited) = (HostState::Down, None, None, false);
    }
}

impl Sight for House<'_> {
    fn now(&self) -> SimTime {
        self.now
    }

    fn state(&self, host: HostId) -> HostState {
        self.room(host).map_or(HostState::Down, |room| room.state)
    }

    fn life(&self, host: HostId) -> Incarnation {
        Incarnation(self.room(host).map_or(0, |room| room.life))
    }

    fn local(&self, host: HostId) -> Time {
        self.hub.local(host)
    }

    fn due(&self, _host: HostId) -> Option<Time> {
        None
    }

    fn in_order(&self, key: Key) -> bool {
        !self.to_many.contains(&key)
    }

    fn serves(&self) -> bool {
        false
    }

    fn blur(&self) -> Duration {
        2 * TICK
    }

    fn show(&self, host: HostId, snap: &mut NodeSnap, _follow: Follow, _everyone: &[NodeAddr]) {
        if let Some(belief) = self.room(host).and_then(|room| room.belief.as_ref()) {
            snap.links.clone_from(&belief.links);
            snap.routes.clone_from(&belief.routes);
            snap.adverts.clone_from(&belief.adverts);
            snap.forwards.clone_from(&belief.forwards);
            (snap.counts, snap.sizes) = (belief.counts, belief.sizes);
        }
    }
}

impl Theatre for House<'_> {
    fn apply(&mut self, fault: &Fault) {
        match fault {
            Fault::Crash { host } => self.crash(*host),
            Fault::Kill { host } => self.switch_off(*host),
            Fault::Stop { host } => self.stop(*host),
            Fault::Restart { host } => self.start(*host),
            Fault::Pause { host, for_ms } => self.pause(*host, Duration::from_millis(*for_ms)),
            Fault::Partition { kind } => {
                self.wires.paths.partition(kind);
                self.cut_changed();
            }
            Fault::Heal => {
                self.wires.paths.heal();
                self.cut_changed();
            }
            Fault::Link { from, to, spec } => self.wires.paths.reshape(*from, *to, *spec),
            Fault::ClockRate { host, ppm } => {
                self.hub.set_ppm(*host, *ppm);
                if let Some(room) = self.rooms.get_mut(host.0 as usize) {
                    room.ppm = *ppm;
                }
            }
            Fault::CutStreams { a, b } => self.hub.reset(*a, *b),
            Fault::Corrupt { from, to } => self.hub.flip_next(*from, *to),
            Fault::SlowApplication { host, consume_after_ms } => {
                let after = Duration::from_millis(*consume_after_ms);
                self.room(*host).into_iter().for_each(|room| room.booth.set_consume_after(after));
            }
            // One queue for all clients: one that is stuck would hold up the others.
            Fault::StuckClient { .. } => {}
            Fault::FailDisk { host } => self.room(*host).into_iter().for_each(|room| room.booth.disk.fail()),
        }
    }

    fn command(&mut self, host: HostId, command: Command) -> Option<Token> {
        if let Command::SendMany { payload, .. } | Command::Broadcast { payload, .. } = &command {
            self.to_many.extend(Key::of(payload));
        }
        let token = self.last_token.next();
        let asked = self.room(host)?.booth.order(Order::Ask { token, command });
        asked.then(|| {
            self.last_token = token;
            token
        })
    }

    fn patience(&self, command: &Command, asked: Duration) -> Duration {
        request::patience(command, asked)
    }

    fn run_until(&mut self, until: SimTime, referee: &mut Referee<'_>) -> Result<(), Violation> {
        while self.now < until {
            self.step(referee)?;
            if self.changed {
                let follow = referee.glance();
                self.look(follow, referee)?;
                referee.sample(self, follow)?;
            }
        }
        Ok(())
    }

    /// Everybody is asked what it believes, which takes a step.
    fn look(&mut self, follow: Follow, referee: &mut Referee<'_>) -> Result<(), Violation> {
        self.changed = false;
        for room in self.rooms.iter_mut().filter(|room| room.state != HostState::Down) {
            room.awaited = room.booth.order(Order::Look { follow });
        }
        for _ in 0..LOOK_STEPS {
            self.step(referee)?;
            if self.rooms.iter().all(|room| !room.awaited) {
                return Ok(());
            }
        }
        let silent = self.rooms.iter().find(|room| room.awaited).map(|room| room.booth.spec.name.to_string());
        Err(self.broken("shell_answers", format!("{} does not tell what it believes", silent.unwrap_or_default())))
    }

    fn trace_hash(&self) -> u64 {
        let mut hash = self.hash.clone();
        hash.word(self.wires.hash());
        hash.finish()
    }

    fn steps(&self) -> u64 {
        self.entries + self.wires.delivered()
    }
}
