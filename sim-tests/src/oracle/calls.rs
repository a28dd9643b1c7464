//! What was called, which handler was given it, and how it ended.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use io_sim::HostId;
use proto_core::{
    id::{Incarnation, NodeAddr, Token},
    rpc::Completion,
    time::Time,
};

use super::Key;
use crate::scenario::Callee;

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
    /// How it ended, each time it was told.
    pub ended: Vec<Completion>,
}

/// The books of the calls.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    called: BTreeMap<Key, Called>,
    last: BTreeMap<HostId, Key>,
}

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
                one.key.is_some() && (one.key, &one.service, one.from) == (called.key, &called.service, called.from)
            };
            *other == key || one.is_some_and(same)
        })
    }
}
