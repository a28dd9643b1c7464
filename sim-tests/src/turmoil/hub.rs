//! What the harness and the sockets and clocks of all hosts share: whose process is frozen, which connections are to be
//! reset, whose next bytes are to be damaged, who can reach whom.
//!
//! The harness changes it between two steps of the simulator; shells see it through their own sockets and clocks only.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use io_sim::{HostId, SimTime, clock::Clock};
use proto_core::{id::NodeName, rng::Rng, time::Time};

/// Shared by everything that runs in one simulation.
#[derive(Debug)]
pub(super) struct Hub(Mutex<State>);

#[derive(Debug)]
struct State {
    now: SimTime,
    names: Vec<NodeName>,
    by_ip: BTreeMap<IpAddr, HostId>,
    machines: Vec<Machine>,
    taps: Vec<Weak<Tap>>,
    cuts: BTreeSet<(HostId, HostId)>,
    flips: BTreeSet<(HostId, HostId)>,
    chop_per_mille: u32,
    draws: Rng,
}

#[derive(Debug)]
struct Machine {
    clock: Clock,
    /// What its clock has shown since its process froze.
    frozen: Option<Time>,
    /// Tasks that wait until it is thawed.
    waiting: Vec<Waker>,
}

/// One end of a connection, as the harness reaches it.
#[derive(Debug)]
pub(super) struct Tap {
    /// The host that holds this end.
    pub(super) here: HostId,
    /// The host at the other end.
    pub(super) there: HostId,
    state: Mutex<TapState>,
}

#[derive(Debug, Default)]
struct TapState {
    reset: bool,
    waker: Option<Waker>,
}

/// Whether a socket may be used just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It may.
    Open,
    /// The process is frozen.
    Frozen,
    /// The connection was reset.
    Reset,
}

impl Hub {
    /// Hosts that are off.
    pub(super) fn new(names: Vec<NodeName>, chop_per_mille: u32, draws: Rng) -> Self {
        let machine = || Machine { clock: Clock::new(SimTime::ZERO, 0), frozen: None, waiting: Vec::new() };
        Self(Mutex::new(State {
            now: SimTime::ZERO,
            machines: names.iter().map(|_| machine()).collect(),
            names,
            by_ip: BTreeMap::new(),
            taps: Vec::new(),
            cuts: BTreeSet::new(),
            flips: BTreeSet::new(),
            chop_per_mille,
            draws,
        }))
    }

    /// Says where a host is.
    pub(super) fn place(&self, host: HostId, ip: IpAddr) {
        self.lock().by_ip.insert(ip, host);
    }

    /// The host at an address.
    pub(super) fn host_at(&self, ip: IpAddr) -> Option<HostId> {
        self.lock().by_ip.get(&ip).copied()
    }

    /// A host's name.
    pub(super) fn name(&self, host: HostId) -> Option<NodeName> {
        self.lock().names.get(host.0 as usize).cloned()
    }

    /// The simulator has come to this moment.
    pub(super) fn arrive(&self, now: SimTime) {
        self.lock().now = now;
    }

    /// The present moment, also within a step if a host runs just now.
    pub(super) fn now(&self) -> SimTime {
        let within = ::turmoil::sim_elapsed().and_then(|elapsed| u64::try_from(elapsed.as_nanos()).ok());
        within.map_or_else(|| self.lock().now, SimTime::from_nanos)
    }

    /// What a host's clock shows.
    pub(super) fn local(&self, host: HostId) -> Time {
        let now = self.now();
        self.lock().machine(host).map_or(Time::ZERO, |machine| machine.local(now))
    }

    /// A host starts, with a clock that shows zero.
    pub(super) fn boot(&self, host: HostId, ppm: i32) {
        let now = self.now();
        if let Some(machine) = self.lock().machine(host) {
            *machine = Machine { clock: Clock::new(now, ppm), frozen: None, waiting: Vec::new() };
        }
    }

    /// A host's clock runs at another rate from now on.
    pub(super) fn set_ppm(&self, host: HostId, ppm: i32) {
        let now = self.now();
        if let Some(machine) = self.lock().machine(host) {
            machine.clock.set_ppm(now, ppm);
        }
    }

    /// A process stands still: its clock shows the same, its sockets do nothing.
    pub(super) fn freeze(&self, host: HostId) {
        let now = self.now();
        if let Some(machine) = self.lock().machine(host) {
            machine.frozen = Some(machine.local(now));
        }
    }

    /// A process goes on, and finds all that has piled up.
    pub(super) fn thaw(&self, host: HostId) {
        let waiting = self.lock().machine(host).map(|machine| {
            machine.frozen = None;
            std::mem::take(&mut machine.waiting)
        });
        waiting.into_iter().flatten().for_each(Waker::wake);
        self.rouse(host);
    }

