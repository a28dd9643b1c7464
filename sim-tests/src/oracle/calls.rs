//! What was called, which handler was given it, and how it ended.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use io_sim::HostId;
use proto_core::{
    id::{Incarnation, NodeAddr, Token},
    rpc::{Completion, Invocation, InvocationId},
    time::Time,
};

use super::Key;
use crate::scenario::{Callee, Service};

/// A call, as its caller made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The node that calls.
    pub from: NodeAddr,
    /// The service.
    pub service: Arc<str>,
    /// Who shall serve it.
    pub to: Callee,
    /// What the handler gets.
    pub payload: Bytes,
    /// The idempotency key.
    pub key: Option<u8>,
    /// Whether items are wanted before the answer.
    pub streaming: bool,
    /// The client that calls.
    pub client: Option<Arc<str>>,
    /// How long it may take.
    pub deadline: Duration,
    /// When it was made, on the caller's clock.
    pub asked: Time,
    /// Whether it was made after the calm had come, where it surely succeeds.
    pub fresh: bool,
    /// Its request.
    pub token: Token,
    /// Every handler that was given it: which life of which node.
    pub ran: Vec<(HostId, Incarnation)>,
    /// How many items came.
    pub items: u64,
    /// How it ended, each time it was told.
    pub ended: Vec<Completion>,
}

/// The books of the calls.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    called: BTreeMap<Key, Called>,
    last: BTreeMap<HostId, Key>,
    /// What runs, by node: the handlers that have not answered, and were not told to stop.
    running: BTreeMap<(HostId, Incarnation), BTreeMap<InvocationId, Served>>,
    /// The most calls that a provider ever said to run at once, since it was withdrawn last.
    at_once: BTreeMap<(HostId, Incarnation, Served), u32>,
}

/// A service, and the client of its node that serves it.
pub type Served = (Arc<str>, Option<Arc<str>>);

impl Calls {
    /// A call was made.
    pub(super) fn called(&mut self, key: Key, called: Called) {
        self.last.insert(key.from, key);
        self.called.insert(key, called);
    }

    /// A handler was given a call.
    pub(super) fn ran(&mut self, key: Key, node: HostId, life: Incarnation) {
        if let Some(called) = self.called.get_mut(&key) {
            called.ran.push((node, life));
        }
    }

    /// An application said something of its services.
    pub(super) fn asked(&mut self, life: Incarnation, service: &Service) {
        match service {
            Service::Register { at, service, at_once, client, .. } => {
                let most = self.at_once.entry((*at, life, (service.clone(), client.clone()))).or_default();
                *most = (*most).max(*at_once);
            }
            // What runs may finish, and counts for nothing if it is served again.
            Service::Unregister { at, service, client } => {
                let served = (service.clone(), client.clone());
                if let Some(running) = self.running.get_mut(&(*at, life)) {
                    running.retain(|_, other| *other != served);
                }
            }
            Service::Subscribe { .. }
            | Service::Unsubscribe { .. }
            | Service::Publish { .. }
            | Service::Known { .. }
            | Service::Call { .. }
            | Service::Cancel { .. } => {}
        }
    }

    /// A client left, and so did what it served.
    pub(super) fn left(&mut self, node: HostId, life: Incarnation, client: &Arc<str>) {
        if let Some(running) = self.running.get_mut(&(node, life)) {
            running.retain(|_, (_, other)| other.as_ref() != Some(client));
        }
    }

    /// A handler was given a call.
    pub(super) fn begins(&mut self, node: HostId, life: Incarnation, invocation: &Invocation) {
        let served = (Arc::from(invocation.service.as_str()), invocation.client.clone());
        self.running.entry((node, life)).or_default().insert(invocation.id, served);
    }

    /// A handler has answered, or shall stop.
    pub(super) fn over(&mut self, node: HostId, life: Incarnation, invocation: InvocationId) {
        if let Some(running) = self.running.get_mut(&(node, life)) {
            running.remove(&invocation);
        }
    }

    /// How many calls a provider runs, and how many it may.
    #[must_use]
    pub fn running(&self, node: HostId, life: Incarnation, served: &Served) -> (usize, u32) {
        let running = self.running.get(&(node, life)).into_iter().flat_map(BTreeMap::values);
        let most = self.at_once.get(&(node, life, served.clone())).copied().unwrap_or(0);
        (running.filter(|other| *other == served).count(), most)
    }

    /// An item of a reply came.
    pub(super) fn item(&mut self, key: Key) {
        if let Some(called) = self.called.get_mut(&key) {
            called.items += 1;
        }
    }

    /// A call ended.
    pub(super) fn ended(&mut self, key: Key, completion: &Completion) {
        if let Some(called) = self.called.get_mut(&key) {
            called.ended.push(completion.clone());
        }
    }

    /// The request of the last call of a node.
    #[must_use]
    pub fn last(&self, node: HostId, life: Incarnation) -> Option<Token> {
        let key = self.last.get(&node).filter(|key| key.life == life)?;
        self.called.get(key).map(|called| called.token)
    }

    /// A call, if it was ever made.
    #[must_use]
    pub fn call(&self, key: Key) -> Option<&Called> {
        self.called.get(&key)
    }

    /// Every call.
    pub fn all(&self) -> impl Iterator<Item = (Key, &Called)> {
        self.called.iter().map(|(key, called)| (*key, called))
    }

    /// Every call that shares the idempotency key of one, and that one: the same caller, whatever its life, and service.
    pub fn sharing(&self, key: Key) -> impl Iterator<Item = (Key, &Called)> {
        let one = self.called.get(&key);
        self.all().filter(move |(other, called)| {
            let same = |one: &Called| {
                let scope = |called: &Called| (called.key, called.service.clone(), called.from, called.client.clone());
                one.key.is_some() && scope(one) == scope(called)
            };
            *other == key || one.is_some_and(same)
        })
    }
}
