//! The clients of this node, and the room that their mailboxes share.
//!
//! A client is numbered when it comes, and never gets the number again: what is said of the mailbox of one that left
//! touches nobody else. One that leaves gives all its places back at once, whoever still holds its messages.
//!
//! The room is shared as the buffers of a switch are: a mailbox may take a place as long as it holds no more than is still
//! free for all, in messages and in bytes. One that nobody empties therefore leaves as much to the others as it has. Up
//! to [`MAILBOX_MESSAGES_MIN`] messages of [`MAILBOX_BYTES_MIN`] together it may hold however full the others are.
//!
//! Bounds: [`CLIENTS_MAX`] clients; as many places and bytes for all as for the node's own mailbox, and the guaranteed
//! minimum of each beyond.

use alloc::{collections::BTreeMap, sync::Arc};

use super::{shelf::Shelf, view::ClientsView};
use crate::{
    error::Rejected,
    id::ClientId,
    limits::{CLIENT_NAME_MAX, CLIENTS_MAX, INBOX_BYTES, MAILBOX_BYTES_MIN, MAILBOX_MESSAGES_MIN},
    node::Client,
};

/// The clients and what they hold. See the module's first lines.
#[derive(Debug)]
pub(super) struct Clients {
    places: usize,
    by_name: BTreeMap<Arc<str>, (Client, Shelf)>,
    /// The name of each, by its number.
    names: BTreeMap<ClientId, Arc<str>>,
    last: ClientId,
    /// What all of them hold together.
    messages: usize,
    bytes: usize,
}

/// What became of a message for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shelved {
    /// It has a place.
    Yes(Client),
    /// The client's mailbox is full.
    Full,
    /// There is no such client.
    Nobody,
}

impl Clients {
    /// Nobody is here; there is room for `places` messages of all together.
    pub(super) const fn new(places: usize) -> Self {
        Self { places, by_name: BTreeMap::new(), names: BTreeMap::new(), last: ClientId(0), messages: 0, bytes: 0 }
    }

    /// A client comes. One that is here already stays as it is.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if there are too many, [`Rejected::NoSuchClient`] if no client can have this name.
    pub(super) fn add(&mut self, name: Arc<str>) -> Result<(), Rejected> {
        if name.is_empty() || name.len() > CLIENT_NAME_MAX {
            return Err(Rejected::NoSuchClient);
        }
        if self.by_name.contains_key(&name) {
            return Ok(());
        }
        if self.by_name.len() >= CLIENTS_MAX {
            return Err(Rejected::Busy);
        }
        self.last = self.last.next();
        self.names.insert(self.last, name.clone());
        self.by_name.insert(name.clone(), (Client::new(self.last, name), Shelf::default()));
        Ok(())
    }

    /// A client goes, and gives back all its places.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some((client, shelf)) = self.by_name.remove(name) {
            self.names.remove(&client.id());
            self.messages -= shelf.messages();
            self.bytes -= shelf.bytes();
        }
    }

    /// Takes a place for a message, if the client is here and its mailbox has room.
    pub(super) fn put(&mut self, name: &str, len: usize) -> Shelved {
        let Some((client, shelf)) = self.by_name.get_mut(name) else { return Shelved::Nobody };
        let free = (self.places.saturating_sub(self.messages), INBOX_BYTES.saturating_sub(self.bytes));
        let fair = shelf.messages() < free.0 && shelf.bytes() < free.1;
        let least = shelf.messages() < MAILBOX_MESSAGES_MIN && shelf.bytes() + len <= MAILBOX_BYTES_MIN;
        if !fair && !least {
            return Shelved::Full;
        }
        shelf.put(len);
        self.messages += 1;
        self.bytes += len;
        Shelved::Yes(client.clone())
    }

    /// What people may see of it.
    pub(super) fn view(&self) -> ClientsView {
        let most = self.by_name.values().map(|(_, shelf)| shelf.messages()).max().unwrap_or(0);
        ClientsView { count: self.by_name.len(), messages: self.messages, most, bytes: self.bytes }
    }

    /// A client has taken messages out. One that left meanwhile has nothing to give back.
    pub(super) fn consumed(&mut self, client: ClientId, messages: usize) {
        let shelf = self.names.get(&client).and_then(|name| self.by_name.get_mut(name));
        if let Some((_, shelf)) = shelf {
            let before = shelf.messages();
            self.bytes -= shelf.give_back(messages);
            self.messages -= before - shelf.messages();
        }
    }
}
