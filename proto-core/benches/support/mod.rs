//! Three nodes in a line, driven by hand: what the publisher sends, the relay forwards and the subscriber consumes.
//! Every step is a turn of one engine, so a benchmark can time it, and a test can count what it allocates.

#![allow(dead_code, reason = "not every user of this module uses all of it")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use proto_core::{
    engine::{Engine, Turn},
    id::{ChannelId, Incarnation, NodeName, Token},
    node::{
        CallCommand, CallEvent, ChannelEvent, Command, Config, Endpoint, Event, Input, Mailbox, Node, Output, Peer,
        Send, TopicCommand, TopicEvent,
    },
    pubsub::{Pattern, Publish, Subscribe, Topic},
    rpc::{Balance, Call, Entry, Mode, Reply, ServiceName, Target},
    secure::{Identity, Provider, Psk},
    time::Time,
};

/// The first node of the line.
pub(crate) const PUBLISHER: usize = 0;
/// The node in the middle.
pub(crate) const RELAY: usize = 1;
/// The last node of the line.
pub(crate) const SUBSCRIBER: usize = 2;

/// A topic of usual length.
const TOPIC: &str = "region.12.device.4711.temperature";

/// How the links are secured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Security {
    /// By Noise: every record is sealed.
    Noise(&'static dyn Provider),
    /// By the channel underneath, as with TLS: records are framed and not sealed.
    Channel(&'static dyn Provider),
}

/// What the publisher does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// It sends messages.
    Messages {
        /// It asks for every outcome.
        report: bool,
    },
    /// It publishes to a topic that the subscriber has subscribed to.
    Publications,
    /// It calls a service that the subscriber serves.
    Calls,
}

/// The line. All clocks show the same time.
pub(crate) struct Line {
    seats: [Seat; 3],
    now: Time,
    security: Security,
    command: Command,
}

struct Seat {
    engine: Engine,
    outputs: Vec<Output>,
    delivered: u64,
    answered: u64,
}

/// The turns of a [`Line::round`], in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The publisher takes the application's messages.
    Publish,
    /// The relay forwards them.
    Forward,
    /// The subscriber gets and acknowledges them.
    Deliver,
    /// The relay forwards the acknowledgement.
    Return,
    /// The publisher gets it.
    Settle,
}

impl Step {
    const ALL: [(Self, usize); 5] = [
        (Self::Publish, PUBLISHER),
        (Self::Forward, RELAY),
        (Self::Deliver, SUBSCRIBER),
        (Self::Return, RELAY),
        (Self::Settle, PUBLISHER),
    ];
}

impl Line {
    /// Three nodes that know each other, and what each message, publication or call of `payload` bytes needs.
    pub(crate) fn new(security: Security, payload: usize, work: Work) -> Self {
        let provider = match security {
            Security::Noise(provider) | Security::Channel(provider) => provider,
        };
        let seats = [PUBLISHER, RELAY, SUBSCRIBER].map(|node| Seat::new(node, provider));
        let command = command(work, Bytes::from(vec![7; payload]));
        let mut line = Self { seats, now: Time::ZERO, security, command };
        let offer = match work {
            Work::Messages { .. } => None,
            Work::Publications => {
                let subscribe = Subscribe { credit: u32::MAX, ..Subscribe::new(Pattern::new(TOPIC).unwrap()) };
                Some(Command::Topic(TopicCommand::Subscribe(Box::new(subscribe))))
            }
            Work::Calls => Some(Command::Call(CallCommand::Register(Box::new(Entry::new(service(), None))))),
        };
        if let Some(command) = offer {
            line.tell(SUBSCRIBER, Input::Command { token: Token(0), command });
        }
        for _ in 0..500 {
            line.now += Duration::from_millis(1);
            for node in [PUBLISHER, RELAY, SUBSCRIBER] {
                line.turn(node, &mut || ());
            }
        }
        assert_eq!(line.node(PUBLISHER).router().reachable().count(), 2, "the line is up");
        line
    }

