//! A complete Firelink node on mio and crossbeam-channel: one thread, no async runtime.
//!
//! What an embedder writes is in this crate: sockets (`socket`), and the loop around [`proto_core::engine::Engine`]
//! (`shell`): turn, flush, wait. Everything else, from the handshake to routing and messages, is the same code that runs
//! in production on tokio and in the simulator.

mod shell;
mod socket;

use std::{io, net::SocketAddr, sync::Arc, thread};

use crossbeam_channel::{Receiver, SendError, Sender};
use mio::{Poll, Token as MioToken, Waker, net::TcpListener};
use proto_core::{
    engine::Engine,
    id::Token,
    node::{Command, Config, Event, Input, Mailbox, Node},
};

/// Most events and inputs that wait between the application and the node's thread.
const QUEUE: usize = 1_024;

/// A running node. Dropping it ends the node's thread.
#[derive(Debug)]
pub struct Handle {
    inputs: Option<Sender<Input>>,
    events: Receiver<Event>,
    waker: Arc<Waker>,
    local_addr: SocketAddr,
    thread: Option<thread::JoinHandle<io::Result<()>>>,
}

/// Starts a node in a thread of its own. It listens on `listen` and dials the peers of `config`, whose endpoints are
/// `tcp://address:port`.
///
/// # Errors
/// If the address cannot be bound, or the operating system gives no poller or thread.
pub fn start(config: Config, listen: SocketAddr) -> io::Result<Handle> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), shell::WAKE)?);
    let mut listener = TcpListener::bind(listen)?;
    let local_addr = listener.local_addr()?;
    poll.registry().register(&mut listener, shell::LISTEN, mio::Interest::READABLE)?;
    let (inputs, inputs_in) = crossbeam_channel::bounded(QUEUE);
    let (events_out, events) = crossbeam_channel::bounded(QUEUE);
    let engine = Engine::new(Node::new(config));
    let thread = thread::Builder::new()
        .name("firelink".to_owned())
        .spawn(move || shell::Shell::new(poll, listener, inputs_in, events_out).run(engine))?;
    Ok(Handle { inputs: Some(inputs), events, waker, local_addr, thread: Some(thread) })
}

impl Handle {
    /// Where the node listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Asks the node for something; the answer is an [`Event::Done`] with this token.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn command(&self, token: Token, command: Command) -> Result<(), Ended> {
        self.input(Input::Command { token, command })
    }

    /// Tells the node that the application has taken messages out of a mailbox, so that as many more may come.
    ///
    /// # Errors
    /// If the node has ended.
    pub fn consumed(&self, mailbox: Mailbox, messages: u32) -> Result<(), Ended> {
        self.input(Input::Consumed { mailbox, messages })
    }

    /// What the node tells. Take from it: while much of it waits, the node takes nothing more from its peers.
    #[must_use]
    pub const fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    fn input(&self, input: Input) -> Result<(), Ended> {
        let inputs = self.inputs.as_ref().ok_or(Ended)?;
        inputs.send(input).map_err(|SendError(_)| Ended)?;
        self.waker.wake().map_err(|_| Ended)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A closed channel is how the thread learns that nobody is left.
        self.inputs = None;
        self.events = crossbeam_channel::never();
        let woken = self.waker.wake();
        if let (Ok(()), Some(thread)) = (woken, self.thread.take()) {
            drop(thread.join());
        }
    }
}

/// The node's thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the node has ended")
    }
}

impl std::error::Error for Ended {}

/// mio's token of a channel: the first two belong to the waker and the listener.
const fn mio_token(slot: usize) -> MioToken {
    MioToken(slot + shell::FIRST_CHANNEL)
}
