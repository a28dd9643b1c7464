//! `node peers`.

use std::time::Duration;

use clap::Args;

use super::{Context, output::table, value::micros};
use crate::{
    clock,
    control::{Document as _, Op, PeerDoc, Peers},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node peers
  node peers -o jsonl | jq 'select(.state != \"up\")'")]
pub(super) struct PeersArgs {}

pub(super) async fn run(_args: PeersArgs, cx: &Context) -> Result<Exit, Failed> {
    let peers: Peers = cx.ask(Op::Peers).await?.document().await?;
    let out = cx.output();
    if out.is_lines() {
        peers.peers.iter().try_for_each(|peer| out.json(&peer.json()))?;
        return Ok(Exit::Done);
    }
    if peers.peers.is_empty() {
        cx.hint("no links, and no peers to dial; other nodes join with `node run cfg.yaml --join ADDRESS`");
    }
    cx.print(&peers, |peers| {
        table(["ID", "STATE", "REMOTE", "RTT", "LOSS", "COST", "UP", ""], peers.peers.iter().map(row))
    })
}

fn row(peer: &PeerDoc) -> [String; 8] {
    let dash = || "-".to_owned();
    let retry = peer.retry_in_ms.map(|ms| format!("next try in {}", clock::humane(Duration::from_millis(ms))));
    let why = [peer.reason.clone(), retry].into_iter().flatten().collect::<Vec<_>>().join("; ");
    [
        peer.id.clone().unwrap_or_else(dash),
        peer.state.clone(),
        peer.remote.clone().unwrap_or_else(dash),
        peer.rtt_us.map_or_else(dash, micros),
        peer.loss_per_mille.map_or_else(dash, |loss| format!("{}.{} %", loss / 10, loss % 10)),
        peer.cost.map_or_else(dash, |cost| cost.to_string()),
        peer.up_ms.map_or_else(dash, |ms| clock::humane(Duration::from_millis(ms))),
        why,
    ]
}
