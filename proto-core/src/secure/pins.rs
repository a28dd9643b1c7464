//! Which key each name belongs to: the first one that a handshake proved, as long as there is room to remember it.
//!
//! Only a handshake pins. An advert is a claim that its signer may make for any name: it must agree with the pins, and
//! where there is none it stands only as long as the link-state database holds it.
//!
//! A member can fill the table, by a handshake for each of ever new names. Then a new name takes the place of the one that
//! was not seen for longest, if that is longer than [`PIN_IDLE`]; the owner of the node is told. Peers that are
//! configured by name and names with a link never lose their pin. A name that has lost it belongs to whoever proves a key for it next.
//! After a start, names count as seen at that moment.
//!
//! Bounds: [`PINS_MAX`] names, and what is known from earlier starts. More: a new name is refused, unless one makes room.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::PublicKey;
use crate::{
    id::{NodeAddr, NodeName},
    limits::{PIN_IDLE, PINS_MAX},
    time::Time,
};

/// Names pinned to keys. A name that is new is pinned to the key that a handshake proves for it; a known name with another
/// key, or a second name with the address of a first, is a conflict. See the module's first lines.
#[derive(Debug, Default)]
pub struct Pins {
    by_addr: BTreeMap<NodeAddr, Pin>,
    /// Those without a link that nobody asked to keep, by when they were last seen.
    idle: BTreeSet<(Time, NodeAddr)>,
    /// Names to keep, pinned or not.
    kept: BTreeSet<NodeAddr>,
    changes: Vec<PinChange>,
}

#[derive(Debug)]
struct Pin {
    name: NodeName,
    key: PublicKey,
    seen: Time,
    linked: bool,
}

/// What became of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinChange {
    /// It is pinned to this key.
    Pinned(NodeName, PublicKey),
    /// It was pinned to this key, and has made room for another.
    Dropped(NodeName, PublicKey),
}

/// A name shown with another key than the one it is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinConflict {
    /// The name is pinned to another key.
    OtherKey {
        /// The key it is pinned to.
        pinned: PublicKey,
    },
    /// Another name has the same address.
    SameAddress {
        /// That name.
        other: NodeName,
    },
    /// There is no room for another name.
    Full,
}

