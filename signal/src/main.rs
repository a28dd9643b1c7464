//! `signal`: the meeting point of a mesh. In this version a node that relays: everybody may dial it, frames cross it, and
//! it takes no messages itself. Rendezvous and hole punching build on it later.

mod options;

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::Parser as _;
use io_tokio::Mesh;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use options::{Cli, Verb};

/// How long what is under way may take once the server is to end.
const DRAIN: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let Cli { verb: Verb::Run(run) } = Cli::parse();
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_ansi(colour).with_writer(std::io::stderr).with_env_filter(run.log.as_str()).init();
    let options = match run.options() {
        Ok(options) => options,
        Err(error) => return fail(3, &error.to_string()),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("no event loop: {error}")),
    };
    runtime.block_on(async {
        match Mesh::start(options).await {
            Ok(mesh) => serve(mesh).await.map_or_else(|error| fail(1, &error.to_string()), ExitCode::from),
            Err(error) => fail(4, &error.to_string()),
        }
    })
}

fn fail(code: u8, what: &str) -> ExitCode {
    // Without standard error nobody is left to tell.
    writeln!(std::io::stderr(), "signal: {what}").ok();
    ExitCode::from(code)
}

/// Relays until it is told to stop. Answers with the exit code: zero, or that of a second signal, which ends it at once.
async fn serve(mesh: Mesh) -> std::io::Result<u8> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    for addr in mesh.local_addrs() {
        writeln!(std::io::stdout(), "listening on {addr}")?;
    }
    info!(name = %mesh.name(), "ready");
    // What happens to links is in the log already.
    tokio::select! {
        () = mesh.ended() => return Err(std::io::Error::other("the node ended without having been told to")),
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    info!("stopping");
    tokio::select! {
        report = mesh.shutdown(DRAIN) => {
            info!(?report, "stopped");
            Ok(0)
        }
        _ = interrupt.recv() => Ok(130),
        _ = terminate.recv() => Ok(143),
    }
}
