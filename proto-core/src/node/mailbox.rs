//! Where messages for the application have a place until it has taken them.

use alloc::sync::Arc;
use core::{fmt, ops::Deref};

use crate::id::ClientId;

/// Whose messages the application takes: each mailbox has room of its own, so that one that nobody empties closes no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum Mailbox {
    /// The node's own.
    Node,
    /// A client's, as long as it stays. When it goes its places are free; what is said of them later counts for nothing.
    Client(ClientId),
}

/// A client of this node, in one of its stays. Reads as its name. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Client(Arc<Stay>);

#[derive(PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
struct Stay {
    id: ClientId,
    name: Arc<str>,
}

impl Client {
    /// A stay of the client of this name.
    #[must_use]
    pub fn new(id: ClientId, name: Arc<str>) -> Self {
        Self(Arc::new(Stay { id, name }))
    }

    /// Which stay.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.0.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }
}

impl Deref for Client {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.name
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({})", self.name(), self.id())
    }
}
