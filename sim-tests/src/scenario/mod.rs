//! A scenario is data: who is there, what the network is like, what is asked for, what breaks, and when it must be well
//! again.
//!
//! Making one ([`crate::generate`]) and running one ([`crate::run`]) are apart, so a failure can be shrunk, read, written
//! to a file and replayed for ever. Nothing in here depends on the simulator's own types: a file outlives them.
//!
//! Nodes are named by their place in [`Scenario::nodes`]. Times are milliseconds of simulated time since the start.

mod edit;
mod fault;
mod network;
mod node;

pub use fault::{Fault, Partition, TimedFault};
pub use network::{LinkShape, Network, ShapedLink};
pub use node::{App, Dial, NodeSpec, Timers};
use serde::{Deserialize, Serialize};

/// A node's place in [`Scenario::nodes`].
pub type NodeIx = u16;

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
    /// The nodes, and whom each of them dials.
    pub nodes: Vec<NodeSpec>,
    /// What the network is like while nothing is broken.
    pub network: Network,
    /// What applications ask for, in order of time.
    pub workload: Vec<TimedOp>,
    /// What breaks and what is mended, in order of time.
    pub faults: Vec<TimedFault>,
    /// When the faults end: the survivors are healed, everything else stays as it is.
    pub calm_at_ms: u64,
    /// The nodes that are healed, and must then find each other and serve.
    pub survivors: Vec<NodeIx>,
    /// How long after the calm began the survivors may take until everything settled holds.
    pub settle_ms: u64,
    /// How long they are then watched, with the fresh messages first and idle for the rest.
    pub watch_ms: u64,
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
        from: NodeIx,
        /// Who receives.
        to: NodeIx,
        /// Payload size; at least [`crate::oracle::Key::LEN`] is sent.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
        /// Whether the sender wants to know the outcome.
        report: bool,
    },
    /// One message to several nodes.
    SendMany {
        /// Who sends.
        from: NodeIx,
        /// Who receives.
        to: Vec<NodeIx>,
        /// Payload size.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
    },
    /// One message to everyone within reach.
    Broadcast {
        /// Who sends.
        from: NodeIx,
        /// Payload size.
        bytes: u32,
        /// How long it may take.
        deadline_ms: u32,
    },
    /// Asks the nodes on the way to answer.
    Trace {
        /// Who asks.
        from: NodeIx,
        /// The end of the way.
        to: NodeIx,
        /// Whether the nodes on the way answer too.
        every_hop: bool,
        /// How long to wait.
        deadline_ms: u32,
    },
    /// Looks a node up by name.
    FindNode {
        /// Who asks.
        from: NodeIx,
        /// The node sought.
        to: NodeIx,
        /// How long to wait.
        deadline_ms: u32,
    },
}

impl Op {
    /// Whose application asks.
    #[must_use]
    pub const fn from(&self) -> NodeIx {
        match self {
            Self::Send { from, .. }
            | Self::SendMany { from, .. }
            | Self::Broadcast { from, .. }
            | Self::Trace { from, .. }
            | Self::FindNode { from, .. } => *from,
        }
    }
}

impl Scenario {
    /// The scenario of a JSON text.
    ///
    /// # Errors
    /// What is wrong with the text, or the first rule of [`Scenario::check`] that it breaks.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let scenario: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        scenario.check().map(|()| scenario)
    }

    /// As JSON for people, with a line break at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Whether every node that is spoken of exists and times are in order.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), String> {
        let count = NodeIx::try_from(self.nodes.len()).map_err(|_| String::from("too many nodes"))?;
        let ops = self.workload.iter().flat_map(|timed| edit::nodes_of_op(&timed.op));
        let faults = self.faults.iter().flat_map(|timed| timed.fault.nodes());
        let dials = self.nodes.iter().flat_map(|node| node.dials.iter().map(|dial| dial.to));
        let shapes = self.network.links.iter().flat_map(|link| [link.from, link.to]);
        let mut spoken_of = ops.chain(faults).chain(dials).chain(shapes).chain(self.survivors.iter().copied());
        if let Some(stranger) = spoken_of.find(|node| *node >= count) {
            return Err(format!("there is no node {stranger}"));
        }
        if !self.workload.is_sorted_by_key(|timed| timed.at_ms) || !self.faults.is_sorted_by_key(|timed| timed.at_ms) {
            return Err(String::from("workload and faults must be in order of time"));
        }
        if self.faults.last().is_some_and(|timed| timed.at_ms > self.calm_at_ms) {
            return Err(String::from("a fault comes after the calm has begun"));
        }
        if self.nodes.iter().any(|node| node.timers.dead_after_ms < 2 * node.timers.heartbeat_ms) {
            return Err(String::from("dead_after must be at least twice the heartbeat"));
        }
        Ok(())
    }

    /// Whether a node is among the survivors.
    #[must_use]
    pub fn survives(&self, node: usize) -> bool {
        self.survivors.iter().any(|survivor| usize::from(*survivor) == node)
    }
}

#[cfg(test)]
mod tests {
    use crate::generate;

    use super::*;

    #[test]
    fn a_scenario_survives_its_file() {
        for family in generate::FAMILIES {
            let scenario = family.generate(3);
            assert_eq!(Scenario::from_json(&scenario.to_json()).as_ref(), Ok(&scenario), "{}", family.name);
        }
    }

    #[test]
    fn a_scenario_that_speaks_of_strangers_is_refused() {
        let mut scenario = generate::family("mesh5").expect("it exists").generate(1);
        scenario.survivors.push(99);
        assert_eq!(scenario.check(), Err(String::from("there is no node 99")));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = generate::family("line").expect("it exists").generate(1).to_json();
        let text = text.replacen("\"seed\"", "\"sead\": 1, \"seed\"", 1);
        assert!(Scenario::from_json(&text).is_err_and(|error| error.contains("sead")));
    }
}
