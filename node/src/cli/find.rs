//! `node find`.

use clap::Args;

use super::{Context, value};
use crate::{
    control::{FoundDoc, Op},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node find hk-01                      exit code 7 if nobody knows it
  node find hk-01 --json")]
pub(super) struct FindArgs {
    /// The node
    #[arg(value_name = "ID", value_parser = value::node)]
    node: String,
}

pub(super) async fn run(args: FindArgs, cx: &Context) -> Result<Exit, Failed> {
    let op = Op::Find { node: args.node, deadline_ms: cx.deadline_ms() };
    let found: FoundDoc = cx.ask_until_deadline(op, b"").await?.document().await?;
    cx.print(&found, |found| match (found.cost, found.hops) {
        (Some(cost), Some(hops)) => format!("{}   {}   cost {cost}", found.id, value::hops(hops)),
        (Some(cost), None) => format!("{}   cost {cost}", found.id),
        (None, _) => format!("{}   known, but out of reach", found.id),
    })
}
