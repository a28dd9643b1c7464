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
    let signals = Signals::new()?;
    let (stop, stops) = mpsc::channel(16);
    let running = start::start(start, stop).await?;
    running.announce(cx);
    notify::ready();
    info!(id = %running.session.mesh.name(), "ready");
    attend(running, stops, signals).await
}

/// Waits for a reason to end, and ends. A node that ends on its own is a failure: whoever started the process must see it.
async fn attend(mut running: Running, mut stops: mpsc::Receiver<Stop>, mut signals: Signals) -> Result<Exit, Failed> {
    let stop = loop {
        tokio::select! {
            () = running.session.mesh.ended() => {
                error!("the node ended without having been told to");
                running.tasks.shutdown().await;
                let what = "the node ended without having been told to";
                let problem = Problem::new(Code::E0310, Exit::Failed, what);
                return Err(problem.note("its log says why, in a line with `panicked`").into());
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
    let Running { session, mut tasks, api, readiness, dev } = running;
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
    // With them goes the control socket.
    tasks.shutdown().await;
    drop(dev);
    drop(Arc::into_inner(session));
    exit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Admin, AuthMode};

    #[tokio::test]
    async fn a_node_that_ends_on_its_own_is_a_failure_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { admin: Admin { listen: None }, ..Config::default() };
        config.mesh.auth.mode = AuthMode::Open;
        config.node.data_dir = Some(folder.path().join("data"));
        config.node.identity_file = "identity.key".into();
        config.control.socket = Some(folder.path().join("node.sock"));
        let (stop, stops) = mpsc::channel(1);
        let running = start::start(Start { config, join: Vec::new(), dev: None }, stop).await.unwrap();
        // Behind the back of the process, as if its engine had failed.
        running.session.mesh.shutdown(Duration::ZERO).await.unwrap();
        let ended = attend(running, stops, Signals::new().unwrap()).await;
        let Err(Failed::Problem(problem)) = ended else { panic!("not a failure: {ended:?}") };
        assert_eq!((problem.code, problem.exit.number()), (Code::E0310, 1));
        assert!(problem.what.contains("without having been told to"), "{}", problem.what);
        assert!(!folder.path().join("node.sock").exists(), "nobody finds a node that is gone");
    }
}
