//! Whole nodes on a perfect network: every dial succeeds, nothing is lost, every byte takes the same time. What a network
//! does to nodes is the simulator's business; this is for what nodes do with each other.

use alloc::{collections::BTreeMap, format, string::ToString as _, sync::Arc, vec::Vec};
use core::time::Duration;

use bytes::BytesMut;

use crate::{
    engine::{Engine, Turn},
    id::{ChannelId, DialId, Token},
    node::{ChannelEvent, Command, Config, Endpoint, Event, Input, Mailbox, Node, Output, TopicEvent},
    time::Time,
};

/// An event of a node: which node, when, what.
pub type Told = (usize, Time, Event);

/// Nodes by number, and the channels between them. The endpoint of node 3 is `3`.
#[derive(Debug)]
pub struct Fabric {
    nodes: Vec<Option<Engine>>,
    latency: Duration,
    now: Time,
    /// What arrives when: the number keeps the order of what arrives at one moment.
    flying: BTreeMap<(Time, u64), (usize, Input)>,
    /// The other end of each open channel.
    ends: BTreeMap<(usize, ChannelId), (usize, ChannelId)>,
    wakes: BTreeMap<usize, Option<Time>>,
    next: u64,
}

impl Fabric {
    /// No nodes yet; every byte takes `latency`.
    #[must_use]
    pub const fn new(latency: Duration) -> Self {
        Self {
            nodes: Vec::new(),
            latency,
            now: Time::ZERO,
            flying: BTreeMap::new(),
            ends: BTreeMap::new(),
            wakes: BTreeMap::new(),
            next: 0,
        }
    }

    /// The endpoint that leads to a node.
    #[must_use]
    pub fn endpoint(node: usize) -> Endpoint {
        Endpoint::new(&node.to_string())
    }

    /// Starts a node. All nodes' clocks show the same time.
    pub fn add(&mut self, config: Config) -> usize {
        let number = self.nodes.len();
        self.nodes.push(Some(Engine::new(Node::new(config))));
        self.wakes.insert(number, Some(self.now));
        number
    }

    /// Ends a node at once: its channels just close at the other ends.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node] = None;
        self.wakes.remove(&node);
        let mine: Vec<_> = self.ends.iter().filter(|((end, _), _)| *end == node).map(|(a, b)| (*a, *b)).collect();
        for (here, (there, channel)) in mine {
            self.ends.remove(&here);
            self.ends.remove(&(there, channel));
            self.fly(there, Input::Channel { channel, event: ChannelEvent::Closed });
        }
    }

    /// The node, to look at; `None` once it was killed.
    #[must_use]
    pub fn node(&self, node: usize) -> Option<&Node> {
        self.nodes[node].as_ref().map(Engine::node)
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Asks a node for something.
    pub fn command(&mut self, node: usize, token: u64, command: Command) {
        let input = Input::Command { token: Token(token), command };
        let key = self.key(self.now);
        self.flying.insert(key, (node, input));
    }

    /// Lets everything happen up to `until`, and returns what the nodes told. Messages are consumed as they come.
    pub fn run_until(&mut self, until: Time) -> Vec<Told> {
        let mut told = Vec::new();
        loop {
            let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
            let wake = self.wakes.values().flatten().min().copied();
            let Some(at) = arrival.into_iter().chain(wake).min().filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            self.step(&mut told);
        }
        self.now = until;
        told
    }

    /// Delivers what has arrived, then gives a turn to every node that got something or is due.
    fn step(&mut self, told: &mut Vec<Told>) {
        let mut busy: Vec<usize> = Vec::new();
        while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (node, input) = entry.remove();
            if let Some(engine) = &mut self.nodes[node] {
                engine.inbox().push(input);
                busy.push(node);
            }
        }
        busy.extend(self.wakes.iter().filter(|(_, due)| due.is_some_and(|due| due <= self.now)).map(|(node, _)| *node));
        busy.sort_unstable();
        busy.dedup();
        for node in busy {
            self.turn(node, told);
        }
    }

    fn turn(&mut self, node: usize, told: &mut Vec<Told>) {
        let Some(engine) = &mut self.nodes[node] else { return };
        let mut outputs = Vec::new();
        let wake = loop {
            match engine.turn(self.now, &mut outputs) {
                Turn::Park(until) => break until,
                Turn::Again => {}
            }
        };
        self.wakes.insert(node, wake);
        for output in outputs {
            self.carry_out(node, output, told);
        }
    }

    fn carry_out(&mut self, node: usize, output: Output, told: &mut Vec<Told>) {
        match output {
            Output::Dial { dial, endpoint } => self.dial(node, dial, &endpoint),
            Output::Write { channel, bytes } => {
                let written = ChannelEvent::Written { bytes: bytes.len() as u64 };
                let key = self.key(self.now);
                self.flying.insert(key, (node, Input::Channel { channel, event: written }));
                if let Some(&(there, channel)) = self.ends.get(&(node, channel)) {
                    let event = ChannelEvent::Received { bytes: BytesMut::from(&bytes[..]) };
                    self.fly(there, Input::Channel { channel, event });
                }
            }
            Output::Close { channel } => {
                if let Some((there, other)) = self.ends.remove(&(node, channel)) {
                    self.ends.remove(&(there, other));
                    self.fly(there, Input::Channel { channel: other, event: ChannelEvent::Closed });
                    self.fly(node, Input::Channel { channel, event: ChannelEvent::Closed });
                }
            }
            Output::Persist { ticket, record: _ } => self.fly(node, Input::Persisted { upto: ticket, durable: true }),
            Output::Event(event) => {
                let taken = if let Event::Message(message) = &event {
                    Some(message.mailbox())
                } else if let Event::Topic(TopicEvent::Publication { subscription, .. }) = &event {
                    Some(Mailbox::Subscription(*subscription))
                } else {
                    None
                };
                if let Some(mailbox) = taken {
                    self.fly(node, Input::Consumed { mailbox, messages: 1 });
                }
                told.push((node, self.now, event));
            }
        }
    }

    fn dial(&mut self, node: usize, dial: DialId, endpoint: &Endpoint) {
        let target =
            endpoint.0.parse::<usize>().ok().filter(|target| self.nodes.get(*target).is_some_and(Option::is_some));
        let Some(target) = target else {
            self.fly(node, Input::DialFailed { dial });
            return;
        };
        let (here, there) = (self.channel(), self.channel());
        self.ends.insert((node, here), (target, there));
        self.ends.insert((target, there), (node, here));
        let opened =
            |dial, remote: usize| ChannelEvent::Opened { dial, remote: Arc::from(format!("{remote}")), exporter: None };
        self.fly(node, Input::Channel { channel: here, event: opened(Some(dial), target) });
        self.fly(target, Input::Channel { channel: there, event: opened(None, node) });
    }

    fn channel(&mut self) -> ChannelId {
        self.next += 1;
        ChannelId(self.next)
    }

    fn fly(&mut self, node: usize, input: Input) {
        let key = self.key(self.now + self.latency);
        self.flying.insert(key, (node, input));
    }

    fn key(&mut self, at: Time) -> (Time, u64) {
        self.next += 1;
        (at, self.next)
    }
}
