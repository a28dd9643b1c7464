//! A scenario is data: who is there, what the network is like, what is asked for, what breaks, and when it must be well
//! again.
//!
//! Making one ([`crate::generate`]) and running one ([`crate::run`]) are apart, so a failure can be shrunk, read, written
//! to a file and replayed for ever. Hosts are named by their place in [`Scenario::hosts`]. Times are milliseconds of true
//! time since the start.

mod edit;
mod file;
mod service;

pub use service::{Callee, Service};

use std::sync::Arc;

use io_sim::{Fault, HostId, HostSpec, LinkSpec, WorldOptions};
use serde::{Deserialize, Serialize};

/// Everything that one simulated run depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The family that made it.
    pub name: String,
    /// Seeds everything that is drawn while it runs: keys, jitter, latencies, losses.
    pub seed: u64,
    /// What a committed scenario once showed, for readers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The hosts, and whom each of them dials.
    pub hosts: Vec<HostSpec>,
    /// What the network is like while nothing is broken.
    pub network: Network,
    /// What applications ask for, in order of time.
    pub workload: Vec<TimedOp>,
    /// What breaks and what is mended, in order of time.
    pub faults: Vec<TimedFault>,
    /// When the faults end: the survivors are healed, everything else stays as it is.
    pub calm_at_ms: u64,
    /// The hosts that are healed, and must then find each other and serve.
    pub survivors: Vec<HostId>,
    /// How long after the calm began the survivors may take until everything settled holds.
    pub settle_ms: u64,
    /// How long they are then watched: fresh requests first, idle for the rest.
    pub watch_ms: u64,
}

/// The network while nothing is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Every direction of every pair that `links` does not name, and what else the world is like.
    #[serde(default)]
    pub options: WorldOptions,
    /// Directions that differ.
    #[serde(default)]
    pub links: Vec<Direction>,
}

/// One direction between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direction {
    /// From.
    pub from: HostId,
    /// To.
    pub to: HostId,
    /// What it is like.
    pub spec: LinkSpec,
}

/// A fault, and when it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedFault {
    /// When.
    pub at_ms: u64,
    /// What.
    pub fault: Fault,
}

/// Something an application asks for, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedOp {
    /// When, if the node runs then; otherwise it is left out.
    pub at_ms: u64,
    /// What.
    pub op: Op,
}

/// Something an application asks its node for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Op {
    /// One message to one node.
    Send {
        /// Who sends.
        from: HostId,
        /// Who receives.
        to: HostId,
        /// Payload size; at least [`crate::oracle::Key::LEN`] is sent.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
        /// Whether the sender wants to know the outcome.
        report: bool,
    },
    /// One message from a client, or to one; the sender wants to know the outcome.
    SendToClient {
        /// Who sends.
        from: HostId,
        /// The client of it that sends, if it is not the node itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from_client: Option<Arc<str>>,
        /// Who receives.
        to: HostId,
        /// The client of it that receives, if it is not the node itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_client: Option<Arc<str>>,
        /// Payload size.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
    },
    /// A client comes or goes.
    Client {
        /// At whose node.
        at: HostId,
        /// Its name.
        client: Arc<str>,
        /// Whether it is here from now on.
        present: bool,
    },
    /// One message to several nodes.
    SendMany {
        /// Who sends.
        from: HostId,
        /// Who receives.
        to: Vec<HostId>,
        /// Payload size.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
    },
    /// One message to everyone within reach.
    Broadcast {
        /// Who sends.
        from: HostId,
        /// Payload size.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
    },
    /// Asks the nodes on the way to answer.
    Trace {
        /// Who asks.
        from: HostId,
        /// The end of the way.
        to: HostId,
        /// Whether the nodes on the way answer too.
        every_hop: bool,
        /// How long to wait.
        deadline_ms: u32,
    },
    /// Looks a node up by name.
    FindNode {
        /// Who asks.
        from: HostId,
        /// The node sought.
        to: HostId,
        /// How long to wait.
        deadline_ms: u32,
    },
    /// Something of topics or calls.
    Service(Service),
}

impl Op {
    /// Whose application asks.
    #[must_use]
    pub const fn from(&self) -> HostId {
        match self {
            Self::Send { from, .. }
            | Self::SendToClient { from, .. }
            | Self::Client { at: from, .. }
            | Self::SendMany { from, .. }
            | Self::Broadcast { from, .. }
            | Self::Trace { from, .. }
            | Self::FindNode { from, .. } => *from,
            Self::Service(service) => service.from(),
        }
    }
}

impl Scenario {
    /// Whether every host that is spoken of exists and times are in order.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), String> {
        let ops = self.workload.iter().flat_map(|timed| edit::hosts_of_op(&timed.op));
        let faults = self.faults.iter().flat_map(|timed| edit::hosts_of_fault(&timed.fault));
        let links = self.network.links.iter().flat_map(|link| [link.from, link.to]);
        let mut spoken_of = ops.chain(faults).chain(links).chain(self.survivors.iter().copied());
        if let Some(stranger) = spoken_of.find(|host| host.0 as usize >= self.hosts.len()) {
            return Err(format!("there is no host {stranger}"));
        }
        let dialled = self.hosts.iter().flat_map(|host| &host.template.peers);
        if let Some(peer) = dialled.into_iter().find(|peer| self.hosts.iter().all(|host| host.name != peer.name)) {
            return Err(format!("there is no host of the name {}", peer.name));
        }
        if !self.workload.is_sorted_by_key(|timed| timed.at_ms) || !self.faults.is_sorted_by_key(|timed| timed.at_ms) {
            return Err(String::from("workload and faults must be in order of time"));
        }
        if self.faults.last().is_some_and(|timed| timed.at_ms > self.calm_at_ms) {
            return Err(String::from("a fault comes after the calm has begun"));
        }
        if self.hosts.iter().any(|host| host.template.dead_after < 2 * host.template.heartbeat) {
            return Err(String::from("dead_after must be at least twice the heartbeat"));
        }
        Ok(())
    }

    /// Every host.
    pub fn ids(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..u32::try_from(self.hosts.len()).unwrap_or(u32::MAX)).map(HostId)
    }

    /// Whether a host is among the survivors.
    #[must_use]
    pub fn survives(&self, host: HostId) -> bool {
        self.survivors.contains(&host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;

    #[test]
    fn a_scenario_that_speaks_of_strangers_is_refused() {
        let mut scenario = generate::family("mesh5").expect("it exists").generate(1);
        scenario.survivors.push(HostId(99));
        assert_eq!(scenario.check(), Err(String::from("there is no host h99")));
    }

    #[test]
    fn a_fault_after_the_calm_is_refused() {
        let mut scenario = generate::family("mesh5").expect("it exists").generate(1);
        scenario.faults.push(TimedFault { at_ms: scenario.calm_at_ms + 1, fault: Fault::Heal });
        assert!(scenario.check().is_err());
    }
}
