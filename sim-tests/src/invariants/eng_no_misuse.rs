//! The harness keeps the core's contract, and the core agrees that it does; and no store is said to have failed that did
//! not.
//!
//! A misuse in simulation is a bug in a substrate or in the node's own books about channels and dials.

use std::{collections::BTreeMap, ops::RangeInclusive};

use io_sim::{Fault, HostId};
use proto_core::node::Event;

use super::{Fact, Held, Invariant, What};
use crate::{oracle::Oracle, snapshot::Snapshot};

#[derive(Debug, Default)]
pub(super) struct EngNoMisuse {
    /// The lives whose store may fail: the one in which the host's disk was struck, or the next, if the host was down.
    struck: BTreeMap<HostId, RangeInclusive<u64>>,
    /// Hosts that are down, or about to be (`false`), since which life.
    down: BTreeMap<HostId, (u64, bool)>,
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
                let life = fact.life.0;
                let lives = match self.down.get(&fact.node) {
                    None => life..=life,
                    Some((_, false)) => life..=life + 1,
                    Some((_, true)) => life + 1..=life + 1,
                };
                self.struck.insert(fact.node, lives);
                Ok(())
            }
            What::Struck(fault @ (Fault::Crash { .. } | Fault::Kill { .. } | Fault::Stop { .. })) => {
                let at_once = !matches!(fault, Fault::Stop { .. });
                self.down.entry(fact.node).or_insert((fact.life.0, at_once)).1 |= at_once;
                Ok(())
            }
            What::Started => {
                // A start may be seen only after what ended it.
                if self.down.get(&fact.node).is_some_and(|(life, _)| *life < fact.life.0) {
                    self.down.remove(&fact.node);
                }
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

impl EngNoMisuse {
    fn may_fail(&self, fact: &Fact<'_>) -> bool {
        self.struck.get(&fact.node).is_some_and(|lives| lives.contains(&fact.life.0))
    }
}

#[cfg(test)]
mod tests {
    use proto_core::{error::Misuse, id::Incarnation, time::Time};

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
    fn a_store_may_be_given_up_in_the_life_in_which_its_disk_was_struck() {
        let spec = sample::spec();
        let mut invariant = EngNoMisuse::default();
        let mut told = |node, life, what| {
            let fact = Fact { life: Incarnation(life), ..sample::fact(HostId(node), Time::ZERO, &spec, what) };
            invariant.fact(&fact, &sample::oracle())
        };
        let struck = |host| Fault::FailDisk { host: HostId(host) };
        let (first, second, killed) = (struck(0), struck(1), Fault::Kill { host: HostId(1) });
        let failed = What::Told(&Event::StoreFailed);
        assert_eq!(told(0, 1, What::Struck(&first)), Ok(()));
        assert_eq!(told(0, 1, failed), Ok(()));
        assert!(told(1, 1, failed).is_err(), "another host");
        assert!(told(0, 2, failed).is_err(), "a restart heals the disk");
        // Struck while it was down, it meets the next life.
        assert_eq!(told(1, 1, What::Struck(&killed)), Ok(()));
        assert_eq!(told(1, 1, What::Struck(&second)), Ok(()));
        assert_eq!(told(1, 2, What::Started), Ok(()));
        assert_eq!(told(1, 2, failed), Ok(()));
        assert!(told(1, 3, failed).is_err());
    }
}
