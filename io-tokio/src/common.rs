//! What the handles and the engine's task share, apart from the queue of requests.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use proto_core::{
    id::{NodeAddr, NodeName},
    limits::NODES_MAX,
    node::{Endpoint, Event, Mailbox, Message},
    secure::PublicKey,
};
use tokio::sync::Notify;

use crate::{
    consumed::Consumed,
    counters::ShellCounters,
    error::{SendError, Stopped},
    feed::Feed,
    orders::{Order, Orders},
    outlet::Outlet,
    ready::ReadyList,
    topics::Press,
};

/// Most receivers with a queue of their own. Idle ones that nobody holds make room; if all are in use: busy.
const OUTLETS_MAX: usize = 16_384;
/// Most endpoints whose last error is remembered.
const DIAL_ERRORS_MAX: usize = 1_024;
/// Events kept for a subscriber that does not keep up.
const EVENTS_KEPT: usize = 1_024;

/// Something that ends with the node.
pub(crate) trait Ending: fmt::Debug + Send + Sync {
    /// The node is over.
    fn end(&self);
}

/// The shared part.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) name: NodeName,
    pub(crate) key: PublicKey,
    pub(crate) local_addrs: Vec<SocketAddr>,
    pub(crate) ready: Arc<ReadyList<Arc<Outlet>>>,
    outlets: Mutex<Outlets>,
    pub(crate) inboxes: Inboxes,
    pub(crate) counters: Arc<ShellCounters>,
    pub(crate) consumed: Consumed,
    pub(crate) press: Press,
    pub(crate) orders: Orders,
    watchers: Mutex<Vec<Weak<Feed<Event>>>>,
    endings: Mutex<Endings>,
    names: Mutex<BTreeMap<NodeAddr, NodeName>>,
    dial_errors: Mutex<BTreeMap<Endpoint, String>>,
    /// Told when the engine's task has ended.
    pub(crate) ended: Notify,
}

/// What ends with the node. Those that are gone are forgotten when there are twice as many as were left the last time.
#[derive(Debug, Default)]
struct Endings {
    all: Vec<Weak<dyn Ending>>,
    left: usize,
    over: bool,
}

#[derive(Debug, Default)]
struct Outlets {
    by_name: BTreeMap<NodeName, Arc<Outlet>>,
    sealed: bool,
}

