//! A node does not dial a peer more often than its reconnect ladder allows, whatever happens to its links.
//!
//! Bounded over every window of ten seconds (LK10), so that a flapping link or a peer that refuses at once leads to no
//! storm of handshakes.

use std::collections::{BTreeMap, VecDeque};

use super::{Fact, Held, Invariant, What};
use io_sim::{HostConfig, HostId};

use crate::oracle::Oracle;

const WINDOW_MS: u64 = 10_000;

#[derive(Debug, Default)]
pub(super) struct LkBackoff {
    /// When each node dialled each other within the last window.
    dials: BTreeMap<(HostId, HostId), VecDeque<u64>>,
}

impl Invariant for LkBackoff {
    fn id(&self) -> &'static str {
        "lk_backoff"
    }

    fn fact(&mut self, fact: &Fact<'_>, _oracle: &Oracle) -> Held {
        match fact.what {
            What::Dialled { to } => {
                let recent = self.dials.entry((fact.node, to)).or_default();
                recent.push_back(fact.at_ms);
                while recent.front().is_some_and(|at| at + WINDOW_MS < fact.at_ms) {
                    recent.pop_front();
                }
                let (count, bound) = (recent.len() as u64, bound(&fact.spec.template));
                if count > bound {
                    return Err(format!(
                        "{} dialled {to} {count} times within {WINDOW_MS} ms; its ladder allows {bound}",
                        fact.spec.name
                    ));
                }
                Ok(())
            }
            // A new process knows nothing of the ladder of the last one.
            What::Started => {
                self.dials.retain(|(node, _), _| *node != fact.node);
                Ok(())
            }
            What::Told(_) | What::Struck(_) | What::Handed { .. } | What::Answered { .. } | What::Turned { .. } => {
                Ok(())
            }
        }
    }
}

/// Every dial waits for at least the shortest pause, on a clock that is 5 % fast; the first one, and the first after each of
/// a few lost links, need not.
fn bound(config: &HostConfig) -> u64 {
    let pause = u64::try_from(config.reconnect_initial.as_millis()).unwrap_or(u64::MAX) * 95 / 100;
    WINDOW_MS / pause.max(1) + 4
}

#[cfg(test)]
mod tests {
    use proto_core::time::Time;

    use super::{super::sample, *};

    fn dial_every(ms: u64, count: u64) -> Held {
        let (mut backoff, spec) = (LkBackoff::default(), sample::spec());
        (0..count).try_for_each(|n| {
            let at = Time::from_millis(n * ms);
            backoff.fact(&sample::fact(HostId(0), at, &spec, What::Dialled { to: HostId(1) }), &sample::oracle())
        })
    }

    #[test]
    fn fires_on_a_storm_of_dials() {
        assert!(dial_every(20, 200).is_err());
    }

    #[test]
    fn the_ladder_itself_is_allowed() {
        assert_eq!(dial_every(500, 200), Ok(()));
    }
}
