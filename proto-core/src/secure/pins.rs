//! Which key each name belongs to: the first one that a handshake proved, for ever.
//!
//! Only a handshake pins. An advert is a claim that its signer may make for any name: it must agree with the pins, and
//! where there is none it stands only as long as the link-state database holds it.

use alloc::{collections::BTreeMap, vec::Vec};

use super::PublicKey;
use crate::{
    id::{NodeAddr, NodeName},
    limits::PINS_MAX,
};

/// Names pinned to keys. A name that is new is pinned to the key that a handshake proves for it; a known name with another
/// key, or a second name with the address of a first, is a conflict.
#[derive(Debug, Default)]
pub struct Pins {
    by_addr: BTreeMap<NodeAddr, (NodeName, PublicKey)>,
    fresh: Vec<(NodeName, PublicKey)>,
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
        let by_addr = known.into_iter().map(|(name, key)| (name.addr(), (name, key))).collect();
        Self { by_addr, fresh: Vec::new() }
    }

    /// Checks a name against the key that a handshake proved for it, and pins it if it is new.
    ///
    /// # Errors
    /// [`PinConflict`]; nothing changes then.
    pub fn check_proven(&mut self, name: &NodeName, key: PublicKey) -> Result<(), PinConflict> {
        self.check_claimed(name, key)?;
        if self.by_addr.contains_key(&name.addr()) {
            return Ok(());
        }
        if self.by_addr.len() >= PINS_MAX {
            return Err(PinConflict::Full);
        }
        self.by_addr.insert(name.addr(), (name.clone(), key));
        self.fresh.push((name.clone(), key));
        Ok(())
    }

    /// Checks a name against a key that claims it. A name that is new may be anybody's.
    ///
    /// # Errors
    /// [`PinConflict::OtherKey`] or [`PinConflict::SameAddress`].
    pub fn check_claimed(&self, name: &NodeName, key: PublicKey) -> Result<(), PinConflict> {
        match self.by_addr.get(&name.addr()) {
            Some((known, pinned)) if known == name && *pinned == key => Ok(()),
            Some((known, pinned)) if known == name => Err(PinConflict::OtherKey { pinned: *pinned }),
            Some((known, _)) => Err(PinConflict::SameAddress { other: known.clone() }),
            None => Ok(()),
        }
    }

    /// Whether a name was pinned since [`Pins::take_fresh`] was last called.
    #[must_use]
    pub const fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Names pinned since the last call, to be made durable.
    pub fn take_fresh(&mut self) -> impl Iterator<Item = (NodeName, PublicKey)> {
        core::mem::take(&mut self.fresh).into_iter()
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
        self.by_addr.get(&addr).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_first_proven_key_wins_for_ever() {
        let name = NodeName::new("a").unwrap();
        let (first, second) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut pins = Pins::default();
        assert_eq!(pins.check_claimed(&name, second), Ok(()));
        assert_eq!(pins.check_proven(&name, first), Ok(()));
        assert_eq!(pins.check_proven(&name, second), Err(PinConflict::OtherKey { pinned: first }));
        assert_eq!(pins.check_claimed(&name, second), Err(PinConflict::OtherKey { pinned: first }));
        assert_eq!(pins.check_proven(&name, first), Ok(()));
        assert_eq!(pins.take_fresh().collect::<Vec<_>>(), [(name, first)]);
        assert_eq!(pins.take_fresh().count(), 0);
    }
}
