//! The asynchronous loop around an [`Engine`]: turn, flush, wait. The only async code of the core, and it awaits nothing
//! but the substrate.

use alloc::vec::Vec;
use core::future::Future;

use crate::{
    engine::{Engine, Sink, Turn},
    limits::INPUTS_PER_TURN,
    node::Input,
    time::Time,
};

/// What an asynchronous runtime offers a node: a clock, sockets, and waiting for both.
pub trait Substrate: Sink {
    /// The present moment: nanoseconds since the start, never going back, counting on while the machine sleeps.
    fn now(&mut self) -> Time;

    /// Hands everything taken by [`Sink::output`] to the operating system as far as it goes without waiting. What is
    /// left stays in the substrate's own bounded queues.
    fn flush(&mut self);

    /// Called between turn and wait with the engine at rest, so that a shell can answer questions about the node.
    fn inspect(&mut self, engine: &Engine) {
        let _ = engine;
    }

    /// Waits for inputs, at most until the given moment, and appends at most `max` of them to `into`, collecting from
    /// every source that is ready. Answers `false` when the loop shall end.
    fn wait(&mut self, until: Option<Time>, max: usize, into: &mut Vec<Input>) -> impl Future<Output = bool>;
}

/// Runs a node until the substrate says stop, and gives both back.
pub async fn drive<S: Substrate>(mut engine: Engine, mut io: S) -> (Engine, S) {
    loop {
        let now = io.now();
        let until = match engine.turn(now, &mut io) {
            Turn::Park(until) => until,
            Turn::Again => Some(now),
        };
        io.flush();
        io.inspect(&engine);
        let room = INPUTS_PER_TURN.saturating_sub(engine.inbox().len());
        if !io.wait(until, room, engine.inbox()).await {
            return (engine, io);
        }
    }
}
