//! The tier of the asynchronous shells: every host of a scenario runs a real `Mesh` of `io-tokio` (its loop, sockets,
//! reconnects, handles and shutdown) on turmoil's simulated TCP and tokio's virtual time.
//!
//! Everything else is shared with the discrete-event tier: scenarios, network paths, phases, oracle and invariants. What
//! the referee cannot see of a shell from outside, the single turns of its engine, it does without; links and routes are
//! looked at through the handle. One thread, no files, no real clock: equal scenarios give equal traces.
//!
//! # Reading order
//!
//! `house`: the hosts in motion. `app`: what runs on a host. `net`, `stream`, `hub`: its sockets and clock. `wires`: the
//! network in between. `broken`: how the tier itself is tested.

mod app;
mod broken;
mod house;
mod hub;
mod log;
mod net;
mod request;
mod stream;
mod unsupported;
mod wires;

pub use broken::Sabotage;
pub(crate) use house::House;
pub use house::TICK;
pub use unsupported::{Unsupported, unsupported};
