//! What will happen when. Ordered by time, then by the order in which it was decided.

use core::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::{host::HostId, net::NetEvent, time::SimTime};

/// Something that will happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    /// A host starts.
    Start {
        /// Which.
        host: HostId,
    },
    /// A node's deadline comes, unless the serial is no longer the host's.
    Wake {
        /// Whose.
        host: HostId,
        /// Which one.
        serial: u32,
    },
    /// A wake-up that nobody asked for.
    Spurious {
        /// Whose.
        host: HostId,
    },
    /// A paused host goes on, unless the serial is no longer the host's.
    Resume {
        /// Which.
        host: HostId,
        /// Which pause.
        serial: u32,
    },
    /// The application takes its messages.
    Consume {
        /// Where.
        host: HostId,
        /// In which life.
        life: u64,
    },
    /// A write to the disk is durable.
    Synced {
        /// Where.
        host: HostId,
        /// In which life.
        life: u64,
    },
    /// A graceful stop has taken too long.
    StopOverdue {
        /// Where.
        host: HostId,
        /// In which life.
        life: u64,
    },
    /// Something in the network.
    Net(NetEvent),
}

/// The queue of all that will happen.
#[derive(Debug)]
pub(crate) struct Schedule {
    now: SimTime,
    serial: u64,
    heap: BinaryHeap<Entry>,
}

#[derive(Debug)]
struct Entry {
    at: SimTime,
    serial: u64,
    what: Happening,
}

impl Schedule {
    pub(crate) const fn new() -> Self {
        Self { now: SimTime::ZERO, serial: 0, heap: BinaryHeap::new() }
    }

    /// The present moment.
    pub(crate) const fn now(&self) -> SimTime {
        self.now
    }

    /// Lets something happen at `at`, or now if that is past.
    pub(crate) fn at(&mut self, at: SimTime, what: Happening) {
        self.serial += 1;
        self.heap.push(Entry { at: at.max(self.now), serial: self.serial, what });
    }

    /// Goes on to the next moment at which something happens, if that is not after `until`.
    pub(crate) fn advance(&mut self, until: SimTime) -> bool {
        match self.heap.peek() {
            Some(next) if next.at <= until => {
                self.now = next.at;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The next thing that happens at the present moment.
    pub(crate) fn pop(&mut self) -> Option<Happening> {
        self.heap.peek().filter(|next| next.at <= self.now)?;
        self.heap.pop().map(|entry| entry.what)
    }

    /// Lets time pass to `until`, before which nothing happens.
    pub(crate) fn pass(&mut self, until: SimTime) {
        self.now = self.now.max(until);
    }
}

impl Ord for Entry {
    /// The earlier one is the greater one: the heap gives out its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.serial).cmp(&(self.at, self.serial))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_by_time_and_then_in_the_order_they_were_decided() {
        let mut schedule = Schedule::new();
        for (millis, host) in [(3, 0), (1, 1), (2, 2), (1, 3)] {
            schedule.at(SimTime::from_millis(millis), Happening::Spurious { host: HostId(host) });
        }
        let mut told = vec![];
        while schedule.advance(SimTime::from_millis(2)) {
            while let Some(Happening::Spurious { host }) = schedule.pop() {
                told.push((schedule.now().as_millis(), host.0));
            }
        }
        assert_eq!(told, [(1, 1), (1, 3), (2, 2)]);
    }
}
