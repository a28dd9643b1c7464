//! What the application took out of its mailboxes and the node does not know of yet.
//!
//! Gathered by the tasks of the application, told by the engine's task when it turns next. Bounds: one count per client
//! and per subscription that has taken something since.

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
    pubsub::SubscriptionId,
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
    /// Whether any subscription has a count.
    any_subscription: AtomicBool,
    subscriptions: Mutex<BTreeMap<SubscriptionId, u64>>,
}

impl Consumed {
    /// Counts messages that were taken out. Whether the engine's task must be woken for them: the node holds something
    /// back. A client's senders are never held back, so what it takes is told when something else happens. Who takes from a
    /// subscription tells it once so much has gathered that the node may wait for it.
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
                *lock(&self.clients).entry(client).or_default() += messages;
                self.any_client.store(true, SeqCst);
                false
            }
            Mailbox::Subscription(subscription) => {
                *lock(&self.subscriptions).entry(subscription).or_default() += messages;
                self.any_subscription.store(true, SeqCst);
                true
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
        empty(&self.clients, &self.any_client, Mailbox::Client, end, into);
        empty(&self.subscriptions, &self.any_subscription, Mailbox::Subscription, end, into);
    }
}

/// Tells the node of one kind of mailbox, as far as there is room for inputs up to `end`.
fn empty<K: Ord>(
    counts: &Mutex<BTreeMap<K, u64>>,
    any: &AtomicBool,
    mailbox: impl Fn(K) -> Mailbox,
    end: usize,
    into: &mut Vec<Input>,
) {
    if !any.load(SeqCst) {
        return;
    }
    let mut counts = lock(counts);
    while into.len() < end
        && let Some((key, messages)) = counts.pop_first()
    {
        into.push(input(mailbox(key), messages));
    }
    any.store(!counts.is_empty(), SeqCst);
}

fn lock<K>(counts: &Mutex<BTreeMap<K, u64>>) -> MutexGuard<'_, BTreeMap<K, u64>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
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
