//! What a provider registers, and how it is told to the other nodes.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::{borrow::Borrow, fmt};

use bytes::Bytes;

use crate::{
    error::Rejected,
    limits::{
        CLIENT_NAME_MAX, SERVICE_CONCURRENCY, SERVICE_CONCURRENCY_MAX, SERVICE_META_MAX, SERVICE_NAME_MAX,
        SERVICE_QUEUE, SERVICE_QUEUE_MAX,
    },
    wire::v1,
};

/// A service's name: 1 to 128 bytes without white space and control characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`BadService`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, BadService> {
        if text.is_empty() {
            return Err(BadService::Empty);
        }
        if text.len() > SERVICE_NAME_MAX {
            return Err(BadService::TooLong { len: text.len() });
        }
        match text.char_indices().find(|(_, c)| c.is_whitespace() || c.is_control()) {
            Some((at, found)) => Err(BadService::BadCharacter { found, at }),
            None => Ok(Self(Arc::from(text))),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ServiceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Why a text is no service name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadService {
    /// Nothing there.
    #[error("a service name must not be empty")]
    Empty,
    /// Longer than [`SERVICE_NAME_MAX`].
    #[error("a service name has at most 128 bytes, this one has {len}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// White space or a control character.
    #[error("a service name has no white space and no control characters; found {found:?} at position {at}")]
    BadCharacter {
        /// The character.
        found: char,
        /// Its byte position.
        at: usize,
    },
}

/// What a provider says of its service, for people and for generated clients. The core only carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Meta {
    /// What it does.
    pub note: String,
    /// What it takes.
    pub parameters: Vec<Field>,
    /// What it gives.
    pub results: Vec<Field>,
}

impl Meta {
    /// Its length as it is carried, at most.
    fn weight(&self) -> usize {
        let fields = self.parameters.iter().chain(&self.results);
        let bytes: usize = fields.map(|field| field.name.len() + field.kind.len() + field.note.len() + 6).sum();
        self.note.len() + bytes
    }
}

/// One parameter or result of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type, in the provider's words.
    pub kind: String,
    /// What it means.
    pub note: String,
}

/// How many calls a provider takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Capacity {
    /// Calls that run at once; at least 1.
    pub concurrency: u32,
    /// Calls that may wait beyond that; 0: none.
    pub queue: u32,
}

impl Capacity {
    /// Within what any provider may have.
    pub(super) fn bounded(self) -> Self {
        Self {
            concurrency: self.concurrency.clamp(1, SERVICE_CONCURRENCY_MAX),
            queue: self.queue.min(SERVICE_QUEUE_MAX),
        }
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self { concurrency: SERVICE_CONCURRENCY, queue: SERVICE_QUEUE }
    }
}

/// A provider of a service at some node, as every node of the mesh knows it. `service` and `client` name it there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry {
    /// The service.
    pub service: ServiceName,
    /// The client that serves it; `None`: the node itself.
    pub client: Option<Arc<str>>,
    /// How many calls it takes.
    pub capacity: Capacity,
    /// What it says of itself.
    pub meta: Arc<Meta>,
}

impl Entry {
    /// A provider with default capacity that says nothing of itself.
    #[must_use]
    pub fn new(service: ServiceName, client: Option<Arc<str>>) -> Self {
        Self { service, client, capacity: Capacity::default(), meta: Arc::default() }
    }

    /// Whether it may be carried.
    ///
    /// # Errors
    /// [`Rejected::NoSuchClient`] if no client can have this name, [`Rejected::TooLarge`] if it says too much.
    pub(super) fn check(&self) -> Result<(), Rejected> {
        if self.client.as_ref().is_some_and(|name| name.is_empty() || name.len() > CLIENT_NAME_MAX) {
            return Err(Rejected::NoSuchClient);
        }
        let (len, limit) = (self.meta.weight(), SERVICE_META_MAX);
        if len > limit {
            return Err(Rejected::TooLarge { len: len as u64, limit: limit as u64 });
        }
        Ok(())
    }

    /// The bytes that are replicated.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        fn fields(of: &[Field]) -> Vec<v1::Field<'_>> {
            of.iter().map(|field| v1::Field { name: &field.name, kind: &field.kind, note: &field.note }).collect()
        }
        let wire = v1::Provider {
            service: self.service.as_str(),
            client: self.client.as_deref().unwrap_or_default(),
            concurrency: self.capacity.concurrency,
            queue: self.capacity.queue,
            note: &self.meta.note,
            parameters: fields(&self.meta.parameters),
            results: fields(&self.meta.results),
        };
        // Writing into a vector cannot fail, and the type holds nothing that postcard refuses.
        postcard::to_extend(&wire, Vec::new()).unwrap_or_default().into()
    }

    /// Takes in what another node says of a provider. `None` if it is malformed or longer than allowed.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (wire, []) = postcard::take_from_bytes::<v1::Provider<'_>>(bytes).ok()? else { return None };
        Self::from_wire(&wire)
    }

    /// The same once it is read.
    #[must_use]
    pub fn from_wire(wire: &v1::Provider<'_>) -> Option<Self> {
        fn fields(of: &[v1::Field<'_>]) -> Vec<Field> {
            let field = |field: &v1::Field<'_>| Field {
                name: String::from(field.name),
                kind: String::from(field.kind),
                note: String::from(field.note),
            };
            of.iter().map(field).collect()
        }
        let meta = Meta {
            note: String::from(wire.note),
            parameters: fields(&wire.parameters),
            results: fields(&wire.results),
        };
        let entry = Self {
            service: ServiceName::new(wire.service).ok()?,
            client: (!wire.client.is_empty()).then(|| Arc::from(wire.client)),
            capacity: Capacity { concurrency: wire.concurrency, queue: wire.queue }.bounded(),
            meta: Arc::new(meta),
        };
        entry.check().is_ok().then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_follow_the_rule() {
        assert!(ServiceName::new("geo.lookup").is_ok() && ServiceName::new("求和").is_ok());
        assert_eq!(ServiceName::new(""), Err(BadService::Empty));
        assert_eq!(ServiceName::new(&"x".repeat(129)), Err(BadService::TooLong { len: 129 }));
        assert_eq!(ServiceName::new("a b"), Err(BadService::BadCharacter { found: ' ', at: 1 }));
    }

    #[test]
    fn what_is_too_long_is_no_entry() {
        let mut entry = Entry::new(ServiceName::new("s").unwrap(), Some(Arc::from("c")));
        assert_eq!(Entry::decode(&entry.encode()), Some(entry.clone()));
        entry.meta = Arc::new(Meta { note: "x".repeat(SERVICE_META_MAX), ..Meta::default() });
        assert_eq!(Entry::decode(&entry.encode()), Some(entry.clone()));
        entry.meta = Arc::new(Meta { note: "x".repeat(SERVICE_META_MAX + 1), ..Meta::default() });
        assert_eq!(Entry::decode(&entry.encode()), None);
        assert_eq!(Entry::decode(&[1, 2, 3]), None);
    }
}
