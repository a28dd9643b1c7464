//! An idle mesh is quiet: what it says is heartbeats, and adverts now and then.
//!
//! A mesh that talks without being asked wakes processors and phones, and hides storms (C8).

use super::{Held, Invariant};
use crate::snapshot::{NodeSnap, Snapshot};

#[derive(Debug)]
pub(super) struct EngQuiet;

impl Invariant for EngQuiet {
    fn id(&self) -> &'static str {
        "eng_quiet"
    }

    fn idle(&mut self, before: &Snapshot, after: &Snapshot) -> Held {
        let elapsed_ms = after.at_ms - before.at_ms;
        for (earlier, node) in before.nodes.iter().zip(&after.nodes).filter(|(_, node)| node.survivor) {
            let said = node.counts.frames_out.saturating_sub(earlier.counts.frames_out);
            let budget = budget(node, after, elapsed_ms);
            if said > budget && earlier.life == node.life {
                return Err(format!(
                    "{} sent {said} frames in {elapsed_ms} ms of an idle mesh; {budget} allowed",
                    node.name
                ));
            }
        }
        Ok(())
    }
}

/// Per link and heartbeat, a ping and the answer to one (clocks may be 5 % fast); per refresh, every advert once to every
/// neighbour, with one more round each for digests and for latencies that change enough to be told.
fn budget(node: &NodeSnap, mesh: &Snapshot, elapsed_ms: u64) -> u64 {
    let links = node.links.len() as u64;
    let beat = mesh.nodes.iter().map(|node| node.timers.heartbeat_ms).min().unwrap_or(1).max(1);
    let refresh = mesh.nodes.iter().map(|node| node.timers.advert_refresh_ms).min().unwrap_or(1).max(1);
    let beats = links * (elapsed_ms * 21 / 20 / beat + 2) * 2;
    let floods = links * mesh.nodes.len() as u64 * (elapsed_ms / refresh + 1) * 3;
    // Links to hosts that stay broken may come and go for ever.
    if mesh.nodes.iter().all(|node| node.survivor) { beats + floods } else { 2 * (beats + floods) }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn fires_on_a_mesh_that_talks_to_itself() {
        let before = sample::line();
        let mut after = sample::later(&before, 10_000);
        after.nodes[1].counts.frames_out += 1_000;
        assert!(EngQuiet.idle(&before, &after).is_err());
    }
}
