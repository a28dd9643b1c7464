//! The software of a host: a real node, and an application that does what the scenario says.
//!
//! Life of the software: it is off, or lives one life with a node, begun and ended by restarting the host. The
//! application writes down what the node tells it, takes its messages as slowly as it is told to, and asks for what the
//! harness orders. Everything runs on the host's own runtime, on one thread.

use std::{
    future::{pending, poll_fn},
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream as _;
use io_sim::{HostId, HostSpec};
use io_tokio::{Events, Incoming, MemoryDisk, Mesh, MeshOptions, Notice, net::Net};
use proto_core::{
    id::{NodeAddr, NodeName, Token},
    node::{Command, Event, Output},
    rng::Rng,
    secure::Psk,
};
use tokio::{sync::mpsc, task::spawn_local, time::sleep};

use super::{
    hub::Hub,
    log::{Happened, Log},
    net::HostClock,
    request,
};
use crate::{
    run::snap::{self, Follow},
    snapshot::NodeSnap,
};

/// Something that the harness orders an application to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Ask the node for something.
    Ask {
        /// Names the request.
        token: Token,
        /// What.
        command: Command,
    },
    /// Write down what the node believes, and where it would send frames.
    Look {
        /// Which frames.
        follow: Follow,
    },
    /// Shut the node down.
    Stop {
        /// How long it may drain.
        drain: Duration,
    },
}

/// What a host keeps over its lives, and what the harness reaches.
#[derive(Debug)]
pub(super) struct Booth {
    pub(super) host: HostId,
    pub(super) spec: HostSpec,
    pub(super) disk: MemoryDisk,
    pub(super) hub: Arc<Hub>,
    pub(super) log: Arc<Log>,
    /// Every node of the scenario.
    everyone: Arc<[NodeName]>,
    seed: [u8; 32],
    state: Mutex<BoothState>,
}

#[derive(Debug)]
struct BoothState {
    consume_after: Duration,
    orders: Option<mpsc::UnboundedSender<Order>>,
    next_life: Option<mpsc::UnboundedReceiver<Order>>,
    inbox: Option<Inbox>,
}

/// The messages of a node on their way to the application.
#[derive(Debug)]
struct Inbox {
    incoming: Incoming,
    /// How many of those that wait are written down already.
    seen: usize,
}

impl Booth {
    /// A host that is off.
    pub(super) fn new(
        host: HostId,
        spec: HostSpec,
        everyone: Arc<[NodeName]>,
        hub: Arc<Hub>,
        log: Arc<Log>,
        mut draws: Rng,
    ) -> Self {
        let mut seed = [0; 32];
        seed.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&draws.next_u64().to_le_bytes()));
        let consume_after = spec.template.consume_after;
        let state = BoothState { consume_after, orders: None, next_life: None, inbox: None };
        Self { host, spec, disk: MemoryDisk::new(), hub, log, everyone, seed, state: Mutex::new(state) }
    }

    /// The next start of the software begins a life.
    pub(super) fn begin(&self) {
        let (orders, next_life) = mpsc::unbounded_channel();
        let mut state = self.lock();
        (state.orders, state.next_life, state.inbox) = (Some(orders), Some(next_life), None);
    }

    /// The next start of the software begins none. Writes down what the node has handed out and nobody has taken.
    pub(super) fn end(&self) {
        self.glance();
        let mut state = self.lock();
        (state.orders, state.next_life) = (None, None);
        let inbox = state.inbox.take();
        drop(state);
        drop(inbox);
    }

    /// Orders something. Whether there is anybody to do it.
    pub(super) fn order(&self, order: Order) -> bool {
        self.lock().orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }

    /// Writes down the messages that have come.
    pub(super) fn glance(&self) {
        if let Some(inbox) = &mut self.lock().inbox {
            inbox.glance(|output| self.log.output(&self.hub, self.host, output));
        }
    }

    /// How long the application leaves messages lying from now on.
    pub(super) fn set_consume_after(&self, after: Duration) {
        self.lock().consume_after = after;
    }

    /// The name of an address.
    pub(super) fn name_of(&self, addr: NodeAddr) -> Option<&NodeName> {
        self.everyone.iter().find(|name| name.addr() == addr)
    }

    fn options(&self) -> MeshOptions {
        let config = &self.spec.template;
        let listen = format!("tcp://0.0.0.0:{}", io_sim::PORT);
        let mut options = MeshOptions::new(Psk::from_token(config.token.as_bytes()));
        options = options.name(self.spec.name.clone()).listen(&listen);
        options.network = Arc::from(config.network.as_str());
        options.peers = config.peers();
        (options.link, options.route, options.message) = (config.link(), config.route(), config.message());
        options.memory = Some(self.disk.clone());
        options.seed = Some(self.seed);
        options
    }

    fn output(&self, output: Output) {
        self.log.output(&self.hub, self.host, output);
    }

    fn broken(&self, what: String) {
        self.log.add(&self.hub, self.host, Happened::Broken(what));
    }

    fn lock(&self) -> MutexGuard<'_, BoothState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The software: one life, or none.