impl Pins {
    /// Pins from an earlier start.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = (NodeName, PublicKey)>) -> Self {
        let mut pins = Self::default();
        for (name, key) in known {
            pins.insert(Time::ZERO, name, key);
        }
        pins
    }

    /// Checks a name against the key that a handshake proved for it, and pins it if it is new.
    ///
    /// # Errors
    /// [`PinConflict`]; nothing changes then.
    pub fn check_proven(&mut self, now: Time, name: &NodeName, key: PublicKey) -> Result<(), PinConflict> {
        self.check_claimed(name, key)?;
        if self.by_addr.contains_key(&name.addr()) {
            self.see(now, name.addr(), None);
            return Ok(());
        }
        if self.by_addr.len() >= PINS_MAX && !self.make_room(now) {
            return Err(PinConflict::Full);
        }
        self.insert(now, name.clone(), key);
        self.changes.push(PinChange::Pinned(name.clone(), key));
        Ok(())
    }

    /// Checks a name against a key that claims it. A name that is new may be anybody's.
    ///
    /// # Errors
    /// [`PinConflict::OtherKey`] or [`PinConflict::SameAddress`].
    pub fn check_claimed(&self, name: &NodeName, key: PublicKey) -> Result<(), PinConflict> {
        match self.by_addr.get(&name.addr()) {
            Some(pin) if pin.name == *name && pin.key == key => Ok(()),
            Some(pin) if pin.name == *name => Err(PinConflict::OtherKey { pinned: pin.key }),
            Some(pin) => Err(PinConflict::SameAddress { other: pin.name.clone() }),
            None => Ok(()),
        }
    }

    /// This node dials a name, or does so no more. While it does, the name keeps its pin.
    pub fn keep(&mut self, now: Time, name: &NodeName, keep: bool) {
        let addr = name.addr();
        if keep {
            self.kept.insert(addr);
        } else {
            self.kept.remove(&addr);
        }
        self.see(now, addr, None);
    }

    /// A link to a node came up, or went down. While there is one, the name keeps its pin.
    pub fn set_linked(&mut self, now: Time, addr: NodeAddr, linked: bool) {
        self.see(now, addr, Some(linked));
    }

    /// Whether a name was pinned, or dropped, since [`Pins::take_changes`] was last called.
    #[must_use]
    pub const fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What changed since the last call, in order, to be made durable.
    pub fn take_changes(&mut self) -> impl Iterator<Item = PinChange> {
        core::mem::take(&mut self.changes).into_iter()
    }

    /// How many names are pinned.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_addr.len()
    }

    /// Whether no name is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_addr.is_empty()
    }

    /// The name of an address, if it is pinned.
    #[must_use]
    pub fn name(&self, addr: NodeAddr) -> Option<&NodeName> {
        self.by_addr.get(&addr).map(|pin| &pin.name)
    }

    fn insert(&mut self, now: Time, name: NodeName, key: PublicKey) {
        let addr = name.addr();
        self.by_addr.insert(addr, Pin { name, key, seen: now, linked: false });
        self.see(now, addr, None);
    }

    /// A name is seen now. `linked`: whether it has a link, if that is what is seen.
    fn see(&mut self, now: Time, addr: NodeAddr, linked: Option<bool>) {
        let Some(pin) = self.by_addr.get_mut(&addr) else { return };
        self.idle.remove(&(pin.seen, addr));
        pin.seen = now;
        pin.linked = linked.unwrap_or(pin.linked);
        if !pin.linked && !self.kept.contains(&addr) {
            self.idle.insert((now, addr));
        }
    }

    /// Drops the name that was not seen for longest, if that is long enough.
    fn make_room(&mut self, now: Time) -> bool {
        let Some(&(seen, addr)) = self.idle.first().filter(|(seen, _)| now - *seen >= PIN_IDLE) else { return false };
        self.idle.remove(&(seen, addr));
        let Some(pin) = self.by_addr.remove(&addr) else { return false };
        self.changes.push(PinChange::Dropped(pin.name, pin.key));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, vec::Vec};

    const KEY: PublicKey = PublicKey([1; 32]);

    fn name(text: &str) -> NodeName {
        NodeName::new(text).unwrap()
    }

    fn days(days: u64) -> Time {
        Time::from_secs(days * 86_400)
    }

    /// As many names as there is room for, proven on the given day.
    fn full(day: u64) -> Pins {
        let mut pins = Pins::default();
        for number in 0..PINS_MAX {
            assert_eq!(pins.check_proven(days(day), &name(&format!("n{number}")), KEY), Ok(()));
        }
        assert_eq!(pins.take_changes().count(), PINS_MAX);
        pins
    }

    #[test]
    fn the_first_proven_key_wins() {
        let name = name("a");
        let (first, second) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut pins = Pins::default();
        assert_eq!(pins.check_claimed(&name, second), Ok(()));
        assert_eq!(pins.check_proven(days(0), &name, first), Ok(()));
        assert_eq!(pins.check_proven(days(9), &name, second), Err(PinConflict::OtherKey { pinned: first }));
        assert_eq!(pins.check_claimed(&name, second), Err(PinConflict::OtherKey { pinned: first }));
        assert_eq!(pins.check_proven(days(9), &name, first), Ok(()));
        assert_eq!(pins.take_changes().collect::<Vec<_>>(), [PinChange::Pinned(name, first)]);
        assert_eq!(pins.take_changes().count(), 0);
    }

    #[test]
    fn a_full_table_drops_the_name_that_was_not_seen_for_longest() {
        let mut pins = full(1);
        let new = name("new");
        let almost = days(2) - core::time::Duration::from_secs(1);
        assert_eq!(pins.check_proven(almost, &new, KEY), Err(PinConflict::Full), "nobody has been away for long");
        // All but two were seen later.
        for number in (0..PINS_MAX).filter(|number| ![7, 9].contains(number)) {
            pins.check_proven(almost, &name(&format!("n{number}")), KEY).unwrap();
        }
        assert!(!pins.has_changes());
        let mut gone = Vec::new();
        for newcomer in ["new", "newer"] {
            assert_eq!(pins.check_proven(days(2), &name(newcomer), KEY), Ok(()));
            let [PinChange::Dropped(old, KEY), PinChange::Pinned(..)] = &pins.take_changes().collect::<Vec<_>>()[..]
            else {
                panic!("one makes room for the other")
            };
            gone.push(old.clone());
        }
        gone.sort();
        assert_eq!(gone, [name("n7"), name("n9")]);
        assert_eq!(pins.check_proven(days(2), &name("newest"), KEY), Err(PinConflict::Full));
        assert_eq!(pins.check_proven(days(2), &name("n7"), PublicKey([2; 32])), Err(PinConflict::Full));
        assert_eq!(pins.check_claimed(&name("n7"), PublicKey([2; 32])), Ok(()), "it is anybody's now");
    }

    #[test]
    fn a_name_that_is_dialled_or_linked_keeps_its_pin() {
        let mut pins = full(1);
        pins.keep(days(1), &name("n7"), true);
        pins.set_linked(days(1), name("n9").addr(), true);
        for number in (0..PINS_MAX).filter(|number| ![7, 9].contains(number)) {
            pins.check_proven(days(3), &name(&format!("n{number}")), KEY).unwrap();
        }
        assert_eq!(pins.check_proven(days(3), &name("new"), KEY), Err(PinConflict::Full));
        pins.set_linked(days(3), name("n9").addr(), false);
        assert_eq!(pins.check_proven(days(3), &name("new"), KEY), Err(PinConflict::Full), "it was seen just now");
        pins.keep(days(2), &name("n7"), false);
        assert_eq!(pins.check_proven(days(3), &name("new"), KEY), Ok(()));
        assert_eq!(pins.take_changes().next(), Some(PinChange::Dropped(name("n7"), KEY)));
    }
}
