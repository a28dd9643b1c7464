//! One node of a measurement, in a process of its own.

use std::{io, time::Duration};

use bytes::Bytes;
use clap::ValueEnum;
use io_tokio::{Incoming, Mesh, MeshOptions, Message, NodeName, Outcome, Psk, Sender};

use crate::bench::{Inbox, Note, Order, Orders, Outbox, Spec, cpu_own, note, publish, receive};

/// Messages taken out of the inbox at once.
const BATCH: usize = 256;
/// Time between two looks whether a node can be reached.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// A node that cannot be reached for so long never will be.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a node is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Publishes.
    Pub,
    /// Forwards.
    Relay,
    /// Subscribes.
    Sub,
}

impl Role {
    /// As the command line has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pub => "pub",
            Self::Relay => "relay",
            Self::Sub => "sub",
        }
    }
}

/// Plays a role: takes orders from standard input until it ends. What goes wrong is said to the measuring process.
///
/// # Errors
/// If there is nobody to say it to.
pub async fn play(role: Role) -> io::Result<()> {
    let mut orders = Orders::read();
    let Some(spec) = orders.next::<Spec>().await else { return Ok(()) };
    match serve(role, &spec, &mut orders).await {
        Ok(()) => Ok(()),
        Err(why) => note(&Note::Failed(why.to_string())),
    }
}

/// Starts the node that `spec` describes, and tells that it is up.
pub(in crate::bench) async fn start(spec: &Spec) -> io::Result<Mesh> {
    let name = NodeName::new(&spec.name).map_err(io::Error::other)?;
    let mut options = MeshOptions::new(Psk::from_token(spec.token.as_bytes())).name(name).listen("tcp://127.0.0.1:0");
    if let Some(addr) = &spec.connect {
        options = options.connect(&format!("tcp://{addr}"));
    }
    let mesh = Mesh::start(options).await.map_err(io::Error::other)?;
    note(&Note::Up(mesh.local_addrs().first().copied()))?;
    Ok(mesh)
}

async fn serve(role: Role, spec: &Spec, orders: &mut Orders) -> io::Result<()> {
    let mesh = start(spec).await?;
    while let Some(order) = orders.next().await {
        match (role, order) {
            (_, Order::Cpu) => note(&Note::Cpu(cpu_own()))?,
            (_, Order::Reach(name)) => {
                reach(&mesh, &name).await?;
                note(&Note::Reached)?;
            }
            (Role::Sub, Order::Receive { subscriptions: _, count, sample }) => {
                let mut inbox = Taking { incoming: mesh.incoming().map_err(io::Error::other)?, batch: Vec::new() };
                note(&Note::Ready)?;
                note(&Note::Arrived(receive(&mut inbox, count, sample).await?))?;
            }
            (Role::Pub, Order::Publish { to, count, size, rate, sample }) => {
                let mut outbox = Posting(mesh.sender(&to).map_err(io::Error::other)?);
                note(&Note::Sent(publish(&mut outbox, count, size, rate, sample).await?))?;
            }
            (_, Order::Serve | Order::Call { .. })
            | (Role::Pub | Role::Relay, Order::Receive { .. })
            | (Role::Sub | Role::Relay, Order::Publish { .. }) => {
                return Err(io::Error::other(format!("not the part of a {}", role.as_str())));
            }
        }
    }
    Ok(())
}

/// Waits until another node can be reached.
pub(in crate::bench) async fn reach(mesh: &Mesh, name: &str) -> io::Result<()> {
    let looking = async {
        loop {
            if mesh.ping(name).await.map_err(io::Error::other)?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await?
}

/// Publishes to one node.
pub(in crate::bench) struct Posting(pub(in crate::bench) Sender);

impl Outbox for Posting {
    async fn post(&mut self, payload: Bytes) -> io::Result<()> {
        self.0.post(payload).await.map_err(io::Error::other)
    }

    /// Messages arrive in order: the last one's answer stands for all.
    async fn last(&mut self, payload: Bytes) -> io::Result<bool> {
        self.0.send(payload).await.map(|outcome| outcome == Outcome::Delivered).map_err(io::Error::other)
    }
}

/// Takes what arrives at a node.
struct Taking {
    incoming: Incoming,
    batch: Vec<Message>,
}

impl Inbox for Taking {
    async fn take(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        let some = self.incoming.recv_many(&mut self.batch, BATCH).await > 0;
        self.batch.drain(..).for_each(|message| each(&message.payload));
        some
    }
}
