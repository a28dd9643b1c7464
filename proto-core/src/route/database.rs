//! The link-state database: the newest advert of every node.
//!
//! Of two adverts of one origin the one with the greater (incarnation, seq) is newer. An advert grows old on the way
//! and here, and is dropped when its age reaches the expiry, so that what nobody refreshes disappears everywhere.
//!
//! Bounds: [`NODES_MAX`] adverts, [`DATABASE_BYTES_MAX`] bytes of them; what has no room is refused. Everything but
//! [`Database::forget_holder`] costs a look-up.

use alloc::collections::{BTreeMap, BTreeSet};
use core::{ops::RangeInclusive, time::Duration};

use blake2::{Blake2s256, Digest as _};
use smallvec::SmallVec;

use super::{advert::Advert, ports::Port};
use crate::{
    id::{Incarnation, NodeAddr},
    limits::{DATABASE_BYTES_MAX, NODES_MAX},
    time::Time,
    wire::{Frame, Kind, v1},
};

/// The newest advert of every node, this one included.
#[derive(Debug)]
pub(super) struct Database {
    me: NodeAddr,
    expiry: Duration,
    entries: BTreeMap<NodeAddr, Entry>,
    expiring: BTreeSet<(Time, NodeAddr)>,
    bytes: usize,
    digest: u64,
}

/// One advert, and what is known of its way.
#[derive(Debug)]
pub(super) struct Entry {
    advert: Advert,
    received_at: Time,
    age_then: Duration,
    holders: Holders,
}

/// What taking an advert in changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing but its number: a refresh.
    Refreshed,
    /// The graph, or the life of a node in it.
    Graph,
}

impl Database {
    /// Empty; the advert of `me` never expires here.
    pub(super) const fn new(me: NodeAddr, expiry: Duration) -> Self {
        Self { me, expiry, entries: BTreeMap::new(), expiring: BTreeSet::new(), bytes: 0, digest: 0 }
    }

    /// Takes in an advert that is newer than the one held, if it has room.
    pub(super) fn insert(&mut self, now: Time, age_then: Duration, advert: Advert) -> Option<Change> {
        if !self.has_room(&advert) {
            return None;
        }
        let addr = advert.addr();
        let before = self.remove(addr);
        let change = match &before {
            Some(before) if says_the_same(&before.advert, &advert) => Change::Refreshed,
            Some(_) | None => Change::Graph,
        };
        self.bytes += advert.signed().len();
        self.digest = self.digest.wrapping_add(fingerprint(&advert));
        let entry = Entry { advert, received_at: now, age_then, holders: Holders::default() };
        if addr != self.me {
            self.expiring.insert((entry.expires_at(self.expiry), addr));
        }
        self.entries.insert(addr, entry);
        Some(change)
    }

    /// Whether there is room for an advert.
    pub(super) fn has_room(&self, advert: &Advert) -> bool {
        let before = self.entries.get(&advert.addr()).map(|entry| entry.advert.signed().len());
        let fits = self.bytes - before.unwrap_or(0) + advert.signed().len() <= DATABASE_BYTES_MAX;
        // The advert of this node always has its place.
        advert.addr() == self.me || (fits && (before.is_some() || !self.is_full()))
    }

