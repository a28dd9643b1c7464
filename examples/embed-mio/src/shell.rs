//! The loop: turn, flush, wait.
//!
//! The thread never waits for the application, which may itself wait until the node takes its commands. Events that the
//! application has not taken queue up here; while [`WAITING_EVENTS`] of them do, no socket is read and no connection is
//! accepted, which holds back the peers. What is still told then is bounded by the commands the application gives and by
//! the node's inbox. Of each socket at most [`READS`] pieces are read per turn, so that a fast one does not keep the
//! others waiting; mio tells of readiness only once, so what was not read is remembered.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};
use mio::{Events, Interest, Poll, Token, event::Event as Readiness, net::TcpListener, net::TcpStream};
use proto_core::{
    engine::{Engine, Sink, Turn},
    id::{ChannelId, DialId},
    limits::INPUTS_PER_TURN,
    node::{ChannelEvent, Endpoint, Event, Input, Output},
    time::Time,
};

use crate::{
    mio_token,
    socket::{Readable, Socket},
};

pub(crate) const WAKE: Token = Token(0);
pub(crate) const LISTEN: Token = Token(1);
/// Channels use the tokens from here on, by number: a channel number is never used twice.
pub(crate) const FIRST_CHANNEL: usize = 2;
/// Readiness events taken in one wait.
const EVENTS: usize = 256;
/// Most events that wait for the application before sockets are left alone.
const WAITING_EVENTS: usize = 1_024;
/// Most pieces read from a socket, and most connections accepted, per turn.
const READS: usize = 8;
/// How often it is tried again to tell events that the application had no room for.
const RETRY: Duration = Duration::from_millis(5);

/// Everything around the engine.
pub(crate) struct Shell {
    poll: Poll,
    listener: TcpListener,
    inputs: Receiver<Input>,
    events: Sender<Event>,
    /// Events that the application had no room for.
    waiting: VecDeque<Event>,
    sockets: BTreeMap<usize, Socket>,
    /// Sockets that may have more to read.
    readable: BTreeSet<usize>,
    /// Connections may wait to be accepted.
    acceptable: bool,
    /// Inputs that sockets caused, for the next turn.
    pending: Vec<Input>,
    next_channel: usize,
    started: Instant,
    /// The application is gone.
    ended: bool,
}

impl Sink for Shell {
    fn output(&mut self, output: Output) {
        match output {
            Output::Dial { dial, endpoint } => self.dial(dial, &endpoint),
            Output::Write { channel, bytes } => {
                if let Some(socket) = self.socket(channel) {
                    socket.push(bytes);
                }
            }
            Output::Close { channel } => {
                if let Some(socket) = self.socket(channel) {
                    socket.closing = true;
                }
            }
            // Nothing is kept across restarts here: durable means that it is in memory.
            Output::Persist { ticket, record: _ } => {
                self.pending.push(Input::Persisted { upto: ticket, durable: true })
            }
            Output::Event(event) => self.waiting.push_back(event),
        }
    }
}

impl Shell {
    pub(crate) fn new(poll: Poll, listener: TcpListener, inputs: Receiver<Input>, events: Sender<Event>) -> Self {
        Self {
            poll,
            listener,
            inputs,
            events,
            waiting: VecDeque::new(),
            sockets: BTreeMap::new(),
            readable: BTreeSet::new(),
            acceptable: false,
            pending: Vec::new(),
            next_channel: 0,
            started: clock(),
            ended: false,
        }
    }

    /// Runs until the application is gone.
    pub(crate) fn run(mut self, mut engine: Engine) -> io::Result<()> {
        let mut readiness = Events::with_capacity(EVENTS);
        while !self.ended {
            let turn = engine.turn(self.now(), &mut self);
            self.flush();
            self.tell();
            self.wait(&mut readiness, self.timeout(turn))?;
            self.collect(&readiness);
            engine.inbox().append(&mut self.pending);
        }
        Ok(())
    }

    fn now(&self) -> Time {
        Time::ZERO + clock().duration_since(self.started)
    }

    fn timeout(&self, turn: Turn) -> Option<Duration> {
        let unread = (self.acceptable || !self.readable.is_empty()) && !self.is_full();
        let until = match turn {
            Turn::Again => return Some(Duration::ZERO),
            Turn::Park(_) if unread || !self.pending.is_empty() || !self.inputs.is_empty() => {
                return Some(Duration::ZERO);
            }
            Turn::Park(until) => until.map(|until| until.since(self.now())),
        };
        // The application's channel does not tell when it has room again.
        let retry = (!self.waiting.is_empty()).then_some(RETRY);
        [until, retry].into_iter().flatten().min()
    }

    /// Hands events to the application, as far as it has room.
    fn tell(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => return self.waiting.push_front(event),
                Err(TrySendError::Disconnected(_)) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    /// Whether nothing more is taken from the network until the application has taken events.
    fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_EVENTS
    }

