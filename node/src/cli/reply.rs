//! `node reply`: serves a service with a command, or by saying again what it was given.

use std::{collections::BTreeMap, io, process::Stdio};

use bytes::Bytes;
use clap::Args;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use proto_core::limits;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

use super::{Context, body, value};
use crate::{
    control::{Answer, AnswerKind, CallDoc, Client, Op, Replies, Reply, Teller, read_document},
    errors::{Code, Exit, Failed, Problem},
};

/// Calls that were read and wait for their turn.
const WAITING: usize = 64;
/// The code of the error that a caller gets if the command could not be run, or was ended by a signal.
const NOT_RUN: u32 = 255;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node reply echo --echo
  node reply time --exec date
  node reply sum --exec 'jq add' --concurrency 4
  node reply shop.price --exec ./price.sh --as till --note 'the price of an article'")]
pub(super) struct ReplyArgs {
    /// The service
    #[arg(value_parser = value::service)]
    service: String,
    /// Answer with what was given
    #[arg(long, required_unless_present = "exec")]
    echo: bool,
    /// Answer with what a command of the shell prints that gets the payload on its standard input. If it fails, the caller
    /// gets an error: its exit code, and what it said on standard error. FIRELINK_SERVICE, FIRELINK_FROM and
    /// FIRELINK_FROM_CLIENT are set
    #[arg(long, value_name = "COMMAND", conflicts_with = "echo")]
    exec: Option<String>,
    /// Calls that run at once
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=limits::SERVICE_CONCURRENCY_MAX as i64))]
    concurrency: Option<u32>,
    /// The client of this node that serves
    #[arg(long = "as", value_name = "CLIENT", value_parser = value::client)]
    client: Option<String>,
    /// What the service does, for `rpc ls`
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// End after so many calls
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// How a call is answered: code and words of an error, and the payload.
type Outcome = (u64, Option<(u32, String)>, Vec<u8>);

pub(super) async fn run(args: ReplyArgs, cx: &Context) -> Result<Exit, Failed> {
    let op = Op::Serve { service: args.service, client: args.client, concurrency: args.concurrency, note: args.note };
    let (replies, teller) = Client::ask(&cx.target, op, b"", None).await?.split();
    let (sender, calls) = mpsc::channel(WAITING);
    let serve = serve(args.exec.as_deref(), args.count, calls, teller, cx);
    let serving = async {
        tokio::select! {
            exit = serve => exit,
            failed = read(replies, sender) => Err(failed.into()),
            exit = interrupted() => exit,
        }
    };
    match cx.timeout {
        // The time that was given ends the service, and is not for one call.
        Some(timeout) => tokio::time::timeout(timeout, serving).await.unwrap_or(Ok(Exit::Done)),
        None => serving.await,
    }
}

/// Waits until this command is told to end: those that it runs are in groups of their own, and must be ended by it.
async fn interrupted() -> Result<Exit, Failed> {
    let on = |kind| signal(kind).map_err(|why| Problem::new(Code::E0310, Exit::Failed, format!("no signals: {why}")));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let mut hangup = on(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => Err(Failed::Said(Exit::Interrupted)),
        _ = terminate.recv() => Err(Failed::Said(Exit::Terminated)),
        _ = hangup.recv() => Err(Failed::Said(Exit::Terminated)),
    }
}