    /// The node, to look at.
    pub(crate) fn node(&self, node: usize) -> &Node {
        self.seats[node].engine.node()
    }

    /// How many messages the subscriber has got so far.
    pub(crate) fn delivered(&self) -> u64 {
        self.seats[SUBSCRIBER].delivered
    }

    /// How many outcomes the publisher was told so far.
    pub(crate) fn answered(&self) -> u64 {
        self.seats[PUBLISHER].answered
    }

    /// Sends `messages` messages from end to end, and their acknowledgement back. Returns what `meter` said before and
    /// after each step.
    pub(crate) fn round<M>(&mut self, messages: u64, mut meter: impl FnMut() -> M) -> [(M, M); 5] {
        self.now += Duration::from_micros(50);
        for token in 0..messages {
            let command = self.command.clone();
            self.tell(PUBLISHER, Input::Command { token: Token(token), command });
        }
        let readings = Step::ALL.map(|(_, node)| self.turn(node, &mut meter));
        // The answers to what was answered.
        for node in [RELAY, SUBSCRIBER] {
            self.turn(node, &mut || ());
        }
        readings
    }

    /// Makes `calls` calls, and has each answered with what it carried. Returns what `meter` said before and after the
    /// turns in which the caller calls, the provider has handlers run, and the provider answers.
    pub(crate) fn calls<M>(&mut self, calls: u64, mut meter: impl FnMut() -> M) -> [(M, M); 3] {
        self.now += Duration::from_micros(50);
        for token in 0..calls {
            let command = self.command.clone();
            self.tell(PUBLISHER, Input::Command { token: Token(token), command });
        }
        let calling = self.turn(PUBLISHER, &mut meter);
        self.turn(RELAY, &mut || ());
        let invoking = self.turn(SUBSCRIBER, &mut meter);
        let answering = self.turn(SUBSCRIBER, &mut meter);
        for node in [RELAY, PUBLISHER, RELAY, SUBSCRIBER] {
            self.turn(node, &mut || ());
        }
        [calling, invoking, answering]
    }

    /// One node handles what has arrived, until it has nothing to do; then its outputs are carried out.
    fn turn<M>(&mut self, node: usize, meter: &mut impl FnMut() -> M) -> (M, M) {
        let Seat { engine, outputs, .. } = &mut self.seats[node];
        let before = meter();
        while engine.turn(self.now, outputs) == Turn::Again {}
        let after = meter();
        let mut outputs = core::mem::take(&mut self.seats[node].outputs);
        let mut consumed = None;
        for output in outputs.drain(..) {
            self.carry_out(node, output, &mut consumed);
        }
        self.seats[node].outputs = outputs;
        if let Some((mailbox, messages)) = consumed {
            self.tell(node, Input::Consumed { mailbox, messages });
        }
        (before, after)
    }

    fn carry_out(&mut self, node: usize, output: Output, consumed: &mut Option<(Mailbox, u32)>) {
        let mut consume = |mailbox| consumed.get_or_insert((mailbox, 0)).1 += 1;
        match output {
            Output::Dial { dial, .. } => {
                let exporter = match self.security {
                    Security::Noise(_) => None,
                    Security::Channel(_) => Some([9; 32]),
                };
                let opened = |dial| ChannelEvent::Opened { dial, remote: Arc::from("peer"), exporter };
                let (there, channel) = other_end(node, ChannelId(0));
                self.tell(node, Input::Channel { channel: ChannelId(0), event: opened(Some(dial)) });
                self.tell(there, Input::Channel { channel, event: opened(None) });
            }
            Output::Write { channel, bytes } => {
                let (there, other) = other_end(node, channel);
                let event = ChannelEvent::Received { bytes: BytesMut::from(&bytes[..]) };
                self.tell(there, Input::Channel { channel: other, event });
                self.tell(node, Input::Channel { channel, event: ChannelEvent::Written { bytes: bytes.len() as u64 } });
            }
            Output::Close { .. } => panic!("nothing ends a link here"),
            Output::Persist { ticket, .. } => self.tell(node, Input::Persisted { upto: ticket, durable: true }),
            Output::Event(Event::Message(_)) => {
                self.seats[node].delivered += 1;
                consume(Mailbox::Node);
            }
            Output::Event(Event::Topic(TopicEvent::Publication { subscription, .. })) => {
                self.seats[node].delivered += 1;
                consume(Mailbox::Subscription(subscription));
            }
            Output::Event(Event::Call(CallEvent::Invoke(invocation))) => {
                self.seats[node].delivered += 1;
                let reply = CallCommand::Reply { invocation: invocation.id, reply: Reply::Done(invocation.payload) };
                self.tell(node, Input::Command { token: Token(0), command: Command::Call(reply) });
            }
            Output::Event(Event::Done { .. }) => self.seats[node].answered += 1,
            Output::Event(_) => {}
        }
    }

