//! The life of a node process: log, node, control socket, admin listener, then waiting for a reason to end.
//!
//! The first signal to stop drains: nothing new is taken, what is under way gets its time, links are closed in order. A
//! second signal ends the process at once.

pub(crate) mod dev;
mod notify;
mod options;
mod readiness;
mod signals;
mod start;

pub(crate) use dev::random_hex;
pub(crate) use readiness::Readiness;

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tracing::{error, info, warn};

use crate::{
    cli::Context,
    config::Config,
    control::Stop,
    errors::{Code, Exit, Failed, Problem},
    logs,
};
use dev::Dev;
use signals::{Signal, Signals};
use start::Running;

/// How long what is under way may take once the process is to end.
const DRAIN: Duration = Duration::from_secs(30);
/// Of that, how long requests of the API may take; then those still under way fail with the node.
const API_DRAIN: Duration = Duration::from_secs(10);
/// Time for the last answers to leave the control socket.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What to run.
pub(crate) struct Start {
    /// The configuration, without errors.
    pub(crate) config: Config,
    /// Nodes to dial beside those of the configuration.
    pub(crate) join: Vec<String>,
    /// Development mode.
    pub(crate) dev: Option<Dev>,
}

/// Runs a node until it is told to stop.
pub(crate) fn run(start: Start, cx: &Context) -> Result<Exit, Failed> {
    let wishes = logs::Wishes { verbose: cx.verbose, quiet: cx.quiet, colour: cx.colour };
    let guard = logs::start(&start.config.log, wishes)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Problem::new(Code::E0310, Exit::Failed, format!("no event loop: {why}")))?;
    let result = runtime.block_on(live(start, cx));
    // What is left are tasks that nobody waits for.
    runtime.shutdown_background();
    drop(guard);
    result
}

async fn live(start: Start, cx: &Context) -> Result<Exit, Failed> {
    let mut signals = Signals::new()?;
    let (stop, mut stops) = mpsc::channel(16);
    let running = start::start(start, stop).await?;
    running.announce(cx);
    notify::ready();
    info!(id = %running.session.mesh.name(), "ready");
    let stop = loop {
        tokio::select! {
            () = running.session.mesh.ended() => {
                error!("the node ended without having been told to");
                let what = "the node ended without having been told to";
                return Err(Problem::new(Code::E0310, Exit::Failed, what).into());
            }
            // The sender lives in the session.
            stop = stops.recv() => break stop,
            signal = signals.next() => match signal {
                Signal::Interrupt | Signal::Terminate => break None,
                Signal::Hangup => warn!("reloading is not available in this version; restart the node to apply changes"),
                Signal::User => warn!("nothing is bound to this signal in this version"),
            },
        }
    };
    notify::stopping();
    Ok(drain(running, stop, signals).await)
}

/// Ends in order, unless told again.
async fn drain(running: Running, stop: Option<Stop>, mut signals: Signals) -> Exit {
    let Running { session, tasks, api, readiness, dev } = running;
    readiness.drain();
    let deadline = stop.as_ref().and_then(|stop| stop.deadline).unwrap_or(DRAIN);
    info!(?deadline, "stopping");
    let forced = async {
        loop {
            match signals.next().await {
                Signal::Interrupt => return Exit::Interrupted,
                Signal::Terminate => return Exit::Terminated,
                Signal::Hangup | Signal::User => {}
            }
        }
    };
    let exit = tokio::select! {
        report = async {
            let begin = Instant::now();
            api.drain(deadline.min(API_DRAIN)).await;
            session.mesh.shutdown(deadline.saturating_sub(begin.elapsed())).await
        } => {
            let unanswered = report.map_or(0, |report| report.unanswered);
            info!(unanswered, "stopped");
            if let Some(stop) = stop {
                // Whoever asked may have left.
                let _ = stop.done.send(unanswered);
                tokio::time::sleep(LAST_WORDS).await;
            }
            Exit::Done
        }
        exit = forced => {
            warn!("stopped at once");
            exit
        }
    };
    drop(tasks);
    drop(dev);
    drop(Arc::into_inner(session));
    exit
}
