//! What nodes count, over all their lives.

use std::ops::ControlFlow;

use io_sim::{HostId, Observer, TurnRecord, World};
use proto_core::{
    node::{Answer, Event, Outcome, Output},
    probe::Counter,
};

/// What is added up.
const COUNTERS: [Counter; 6] = [
    Counter::ControlBytesOut,
    Counter::ControlFramesOut,
    Counter::AdvertsOriginated,
    Counter::AdvertsAccepted,
    Counter::AdvertsStale,
    Counter::SpfRuns,
];

/// Sums over all nodes, in the order of [`COUNTERS`].
pub(super) type Sums = [u64; COUNTERS.len()];

/// Adds up what nodes count; remembers what those counted that are gone.
#[derive(Debug, Default)]
pub(super) struct Meter {
    gone: Sums,
}

impl Meter {
    /// A node is about to lose its life, and its counts with it.
    pub(super) fn bury(&mut self, world: &World, host: HostId) {
        add(&mut self.gone, world, host);
    }

    /// What all nodes have counted in all their lives.
    pub(super) fn sums(&self, world: &World) -> Sums {
        let mut sums = self.gone;
        world.hosts().for_each(|host| add(&mut sums, world, host));
        sums
    }
}

fn add(sums: &mut Sums, world: &World, host: HostId) {
    let Some(node) = world.host(host).node() else { return };
    for (sum, counter) in sums.iter_mut().zip(COUNTERS) {
        *sum += node.probe().get(counter);
    }
}

/// What one node does in one minute, on average.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Bytes of frames put on control lanes.
    pub control_bytes: f64,
    /// Frames put on control lanes.
    pub control_frames: f64,
    /// Adverts of its own.
    pub originated: f64,
    /// Adverts of others taken in.
    pub accepted: f64,
    /// Adverts that came although they were known.
    pub stale: f64,
    /// Computations of shortest paths.
    pub spf_runs: f64,
}

impl Rates {
    /// What was counted from `before` to `after` by so many nodes.
    pub(super) fn between(before: Sums, after: Sums, nodes: u32, ms: u64) -> Self {
        let node_minutes = f64::from(nodes) * ms as f64 / 60_000.0;
        let mut rates = [0.0; COUNTERS.len()];
        for (rate, (before, after)) in rates.iter_mut().zip(before.into_iter().zip(after)) {
            *rate = (after - before) as f64 / node_minutes;
        }
        let [control_bytes, control_frames, originated, accepted, stale, spf_runs] = rates;
        Self { control_bytes, control_frames, originated, accepted, stale, spf_runs }
    }
}

/// What became of the messages that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Their receivers have them.
    pub delivered: u64,
    /// They were refused.
    pub rejected: u64,
    /// Nobody knows.
    pub unknown: u64,
    /// Inputs that broke the contract of the core.
    pub misuse: u64,
}

impl Observer for Outcomes {
    type Violation = core::convert::Infallible;

    fn after_turn(&mut self, _: &World, turn: &TurnRecord<'_>) -> ControlFlow<Self::Violation> {
        for output in turn.outputs {
            let Output::Event(event) = output else { continue };
            if let Event::Misuse(_) = event {
                self.misuse += 1;
            }
            let Event::Done { answer, .. } = event else { continue };
            match answer.as_ref() {
                Answer::Sent(Outcome::Delivered) => self.delivered += 1,
                Answer::Sent(Outcome::Unknown) => self.unknown += 1,
                Answer::Sent(Outcome::Rejected(_)) | Answer::Rejected(_) => self.rejected += 1,
                Answer::SentMany(_)
                | Answer::Traced { .. }
                | Answer::Found(_)
                | Answer::Published(_)
                | Answer::Subscribed(_)
                | Answer::Called { .. }
                | Answer::NotTaken(_)
                | Answer::Accepted
                | Answer::Drained { .. } => {}
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_per_node_and_minute() {
        let before = [1_000, 10, 0, 0, 0, 0];
        let after = [7_000, 40, 20, 0, 0, 5];
        let rates = Rates::between(before, after, 10, 30_000);
        assert_eq!((rates.control_bytes, rates.control_frames), (1_200.0, 6.0));
        assert_eq!((rates.originated, rates.accepted, rates.spf_runs), (4.0, 0.0, 1.0));
    }
}
