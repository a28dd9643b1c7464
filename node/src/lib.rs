//! The `node` program as a library: configuration and error catalogue for tools and tests, and [`main`] for the binary.
//!
//! Rooms: [`config`] reads files, [`errors`] says what went wrong, [`mod@bench`] measures, `cli` has one file per command, `control` is the
//! language between a command and a running node, `run` is the life of a node process, `admin` its metrics and health,
//! `api` the listener for programs,
//! `logs` its log.

#![forbid(unsafe_code)]

mod admin;
mod api;
pub mod bench;
mod cli;
mod clock;
pub mod config;
mod control;
mod counted;
pub mod errors;
mod logs;
mod run;

/// The whole program: reads the command line, does what it says, and answers with the exit code.
#[must_use]
pub fn main() -> std::process::ExitCode {
    cli::main()
}
