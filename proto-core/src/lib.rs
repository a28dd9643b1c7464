//! Every protocol of Firelink as a pure state machine.
//!
//! Nothing here opens a socket, reads a clock, starts a thread or draws entropy. A [`node::Node`] is told what happened
//! ([`node::Input`]) and when ([`time::Time`]); it answers with what shall be done ([`node::Output`]) and when it wants
//! to be woken. The same node runs in production on tokio, in an embedder's own runtime, and under a simulator that can
//! lose, delay, duplicate, crash and partition everything.
//!
//! # The contract
//!
//! 1. Call [`Node::handle`](node::Node::handle) for what happened, or [`Node::handle_timeout`](node::Node::handle_timeout)
//!    when the deadline has come.
//! 2. Drain [`Node::poll_output`](node::Node::poll_output) until `None`.
//! 3. Read [`Node::poll_timeout`](node::Node::poll_timeout), and wait for an input or for that moment.
//!
//! [`engine::Engine::turn`] does all three for a batch; [`drive::drive`] is the loop around it for async runtimes.
//! `docs/CONTRACT.md` states the laws that every machine keeps.
//!
//! # Reading order
//!
//! [`time`], [`id`], [`rng`], [`cx`]: what every machine is given. [`wire`]: the frames. [`secure`], [`link`],
//! [`route`], [`message`], [`pubsub`]: the machines, from the socket up. [`node`]: their composition.
//! [`route`], [`message`], [`rpc`]: the machines, from the socket up. [`node`]: their composition.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one variant among all"))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod arena;
pub mod collections;
pub mod cx;
pub mod directory;
pub mod drive;
pub mod engine;
pub mod error;
pub mod id;
pub mod limits;
pub mod link;
pub mod message;
pub mod node;
pub mod probe;
pub mod pubsub;
pub mod queue;
pub mod rng;
pub mod route;
pub mod rpc;
pub mod secure;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod timers;
pub mod wire;