impl Common {
    /// The shared part of a node that was not started yet.
    pub(crate) fn new(
        name: NodeName,
        key: PublicKey,
        local_addrs: Vec<SocketAddr>,
        counters: Arc<ShellCounters>,
    ) -> Self {
        Self {
            names: Mutex::new(BTreeMap::from([(name.addr(), name.clone())])),
            name,
            key,
            local_addrs,
            ready: Arc::new(ReadyList::new()),
            outlets: Mutex::default(),
            inboxes: Inboxes::new(),
            counters,
            consumed: Consumed::default(),
            press: Press::default(),
            orders: Orders::new(),
            watchers: Mutex::default(),
            endings: Mutex::default(),
            dial_errors: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// The queue for a receiver.
    pub(crate) fn outlet(&self, to: &str) -> Result<Arc<Outlet>, SendError> {
        let mut outlets = lock(&self.outlets);
        if outlets.sealed {
            return Err(Stopped.into());
        }
        if let Some(outlet) = outlets.by_name.get(to) {
            return Ok(Arc::clone(outlet));
        }
        let name = NodeName::new(to)?;
        if outlets.by_name.len() >= OUTLETS_MAX {
            outlets.by_name.retain(|_, outlet| Arc::strong_count(outlet) > 1 || outlet.len() > 0);
            if outlets.by_name.len() >= OUTLETS_MAX {
                return Err(SendError::Busy);
            }
        }
        let outlet = Arc::new(Outlet::new(name.addr(), Arc::clone(&self.ready)));
        self.note_name(&name);
        outlets.by_name.insert(name, Arc::clone(&outlet));
        Ok(outlet)
    }

    /// Refuses new messages. What was posted before still goes.
    pub(crate) fn seal_outlets(&self) {
        let mut outlets = lock(&self.outlets);
        outlets.sealed = true;
        outlets.by_name.values().for_each(|outlet| outlet.seal());
        self.press.seal();
    }

    /// Messages and publications that were posted and not taken by the engine.
    pub(crate) fn posted(&self) -> u64 {
        let messages: u64 = lock(&self.outlets).by_name.values().map(|outlet| outlet.len() as u64).sum();
        messages + self.press.len() as u64
    }

    /// Wakes the engine if it has to be.
    pub(crate) fn ring_if(&self, must: bool) {
        if must {
            self.ready.ring();
        }
    }

    /// Has the engine do something.
    ///
    /// # Errors
    /// [`Stopped`] if the node is over.
    pub(crate) fn order(&self, order: Order) -> Result<(), Stopped> {
        self.orders.push(order).map(|first| self.ring_if(first))
    }

    /// Notes that the application took messages. The engine learns of it when it turns next; it is woken only if senders
    /// are held back.
    pub(crate) fn consume(&self, mailbox: Mailbox, messages: u64) {
        if self.consumed.add(mailbox, messages) {
            self.ready.ring();
        }
    }

    /// Has something end with the node: at once, if it is over.
    pub(crate) fn close_at_end<E: Ending + 'static>(&self, ending: &Arc<E>) {
        let mut endings = lock(&self.endings);
        if endings.over {
            return ending.end();
        }
        if endings.all.len() >= (endings.left * 2).max(64) {
            endings.all.retain(|ending| ending.strong_count() > 0);
            endings.left = endings.all.len();
        }
        let ending: Weak<E> = Arc::downgrade(ending);
        endings.all.push(ending);
    }

    /// A new subscriber of events.
    pub(crate) fn watch(&self) -> Arc<Feed<Event>> {
        let feed = Arc::new(Feed::new(EVENTS_KEPT));
        lock(&self.watchers).push(Arc::downgrade(&feed));
        feed
    }

    /// Tells every subscriber.
    pub(crate) fn publish(&self, events: &mut VecDeque<Event>) {
        let mut missed = 0;
        lock(&self.watchers).retain(|feed| {
            let Some(feed) = feed.upgrade() else { return false };
            missed += feed.push_all(&mut events.clone());
            true
        });
        events.clear();
        self.counters.events_missed.add(missed);
    }

    /// Remembers a node's name by its address.
    pub(crate) fn note_name(&self, name: &NodeName) {
        let mut names = lock(&self.names);
        if names.len() < NODES_MAX * 2 {
            names.entry(name.addr()).or_insert_with(|| name.clone());
        }
    }

    /// The name of an address, if this node has met it.
    pub(crate) fn name_of(&self, addr: NodeAddr) -> Option<NodeName> {
        lock(&self.names).get(&addr).cloned()
    }

    /// Why an endpoint could not be reached when it was last tried.
    pub(crate) fn dial_error(&self, endpoint: &str) -> Option<String> {
        lock(&self.dial_errors).get(&Endpoint::new(endpoint)).cloned()
    }

    /// Remembers why an endpoint cannot be reached; `None`: it can.
    pub(crate) fn note_dial(&self, endpoint: &Endpoint, error: Option<String>) {
        let mut errors = lock(&self.dial_errors);
        match error {
            None => {
                errors.remove(endpoint);
            }
            Some(error) => {
                if errors.len() >= DIAL_ERRORS_MAX && !errors.contains_key(endpoint) {
                    errors.pop_first();
                }
                errors.insert(endpoint.clone(), error);
            }
        }
    }

    /// Why endpoints could not be reached when they were last tried.
    pub(crate) fn dial_errors(&self) -> Vec<(Endpoint, String)> {
        lock(&self.dial_errors).iter().map(|(endpoint, error)| (endpoint.clone(), error.clone())).collect()
    }

    /// Ends everything that applications wait for.
    pub(crate) fn end(&self) {
        let mut outlets = lock(&self.outlets);
        outlets.sealed = true;
        outlets.by_name.values().for_each(|outlet| outlet.close());
        drop(outlets);
        self.press.close();
        self.orders.close();
        self.inboxes.close();
        let mut endings = lock(&self.endings);
        endings.over = true;
        endings.all.drain(..).filter_map(|ending| ending.upgrade()).for_each(|ending| ending.end());
        drop(endings);
        lock(&self.watchers).drain(..).filter_map(|feed| feed.upgrade()).for_each(|feed| feed.close());
        self.ended.notify_waiters();
    }
}

/// Where messages wait for the application: one queue for the node, one for each client that takes its own.
///
/// The node hands out no more than its mailboxes allow until some are consumed, which bounds all queues together.
#[derive(Debug)]
pub(crate) struct Inboxes {
    pub(crate) main: Arc<Feed<Message>>,
    state: Mutex<InboxState>,
}

#[derive(Debug, Default)]
struct InboxState {
    main_taken: bool,
    clients: BTreeMap<Arc<str>, Arc<Feed<Message>>>,
}

impl Inboxes {
    fn new() -> Self {
        Self { main: Arc::new(Feed::new(usize::MAX)), state: Mutex::default() }
    }

    /// Claims the node's queue; `None` if somebody has it.
    pub(crate) fn claim_main(&self) -> Option<Arc<Feed<Message>>> {
        let mut state = lock(&self.state);
        (!std::mem::replace(&mut state.main_taken, true)).then(|| Arc::clone(&self.main))
    }

    /// Gives the node's queue back for another to claim.
    pub(crate) fn release_main(&self) {
        lock(&self.state).main_taken = false;
    }

    /// Makes a queue for a client; `None` if it has one.
    pub(crate) fn claim_client(&self, client: &Arc<str>) -> Option<Arc<Feed<Message>>> {
        let mut state = lock(&self.state);
        if state.clients.contains_key(client) {
            return None;
        }
        let feed = Arc::new(Feed::new(usize::MAX));
        state.clients.insert(Arc::clone(client), Arc::clone(&feed));
        Some(feed)
    }

    /// Ends a client's queue.
    pub(crate) fn release_client(&self, client: &str) {
        if let Some(feed) = lock(&self.state).clients.remove(client) {
            feed.close();
        }
    }

    /// The queue of a client, if it takes its own messages.
    pub(crate) fn client(&self, client: &str) -> Option<Arc<Feed<Message>>> {
        lock(&self.state).clients.get(client).map(Arc::clone)
    }

    fn close(&self) {
        self.main.close();
        lock(&self.state).clients.values().for_each(|feed| feed.close());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_too_many_is_refused_until_another_is_idle() {
        let name = NodeName::new("a").unwrap();
        let common = Common::new(name, PublicKey([1; 32]), Vec::new(), Arc::default());
        let mut held: Vec<_> = (0..OUTLETS_MAX).map(|n| common.outlet(&format!("n{n}")).unwrap()).collect();
        assert_eq!(common.outlet("one-more").err(), Some(SendError::Busy));
        held.pop();
        assert!(common.outlet("one-more").is_ok());
    }
}
