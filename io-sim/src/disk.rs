//! A host's disk: what is durable, what only seems to be, and what a crash leaves.
//!
//! Records are written in order. A sync makes everything durable that was written before it began, and takes its time;
//! one runs at a time. A crash keeps what is durable and, of the rest, a beginning as long as chance has it.

use std::collections::VecDeque;

use proto_core::{
    id::{NodeName, Ticket},
    node::{Input, Record},
    secure::PublicKey,
};

use crate::rng::Draws;

/// The disk of one host.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pins: Vec<(NodeName, PublicKey)>,
    written: VecDeque<(Ticket, Record)>,
    /// How many of `written` the running sync covers; zero: none runs.
    syncing: usize,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Sound,
    /// The next sync fails.
    Failing,
    /// A sync has failed; this life writes nothing more.
    Failed,
}

impl Disk {
    /// The node writes a record. Answers whether a sync begins now, whose end the caller schedules.
    pub(crate) fn write(&mut self, ticket: Ticket, record: Record) -> bool {
        if self.fate == Fate::Failed {
            return false;
        }
        self.written.push_back((ticket, record));
        self.begin_sync()
    }

    /// The running sync ends: what the node is told, and whether another one begins.
    pub(crate) fn synced(&mut self) -> (Option<Input>, bool) {
        let count = core::mem::take(&mut self.syncing);
        let Some((last, _)) = count.checked_sub(1).and_then(|last| self.written.get(last)) else {
            return (None, false);
        };
        let upto = *last;
        if self.fate == Fate::Failing {
            self.fate = Fate::Failed;
            self.written.clear();
            return (Some(Input::Persisted { upto, durable: false }), false);
        }
        self.keep(count);
        (Some(Input::Persisted { upto, durable: true }), self.begin_sync())
    }

    /// The machine loses power. Answers how many records are lost.
    pub(crate) fn crash(&mut self, draws: &mut Draws) -> u64 {
        let all = self.written.len() as u64;
        let survive = draws.below(all + 1);
        self.keep(usize::try_from(survive).unwrap_or(0));
        self.restart();
        all - survive
    }

    /// The process ends, the machine goes on: what was written stays.
    pub(crate) fn leave(&mut self) {
        self.keep(self.written.len());
        self.restart();
    }

    /// The next sync fails, and with it the disk until the next start.
    pub(crate) fn fail(&mut self) {
        if self.fate == Fate::Sound {
            self.fate = Fate::Failing;
        }
    }

    /// Names and keys that a new start finds.
    pub(crate) fn pins(&self) -> Vec<(NodeName, PublicKey)> {
        self.pins.clone()
    }

    fn begin_sync(&mut self) -> bool {
        if self.syncing > 0 || self.written.is_empty() {
            return false;
        }
        self.syncing = self.written.len();
        true
    }

    fn keep(&mut self, count: usize) {
        for (_, record) in self.written.drain(..count) {
            match record {
                Record::Pin { name, key } => self.pins.push((name, key)),
                Record::Unpin { name } => self.pins.retain(|(pinned, _)| *pinned != name),
            }
        }
    }

    fn restart(&mut self) {
        self.written.clear();
        self.syncing = 0;
        self.fate = Fate::Sound;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Dice, Label};

    fn pin(number: u8) -> Record {
        Record::Pin { name: NodeName::new(&format!("n{number}")).unwrap(), key: PublicKey([number; 32]) }
    }

    #[test]
    fn a_sync_covers_what_was_written_before_it_began() {
        let mut disk = Disk::default();
        assert!(disk.write(Ticket(1), pin(1)));
        assert!(!disk.write(Ticket(2), pin(2)));
        let (told, again) = disk.synced();
        assert_eq!((told, again), (Some(Input::Persisted { upto: Ticket(1), durable: true }), true));
        assert_eq!(disk.pins().len(), 1);
        let (told, again) = disk.synced();
        assert_eq!((told, again), (Some(Input::Persisted { upto: Ticket(2), durable: true }), false));
        assert_eq!(disk.synced(), (None, false));
    }

    #[test]
    fn a_crash_keeps_the_durable_part_and_a_beginning_of_the_rest() {
        let mut kept = vec![];
        for seed in 0..50 {
            let mut disk = Disk::default();
            disk.write(Ticket(1), pin(1));
            disk.synced();
            (2..=4).for_each(|number| _ = disk.write(Ticket(number.into()), pin(number)));
            let lost = disk.crash(&mut Dice::new(seed).draws(Label::Torn, 0, 0, 0));
            let names: Vec<_> = disk.pins().iter().map(|(name, _)| name.to_string()).collect();
            assert_eq!(names, ["n1", "n2", "n3", "n4"][..4 - usize::try_from(lost).unwrap()]);
            kept.push(names.len());
        }
        kept.sort_unstable();
        kept.dedup();
        assert_eq!(kept, [1, 2, 3, 4]);
    }

    #[test]
    fn a_failed_sync_is_final_for_that_life() {
        let mut disk = Disk::default();
        disk.fail();
        assert!(disk.write(Ticket(1), pin(1)));
        assert_eq!(disk.synced(), (Some(Input::Persisted { upto: Ticket(1), durable: false }), false));
        assert!(!disk.write(Ticket(2), pin(2)));
        disk.leave();
        assert!(disk.pins().is_empty());
        assert!(disk.write(Ticket(1), pin(3)));
    }
}
