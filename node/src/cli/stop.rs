//! `node stop`.

use std::time::Duration;

use clap::Args;

use super::{Context, value};
use crate::{
    control::{Client, Op, StopDoc},
    errors::{Exit, Failed},
};

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
    cx.print(&stopped, |stopped| match stopped.unanswered {
        0 => format!("stopped {}", stopped.id),
        unanswered => format!("stopped {}; {unanswered} messages were still without an answer", stopped.id),
    })
}
