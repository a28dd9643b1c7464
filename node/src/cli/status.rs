//! `node status`.

use std::time::Duration;

use clap::Args;

use super::Context;
use crate::{
    clock,
    control::{Op, Status},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node status
  node status --json | jq .links_up
  node status --node gz-01             if several nodes run on this machine")]
pub(super) struct StatusArgs {}

pub(super) async fn run(_args: StatusArgs, cx: &Context) -> Result<Exit, Failed> {
    let status: Status = cx.ask(Op::Status).await?.document().await?;
    cx.print(&status, text)
}

fn text(status: &Status) -> String {
    let name = if status.name.is_empty() { String::new() } else { format!(" {:?}", status.name) };
    let up = clock::humane(Duration::from_millis(status.uptime_ms));
    let ready = if status.ready { "ready" } else { "not ready" };
    let listen = if status.listen.is_empty() { "nowhere".to_owned() } else { status.listen.join(" ") };
    let admin = status.admin.as_deref().map_or_else(|| "off".to_owned(), |addr| format!("http://{addr}/metrics"));
    format!(
        "node    {}{name}   network {}   up {up}   {ready}   version {}   pid {}
listen  {listen}   admin {admin}
links   {} up   {} down
nodes   {} within reach
msgs    sent {}   received {}   refused {}   unknown {}",
        status.id,
        status.network,
        status.version,
        status.pid,
        status.links_up,
        status.links_down,
        status.reachable,
        status.messages_sent,
        status.messages_received,
        status.messages_refused,
        status.messages_unknown,
    )
}