    /// Ready while a process is not frozen.
    pub(super) fn poll_thawed(&self, host: HostId, cx: &Context<'_>) -> Poll<()> {
        match self.lock().machine(host).filter(|machine| machine.frozen.is_some()) {
            Some(machine) => {
                machine.waiting.push(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// Wakes everybody who waits for a socket of a host, whether or not there is a reason.
    pub(super) fn rouse(&self, host: HostId) {
        let taps = self.lock().live_taps();
        taps.iter().filter(|tap| tap.here == host).for_each(|tap| tap.wake());
    }

    /// Says which directions are cut.
    pub(super) fn set_cuts(&self, cuts: BTreeSet<(HostId, HostId)>) {
        self.lock().cuts = cuts;
    }

    /// Whether nothing gets from one host to another.
    pub(super) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.lock().cuts.contains(&(from, to))
    }

    /// A new connection's end at `here`.
    pub(super) fn tap(&self, here: HostId, there: HostId) -> Arc<Tap> {
        let tap = Arc::new(Tap { here, there, state: Mutex::default() });
        self.lock().taps.push(Arc::downgrade(&tap));
        tap
    }

    /// Resets every connection between two hosts, at both ends.
    pub(super) fn reset(&self, a: HostId, b: HostId) {
        let taps = self.lock().live_taps();
        let between = |tap: &&Arc<Tap>| (tap.here, tap.there) == (a, b) || (tap.here, tap.there) == (b, a);
        for tap in taps.iter().filter(between) {
            tap.lock().reset = true;
            tap.wake();
        }
    }

    /// Flips a bit of the next bytes from one host that another reads.
    pub(super) fn flip_next(&self, from: HostId, to: HostId) {
        self.lock().flips.insert((from, to));
    }

    /// Damages bytes that arrived, if they are the ones to be damaged.
    pub(super) fn damage(&self, tap: &Tap, bytes: &mut [u8]) {
        let mut state = self.lock();
        if !bytes.is_empty() && state.flips.remove(&(tap.there, tap.here)) {
            let bit = state.draws.below(bytes.len() as u64 * 8);
            if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|index| bytes.get_mut(index)) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// How many of `len` bytes a socket takes at once: now and then not all of them.
    pub(super) fn chop(&self, len: usize) -> usize {
        let mut state = self.lock();
        let chance = state.chop_per_mille;
        if len > 1 && state.draws.chance(chance) {
            let some = 1 + state.draws.below(len as u64 - 1);
            return usize::try_from(some).unwrap_or(len);
        }
        len
    }

    /// Whether an end of a connection may be used; remembers whom to wake when that may have changed.
    pub(super) fn access(&self, tap: &Tap, cx: &Context<'_>) -> Access {
        let frozen = self.lock().machine(tap.here).is_some_and(|machine| machine.frozen.is_some());
        let mut state = tap.lock();
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        if frozen {
            Access::Frozen
        } else if state.reset {
            Access::Reset
        } else {
            Access::Open
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn machine(&mut self, host: HostId) -> Option<&mut Machine> {
        self.machines.get_mut(host.0 as usize)
    }

    fn live_taps(&mut self) -> Vec<Arc<Tap>> {
        self.taps.retain(|tap| tap.strong_count() > 0);
        self.taps.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Machine {
    fn local(&self, now: SimTime) -> Time {
        self.frozen.unwrap_or_else(|| self.clock.local(now))
    }
}

impl Tap {
    fn wake(&self) {
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, TapState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: HostId = HostId(0);
    const B: HostId = HostId(1);

    fn hub() -> Hub {
        let names = ["a", "b", "c"].map(|name| NodeName::new(name).expect("a good name"));
        Hub::new(names.to_vec(), 0, Rng::new([7; 32]))
    }

    fn access(hub: &Hub, tap: &Tap) -> Access {
        hub.access(tap, &Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_frozen_process_sees_no_time_pass_and_then_all_of_it() {
        let hub = hub();
        hub.arrive(SimTime::from_secs(1));
        hub.boot(A, 0);
        let tap = hub.tap(A, B);
        hub.arrive(SimTime::from_secs(3));
        hub.freeze(A);
        hub.arrive(SimTime::from_secs(9));
        assert_eq!((hub.local(A), access(&hub, &tap)), (Time::from_secs(2), Access::Frozen));
        assert!(hub.poll_thawed(A, &Context::from_waker(Waker::noop())).is_pending());
        hub.thaw(A);
        assert_eq!((hub.local(A), access(&hub, &tap)), (Time::from_secs(8), Access::Open));
        assert!(hub.poll_thawed(A, &Context::from_waker(Waker::noop())).is_ready());
    }

    #[test]
    fn clocks_drift_and_begin_anew_with_every_start() {
        let hub = hub();
        hub.boot(A, 50_000);
        hub.arrive(SimTime::from_secs(100));
        assert_eq!(hub.local(A), Time::from_secs(105));
        hub.set_ppm(A, 0);
        hub.arrive(SimTime::from_secs(101));
        assert_eq!(hub.local(A), Time::from_secs(106));
        hub.boot(A, 0);
        assert_eq!(hub.now() - SimTime::ZERO, Duration::from_secs(101));
        assert_eq!(hub.local(A), Time::ZERO);
    }

    #[test]
    fn a_reset_meets_both_ends_and_nobody_else() {
        let hub = hub();
        let (ab, ba, ac) = (hub.tap(A, B), hub.tap(B, A), hub.tap(A, HostId(2)));
        hub.reset(A, B);
        assert_eq!([ab, ba, ac].map(|tap| access(&hub, &tap)), [Access::Reset, Access::Reset, Access::Open]);
    }

    #[test]
    fn one_bit_is_flipped_once_in_one_direction() {
        let hub = hub();
        let (at_a, at_b) = (hub.tap(A, B), hub.tap(B, A));
        hub.flip_next(A, B);
        let mut bytes = [0; 9];
        hub.damage(&at_a, &mut bytes);
        hub.damage(&at_b, &mut []);
        assert_eq!(bytes, [0; 9]);
        hub.damage(&at_b, &mut bytes);
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        let damaged = bytes;
        hub.damage(&at_b, &mut bytes);
        assert_eq!(bytes, damaged);
    }
}
