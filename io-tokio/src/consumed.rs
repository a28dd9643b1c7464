//! What the application took out of its mailboxes and the node does not know of yet.
//!
//! Gathered by the tasks of the application, told by the engine's task when it turns next. Bounds: one count per client
//! that has taken something since.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use proto_core::{
    id::ClientId,
    node::{Input, Mailbox},
};

/// The counts. See the module's first lines.
#[derive(Debug, Default)]
pub(crate) struct Consumed {
    own: AtomicU64,
    /// The node holds something back until there is room in its own mailbox.
    awaited: AtomicBool,
    /// Whether any client has a count: the common answer is no, and costs no lock.
    any_client: AtomicBool,
    clients: Mutex<BTreeMap<ClientId, u64>>,
}

impl Consumed {
    /// Counts messages that were taken out. Whether the engine's task must be woken for them: the node holds something
    /// back. A client's senders are never held back, so what it takes is told when something else happens.
    pub(crate) fn add(&self, mailbox: Mailbox, messages: u64) -> bool {
        if messages == 0 {
            return false;
        }
        match mailbox {
            Mailbox::Node => {
                // In one order with `set_awaited` and `take`: either this sees that it is awaited, or they see the count.
                self.own.fetch_add(messages, SeqCst);
                self.is_awaited()
            }
            Mailbox::Client(client) => {
                *self.lock().entry(client).or_default() += messages;
                self.any_client.store(true, SeqCst);
                false
            }
        }
    }

    /// Whether the node holds something back until there is room in its own mailbox.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(SeqCst)
    }

    /// Says whether the node holds something back.
    pub(crate) fn set_awaited(&self, awaited: bool) {
        if self.awaited.load(SeqCst) != awaited {
            self.awaited.store(awaited, SeqCst);
        }
    }

    /// Tells the node, in at most `max` inputs; the rest stays.
    pub(crate) fn take(&self, max: usize, into: &mut Vec<Input>) {
        let end = into.len() + max;
        // A plain look first: the common answer is zero, and costs no exclusive access to the cache line.
        if max > 0 && self.own.load(SeqCst) > 0 {
            into.push(input(Mailbox::Node, self.own.swap(0, SeqCst)));
        }
        if !self.any_client.load(SeqCst) {
            return;
        }
        let mut clients = self.lock();
        while into.len() < end
            && let Some((client, messages)) = clients.pop_first()
        {
            into.push(input(Mailbox::Client(client), messages));
        }
        self.any_client.store(!clients.is_empty(), SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ClientId, u64>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn input(mailbox: Mailbox, messages: u64) -> Input {
    Input::Consumed { mailbox, messages: u32::try_from(messages).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(consumed: &Consumed, max: usize) -> Vec<Input> {
        let mut into = Vec::new();
        consumed.take(max, &mut into);
        into
    }

    #[test]
    fn counts_are_gathered_per_mailbox_and_told_once() {
        let consumed = Consumed::default();
        let ui = Mailbox::Client(ClientId(1));
        consumed.add(ui, 2);
        consumed.add(Mailbox::Node, 3);
        consumed.add(ui, 2);
        assert_eq!(taken(&consumed, 9), [input(Mailbox::Node, 3), input(ui, 4)]);
        assert_eq!(taken(&consumed, 9), []);
    }

    #[test]
    fn what_does_not_fit_is_told_the_next_time() {
        let consumed = Consumed::default();
        let client = |number| Mailbox::Client(ClientId(number));
        (1..=3).for_each(|number| _ = consumed.add(client(number), number));
        assert_eq!(taken(&consumed, 0), []);
        assert_eq!(taken(&consumed, 2), [input(client(1), 1), input(client(2), 2)]);
        assert_eq!(taken(&consumed, 2), [input(client(3), 3)]);
    }

    #[test]
    fn only_a_node_that_holds_something_back_is_woken() {
        let consumed = Consumed::default();
        assert!(!consumed.add(Mailbox::Node, 1));
        consumed.set_awaited(true);
        assert!(consumed.add(Mailbox::Node, 1));
        assert!(!consumed.add(Mailbox::Node, 0));
        consumed.set_awaited(false);
        assert!(!consumed.add(Mailbox::Node, 1));
    }
}
