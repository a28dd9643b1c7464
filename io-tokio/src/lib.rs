//! The production shell around [`proto_core`]: sockets, TLS, files and clocks on tokio, and the [`Mesh`] handle to embed
//! a node in a program.
//!
//! ```
//! use io_tokio::{Mesh, MeshOptions, NodeName, Outcome, Psk};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let token = Psk::from_token(b"a long random secret");
//! let alice = MeshOptions::new(token.clone()).name(NodeName::new("alice")?).listen("tcp://127.0.0.1:0");
//! let alice = Mesh::start(alice).await?;
//!
//! let door = format!("tcp://{}", alice.local_addrs()[0]);
//! let bob = Mesh::start(MeshOptions::new(token).name(NodeName::new("bob")?).connect(&door)).await?;
//!
//! let mut incoming = alice.incoming()?;
//! assert_eq!(bob.send("alice", "hello").await?, Outcome::Delivered);
//! let message = incoming.recv().await.ok_or("the node has stopped")?;
//! assert_eq!(&message.payload[..], b"hello");
//! assert_eq!(alice.name_of(message.from), Some(NodeName::new("bob")?));
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! Each node has one task, the engine, that owns the node and all its sockets; handles talk to it through bounded queues.
//! It runs on the runtime that [`Mesh::start`] was called on. On a current-thread runtime, whoever blocks that thread
//! stops the node as well.
//!
//! The same code runs in simulations: see [`net::Net`], [`clock::Clock`] and [`Mesh::start_on`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one variant among all"))]

mod admission;
mod alarm;
mod arrival;
mod calls;
mod channel;
mod channels;
pub mod clock;
mod common;
mod consumed;
mod counters;
mod data;
mod dialer;
mod egress;
mod error;
mod events;
mod feed;
mod incoming;
mod info;
mod listener;
mod mesh;
pub mod net;
mod options;
mod orders;
mod outlet;
mod pending;
mod ready;
mod request;
mod sender;
mod shell;
mod start;
mod stop;
#[cfg(test)]
mod tests;
mod tls;
mod topics;
mod transport;

pub use admission::{ACCEPTS_PER_SEC, AdmissionOptions};
pub use calls::{
    CallBuilder, CallError, CallFuture, HANDLER_GONE, HANDLER_PANICKED, HANDLER_STOPPED, ItemError, OpenRequest,
    ReplyStream, Request, Requests, Response, ServeOptions, Service,
};
pub use data::{DataError, MemoryDisk};
pub use error::{
    IncomingError, PublishError, RequestError, SendError, ServeError, StartError, Stopped, SubscribeError, TryPostError,
};
pub use events::{Events, Notice};
pub use incoming::Incoming;
pub use info::{DialInfo, LinkInfo, PeerInfo, RouteInfo};
pub use mesh::{DeliveryReport, Mesh, Receiver};
pub use options::MeshOptions;
pub use proto_core::{
    id::{NodeAddr, NodeName},
    node::{Endpoint, Event, Found, Hop, Message, Outcome, Peer},
    secure::Psk,
};
pub use request::ShutdownReport;
pub use sender::{SendOptions, Sender};
pub use tls::{TlsError, TlsOptions};
pub use topics::{
    HubEvent, HubHandle, HubSubscription, PublishOptions, Publisher, SubscribeOptions, Subscription, SubscriptionHub,
};
