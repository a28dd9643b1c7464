//! `node id`.

use clap::Args;

use super::Context;
use crate::{
    control::{IdDoc, Op},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node id
  node id --json | jq -r .key")]
pub(super) struct IdArgs {}

pub(super) async fn run(_args: IdArgs, cx: &Context) -> Result<Exit, Failed> {
    let id: IdDoc = cx.ask(Op::Id).await?.document().await?;
    cx.print(&id, |id| format!("id       {}\nkey      ed25519:{}\nnetwork  {}", id.id, id.key, id.network))
}
