//! What the application takes: room in its mailboxes, and the clients that messages may be for.
//!
//! A message handed to the application holds a place in a mailbox until it is consumed. The node's own mailbox and those
//! of its clients share no room, so none of them closes another. A message for a client whose mailbox is full is refused.
//! Without a free place in the node's own, messages wait with the flow they came in, and the windows of their senders
//! close; but what comes after them in their flow waits as well, so that lasts only while somebody takes messages out: a
//! mailbox that stays full for [`INBOX_PATIENCE`] is unattended, and refuses until something is taken out of it.
//!
//! Bounds: `config.message.inbox` places, [`INBOX_BYTES`] in them and one payload more, each for the node itself and for
//! its [`Clients`]; [`INBOX_WAITING_BYTES`] held back by all flows together.

use alloc::sync::Arc;

use super::{
    clients::{Clients, Shelved},
    env::Heading,
    shelf::Shelf,
    view::InboxView,
};
use crate::{
    error::Rejected,
    limits::{FLOW_WINDOW, INBOX_BYTES, INBOX_PATIENCE, INBOX_WAITING_BYTES, INBOX_WINDOW_MIN},
    node::{Client, Mailbox, MessageConfig},
    time::Time,
    wire::v1::RefusalCode,
};

/// The application's side of everything that arrives.
#[derive(Debug)]
pub(super) struct Inbox {
    places: usize,
    /// The node's own mailbox.
    own: Shelf,
    /// Since when a message had to wait for it and nothing was taken out.
    stuck: Option<Time>,
    clients: Clients,
    max_payload: usize,
    draining: bool,
    waiting_bytes: usize,
}

/// What the application says to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It takes it; for this client.
    Taken(Option<Client>),
    /// It never will.
    Refused(RefusalCode),
    /// It has no room now.
    Full,
}

impl Inbox {
    /// Empty, without clients.
    pub(super) fn new(config: &MessageConfig) -> Self {
        let places = config.inbox.max(1);
        Self {
            places,
            own: Shelf::default(),
            stuck: None,
            clients: Clients::new(places),
            max_payload: config.max_payload,
            draining: false,
            waiting_bytes: 0,
        }
    }

    /// Takes a place for a message, if the application wants it and has room.
    pub(super) fn admit(&mut self, now: Time, heading: &Heading<'_>, len: usize) -> Admission {
        if self.draining {
            return Admission::Refused(RefusalCode::ShuttingDown);
        }
        // A machine takes everything at once.
        let Heading::Clients { to: to_client, from: _ } = heading else { return Admission::Taken(None) };
        if len > self.max_payload {
            return Admission::Refused(RefusalCode::TooLarge);
        }
        if !to_client.is_empty() {
            return match self.clients.put(to_client, len) {
                Shelved::Yes(client) => Admission::Taken(Some(client)),
                Shelved::Full => Admission::Refused(RefusalCode::ReceiverBusy),
                Shelved::Nobody => Admission::Refused(RefusalCode::NoSuchClient),
            };
        }
        if self.is_unattended(now) {
            return Admission::Refused(RefusalCode::ReceiverBusy);
        }
        if self.own.messages() >= self.places || self.own.bytes() >= INBOX_BYTES {
            self.stuck.get_or_insert(now);
            return Admission::Full;
        }
        self.own.put(len);
        Admission::Taken(None)
    }

    /// The application has taken messages out.
    pub(super) fn consumed(&mut self, mailbox: Mailbox, messages: u32) {
        match mailbox {
            Mailbox::Node => {
                self.own.give_back(messages as usize);
                if messages > 0 {
                    self.stuck = None;
                }
            }
            Mailbox::Client(client) => self.clients.consumed(client, messages as usize),
            // A subscription keeps its own account.
            Mailbox::Subscription(_) => {}
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
        if present {
            return self.clients.add(client);
        }
        self.clients.remove(&client);
        Ok(())
    }

    /// How many messages a sender may have under way to here. `waits`: one of them waits for the node's own mailbox.
    pub(super) fn window(&self, now: Time, waits: bool) -> u32 {
        let free = if self.draining || self.is_unattended(now) {
            FLOW_WINDOW
        } else if waits {
            0
        } else {
            self.places.saturating_sub(self.own.messages()).clamp(INBOX_WINDOW_MIN, FLOW_WINDOW)
        };
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// When the node's own mailbox will count as unattended, unless something is taken out of it.
    pub(super) fn patience_ends(&self) -> Option<Time> {
        self.stuck.map(|since| since + INBOX_PATIENCE)
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
        let Self { own, clients, waiting_bytes, .. } = self;
        let (messages, bytes) = (own.messages(), own.bytes());
        InboxView { messages, bytes, waiting_bytes: *waiting_bytes, clients: clients.view() }
    }

    fn is_unattended(&self, now: Time) -> bool {
        self.patience_ends().is_some_and(|end| end <= now)
    }
}

/// All flows together hold too much back already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;