pub(super) async fn software(booth: Rc<Booth>, net: impl Net) -> ::turmoil::Result {
    let next_life = booth.lock().next_life.take();
    let Some(mut orders) = next_life else { return pending().await };
    let clock = HostClock::new(Arc::clone(&booth.hub), booth.host);
    let mesh = Mesh::start_on(booth.options(), net, clock).await?;
    booth.lock().inbox = Some(Inbox { incoming: mesh.incoming()?, seen: 0 });
    spawn_local(watch(Rc::clone(&booth), mesh.events()));
    spawn_local(consume(Rc::clone(&booth)));
    while let Some(order) = orders.recv().await {
        let (booth, mesh) = (Rc::clone(&booth), mesh.clone());
        match order {
            Order::Ask { token, command } => {
                spawn_local(async move {
                    if let Some(answer) = request::ask(&booth, &mesh, command).await {
                        booth.output(Output::Event(Event::Done { token, answer: Box::new(answer) }));
                    }
                });
            }
            Order::Look { follow } => {
                spawn_local(look(booth, mesh, follow));
            }
            Order::Stop { drain } => {
                spawn_local(stop(booth, mesh, drain));
            }
        }
    }
    pending().await
}

/// Writes down every event.
async fn watch(booth: Rc<Booth>, mut events: Events) {
    while let Some(notice) = events.recv().await {
        match notice {
            Notice::Event(event) => booth.output(Output::Event(event)),
            Notice::Missed(count) => booth.broken(format!("{count} events were missed")),
        }
    }
}

/// Takes messages: the first of a batch when it comes, the others when the application gets round to it.
async fn consume(booth: Rc<Booth>) {
    while poll_fn(|cx| booth.poll_take(cx)).await {
        let after = booth.lock().consume_after;
        sleep(after).await;
        poll_fn(|cx| {
            while booth.poll_take(cx) == Poll::Ready(true) {}
            Poll::Ready(())
        })
        .await;
    }
}

impl Booth {
    /// Takes the next message. `false`: there will be none.
    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<bool> {
        self.glance();
        let mut state = self.lock();
        let Some(inbox) = &mut state.inbox else { return Poll::Ready(false) };
        let taken = ready!(Pin::new(&mut inbox.incoming).poll_next(cx));
        inbox.seen = inbox.seen.saturating_sub(1);
        Poll::Ready(taken.is_some())
    }
}

impl Inbox {
    fn glance(&mut self, mut note: impl FnMut(Output)) {
        let waiting = self.incoming.peek();
        let all = waiting.len();
        waiting.skip(self.seen).for_each(|message| note(Output::Event(Event::Message(message.clone()))));
        self.seen = all;
    }
}

/// Writes down what the node believes.
async fn look(booth: Rc<Booth>, mesh: Mesh, follow: Follow) {
    let everyone: Vec<NodeAddr> = booth.everyone.iter().map(NodeName::addr).collect();
    let mut snap = NodeSnap::lonely(booth.spec.name.clone());
    let seen = mesh.inspect(move |node, now| {
        snap::believe(&mut snap, node, now, follow, &everyone);
        snap
    });
    // A node that is over believes nothing; why it is over is another question.
    if let Ok(snap) = seen.await {
        booth.log.add(&booth.hub, booth.host, Happened::Believes(Box::new(snap)));
    }
}

/// Shuts the node down, and hands out what it still has.
async fn stop(booth: Rc<Booth>, mesh: Mesh, drain: Duration) {
    if mesh.shutdown(drain).await.is_err() {
        booth.broken(String::from("the node ended before it was shut down"));
    }
    booth.glance();
    booth.log.add(&booth.hub, booth.host, Happened::Stopped);
}