    /// Whether a new origin would be refused.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= NODES_MAX || self.bytes >= DATABASE_BYTES_MAX
    }

    /// Drops what is too old. Whether anything was.
    pub(super) fn expire(&mut self, now: Time) -> bool {
        let mut any = false;
        while let Some(&(due, addr)) = self.expiring.first().filter(|(due, _)| *due <= now) {
            self.remove(addr);
            self.expiring.remove(&(due, addr));
            any = true;
        }
        any
    }

    /// When the next advert is too old.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.expiring.first().map(|(due, _)| *due)
    }

    /// The advert of a node.
    pub(super) fn get(&self, addr: NodeAddr) -> Option<&Entry> {
        self.entries.get(&addr)
    }

    /// Every advert, in order of address.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Every advert of a range of addresses, in order.
    pub(super) fn range(&self, range: RangeInclusive<NodeAddr>) -> impl Iterator<Item = &Entry> {
        self.entries.range(range).map(|(_, entry)| entry)
    }

    /// A hash over the origins and versions of everything held; the same for the same adverts, in whatever order they
    /// came.
    pub(super) const fn digest(&self) -> u64 {
        self.digest
    }

    /// The frame that passes an advert on, and the note that the neighbour at `port` holds it then. `None` if there is
    /// none, or it is too old.
    pub(super) fn send_to(&mut self, now: Time, addr: NodeAddr, port: Port) -> Option<Frame> {
        let expiry = self.expiry;
        let entry = self.entries.get_mut(&addr)?;
        let age = entry.age(now);
        // Its own advert is refreshed in time; after a pause of the machine it may be late, and counts as new.
        if age >= expiry && addr != self.me {
            return None;
        }
        entry.holders.add(port);
        // Rounded up, so that an advert on a long way grows old at least as fast as one that stays.
        let age_ms = u32::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX);
        Some(Frame::with_body(Kind::Advert, &v1::Advert { age_ms }, entry.advert.signed().clone()))
    }

    /// Notes that the neighbour at `port` holds the newest advert of a node, or one still newer.
    pub(super) fn note_holder(&mut self, addr: NodeAddr, port: Port) {
        if let Some(entry) = self.entries.get_mut(&addr) {
            entry.holders.add(port);
        }
    }

    /// Nothing is known any more of what the neighbour at `port` holds.
    pub(super) fn forget_holder(&mut self, port: Port) {
        for entry in self.entries.values_mut() {
            entry.holders.remove(port);
        }
    }

    /// Takes out the advert of a node.
    pub(super) fn remove(&mut self, addr: NodeAddr) -> Option<Entry> {
        let entry = self.entries.remove(&addr)?;
        self.expiring.remove(&(entry.expires_at(self.expiry), addr));
        self.bytes -= entry.advert.signed().len();
        self.digest = self.digest.wrapping_sub(fingerprint(&entry.advert));
        Some(entry)
    }
}

impl Entry {
    /// The advert.
    pub(super) const fn advert(&self) -> &Advert {
        &self.advert
    }

    /// Its line in a summary.
    pub(super) const fn held(&self) -> v1::Held {
        let (incarnation, seq) = self.advert.version();
        v1::Held { origin: self.advert.addr(), incarnation, seq }
    }

    /// What orders adverts of one origin.
    pub(super) const fn version(&self) -> (Incarnation, u64) {
        self.advert.version()
    }

    /// How long ago its origin sent it, as far as is known.
    pub(super) fn age(&self, now: Time) -> Duration {
        self.age_then.saturating_add(now - self.received_at)
    }

    /// Whether the neighbour at `port` is known to hold it.
    pub(super) fn is_held_by(&self, port: Port) -> bool {
        self.holders.has(port)
    }

    fn expires_at(&self, expiry: Duration) -> Time {
        self.received_at + expiry.saturating_sub(self.age_then)
    }
}

fn says_the_same(before: &Advert, after: &Advert) -> bool {
    let (before, after) = (before.body(), after.body());
    before.incarnation == after.incarnation && before.transit == after.transit && before.neighbours == after.neighbours
}

fn fingerprint(advert: &Advert) -> u64 {
    let (incarnation, seq) = advert.version();
    let digest = Blake2s256::new()
        .chain_update(advert.addr().0.to_le_bytes())
        .chain_update(incarnation.0.to_le_bytes())
        .chain_update(seq.to_le_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The neighbours, by port, that hold an advert. One bit each.
#[derive(Debug, Default)]
struct Holders(SmallVec<[u64; 2]>);

impl Holders {
    fn add(&mut self, port: Port) {
        let word = port.index() / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1 << (port.index() % 64);
        }
    }

    fn remove(&mut self, port: Port) {
        if let Some(bits) = self.0.get_mut(port.index() / 64) {
            *bits &= !(1 << (port.index() % 64));
        }
    }

    fn has(&self, port: Port) -> bool {
        self.0.get(port.index() / 64).is_some_and(|bits| bits >> (port.index() % 64) & 1 == 1)
    }
}