    fn tell(&mut self, node: usize, input: Input) {
        self.seats[node].engine.inbox().push(input);
    }
}

impl Seat {
    fn new(node: usize, provider: &'static dyn Provider) -> Self {
        let seed = [u8::try_from(node).unwrap(); 32];
        let identity = Arc::new(Identity::from_seed(seed, provider));
        let mut config = Config::new(name(node), identity, Incarnation(1_700_000_000_000), provider);
        config.psks = vec![Psk::from_token(b"bench")];
        (config.seed, config.secret_seed) = (seed, seed);
        if node != RELAY {
            config.peers = vec![Peer { name: Some(name(RELAY)), endpoints: vec![Endpoint::new("relay")], cost: 0 }];
        }
        let outputs = Vec::with_capacity(1_024);
        Self { engine: Engine::new(Node::new(config)), outputs, delivered: 0, answered: 0 }
    }
}

/// What the publisher's application asks for.
fn command(work: Work, payload: Bytes) -> Command {
    let deadline = Duration::from_secs(10);
    match work {
        Work::Messages { report } => {
            let to = name(SUBSCRIBER).addr();
            Command::Send(Send { to, to_client: None, from_client: None, payload, deadline, report })
        }
        Work::Publications => {
            let publish = Publish { deadline, ..Publish::new(Topic::new(TOPIC).unwrap(), payload) };
            Command::Topic(TopicCommand::Publish(Box::new(publish)))
        }
        Work::Calls => {
            let (to, mode) = (Target::Balanced(Balance::Nearest), Mode::Unary { key: None });
            let call = Call { service: service(), to, from_client: None, payload, deadline, mode };
            Command::Call(CallCommand::Call(Box::new(call)))
        }
    }
}

fn service() -> ServiceName {
    ServiceName::new("echo").unwrap()
}

fn name(node: usize) -> NodeName {
    NodeName::new(["publisher", "relay", "subscriber"][node]).unwrap()
}

/// The ends know their one channel as 0; the relay knows it by the number of the node there.
fn other_end(node: usize, channel: ChannelId) -> (usize, ChannelId) {
    if node == RELAY { (usize::try_from(channel.0).unwrap(), ChannelId(0)) } else { (RELAY, ChannelId(node as u64)) }
}

/// For `iter_custom`: the time that these steps take in `iterations` rounds, if all were like the faster nine tenths.
/// Other work on the machine that interrupts a round says nothing about the node.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn time(line: &mut Line, steps: &[Step], messages: u64, iterations: u64) -> Duration {
    let round = |_| {
        let readings = line.round(messages, Instant::now);
        let taken = |step: &Step| {
            let (before, after) = readings[*step as usize];
            after - before
        };
        steps.iter().map(taken).sum::<Duration>()
    };
    let mut times: Vec<Duration> = (0..iterations).map(round).collect();
    times.sort_unstable();
    let kept = &times[..times.len() - times.len() / 10];
    kept.iter().sum::<Duration>().mul_f64(iterations as f64 / kept.len() as f64)
}
