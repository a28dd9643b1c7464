//! Makes records durable without making the engine wait: one write and one fsync at a time on a blocking thread, which
//! takes everything that gathered in the meantime.
//!
//! A failed write is final: what the file holds is unknown from there on, so nothing more is written, and the node is
//! told so for every ticket. Without a file everything is durable at once, until the process ends.

use std::{
    future::Future as _,
    io, mem,
    pin::Pin,
    task::{Context, Poll},
};

use proto_core::{
    id::Ticket,
    node::{Input, Record},
};
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::error;

use super::{known_nodes::KnownNodes, memory::MemoryDisk};

/// The store of one node.
#[derive(Debug)]
pub(crate) struct Store {
    state: State,
    waiting: Vec<Record>,
    /// The last ticket among `waiting`.
    last: Option<Ticket>,
}

#[derive(Debug)]
enum State {
    /// Nothing outlives the process.
    Memory(MemoryDisk),
    /// Nothing under way.
    Idle(KnownNodes),
    /// A write up to this ticket is under way.
    Writing(Ticket, JoinHandle<(KnownNodes, io::Result<()>)>),
    /// A write failed.
    Failed,
}

impl Store {
    /// A store in a file, or in memory.
    pub(crate) fn new(file: Option<KnownNodes>, memory: MemoryDisk) -> Self {
        Self { state: file.map_or(State::Memory(memory), State::Idle), waiting: Vec::new(), last: None }
    }

    /// Takes a record to be made durable.
    pub(crate) fn persist(&mut self, ticket: Ticket, record: Record) {
        self.last = Some(ticket);
        match &self.state {
            State::Memory(disk) => {
                if !disk.append(record) {
                    error!("the store failed: nothing is durable from here on");
                    self.state = State::Failed;
                }
            }
            State::Failed => {}
            State::Idle(_) | State::Writing(..) => self.waiting.push(record),
        }
    }

    /// Whether everything is written, or never will be.
    pub(crate) const fn is_idle(&self) -> bool {
        self.last.is_none() && !matches!(self.state, State::Writing(..))
    }

    /// Starts and finishes writes. Answers with what the node must be told.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Input> {
        loop {
            match mem::replace(&mut self.state, State::Failed) {
                State::Memory(disk) => {
                    self.state = State::Memory(disk);
                    return self.last.take().map(|upto| Input::Persisted { upto, durable: true });
                }
                State::Failed => return self.last.take().map(|upto| Input::Persisted { upto, durable: false }),
                State::Idle(mut file) => {
                    let Some(upto) = self.last.take() else {
                        self.state = State::Idle(file);
                        return None;
                    };
                    let records = mem::take(&mut self.waiting);
                    let write = spawn_blocking(move || {
                        let result = file.append(&records);
                        (file, result)
                    });
                    self.state = State::Writing(upto, write);
                }
                State::Writing(upto, mut write) => match Pin::new(&mut write).poll(cx) {
                    Poll::Pending => {
                        self.state = State::Writing(upto, write);
                        return None;
                    }
                    Poll::Ready(Ok((file, Ok(())))) => {
                        self.state = State::Idle(file);
                        return Some(Input::Persisted { upto, durable: true });
                    }
                    Poll::Ready(Ok((_, Err(error)))) => return Some(self.fail(upto, &error)),
                    Poll::Ready(Err(error)) => return Some(self.fail(upto, &io::Error::other(error))),
                },
            }
        }
    }

    fn fail(&mut self, upto: Ticket, error: &io::Error) -> Input {
        error!(%error, "the store failed: nothing is durable from here on");
        self.waiting.clear();
        Input::Persisted { upto, durable: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto_core::{id::NodeName, secure::PublicKey};
    use std::future::poll_fn;

    fn record(name: &str) -> Record {
        Record::Pin { name: NodeName::new(name).unwrap(), key: PublicKey([7; 32]) }
    }

    async fn told(store: &mut Store) -> Input {
        poll_fn(|cx| store.poll(cx).map_or(Poll::Pending, Poll::Ready)).await
    }

    #[tokio::test]
    async fn tickets_are_acknowledged_in_order_and_together() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_nodes");
        let mut store = Store::new(Some(KnownNodes::open(&path).unwrap().0), MemoryDisk::new());
        store.persist(Ticket(1), record("a"));
        store.persist(Ticket(2), record("b"));
        assert_eq!(told(&mut store).await, Input::Persisted { upto: Ticket(2), durable: true });
        store.persist(Ticket(3), record("c"));
        assert!(!store.is_idle());
        assert_eq!(told(&mut store).await, Input::Persisted { upto: Ticket(3), durable: true });
        assert!(store.is_idle());
        assert_eq!(KnownNodes::open(&path).unwrap().1.len(), 3);
    }

    #[tokio::test]
    async fn a_failed_write_is_final() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_nodes");
        std::fs::write(&path, "").unwrap();
        let read_only = KnownNodes::read_only(&path);
        let mut store = Store::new(Some(read_only), MemoryDisk::new());
        store.persist(Ticket(1), record("a"));
        assert_eq!(told(&mut store).await, Input::Persisted { upto: Ticket(1), durable: false });
        store.persist(Ticket(2), record("b"));
        assert_eq!(told(&mut store).await, Input::Persisted { upto: Ticket(2), durable: false });
        assert!(store.is_idle());
    }

    #[tokio::test]
    async fn without_a_file_everything_is_acknowledged_at_once() {
        let mut store = Store::new(None, MemoryDisk::new());
        store.persist(Ticket(1), record("a"));
        assert_eq!(told(&mut store).await, Input::Persisted { upto: Ticket(1), durable: true });
    }

    #[tokio::test]
    async fn a_broken_memory_is_a_failed_store() {
        let disk = MemoryDisk::new();
        let mut store = Store::new(None, disk.clone());
        disk.fail();
        for ticket in [1, 2] {
            store.persist(Ticket(ticket), record("a"));
            assert_eq!(told(&mut store).await, Input::Persisted { upto: Ticket(ticket), durable: false });
        }
    }
}
