//! One node: its machines composed, told what happened, asked what to do.
//!
//! An [`Input`] goes to exactly one machine. What that machine asks for becomes an [`Output`], or an event of another
//! machine, until nothing is left to hand on (`settle`): only then does the call return. No machine sees another; data
//! that one needs of another goes along as an argument.
//!
//! Frames that a call puts on links are sealed by the next `handle_timeout`, which is due at once. A driver that hands in
//! a batch of inputs before it looks at the timers, as [`Engine`](crate::engine::Engine) does, thereby gets one sealed
//! record for all of them.

mod calls;
mod config;
mod directory;
mod dispatch;
mod drain;
mod heads;
mod input;
mod mailbox;
mod offers;
mod output;
mod ports;
mod settle;
#[cfg(test)]
mod tests;
mod topics;
mod unsent;

use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};

pub use calls::{CallCommand, CallEvent};
pub use config::{Config, Endpoint, LinkConfig, MessageConfig, Metric, Peer, RouteConfig, Suite};
pub use input::{ChannelEvent, Command, Input, Send};
pub use mailbox::{Client, Mailbox};
pub use output::{Answer, Event, Found, Hop, Message, Outcome, Output, Record};
pub use topics::{TopicCommand, TopicEvent};

use crate::{
    collections::DetMap,
    cx::Cx,
    directory::Directory,
    error::Misuse,
    id::{Incarnation, NodeAddr, NodeName, Ticket, Token},
    limits::{INPUTS_PER_TURN, SETTLE_ROUNDS},
    link::{self, LinkId, Links},
    message::{self, Messages},
    probe::{Counter, Probe},
    pubsub::{self, Topics},
    rng::{Rng, Secrets},
    route::{
        self, Router,
        trace::{self, Traces},
    },
    rpc::{self, CallId, Rpc},
    secure::Pins,
    time::Time,
    timers::earlier,
    wire::v1::Port,
};

/// One node.
#[derive(Debug)]
pub struct Node {
    name: NodeName,
    addr: NodeAddr,
    incarnation: Incarnation,
    max_hops: u8,
    last_now: Time,
    probe: Probe,
    rngs: Rngs,
    pins: Pins,
    links: Links,
    router: Router,
    /// The next hop of the frame that passed through last: a run of frames of one flow asks the router once. Forgotten
    /// whenever the router is told or woken.
    last_way: Option<(dispatch::Way, LinkId)>,
    messages: Messages,
    traces: Traces,
    ports: ports::Ports,
    heads: heads::Heads,
    directory: Directory,
    offers: offers::Book,
    waiting: directory::Waiting,
    topics: Topics,
    calls: Rpc,
    /// The calls of the application by their tokens.
    calling: DetMap<Token, CallId>,
    drain: drain::Drain,
    tickets: Tickets,
    out: VecDeque<Output>,
    fx: Scratch,
}

/// Every machine's own generator: a new draw in one shifts no other.
#[derive(Debug)]
struct Rngs {
    links: Rng,
    router: Rng,
    messages: Rng,
    traces: Rng,
    directory: Rng,
    topics: Rng,
    calls: Rng,
}

/// What the machines asked for and is not handed on yet. Always empty between calls; kept for its capacity.
#[derive(Debug, Default)]
struct Scratch {
    links: Vec<link::Effect>,
    router: Vec<route::Effect>,
    messages: Vec<message::Effect>,
    traces: Vec<trace::Effect>,
    directory: Vec<crate::directory::Effect>,
    topics: Vec<pubsub::Effect>,
    calls: Vec<rpc::Effect>,
}

impl Scratch {
    #[inline]
    const fn is_empty(&self) -> bool {
        self.links.is_empty()
            && self.router.is_empty()
            && self.messages.is_empty()
            && self.traces.is_empty()
            && self.directory.is_empty()
            && self.topics.is_empty()
            && self.calls.is_empty()
    }
}

/// Writes to the store: issued up to `last`, durable up to `durable`.
#[derive(Debug, Default)]
struct Tickets {
    last: Ticket,
    durable: Ticket,
    failed: bool,
}

