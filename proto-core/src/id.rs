//! Names and handles. Names live in the control plane; the data path carries fixed-size addresses derived from them.

use alloc::sync::Arc;
use core::{borrow::Borrow, fmt, str::FromStr};

use blake2::{Blake2s256, Digest as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A node's name: 1 to 64 characters of `[A-Za-z0-9._-]`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`BadName`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(BadName::TooLong { len: text.len() });
        }
        match text.char_indices().find(|(_, c)| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')) {
            Some((at, found)) => Err(BadName::BadCharacter { found, at }),
            None => Ok(Self(Arc::from(text))),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address that frames for this node carry. A pure function of the name, so a sender needs no look-up.
    #[must_use]
    pub fn addr(&self) -> NodeAddr {
        let digest = Blake2s256::new().chain_update(b"firelink node address v1\0").chain_update(self.0.as_bytes());
        let digest: [u8; 32] = digest.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        NodeAddr(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl FromStr for NodeName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::new(text)
    }
}

impl Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl Serialize for NodeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = NodeName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a node name: 1 to 64 characters of [A-Za-z0-9._-]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NodeName, E> {
                NodeName::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Why a text is no node name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing there.
    #[error("a node name must not be empty")]
    Empty,
    /// More than [`NodeName::MAX_LEN`] bytes.
    #[error("a node name has at most 64 characters, this one has {len}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A character outside `[A-Za-z0-9._-]`.
    #[error("a node name has only letters, digits, '.', '_' and '-'; found {found:?} at position {at}")]
    BadCharacter {
        /// The character.
        found: char,
        /// Its byte position.
        at: usize,
    },
}

/// The fixed-size address of a node on the data path: the first 64 bits of a hash of its name.
///
/// Two names that share an address cannot be in one mesh: the second is refused like a second key for one name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddr(pub u64);

/// Eight bytes, little endian, on the wire: an address is a hash, so a varint would only make it longer.
impl Serialize for NodeAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        postcard::fixint::le::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for NodeAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        postcard::fixint::le::deserialize(deserializer).map(Self)
    }
}

impl fmt::Display for NodeAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:016x}", self.0)
    }
}

/// Makes a newtype over an integer that is only ever compared, printed and counted up.
macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $int);

        impl $name {
            /// The one after this; saturates.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter_id! {
    /// Which life of a node this is: strictly grows with every start. The shell keeps it across restarts.
    Incarnation(u64)
}
counter_id! {
    /// A byte stream or datagram path that the substrate opened; never used twice within a node's life.
    ChannelId(u64)
}
counter_id! {
    /// One attempt to open a channel; never used twice within a node's life.
    DialId(u64)
}
counter_id! {
    /// The number of a message in its flow, from 1.
    Seq(u64)
}
counter_id! {
    /// Names a request of the application, so that it recognises the answer. Chosen by the application.
    Token(u64)
}
counter_id! {
    /// One stay of a client at a node, from its coming to its going; never used twice within a node's life.
    ClientId(u64)
}
counter_id! {
    /// Names a write to the store. Acknowledged in order and cumulatively.
    Ticket(u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String};

    #[test]
    fn names_follow_the_rule() {
        assert!(NodeName::new("gz-01.edge_A").is_ok());
        assert_eq!(NodeName::new(""), Err(BadName::Empty));
        assert_eq!(NodeName::new(&"x".repeat(65)), Err(BadName::TooLong { len: 65 }));
        assert_eq!(NodeName::new("a b"), Err(BadName::BadCharacter { found: ' ', at: 1 }));
        assert_eq!(NodeName::new("名"), Err(BadName::BadCharacter { found: '名', at: 0 }));
    }

    #[test]
    fn the_address_of_a_name_never_changes() {
        let addr = NodeName::new("gz-01").map(|name| format!("{}", name.addr()));
        assert_eq!(addr, Ok(String::from("332ac0be33c64394")));
    }

    #[test]
    fn an_address_is_eight_bytes_on_the_wire() {
        let mut buffer = [0; 16];
        let used = postcard::to_slice(&NodeAddr(0x0102_0304_0506_0708), &mut buffer).map(|used| used.len());
        assert_eq!((used, &buffer[..8]), (Ok(8), &[8, 7, 6, 5, 4, 3, 2, 1][..]));
    }
}
