//! What a run needs of whatever the nodes live in, so that storm, calm and referee are the same on both tiers.

use std::{ops::ControlFlow, time::Duration};

use io_sim::{Fault, HostId, HostState, SimTime, World};
use proto_core::{
    id::{Incarnation, NodeAddr, Token},
    node::Command,
    time::Time,
};

use super::{
    referee::Referee,
    snap::{self, Follow},
};
use crate::{oracle::Key, snapshot::NodeSnap, verdict::Violation};

/// What there is to see.
pub(crate) trait Sight {
    /// The present moment.
    fn now(&self) -> SimTime;

    /// How a host is.
    fn state(&self, host: HostId) -> HostState;

    /// Which life it is in, or was in last.
    fn life(&self, host: HostId) -> Incarnation;

    /// What its clock shows.
    fn local(&self, host: HostId) -> Time;

    /// When its node wants to be woken, if that can be seen.
    fn due(&self, host: HostId) -> Option<Time>;

    /// Whether a message must keep its place among those that its application sent: unless the application did not wait
    /// for it where the order of calls depends on waiting.
    fn in_order(&self, key: Key) -> bool;

    /// Whether applications can ask for topics and calls.
    fn serves(&self) -> bool;

    /// How far apart what happens at one moment may be told.
    fn blur(&self) -> Duration;

    /// Fills in what its node believes, and where it would send frames to everyone. Leaves it empty if it has no node.
    fn show(&self, host: HostId, snap: &mut NodeSnap, follow: Follow, everyone: &[NodeAddr]);
}

/// What can be done with it.
pub(crate) trait Theatre: Sight {
    /// Lets something go wrong, or right again.
    fn apply(&mut self, fault: &Fault);

    /// Lets the application of a running node ask it for something.
    fn command(&mut self, host: HostId, command: Command) -> Option<Token>;

    /// How long an answer may take, if the application asks for it within `asked`.
    fn patience(&self, command: &Command, asked: Duration) -> Duration;

    /// Lets time pass.
    ///
    /// # Errors
    /// The first violation.
    fn run_until(&mut self, until: SimTime, referee: &mut Referee<'_>) -> Result<(), Violation>;

    /// Makes sure that what is shown is of the present moment.
    ///
    /// # Errors
    /// A violation on the way.
    fn look(&mut self, follow: Follow, referee: &mut Referee<'_>) -> Result<(), Violation>;

    /// Over everything so far.
    fn trace_hash(&self) -> u64;

    /// How much that was.
    fn steps(&self) -> u64;
}

impl Sight for World {
    fn now(&self) -> SimTime {
        Self::now(self)
    }

    fn state(&self, host: HostId) -> HostState {
        self.host(host).state()
    }

    fn life(&self, host: HostId) -> Incarnation {
        self.host(host).incarnation()
    }

    fn local(&self, host: HostId) -> Time {
        self.host(host).local(self.now())
    }

    fn due(&self, host: HostId) -> Option<Time> {
        self.host(host).deadline()
    }

    fn in_order(&self, _key: Key) -> bool {
        true
    }

    fn serves(&self) -> bool {
        true
    }

    fn blur(&self) -> Duration {
        Duration::ZERO
    }

    fn show(&self, host: HostId, snap: &mut NodeSnap, follow: Follow, everyone: &[NodeAddr]) {
        if let Some(node) = self.host(host).node() {
            snap::believe(snap, node, Sight::local(self, host), follow, everyone);
        }
    }
}

impl Theatre for World {
    fn apply(&mut self, fault: &Fault) {
        Self::apply(self, fault);
    }

    fn command(&mut self, host: HostId, command: Command) -> Option<Token> {
        Self::command(self, host, command)
    }

    fn patience(&self, _command: &Command, asked: Duration) -> Duration {
        asked
    }

    fn run_until(&mut self, until: SimTime, referee: &mut Referee<'_>) -> Result<(), Violation> {
        match Self::run_until(self, until, referee) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(violation) => Err(violation),
        }
    }

    fn look(&mut self, _follow: Follow, _referee: &mut Referee<'_>) -> Result<(), Violation> {
        Ok(())
    }

    fn trace_hash(&self) -> u64 {
        Self::trace_hash(self)
    }

    fn steps(&self) -> u64 {
        Self::steps(self)
    }
}
