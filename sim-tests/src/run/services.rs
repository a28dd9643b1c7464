//! Requests about topics and calls: how they are put, and what the oracle is told of them.

use std::{sync::Arc, time::Duration};

use io_sim::HostId;
use proto_core::{
    id::Token,
    node::{CallCommand, Command, TopicCommand},
    pubsub::{Group, Pattern, Publish, Resume, Subscribe, Topic},
    queue::Limit,
    rpc::{self, Call, Capacity, Entry, Mode, ServiceName, Target},
    time::Time,
};

use super::{
    stage::{CLIENT_WITHIN, Stage, Wording},
    theatre::Theatre,
};
use crate::{
    oracle::{Key, calls::Called},
    scenario::{Callee, Service},
};

/// Most bytes that wait for a subscription: more than the publications that may.
const QUEUE_BYTES: usize = 1 << 30;

impl<W: Theatre> Stage<'_, W> {
    /// Words a request. `None` if there is nothing to ask for, or it cannot be asked for here.
    pub(super) fn word_service(&mut self, service: &Service) -> Option<Wording> {
        if !self.world.serves() {
            return None;
        }
        let plain = |command, what| Some((command, CLIENT_WITHIN, what, None));
        match service {
            Service::Subscribe { at, pattern, group, policy, queue, credit, resume, client } => {
                let group = group.as_deref().map(Group::new).transpose().ok()?;
                let queue = Limit { count: *queue as usize, weight: QUEUE_BYTES };
                let wanted = Subscribe::new(Pattern::new(pattern).ok()?);
                let seen = || self.referee.oracle.topics().seen(*at, pattern);
                let resume = if *resume { Resume::After(seen()) } else { Resume::Live };
                let client = client.clone();
                let wanted = Subscribe { group, client, policy: *policy, queue, credit: *credit, resume, ..wanted };
                plain(Command::Topic(TopicCommand::Subscribe(Box::new(wanted))), "subscription")
            }
            Service::Unsubscribe { at, pattern } => {
                let subscription = self.referee.oracle.topics().oldest(*at, pattern)?;
                plain(Command::Topic(TopicCommand::Unsubscribe { subscription }), "end of a subscription")
            }
            Service::Publish { from, topic, bytes, deadline_ms, receipt } => {
                let (topic, deadline) = (Topic::new(topic).ok()?, ms(*deadline_ms));
                let key = self.referee.oracle.next_key(*from)?;
                let publish = Publish { deadline, receipt: *receipt, ..Publish::new(topic, key.payload(*bytes)) };
                let command = Command::Topic(TopicCommand::Publish(Box::new(publish)));
                Some((command, deadline, "publication", Some(key)))
            }
            Service::Known { deadline_ms, .. } => {
                let deadline = ms(*deadline_ms);
                Some((Command::AwaitKnown { deadline }, deadline, "word that everybody knows", None))
            }
            Service::Register { service, at_once, queue, client, .. } => {
                let capacity = Capacity { concurrency: *at_once, queue: *queue };
                let entry = Entry { capacity, ..Entry::new(ServiceName::new(service).ok()?, client.clone()) };
                plain(Command::Call(CallCommand::Register(Box::new(entry))), "service")
            }
            Service::Unregister { service, client, .. } => {
                let (service, client) = (ServiceName::new(service).ok()?, client.clone());
                plain(Command::Call(CallCommand::Unregister { service, client }), "end of a service")
            }
            Service::Call { .. } => self.word_call(service),
            Service::Cancel { from } => {
                let life = self.referee.oracle.life(*from)?;
                let call = self.referee.oracle.calls().last(*from, life)?;
                plain(Command::Call(CallCommand::Cancel { call }), "cancel")
            }
        }
    }

    fn word_call(&mut self, service: &Service) -> Option<Wording> {
        let Service::Call { from, service, to, bytes, deadline_ms, key, streaming, client } = service else {
            return None;
        };
        let to = match to {
            Callee::Node(host) => Target::Node(self.referee.name(*host).addr()),
            Callee::Any(balance) => Target::Balanced(*balance),
        };
        let (service, deadline) = (ServiceName::new(service).ok()?, ms(*deadline_ms));
        let key = key.and_then(|key| rpc::Key::new(bytes::Bytes::copy_from_slice(&[key])));
        let mode = if *streaming { Mode::Streaming } else { Mode::Unary { key } };
        let name = self.referee.oracle.next_key(*from)?;
        let call = Call { service, to, from_client: client.clone(), payload: name.payload(*bytes), deadline, mode };
        Some((Command::Call(CallCommand::Call(Box::new(call))), deadline, "call", Some(name)))
    }

    /// Tells the oracle of a request that was put.
    pub(super) fn note_service(&mut self, token: Token, service: &Service, key: Option<Key>, fresh: bool) {
        let from = service.from();
        let addr = self.referee.name(from).addr();
        let asked: Time = self.world.local(from);
        self.referee.oracle.service(token, service);
        match (service, key) {
            (Service::Publish { topic, .. }, Some(key)) => {
                let sure = fresh.then(|| self.sure_of(from));
                self.referee.oracle.published(key, topic.clone(), addr, sure);
            }
            (Service::Call { service, to, bytes, deadline_ms, key, streaming, client, .. }, Some(name)) => {
                let called = Called {
                    from: addr,
                    service: Arc::clone(service),
                    to: *to,
                    payload: name.payload(*bytes),
                    key: *key,
                    streaming: *streaming,
                    client: client.clone(),
                    deadline: ms(*deadline_ms),
                    asked,
                    fresh,
                    token,
                    ran: Vec::new(),
                    items: 0,
                    ended: Vec::new(),
                };
                self.referee.oracle.called(name, called);
            }
            (_, Some(_) | None) => {}
        }
    }

    /// The nodes that a node surely reaches in the calm.
    fn sure_of(&self, from: HostId) -> Vec<HostId> {
        self.sure.get(&from).cloned().unwrap_or_default()
    }
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}
