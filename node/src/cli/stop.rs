//! `node stop`.

use std::time::Duration;

use clap::Args;
use tokio::time::{sleep, timeout};

use super::{Context, value};
use crate::{
    control::{Client, Op, StopDoc, Target},
    errors::{Exit, Failed},
};

/// How long the process may take to end once the node has.
const LAST_STEPS: Duration = Duration::from_secs(3);
/// How often to look whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node stop
  node stop --drain 5s                 wait less for what is under way")]
pub(super) struct StopArgs {
    /// How long to wait for messages that are under way
    #[arg(long, default_value = "30s", value_parser = value::duration, value_name = "TIME")]
    drain: Duration,
}

pub(super) async fn run(args: StopArgs, cx: &Context) -> Result<Exit, Failed> {
    let deadline_ms = u64::try_from(args.drain.as_millis()).ok();
    let patience = cx.timeout.unwrap_or(args.drain + Duration::from_secs(10));
    let mut client = Client::ask(&cx.target, Op::Stop { deadline_ms }, b"", Some(patience)).await?;
    let stopped: StopDoc = client.document().await?;
    drop(client);
    gone(&cx.target, &stopped.id).await;
    cx.print(&stopped, |stopped| match stopped.unanswered {
        0 => format!("stopped {}", stopped.id),
        unanswered => format!("stopped {}; {unanswered} messages were still without an answer", stopped.id),
    })
}

/// Waits until nobody answers any more, so that the next command does not find a node that is about to be gone.
async fn gone(target: &Target, id: &str) {
    let target = match target.socket {
        Some(_) => target.clone(),
        None => Target { node: Some(id.to_owned()), ..Target::default() },
    };
    let gone = async {
        while Client::ask(&target, Op::Id, b"", Some(LAST_STEPS)).await.is_ok() {
            sleep(LOOK_EVERY).await;
        }
    };
    // It answered already that it stopped; there is nothing more to say if it is slow.
    let _ = timeout(LAST_STEPS, gone).await;
}
