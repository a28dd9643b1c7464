//! A process of the measurement, seen from the one that measures.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::Serialize;

use super::{Note, Order, Spec};

/// A child process that takes orders. Ended when this is dropped.
#[derive(Debug)]
pub struct Worker {
    name: String,
    child: Child,
    orders: ChildStdin,
    notes: BufReader<ChildStdout>,
    /// Where it listens, with its port; empty where it does not.
    pub addr: String,
}

/// Why a measurement came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It could not be started or talked to.
    #[error("{name}: {source}")]
    Io {
        /// Which one.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// It ended, or said something else than expected.
    #[error("{name}: {said}")]
    Said {
        /// Which one.
        name: String,
        /// What it said.
        said: String,
    },
}

impl Worker {
    /// Starts a process, tells it who it is, and waits until it is up.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn start(mut command: Command, spec: &Spec) -> Result<Self, WorkerError> {
        let failed = |source| WorkerError::Io { name: spec.name.clone(), source };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (Some(orders), Some(notes)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let notes = BufReader::new(notes);
        let mut worker = Self { name: spec.name.clone(), child, orders, notes, addr: String::new() };
        worker.tell(spec)?;
        let up = worker.expect(|note| if let Note::Up(addr) = note { Ok(addr) } else { Err(note) })?;
        worker.addr = up.map(|addr| addr.to_string()).unwrap_or_default();
        Ok(worker)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power failure would.
    ///
    /// # Errors
    /// If it has ended already.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Gives an order.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn order(&mut self, order: &Order) -> Result<(), WorkerError> {
        self.tell(order)
    }

    /// Waits for the note that `pick` takes.
    ///
    /// # Errors
    /// [`WorkerError`] if another one comes, or none.
    pub fn expect<T>(&mut self, pick: impl FnOnce(Note) -> Result<T, Note>) -> Result<T, WorkerError> {
        let mut line = String::new();
        let read = self.notes.read_line(&mut line);
        let said = |said: String| WorkerError::Said { name: self.name.clone(), said };
        match read {
            Ok(0) => return Err(said("ended".to_owned())),
            Ok(_) => {}
            Err(source) => return Err(WorkerError::Io { name: self.name.clone(), source }),
        }
        let note = serde_json::from_str(&line).map_err(|_| said(line.trim().to_owned()))?;
        pick(note).map_err(|other| match other {
            Note::Failed(why) => said(why),
            other @ (Note::Up(_)
            | Note::Reached
            | Note::Ready
            | Note::Arrived(_)
            | Note::Sent(_)
            | Note::Called(_)
            | Note::Cpu(_)) => said(format!("{other:?}")),
        })
    }

    /// Waits until it can reach another.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn reach(&mut self, name: &str) -> Result<(), WorkerError> {
        self.order(&Order::Reach(name.to_owned()))?;
        self.expect(|note| if note == Note::Reached { Ok(()) } else { Err(note) })
    }

    /// Waits until it is ready for what it was ordered to take.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn ready(&mut self) -> Result<(), WorkerError> {
        self.expect(|note| if note == Note::Ready { Ok(()) } else { Err(note) })
    }

    /// Asks for its processor time, in nanoseconds.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn cpu(&mut self) -> Result<u64, WorkerError> {
        self.order(&Order::Cpu)?;
        self.expect(|note| if let Note::Cpu(nanos) = note { Ok(nanos) } else { Err(note) })
    }

    fn tell(&mut self, what: &impl Serialize) -> Result<(), WorkerError> {
        let line = serde_json::to_string(what).map_err(io::Error::from);
        let written = line.and_then(|line| writeln!(self.orders, "{line}"));
        written.map_err(|source| WorkerError::Io { name: self.name.clone(), source })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended already is what we want.
        let _ = self.kill();
    }
}