    fn wait(&mut self, readiness: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(readiness, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            done => done,
        }
    }

    /// Takes from every source that is ready.
    fn collect(&mut self, readiness: &Events) {
        for event in readiness {
            match event.token() {
                WAKE => {}
                LISTEN => self.acceptable = true,
                Token(number) => self.on_ready(number - FIRST_CHANNEL, event),
            }
        }
        if !self.is_full() {
            self.accept();
            for slot in std::mem::take(&mut self.readable) {
                self.read(slot);
            }
        }
        for _ in 0..INPUTS_PER_TURN {
            match self.inputs.try_recv() {
                Ok(input) => self.pending.push(input),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn accept(&mut self) {
        for _ in 0..READS {
            if !self.acceptable {
                return;
            }
            match self.listener.accept() {
                Ok((stream, remote)) => {
                    let slot = self.adopt(stream, None);
                    self.opened(slot, None, remote);
                }
                Err(_) => self.acceptable = false,
            }
        }
    }

    fn dial(&mut self, dial: DialId, endpoint: &Endpoint) {
        let address = endpoint.0.strip_prefix("tcp://").and_then(|address| address.parse::<SocketAddr>().ok());
        match address.map(TcpStream::connect) {
            Some(Ok(stream)) => {
                self.adopt(stream, Some(dial));
            }
            Some(Err(_)) | None => self.pending.push(Input::DialFailed { dial }),
        }
    }

    /// Takes a connection into the table. The peer notices if it cannot be registered: it is closed again.
    fn adopt(&mut self, mut stream: TcpStream, dialling: Option<DialId>) -> usize {
        let slot = self.next_channel;
        self.next_channel += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| self.poll.registry().register(&mut stream, mio_token(slot), interest));
        let mut socket = Socket::new(ChannelId(slot as u64), dialling, stream);
        socket.closing = ready.is_err() && dialling.is_none();
        self.sockets.insert(slot, socket);
        slot
    }

    fn opened(&mut self, slot: usize, dial: Option<DialId>, remote: SocketAddr) {
        let event = ChannelEvent::Opened { dial, remote: Arc::from(remote.to_string()), exporter: None };
        self.pending.push(Input::Channel { channel: ChannelId(slot as u64), event });
    }

    fn on_ready(&mut self, slot: usize, event: &Readiness) {
        let Some(socket) = self.sockets.get_mut(&slot) else { return };
        if let Some(dial) = socket.dialling {
            match (socket.stream.take_error(), socket.stream.peer_addr()) {
                (Ok(None), Ok(remote)) => {
                    socket.dialling = None;
                    self.opened(slot, Some(dial), remote);
                }
                (Ok(None), Err(error)) if error.kind() == io::ErrorKind::NotConnected => return,
                (Ok(_), _) | (Err(_), _) => {
                    self.sockets.remove(&slot);
                    self.pending.push(Input::DialFailed { dial });
                    return;
                }
            }
        }
        if event.is_readable() {
            self.readable.insert(slot);
        }
    }

    /// Reads a bounded number of times. If something may be left, the next turn goes on.
    fn read(&mut self, slot: usize) {
        let Some(socket) = self.sockets.get_mut(&slot) else { return };
        let channel = socket.channel;
        for _ in 0..READS {
            match socket.read() {
                Readable::Bytes(bytes) => {
                    self.pending.push(Input::Channel { channel, event: ChannelEvent::Received { bytes } });
                }
                Readable::Nothing => return,
                Readable::Ended => {
                    self.end(slot);
                    return;
                }
            }
        }
        self.readable.insert(slot);
    }

    /// Writes what the kernel takes, and closes what is done.
    fn flush(&mut self) {
        let slots: Vec<usize> = self.sockets.keys().copied().collect();
        for slot in slots {
            let Some(socket) = self.sockets.get_mut(&slot).filter(|socket| socket.dialling.is_none()) else { continue };
            let channel = socket.channel;
            match socket.flush() {
                Ok(0) => {}
                Ok(bytes) => self.pending.push(Input::Channel { channel, event: ChannelEvent::Written { bytes } }),
                Err(_) => {
                    self.end(slot);
                    continue;
                }
            }
            if self.sockets.get(&slot).is_some_and(|socket| socket.closing && socket.is_flushed()) {
                self.end(slot);
            }
        }
    }

    fn end(&mut self, slot: usize) {
        self.readable.remove(&slot);
        if let Some(mut socket) = self.sockets.remove(&slot) {
            // Closing the socket deregisters it; an error here would only say that it already is.
            drop(self.poll.registry().deregister(&mut socket.stream));
            self.pending.push(Input::Channel { channel: socket.channel, event: ChannelEvent::Closed });
        }
    }

    fn socket(&mut self, channel: ChannelId) -> Option<&mut Socket> {
        self.sockets.get_mut(&usize::try_from(channel.0).ok()?)
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the substrate's clock, the one place that reads it")]
fn clock() -> Instant {
    Instant::now()
}
