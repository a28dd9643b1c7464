//! What the application takes: room in its inbox, and the clients that messages may be for.
//!
//! A message handed to the application holds a place until it is consumed. Without a free place messages wait with the
//! flow they came in, and their senders' windows close. Bounds: `config.message.inbox` places, [`INBOX_BYTES`] in them and
//! one payload more, [`CLIENTS_MAX`] clients, [`INBOX_WAITING_BYTES`] held back by all flows together.

use alloc::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::view::InboxView;
use crate::{
    error::Rejected,
    limits::{CLIENT_NAME_MAX, CLIENTS_MAX, FLOW_WINDOW, INBOX_BYTES, INBOX_WAITING_BYTES},
    node::MessageConfig,
    wire::v1::RefusalCode,
};

/// The application's side of everything that arrives.
#[derive(Debug)]
pub(super) struct Inbox {
    places: usize,
    /// The length of every message that was handed over and not consumed, in order.
    taken: VecDeque<usize>,
    bytes: usize,
    max_payload: usize,
    draining: bool,
    clients: BTreeSet<Arc<str>>,
    waiting_bytes: usize,
}

/// What the application says to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It takes it; for this client.
    Taken(Option<Arc<str>>),
    /// It never will.
    Refused(RefusalCode),
    /// It has no room now.
    Full,
}

impl Inbox {
    /// Empty, without clients.
    pub(super) fn new(config: &MessageConfig) -> Self {
        Self {
            places: config.inbox.max(1),
            taken: VecDeque::new(),
            bytes: 0,
            max_payload: config.max_payload,
            draining: false,
            clients: BTreeSet::new(),
            waiting_bytes: 0,
        }
    }

    /// Takes a place for a message, if the application wants it and has room.
    pub(super) fn admit(&mut self, to_client: &str, len: usize) -> Admission {
        if self.draining {
            return Admission::Refused(RefusalCode::ShuttingDown);
        }
        if len > self.max_payload {
            return Admission::Refused(RefusalCode::TooLarge);
        }
        let client = match to_client {
            "" => None,
            name => match self.clients.get(name) {
                Some(client) => Some(client.clone()),
                None => return Admission::Refused(RefusalCode::NoSuchClient),
            },
        };
        if self.is_full() {
            return Admission::Full;
        }
        self.taken.push_back(len);
        self.bytes += len;
        Admission::Taken(client)
    }

    /// The application has taken messages out.
    pub(super) fn consumed(&mut self, messages: u32) {
        for len in self.taken.drain(..self.taken.len().min(messages as usize)) {
            self.bytes -= len;
        }
    }

    /// Refuses everything from now on.
    pub(super) const fn drain(&mut self) {
        self.draining = true;
    }

    /// A client came or went.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if there are too many, [`Rejected::NoSuchClient`] if no client can have this name.
    pub(super) fn set_client(&mut self, client: Arc<str>, present: bool) -> Result<(), Rejected> {
        if !present {
            self.clients.remove(&client);
        } else if client.is_empty() || client.len() > CLIENT_NAME_MAX {
            return Err(Rejected::NoSuchClient);
        } else if self.clients.len() >= CLIENTS_MAX && !self.clients.contains(&client) {
            return Err(Rejected::Busy);
        } else {
            self.clients.insert(client);
        }
        Ok(())
    }

    /// How many messages a sender may have under way to here.
    pub(super) fn window(&self) -> u32 {
        let free = match (self.draining, self.is_full()) {
            (true, _) => self.places,
            (false, true) => 0,
            (false, false) => self.places - self.taken.len(),
        };
        u32::try_from(free.min(FLOW_WINDOW)).unwrap_or(u32::MAX)
    }

    /// Whether enough room is free again to tell the senders that had to stop.
    pub(super) fn has_recovered(&self) -> bool {
        let free = self.places - self.taken.len();
        free >= (self.places / 4).max(1) && self.bytes <= INBOX_BYTES / 4 * 3
    }

    /// Books bytes that a flow holds back.
    ///
    /// # Errors
    /// Nothing was booked; all flows together hold too much.
    pub(super) const fn hold(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if bytes > INBOX_WAITING_BYTES - self.waiting_bytes {
            return Err(NoRoom);
        }
        self.waiting_bytes += bytes;
        Ok(())
    }

    /// Frees bytes that a flow held back.
    pub(super) const fn release(&mut self, bytes: usize) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
    }

    /// What people may see of it.
    pub(super) fn view(&self) -> InboxView {
        let Self { taken, bytes, waiting_bytes, clients, .. } = self;
        InboxView { messages: taken.len(), bytes: *bytes, waiting_bytes: *waiting_bytes, clients: clients.len() }
    }

    fn is_full(&self) -> bool {
        self.taken.len() >= self.places || self.bytes >= INBOX_BYTES
    }
}

/// All flows together hold too much back already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;