/// Reads calls until the node says no more.
async fn read(mut replies: Replies, calls: mpsc::Sender<(CallDoc, Bytes)>) -> Problem {
    loop {
        let call = match replies.next().await {
            Ok((Reply::Item { data, .. }, body)) => read_document(data).map(|call| (call, body)),
            Ok((Reply::Problem { problem }, _)) | Err(problem) => Err(problem),
            Ok((Reply::Done { .. }, _)) => Err(crate::control::refusal::stopped()),
        };
        match call {
            Ok(call) => {
                if calls.send(call).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Err(problem) => return problem,
        }
    }
}

async fn serve(
    exec: Option<&str>,
    count: Option<u64>,
    mut calls: mpsc::Receiver<(CallDoc, Bytes)>,
    mut teller: Teller,
    cx: &Context,
) -> Result<Exit, Failed> {
    let mut running: FuturesUnordered<BoxFuture<'_, Option<Outcome>>> = FuturesUnordered::new();
    let mut stops: BTreeMap<u64, oneshot::Sender<()>> = BTreeMap::new();
    let mut answered = 0;
    while count.is_none_or(|count| answered < count) {
        tokio::select! {
            call = calls.recv() => {
                let Some((call, payload)) = call else { return Ok(Exit::Done) };
                if call.call == 0 {
                    cx.hint(&format!("serving {}", call.service));
                } else if call.stopped {
                    // Whoever waits for it drops the command, which ends it.
                    stops.remove(&call.call);
                } else {
                    let (stop, stopped) = oneshot::channel::<()>();
                    stops.insert(call.call, stop);
                    running.push(attend(exec, call, payload, stopped).boxed());
                }
            }
            Some(done) = running.next() => {
                let Some((call, error, body)) = done else { continue };
                stops.remove(&call);
                let kind = error.map_or(AnswerKind::Done, |(code, message)| AnswerKind::Error { code, message });
                teller.tell(&Answer { call, kind, body: body.len() as u64 }, &body).await?;
                answered += 1;
            }
        }
    }
    Ok(Exit::Done)
}

/// Runs a call until it is answered, or nobody waits for it any more.
async fn attend(exec: Option<&str>, call: CallDoc, payload: Bytes, stopped: oneshot::Receiver<()>) -> Option<Outcome> {
    let Some(command) = exec else { return Some((call.call, None, payload.to_vec())) };
    tokio::select! {
        (error, body) = execute(command, &call, &payload) => Some((call.call, error, body)),
        // It is dropped when the call is to be given up.
        _ = stopped => None,
    }
}

async fn execute(command: &str, call: &CallDoc, payload: &[u8]) -> (Option<(u32, String)>, Vec<u8>) {
    match try_execute(command, call, payload).await {
        Ok((Some(0), out, _)) => (None, out),
        Ok((code, out, said)) => {
            let code = code.and_then(|code| u32::try_from(code).ok()).unwrap_or(NOT_RUN);
            let said = body::printable(said.trim_ascii());
            (Some((code, if said.is_empty() { format!("the command ended with {code}") } else { said })), out)
        }
        Err(why) => (Some((NOT_RUN, format!("the command cannot be run: {why}"))), Vec::new()),
    }
}

/// The exit code of a command, if it has one, what it printed, and the beginning of what it said.
async fn try_execute(command: &str, call: &CallDoc, payload: &[u8]) -> io::Result<(Option<i32>, Vec<u8>, Vec<u8>)> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .env("FIRELINK_SERVICE", &call.service)
        .env("FIRELINK_FROM", &call.from)
        .env("FIRELINK_FROM_CLIENT", call.from_client.as_deref().unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut group = Group::of(&child);
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // A command need not read what it is given.
            let _ = input.write_all(payload).await;
        }
        Ok(())
    };
    let (mut out, mut said) = (Vec::new(), Vec::new());
    let read = async {
        if let Some(output) = output {
            output.take(limits::PAYLOAD_HARD_MAX as u64 + 1).read_to_end(&mut out).await?;
        }
        if out.len() > limits::PAYLOAD_HARD_MAX {
            return Err(io::Error::other(format!("it prints more than {} bytes", limits::PAYLOAD_HARD_MAX)));
        }
        Ok(())
    };
    let hear = async {
        if let Some(mut errors) = errors {
            (&mut errors).take(limits::CALL_ERROR_MESSAGE_MAX as u64).read_to_end(&mut said).await?;
            // The rest is for nobody, but a command that could not say it would be ended by that.
            tokio::io::copy(&mut errors, &mut tokio::io::sink()).await?;
        }
        Ok(())
    };
    tokio::try_join!(feed, read, hear)?;
    let status = child.wait().await?;
    group.0 = None;
    Ok((status.code(), out, said))
}

/// A command with all that it has started, which is ended with it if it is given up.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &tokio::process::Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
