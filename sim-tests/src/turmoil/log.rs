//! What happens on the hosts, in order, until the harness takes it in.

use std::sync::{Mutex, PoisonError};

use io_sim::{HostId, SimTime};
use proto_core::{node::Output, time::Time};

use super::hub::Hub;
use crate::snapshot::NodeSnap;

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) host: HostId,
    pub(super) at: SimTime,
    /// On the host's clock.
    pub(super) local: Time,
    pub(super) what: Happened,
}

/// What happened.
#[derive(Clone, Debug)]
pub(super) enum Happened {
    /// The node did something that an application, or the network, can see.
    Did(Output),
    /// The node told what it believes.
    Believes(Box<NodeSnap>),
    /// The node has shut down as it was asked to.
    Stopped,
    /// Something that must not happen in a shell.
    Broken(String),
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Vec<Entry>>);

impl Log {
    /// Appends something that happens now.
    pub(super) fn add(&self, hub: &Hub, host: HostId, what: Happened) {
        let entry = Entry { host, at: hub.now(), local: hub.local(host), what };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Appends something that a node did.
    pub(super) fn output(&self, hub: &Hub, host: HostId, output: Output) {
        self.add(hub, host, Happened::Did(output));
    }

    /// Takes everything.
    pub(super) fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
