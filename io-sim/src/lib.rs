//! The simulated world: hosts with clocks, disks and crashes on a network that loses, delays, cuts and corrupts.
//!
//! A [`World`] runs the real nodes of `proto-core` without any async: it keeps a queue of what will happen when, jumps
//! from one moment to the next, hands each node what it must be told, and turns what the node asks for into more of what
//! will happen. Everything follows from one seed; the same seed gives the same [`World::trace_hash`] on every machine.
//!
//! # Reading order
//!
//! [`time`] and [`clock`]: the world's time and the hosts'. [`net`]: the paths between hosts and the streams on them.
//! [`host`]: what a host is. [`fault`]: what can go wrong. [`World`]: all of it in motion. [`trace`]: how runs are
//! compared.

#![forbid(unsafe_code)]

mod canary;
pub mod clock;
mod config;
mod crypto;
mod disk;
pub mod fault;
mod handler;
pub mod hash;
pub mod host;
pub mod net;
mod rng;
mod schedule;
mod stats;
pub mod time;
pub mod trace;
mod world;

pub use config::{HostConfig, HostSpec, PORT, PeerSpec};
pub use fault::Fault;
pub use handler::{item_of, items_of};
pub use host::{HostId, HostRef, HostState};
pub use net::{LinkSpec, Loss, Lost, Partition, Paths};
pub use stats::Stats;
pub use time::SimTime;
pub use trace::{Divergence, Step, first_divergence};
pub use world::{Observer, TurnRecord, World, WorldOptions};
