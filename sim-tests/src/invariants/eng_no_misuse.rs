//! The harness keeps the core's contract, and the core agrees that it does; and no store is said to have failed that did
//! not.
//!
//! A misuse in simulation is a bug in a substrate or in the node's own books about channels and dials.

use std::collections::BTreeMap;

use io_sim::{Fault, HostId};
use proto_core::{id::Incarnation, node::Event};

use super::{Fact, Held, Invariant, What};
use crate::{oracle::Oracle, snapshot::Snapshot};

#[derive(Debug, Default)]
pub(super) struct EngNoMisuse {
    /// The life in which a host's disk was struck, or after which, if the host was down.
    struck: BTreeMap<HostId, Incarnation>,
}

impl Invariant for EngNoMisuse {
    fn id(&self) -> &'static str {
        "eng_no_misuse"
    }

    fn fact(&mut self, fact: &Fact<'_>, _oracle: &Oracle) -> Held {
        match fact.what {
            What::Told(Event::Misuse(misuse)) => Err(format!("{} was told: {misuse}", fact.spec.name)),
            What::Told(Event::StoreFailed) if !self.may_fail(fact) => {
                Err(format!("{} gave up a store that works", fact.spec.name))
            }
            What::Struck(Fault::FailDisk { .. }) => {
                self.struck.insert(fact.node, fact.life);
                Ok(())
            }
            What::Told(_)
            | What::Started
            | What::Struck(_)
            | What::Dialled { .. }
            | What::Handed { .. }
            | What::Answered { .. }
            | What::Turned { .. } => Ok(()),
        }
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        match snapshot.running().find(|(_, node)| node.counts.misuse > 0) {
            Some((_, node)) => Err(format!("{} counted {} misuses of its contract", node.name, node.counts.misuse)),
            None => Ok(()),
        }
    }
}

impl EngNoMisuse {
    fn may_fail(&self, fact: &Fact<'_>) -> bool {
        self.struck.get(&fact.node).is_some_and(|life| fact.life.0 <= life.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use proto_core::{error::Misuse, time::Time};

    use super::{super::sample, *};

    #[test]
    fn fires_on_a_broken_contract() {
        let spec = sample::spec();
        for event in [Event::Misuse(Misuse::NoSuchChannel), Event::StoreFailed] {
            let fact = sample::fact(HostId(0), Time::ZERO, &spec, What::Told(&event));
            assert!(EngNoMisuse::default().fact(&fact, &sample::oracle()).is_err());
        }
        let mut snapshot = sample::line();
        snapshot.nodes[1].counts.misuse = 1;
        assert!(EngNoMisuse::default().always(&snapshot).is_err());
    }

    #[test]
    fn a_store_may_be_given_up_once_its_disk_was_struck() {
        let spec = sample::spec();
        let mut invariant = EngNoMisuse::default();
        let mut told = |node, life, what| {
            let fact = Fact { life: Incarnation(life), ..sample::fact(HostId(node), Time::ZERO, &spec, what) };
            invariant.fact(&fact, &sample::oracle())
        };
        assert_eq!(told(0, 1, What::Struck(&Fault::FailDisk { host: HostId(0) })), Ok(()));
        assert_eq!(told(0, 1, What::Told(&Event::StoreFailed)), Ok(()));
        assert!(told(1, 1, What::Told(&Event::StoreFailed)).is_err());
        assert!(told(0, 3, What::Told(&Event::StoreFailed)).is_err());
    }
}
