//! Scenarios from seeds, by family. A family and a seed always make the same scenario, on every machine.
//!
//! Within a family each seed draws its own mix (swarm testing, Groce et al. 2012): which kinds of faults happen at all,
//! how often, how fast the timers are, what the applications ask for. A mix that leaves things out finds what an
//! average of everything hides.

pub(crate) mod draw;
mod families;
mod faults;
mod services;
mod topology;
mod workload;

pub use families::FAMILIES;

use crate::scenario::Scenario;

/// A kind of scenario.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    make: fn(&draw::Draw) -> Scenario,
}

impl Family {
    /// The scenario of a seed.
    #[must_use]
    pub fn generate(&self, seed: u64) -> Scenario {
        let mut scenario = (self.make)(&draw::Draw::new(self.name, seed));
        self.name.clone_into(&mut scenario.name);
        scenario.seed = seed;
        scenario
    }
}

/// The family of a name.
#[must_use]
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

#[cfg(test)]
mod tests {
    use io_sim::Fault;

    use super::*;

    #[test]
    fn every_seed_of_every_family_is_sound() {
        for family in FAMILIES {
            for seed in 0..60 {
                let scenario = family.generate(seed);
                assert_eq!(scenario.check(), Ok(()), "{} {seed}", family.name);
                assert!(scenario.survivors.len() > scenario.hosts.len() / 2, "{} {seed}", family.name);
                assert!(!scenario.workload.is_empty(), "{} {seed}", family.name);
            }
        }
    }

    #[test]
    fn a_seed_always_makes_the_same_scenario() {
        for family in FAMILIES {
            assert_eq!(family.generate(7), family.generate(7));
            assert_ne!(family.generate(7).workload, family.generate(8).workload);
        }
    }

    /// A swarm: a kind of fault is absent from about half of the seeds, and every kind happens in some.
    #[test]
    fn every_kind_of_fault_is_in_some_seeds_and_missing_in_others() {
        type IsKind = fn(&Fault) -> bool;
        let kinds: [(&str, IsKind); 7] = [
            ("crash", |fault| matches!(fault, Fault::Crash { .. })),
            ("stop", |fault| matches!(fault, Fault::Stop { .. })),
            ("pause", |fault| matches!(fault, Fault::Pause { .. })),
            ("partition", |fault| matches!(fault, Fault::Partition { .. })),
            ("link", |fault| matches!(fault, Fault::Link { .. })),
            ("cut", |fault| matches!(fault, Fault::CutStreams { .. })),
            ("corrupt", |fault| matches!(fault, Fault::Corrupt { .. })),
        ];
        let mesh = family("mesh5").expect("it exists");
        for (name, is_kind) in kinds {
            let with = (0..100).filter(|seed| mesh.generate(*seed).faults.iter().any(|timed| is_kind(&timed.fault)));
            let with = with.count();
            assert!((20..=90).contains(&with), "{name} is in {with} of 100 seeds");
        }
    }
}
