//! What the measuring process and its workers say to each other: a line of JSON each.

use std::{
    io::{self, BufRead as _, Write as _},
    net::SocketAddr,
    thread,
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Arrived, Called, Sent};

/// The first line that a worker is given: who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// The secret of this measurement.
    pub token: String,
    /// Where to connect to; `None`: it is connected to.
    pub connect: Option<String>,
}

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Wait until this one can be reached: [`Note::Reached`].
    Reach(String),
    /// Wait for so many messages: [`Note::Ready`] at once, [`Note::Arrived`] at the end.
    Receive {
        /// How many subscriptions wait, each for all of them. Of messages that are sent to a node there is one.
        subscriptions: usize,
        /// How many.
        count: u64,
        /// How many messages have their time taken: one in so many.
        sample: u64,
    },
    /// Publish: [`Note::Sent`] at the end.
    Publish {
        /// To whom.
        to: String,
        /// How many.
        count: u64,
        /// Bytes of each.
        size: usize,
        /// How many per second; `None`: as fast as possible.
        rate: Option<u64>,
        /// As in [`Order::Receive`].
        sample: u64,
    },
    /// Answer calls from now on with what they carry: [`Note::Ready`] once calls may come.
    Serve,
    /// Call whoever serves: [`Note::Called`] at the end.
    Call {
        /// How many callers call, each one call after the other.
        callers: u64,
        /// How many calls, of all callers together.
        count: u64,
        /// Bytes of each.
        size: usize,
    },
    /// Tell the processor time used so far: [`Note::Cpu`].
    Cpu,
}

/// What a worker tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Note {
    /// It runs, and listens here, if it listens.
    Up(Option<SocketAddr>),
    /// The other can be reached.
    Reached,
    /// Messages may come.
    Ready,
    /// All have arrived, or nothing came any more.
    Arrived(Arrived),
    /// All are published.
    Sent(Sent),
    /// All calls are over.
    Called(Called),
    /// Nanoseconds of processor time.
    Cpu(u64),
    /// It cannot go on.
    Failed(String),
}

/// A worker's standard input. Ends when the measuring process ends.
#[derive(Debug)]
pub struct Orders {
    lines: mpsc::UnboundedReceiver<String>,
}

impl Orders {
    /// Reads from standard input from now on. The queue is bounded by the measuring process, which waits for notes.
    #[must_use]
    pub fn read() -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        thread::spawn(move || {
            let lines = io::stdin().lock().lines().map_while(Result::ok);
            for line in lines {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines }
    }

    /// The next line; `None` at the end, also if it cannot be read.
    pub async fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Option<T> {
        serde_json::from_str(&self.lines.recv().await?).ok()
    }
}

/// Tells something to the measuring process.
///
/// # Errors
/// If it is not there any more.
pub fn note(note: &Note) -> io::Result<()> {
    let mut line = serde_json::to_string(note)?;
    line.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}
