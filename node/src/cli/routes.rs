//! `node routes`.

use clap::Args;

use super::{Context, output::table};
use crate::{
    control::{Document as _, Op, RouteDoc, Routes},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node routes
  node routes --json | jq '.routes[].id'")]
pub(super) struct RoutesArgs {}

pub(super) async fn run(_args: RoutesArgs, cx: &Context) -> Result<Exit, Failed> {
    let routes: Routes = cx.ask(Op::Routes).await?.document().await?;
    let out = cx.output();
    if out.is_lines() {
        routes.routes.iter().try_for_each(|route| out.json(&route.json()))?;
        return Ok(Exit::Done);
    }
    if routes.routes.is_empty() {
        cx.hint("no other node is within reach; `node peers` shows the links");
    }
    cx.print(&routes, |routes| table(["ID", "VIA", "COST", "HOPS"], routes.routes.iter().map(row)))
}

fn row(route: &RouteDoc) -> [String; 4] {
    [route.id.clone(), route.via.join(","), route.cost.to_string(), route.hops.to_string()]
}
