//! No frame is sent back over the link it came in by.
//!
//! The shortest loop there is, and one that link-state routing would make while two nodes disagree (RT1; split horizon).
//! Holds at every moment, not only at rest.

use super::{Held, Invariant};
use crate::snapshot::Snapshot;

#[derive(Debug)]
pub(super) struct RtNoReturn;

impl Invariant for RtNoReturn {
    fn id(&self) -> &'static str {
        "rt_no_return"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        for (_, node) in snapshot.running() {
            if let Some(bad) = node.forwards.iter().find(|forward| forward.to.is_some() && forward.to == forward.from) {
                return Err(format!("{} would send a frame for {} back where it came from", node.name, bad.dst));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn fires_on_a_frame_sent_back() {
        let mut snapshot = sample::line();
        snapshot.nodes[1].forwards.push(sample::forward(2, Some(0), Some(0)));
        assert!(RtNoReturn.always(&snapshot).is_err());
    }
}