impl Node {
    /// A node at the moment of its start. It asks for nothing until it is woken: [`Node::poll_timeout`] says when.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let root = Rng::new(config.seed);
        let rng = |label: &str| root.fork(label);
        let salt = root.fork("calling").next_u64();
        let links = Links::new(&config, Secrets::new(config.secret_seed));
        let mut pins = Pins::new(config.pins.iter().cloned());
        for name in config.peers.iter().filter_map(|peer| peer.name.as_ref()) {
            pins.keep(Time::ZERO, name, true);
        }
        Self {
            addr: config.name.addr(),
            incarnation: config.incarnation,
            max_hops: config.route.max_hops,
            last_now: Time::ZERO,
            probe: Probe::new(),
            rngs: Rngs {
                links: rng("links"),
                router: rng("router"),
                messages: rng("messages"),
                traces: rng("traces"),
                directory: rng("directory"),
                topics: rng("topics"),
                calls: rng("calls"),
            },
            pins,
            links,
            router: Router::new(&config),
            last_way: None,
            messages: Messages::new(&config),
            traces: Traces::new(),
            ports: ports::Ports::new(&config, &root),
            heads: heads::Heads::default(),
            directory: Directory::new(),
            offers: offers::Book::default(),
            waiting: directory::Waiting::default(),
            topics: Topics::new(&config, &config.topics),
            calls: Rpc::new(&config),
            calling: DetMap::with_seed(salt),
            drain: drain::Drain::default(),
            tickets: Tickets::default(),
            out: VecDeque::with_capacity(INPUTS_PER_TURN),
            fx: Scratch::default(),
            name: config.name,
        }
    }

    /// Takes in what happened. Drain [`Node::poll_output`] afterwards. Cannot fail: what a peer did wrong becomes a
    /// counter, an event or a closed link, what the embedder did wrong an [`Event::Misuse`].
    pub fn handle(&mut self, now: Time, input: Input) {
        self.advance(now);
        match input {
            Input::Command { token, command } => self.command(token, command),
            Input::Consumed { mailbox, messages } => match mailbox {
                Mailbox::Node | Mailbox::Client(_) => {
                    self.tell_messages(message::Event::Consumed { mailbox, messages });
                }
                Mailbox::Subscription(subscription) => {
                    self.tell_topics(pubsub::Event::Consumed { subscription, messages });
                }
            },
            Input::Channel { channel, event } => self.tell_links(match event {
                ChannelEvent::Opened { dial, remote, exporter } => {
                    link::Event::Opened { channel, dial, remote, exporter }
                }
                ChannelEvent::Received { bytes } => link::Event::Received { channel, bytes },
                ChannelEvent::Written { bytes } => link::Event::Written { channel, bytes },
                ChannelEvent::Closed => link::Event::Closed { channel },
            }),
            Input::DialFailed { dial } => self.tell_links(link::Event::DialFailed { dial }),
            Input::Persisted { upto, durable } => self.persisted(upto, durable),
            // No machine reads the calendar yet.
            Input::Clock { wall: _ } => {}
        }
        self.settle();
    }

    /// Acts on deadlines that have come. Early and repeated calls change nothing.
    ///
    /// # Panics
    /// If a machine asks to be woken at `now` again and again: a bug, caught here instead of spinning.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        for _ in 0..SETTLE_ROUNDS {
            if self.next_deadline().is_none_or(|(due, _)| due > self.last_now) {
                return;
            }
            self.wake_machines();
            self.settle();
            // Last, so that one record takes everything that the others had to say.
            self.wake_links();
            self.settle();
            self.step_drain();
            self.settle();
        }
        let (due, why) = self.next_deadline().unwrap_or((Time::MAX, ""));
        assert!(due > self.last_now, "law L5: {why} is due again and again at {due}");
    }

    /// The next thing to do; `None` when there is nothing more. May change after every `handle*` call.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When the node wants to be woken, and what for; `None`: not before the next input. Says "now" while an output
    /// waits. May change after every `handle*` and `poll_output` call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        if self.out.is_empty() { self.next_deadline() } else { Some((self.last_now, "node: outputs wait")) }
    }

    /// Its own name.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    /// Its own address.
    #[must_use]
    pub const fn addr(&self) -> NodeAddr {
        self.addr
    }

    /// Which life of it this is.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Its counters.
    #[must_use]
    pub const fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Its links, to look at.
    #[must_use]
    pub const fn links(&self) -> &Links {
        &self.links
    }

    /// The keys that it has seen names proven with, to look at.
    #[must_use]
    pub const fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Its routes and the graph it knows, to look at.
    #[must_use]
    pub const fn router(&self) -> &Router {
        &self.router
    }

    /// Its messages under way, to look at.
    #[must_use]
    pub const fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Its topics, to look at.
    #[must_use]
    pub const fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Its publications and receipts under way: one flow for each node that they go to.
    pub fn publication_flows(&self) -> impl Iterator<Item = message::OutflowView> {
        self.ports.outflows(Port::Topics)
    }

    /// Its calls and services, to look at.
    #[must_use]
    pub const fn calls(&self) -> &Rpc {
        &self.calls
    }

    /// The name of a node, if its advert is known or it was ever linked.
    #[must_use]
    pub fn name_of(&self, addr: NodeAddr) -> Option<&NodeName> {
        self.router.name(addr).or_else(|| self.pins.name(addr))
    }

    fn advance(&mut self, now: Time) {
        debug_assert!(self.out.is_empty(), "law L5: drain the outputs before the next call");
        if now < self.last_now {
            self.misuse(Misuse::TimeWentBackwards);
        } else {
            self.last_now = now;
        }
    }

    fn misuse(&mut self, misuse: Misuse) {
        self.probe.count(Counter::Misuse);
        self.tell(Event::Misuse(misuse));
    }

    fn command(&mut self, token: Token, command: Command) {
        let outcome = match command {
            Command::Send(send) => {
                let Self { messages, rngs, probe, fx, last_now, .. } = self;
                let mut cx = Cx { now: *last_now, rng: &mut rngs.messages, probe };
                messages.send(&mut cx, token, send, &mut fx.messages)
            }
            Command::SendMany { to, payload, deadline } => self.send_many(token, to, payload, deadline),
            Command::Broadcast { payload, deadline } => {
                let to = self.router.reachable().collect();
                self.send_many(token, to, payload, deadline)
            }
            Command::Trace { to, every_hop, deadline } => {
                let Self { traces, rngs, probe, fx, last_now, .. } = self;
                let mut cx = Cx { now: *last_now, rng: &mut rngs.traces, probe };
                let question = trace::Question { token, to, every_hop, deadline, hops_max: self.max_hops };
                traces.start(&mut cx, self.addr, question, &mut fx.traces)
            }
            Command::FindNode { name, deadline } => {
                self.tell_router(route::Event::Lookup { token, name, deadline });
                Ok(())
            }
            Command::Connect(peer) => self.connect(token, peer),
            Command::Disconnect { peer } => {
                self.pins.keep(self.last_now, &peer, false);
                self.tell_links(link::Event::Disconnect { peer });
                self.answer(token, Answer::Accepted);
                Ok(())
            }
            Command::SetClient { client, present } => self.set_client(token, client, present),
            Command::Topic(command) => self.topic_command(token, command),
            Command::Call(command) => self.call_command(token, command),
            Command::AwaitKnown { deadline } => self.await_known(token, deadline),
            Command::Drain { deadline } => {
                self.begin_drain(token, deadline);
                Ok(())
            }
        };
        if let Err(why) = outcome {
            self.answer(token, Answer::Rejected(why));
        }
    }

    fn send_many(
        &mut self,
        token: Token,
        to: Vec<NodeAddr>,
        payload: bytes::Bytes,
        deadline: core::time::Duration,
    ) -> Result<(), crate::error::Rejected> {
        let Self { messages, rngs, probe, fx, last_now, .. } = self;
        let mut cx = Cx { now: *last_now, rng: &mut rngs.messages, probe };
        messages.send_many(&mut cx, token, to, payload, deadline, &mut fx.messages)
    }

    fn connect(&mut self, token: Token, peer: Peer) -> Result<(), crate::error::Rejected> {
        if self.drain != drain::Drain::Running {
            return Err(crate::error::Rejected::ShuttingDown);
        }
        let Self { links, rngs, probe, pins, last_now, .. } = self;
        let name = peer.name.clone();
        links.connect(&mut Cx { now: *last_now, rng: &mut rngs.links, probe }, peer)?;
        if let Some(name) = name {
            pins.keep(*last_now, &name, true);
        }
        self.answer(token, Answer::Accepted);
        Ok(())
    }

    fn set_client(&mut self, token: Token, client: Arc<str>, present: bool) -> Result<(), crate::error::Rejected> {
        let limit = crate::limits::CLIENT_NAME_MAX;
        if client.is_empty() || client.len() > limit {
            return Err(crate::error::Rejected::TooLarge { len: client.len() as u64, limit: limit as u64 });
        }
        self.messages.set_client(Arc::clone(&client), present)?;
        if !present {
            self.tell_topics(pubsub::Event::ClientGone { client: &client });
            self.tell_calls(rpc::Event::ClientGone { client });
        }
        self.answer(token, Answer::Accepted);
        Ok(())
    }

    fn persisted(&mut self, upto: Ticket, durable: bool) {
        if upto <= self.tickets.durable || upto > self.tickets.last {
            self.misuse(Misuse::NoSuchTicket);
        } else if durable {
            self.tickets.durable = upto;
        } else if !self.tickets.failed {
            self.tickets.failed = true;
            self.tell(Event::StoreFailed);
        }
    }

    /// The earliest deadline of any machine.
    fn next_deadline(&self) -> Option<(Time, &'static str)> {
        let services = earlier(self.messages.poll_timeout(), self.traces.poll_timeout());
        let services = earlier(services, earlier(self.ports.poll_timeout(), self.directory.poll_timeout()));
        let more = earlier(self.topics.poll_timeout(), self.calls.poll_timeout());
        let services = earlier(services, earlier(more, self.waiting.poll_timeout()));
        let network = earlier(self.links.poll_timeout(), self.router.poll_timeout());
        earlier(earlier(network, services), self.drain.poll_timeout())
    }

    fn answer(&mut self, token: Token, answer: Answer) {
        self.tell(Event::Done { token, answer: Box::new(answer) });
    }

    fn tell(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}
