//! The `node` program as a library: configuration and error catalogue for tools and tests, and [`main`] for the binary.
//!
//! Rooms: [`config`] reads files, [`errors`] says what went wrong, `cli` has one file per command, `control` is the
//! language between a command and a running node, `run` is the life of a node process, `admin` its metrics and health,
//! `logs` its log.

pub mod config;
pub mod errors;

/// x
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
