//! What a data directory keeps, in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_core::{
    id::{Incarnation, NodeName},
    node::Record,
    secure::PublicKey,
};

/// Keeps incarnation and known nodes in memory: they outlive the node, but not the process. Writes take no time and no
/// thread, which simulations need. Clones keep the same things; lives count from 1.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    incarnation: Incarnation,
    pins: Vec<(NodeName, PublicKey)>,
    broken: bool,
}

impl MemoryDisk {
    /// Nothing is kept yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets every write fail until the next start of a node.
    pub fn fail(&self) {
        self.lock().broken = true;
    }

    /// The incarnation of the last node that was started with it; zero before the first.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.lock().incarnation
    }

    /// A node starts: its incarnation, and the keys that it knows.
    pub(crate) fn start(&self) -> (Incarnation, Vec<(NodeName, PublicKey)>) {
        let mut kept = self.lock();
        kept.incarnation = Incarnation(kept.incarnation.0 + 1);
        kept.broken = false;
        (kept.incarnation, kept.pins.clone())
    }

    /// Keeps a record. Whether it could.
    pub(crate) fn append(&self, record: Record) -> bool {
        let mut kept = self.lock();
        if !kept.broken {
            match record {
                Record::Pin { name, key } => kept.pins.push((name, key)),
                Record::Unpin { name } => kept.pins.retain(|(pinned, _)| *pinned != name),
            }
        }
        !kept.broken
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Record {
        Record::Pin { name: NodeName::new(name).unwrap(), key: PublicKey([7; 32]) }
    }

    #[test]
    fn the_next_life_knows_what_the_last_one_kept() {
        let disk = MemoryDisk::new();
        assert_eq!(disk.start(), (Incarnation(1), Vec::new()));
        assert!(disk.append(record("a")));
        let (life, pins) = disk.clone().start();
        assert_eq!((life, pins.len()), (Incarnation(2), 1));
    }

    #[test]
    fn a_broken_disk_keeps_nothing_until_the_next_start() {
        let disk = MemoryDisk::new();
        disk.fail();
        assert!(!disk.append(record("a")));
        assert_eq!(disk.start().1, []);
        assert!(disk.append(record("a")));
    }
}
