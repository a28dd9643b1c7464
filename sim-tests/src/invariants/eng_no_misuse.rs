//! The harness keeps the core's contract, and the core agrees that it does; and no store is said to have failed that did
//! not.
//!
//! A misuse in simulation is a bug in a substrate or in the node's own books about channels and dials.

use std::collections::BTreeSet;

use io_sim::{Fault, HostId};
use proto_core::node::Event;

use super::{Fact, Held, Invariant, What};
use crate::{oracle::Oracle, snapshot::Snapshot};

#[derive(Debug, Default)]
pub(super) struct EngNoMisuse {
    /// Hosts whose disk failed in this life.
    diskless: BTreeSet<HostId>,
}

impl Invariant for EngNoMisuse {
    fn id(&self) -> &'static str {
        "eng_no_misuse"
    }

    fn fact(&mut self, fact: &Fact<'_>, _oracle: &Oracle) -> Held {
        match fact.what {
            What::Told(Event::Misuse(misuse)) => Err(format!("{} was told: {misuse}", fact.spec.name)),
            What::Told(Event::StoreFailed) if !self.diskless.contains(&fact.node) => {
                Err(format!("{} gave up a store that works", fact.spec.name))
            }
            What::Struck(Fault::FailDisk { .. }) => {
                self.diskless.insert(fact.node);
                Ok(())
            }
            What::Started => {
                self.diskless.remove(&fact.node);
                Ok(())
            }
            What::Told(_)
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

#[cfg(test)]
mod tests {
    use proto_core::{error::Misuse, time::Time};

    use super::{super::sample, *};

    #[test]
    fn a_store_whose_disk_failed_may_be_given_up_until_the_next_start() {
        let (mut invariant, spec) = (EngNoMisuse::default(), sample::spec());
        let mut told = |what| invariant.fact(&sample::fact(HostId(0), Time::ZERO, &spec, what), &sample::oracle());
        let failed = Fault::FailDisk { host: HostId(0) };
        assert_eq!(told(What::Struck(&failed)), Ok(()));
        assert_eq!(told(What::Told(&Event::StoreFailed)), Ok(()));
        assert_eq!(told(What::Started), Ok(()));
        assert!(told(What::Told(&Event::StoreFailed)).is_err());
    }

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
}
