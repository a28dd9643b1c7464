//! Time goes on: it never runs backwards for a node, and a node never wants to be woken at the same moment for ever.
//!
//! A timer that is due again the moment it was handled stops simulated time and burns a core in production (C2; law L5
//! of the core).

use std::collections::BTreeMap;

use io_sim::HostId;
use proto_core::time::Time;

use super::{Fact, Held, Invariant, What};
use crate::oracle::Oracle;

/// More turns than that at one moment of a node's clock is a loop: the busiest moments of a sweep need some hundreds.
const TURNS_MAX: u32 = 20_000;

#[derive(Debug, Default)]
pub(super) struct EngProgress {
    nodes: BTreeMap<HostId, Clock>,
}

#[derive(Debug, Default)]
struct Clock {
    now: Time,
    turns: u32,
}

impl Invariant for EngProgress {
    fn id(&self) -> &'static str {
        "eng_progress"
    }

    fn fact(&mut self, fact: &Fact<'_>, _oracle: &Oracle) -> Held {
        match fact.what {
            What::Started => {
                self.nodes.remove(&fact.node);
                Ok(())
            }
            What::Turned { due } => self.turned(fact, due),
            What::Struck(_) | What::Dialled { .. } | What::Told(_) | What::Handed { .. } | What::Answered { .. } => {
                Ok(())
            }
        }
    }
}

impl EngProgress {
    fn turned(&mut self, fact: &Fact<'_>, due: Option<Time>) -> Held {
        let clock = self.nodes.entry(fact.node).or_default();
        if fact.local < clock.now {
            return Err(format!("time went back from {} to {} for {}", clock.now, fact.local, fact.spec.name));
        }
        clock.turns = if fact.local > clock.now { 0 } else { clock.turns + 1 };
        clock.now = fact.local;
        if clock.turns > TURNS_MAX {
            return Err(format!("{} is stuck at {}: it wants to be woken at {due:?}", fact.spec.name, fact.local));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn turned(invariant: &mut EngProgress, at: Time) -> Held {
        let spec = sample::spec();
        invariant.fact(&sample::fact(HostId(0), at, &spec, What::Turned { due: Some(at) }), &sample::oracle())
    }

    #[test]
    fn fires_when_time_goes_back() {
        let mut invariant = EngProgress::default();
        assert_eq!(turned(&mut invariant, Time::from_millis(5)), Ok(()));
        assert!(turned(&mut invariant, Time::from_millis(4)).is_err());
    }

    #[test]
    fn fires_on_a_timer_that_is_always_due() {
        let mut invariant = EngProgress::default();
        assert!((0..=TURNS_MAX + 1).any(|_| turned(&mut invariant, Time::from_millis(5)).is_err()));
    }
}
