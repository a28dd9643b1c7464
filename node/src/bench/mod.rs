//! Measuring what messages cost on this machine: rate, latency, processor time, and whether all arrived, once, in order.
//!
//! A measurement runs several processes on loopback: one publishes, one subscribes, and one may forward between them.
//! The measuring process starts them ([`Worker`]), sends them [`Order`]s on their standard input, and reads [`Note`]s
//! from their standard output, a line of JSON each. A worker whose standard input ends, ends too.
//!
//! [`msg`] measures messages between nodes, [`services`] their topics and calls, [`convergence`] how their routes follow
//! the links. The parts are public so that another message system can be measured in just the same way.
//!
//! What a figure means:
//!
//! * The rate is the number of messages divided by the time from the first one's publication to the last one's arrival.
//! * A message's latency begins when it should have been published, not when the publisher got round to it, so a stall
//!   counts for every message that it delayed. Without a rate to keep, it begins when the message is handed over, and is
//!   mostly the time in queues. The clock is the machine's monotonic one, which all its processes share.
//! * Processor time is that of whole processes, kernel included, from before the first to after the last message.

pub mod convergence;
mod cpu;
mod machine;
pub mod msg;
mod order;
mod pacer;
mod parts;
mod payload;
mod phase;
pub mod services;
mod tally;
mod worker;

pub use cpu::{cpu_of, cpu_own, monotonic};
pub use machine::Machine;
pub use order::{Note, Order, Orders, Spec, note};
pub use pacer::Pacer;
pub use parts::{Caller, Inbox, Outbox, call, publish, receive, receive_all};
pub use payload::{Payloads, SIZE_MIN};
pub use phase::{CallPhase, Calls, Cast, Figures, Middle, Phase, Plan};
pub use tally::{Arrived, Called, Latency, Sent, Tally};
pub use worker::{Worker, WorkerError};
