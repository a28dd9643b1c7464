//! The signals that a node listens to.

use std::io;

use tokio::signal::unix::{self, SignalKind};

use crate::errors::{Code, Exit, Problem};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Stop: Ctrl-C.
    Interrupt,
    /// Stop: the service manager.
    Terminate,
    /// Read the configuration again.
    Hangup,
    /// One of the two free ones. They would kill the process if nobody listened.
    User,
}

/// The signals of this process.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
    user1: unix::Signal,
    user2: unix::Signal,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn new() -> Result<Self, Problem> {
        let all = || -> io::Result<Self> {
            Ok(Self {
                interrupt: unix::signal(SignalKind::interrupt())?,
                terminate: unix::signal(SignalKind::terminate())?,
                hangup: unix::signal(SignalKind::hangup())?,
                user1: unix::signal(SignalKind::user_defined1())?,
                user2: unix::signal(SignalKind::user_defined2())?,
            })
        };
        all().map_err(|why| Problem::new(Code::E0310, Exit::Failed, format!("cannot listen to signals: {why}")))
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hangup.recv() => Signal::Hangup,
            _ = self.user1.recv() => Signal::User,
            _ = self.user2.recv() => Signal::User,
        }
    }
}
