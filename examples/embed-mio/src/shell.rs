//! The loop: turn, flush, wait.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
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

/// Everything around the engine.
pub(crate) struct Shell {
    poll: Poll,
    listener: TcpListener,
    inputs: Receiver<Input>,
    events: Sender<Event>,
    sockets: BTreeMap<usize, Socket>,
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
            Output::Event(event) => self.ended |= self.events.send(event).is_err(),
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
            sockets: BTreeMap::new(),
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
        match turn {
            Turn::Again => Some(Duration::ZERO),
            Turn::Park(_) if !self.pending.is_empty() || !self.inputs.is_empty() => Some(Duration::ZERO),
            Turn::Park(until) => until.map(|until| until.since(self.now())),
        }
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
                LISTEN => self.accept(),
                Token(number) => self.on_ready(number - FIRST_CHANNEL, event),
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
        while let Ok((stream, remote)) = self.listener.accept() {
            let slot = self.adopt(stream, None);
            self.opened(slot, None, remote);
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
            self.read(slot);
        }
    }

    /// Reads until nothing is left: mio tells of readiness only once.
    fn read(&mut self, slot: usize) {
        let Some(socket) = self.sockets.get_mut(&slot) else { return };
        let channel = socket.channel;
        loop {
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
