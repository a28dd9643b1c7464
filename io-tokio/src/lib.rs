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
//! # Topics and calls
//!
//! ```
//! use io_tokio::{AppError, CallError, Mesh, MeshOptions, Psk, Request};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let token = Psk::from_token(b"a long random secret");
//! # let alice = Mesh::start(MeshOptions::new(token.clone()).listen("tcp://127.0.0.1:0")).await?;
//! # let door = format!("tcp://{}", alice.local_addrs()[0]);
//! # let bob = Mesh::start(MeshOptions::new(token).connect(&door)).await?;
//! # while bob.routes().await?.is_empty() || alice.routes().await?.is_empty() { tokio::task::yield_now().await }
//! // Alice wants whatever is published about doors, and sums numbers for everybody.
//! let mut doors = alice.subscribe("site.*.door").await?;
//! let sum = |numbers: Vec<i64>, _: Request| async move { Ok::<_, AppError>(numbers.iter().sum::<i64>()) };
//! let service = alice.serve_json("sum", sum).await?;
//!
//! // Bob knows neither who listens nor who sums.
//! bob.publish("site.7.door", "open").await?;
//! let publication = doors.recv().await.ok_or("the node has stopped")?;
//! assert_eq!((publication.topic.as_str(), &publication.payload[..]), ("site.7.door", &b"open"[..]));
//! assert_eq!(bob.publish_acked("site.7.door", "shut").await?.subscribers, 1);
//!
//! assert_eq!(bob.call_json::<_, i64>("sum", &[1, 2, 3]).await?, 6);
//! drop(service);
//! # while bob.services().await?.len() > 0 { tokio::task::yield_now().await }
//! assert_eq!(bob.call("sum", "[]").await, Err(CallError::NoResponder));
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
mod json;
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
mod views;

pub use admission::{ACCEPTS_PER_SEC, AdmissionOptions};
pub use calls::{
    BAD_REQUEST, CallBuilder, CallError, CallFuture, HANDLER_GONE, HANDLER_PANICKED, HANDLER_STOPPED, ItemError,
    OpenRequest, ReplyStream, Request, Requests, Response, ServeOptions, Service,
};
pub use data::{DataError, MemoryDisk};
pub use error::{
    IncomingError, PublishError, RequestError, SendError, ServeError, StartError, Stopped, SubscribeError, TryPostError,
};
pub use events::{Events, Notice};
pub use incoming::Incoming;
pub use info::{DialInfo, LinkInfo, PeerInfo, RouteInfo};
pub use json::{JsonPublication, JsonSubscription};
pub use mesh::{DeliveryReport, Mesh, Receiver};
pub use options::MeshOptions;
pub use proto_core::{
    id::{NodeAddr, NodeName},
    node::{Endpoint, Event, Found, Hop, Message, Outcome, Peer},
    pubsub::{
        Ended, Group, HistoryRule, Missing, Pattern, Policy, Position, Publication, Recovery, Report, Resume,
        SubscriptionId, Topic,
    },
    rpc::{
        AppError, Balance, Caller, Capacity, Field, InvocationId, Loss, Meta, NotTaken, Overload, Progress, Provider,
        ServiceName, Stop,
    },
    secure::Psk,
};
pub use request::ShutdownReport;
pub use sender::{SendOptions, Sender};
pub use tls::{TlsError, TlsOptions};
pub use topics::{
    HubEvent, HubHandle, HubSubscription, PublishOptions, Publisher, SubscribeOptions, Subscription, SubscriptionHub,
};
pub use views::{PatternInfo, ReceiverInfo, ReceiversInfo, ServedInfo, ServiceInfo, TopicsInfo};
