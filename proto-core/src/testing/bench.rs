//! One machine, a clock in the test's hand, and the laws checked at every step.

use alloc::vec::Vec;

use crate::{cx::Cx, probe::Probe, rng::Rng, time::Time};

/// What every machine has, so that a harness can hold it to the laws. Only harnesses use it; a node calls its machines
/// by their own methods.
pub trait Machine {
    /// What can happen to it.
    type Event;
    /// What it asks for.
    type Effect;

    /// Takes in what happened.
    fn handle(&mut self, cx: &mut Cx<'_>, event: Self::Event, effects: &mut Vec<Self::Effect>);
    /// Acts on deadlines that have come.
    fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Self::Effect>);
    /// The next deadline and who wants it.
    fn poll_timeout(&self) -> Option<(Time, &'static str)>;
}

/// Runs one machine by hand. Every call checks the laws: time never goes back, an early wake-up does nothing, and after
/// a deadline was handled the next one lies later (L5).
#[derive(Debug)]
pub struct Bench<M> {
    /// The machine.
    pub machine: M,
    /// Its counters.
    pub probe: Probe,
    rng: Rng,
    now: Time,
}

impl<M: Machine> Bench<M> {
    /// A bench for a machine, at time zero.
    #[must_use]
    pub fn new(machine: M) -> Self {
        Self { machine, probe: Probe::new(), rng: Rng::new([7; 32]), now: Time::ZERO }
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Lets something happen at `now`, and returns what the machine asked for. Deadlines that come at `now` or before are
    /// the test's business: call [`Bench::run_until`] first.
    ///
    /// # Panics
    /// If time goes backwards.
    pub fn handle(&mut self, now: Time, event: M::Event) -> Vec<M::Effect> {
        self.with(now, |machine, cx, effects| machine.handle(cx, event, effects))
    }

    /// Calls a method of the machine at `now`, and returns what it asked for.
    ///
    /// # Panics
    /// If time goes backwards.
    pub fn with(&mut self, now: Time, call: impl FnOnce(&mut M, &mut Cx<'_>, &mut Vec<M::Effect>)) -> Vec<M::Effect> {
        assert!(now >= self.now, "time goes back from {} to {now}", self.now);
        self.now = now;
        let mut effects = Vec::new();
        let mut cx = Cx { now, rng: &mut self.rng, probe: &mut self.probe };
        call(&mut self.machine, &mut cx, &mut effects);
        effects
    }

    /// Jumps from deadline to deadline up to and including `until`, and returns what was asked for when.
    ///
    /// # Panics
    /// If the machine breaks law L5.
    pub fn run_until(&mut self, until: Time) -> Vec<(Time, M::Effect)> {
        let mut told = Vec::new();
        while let Some((due, why)) = self.machine.poll_timeout().filter(|(due, _)| *due <= until) {
            // A deadline in the past means "now".
            let due = due.max(self.now);
            self.wake_early(due, why);
            let effects = self.with(due, M::handle_timeout);
            told.extend(effects.into_iter().map(|effect| (due, effect)));
            if let Some((next, why)) = self.machine.poll_timeout() {
                assert!(next > due, "law L5: {why} is due at {next} again after it was handled at {due}");
            }
        }
        self.now = self.now.max(until);
        told
    }

    /// An early wake-up must change neither the deadline nor ask for anything.
    fn wake_early(&mut self, due: Time, why: &str) {
        if due <= self.now {
            return;
        }
        let before = self.machine.poll_timeout();
        let effects = self.with(self.now, M::handle_timeout);
        assert!(effects.is_empty(), "law L5: an early wake-up for {why} asked for something");
        assert_eq!(self.machine.poll_timeout(), before, "law L5: an early wake-up moved a deadline");
    }
}
