//! `node trace`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{
    Context, complete,
    output::table,
    value::{self, micros},
};
use crate::{
    control::{Document as _, HopDoc, Op, TraceDoc},
    errors::{Code, Exit, Failed, Problem},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node trace hk-01
  node trace hk-01 --json | jq '.hops[].rtt_us'")]
pub(super) struct TraceArgs {
    /// The node
    #[arg(value_name = "ID", value_parser = value::node, add = ArgValueCandidates::new(complete::reachable_nodes))]
    node: String,
}

pub(super) async fn run(args: TraceArgs, cx: &Context) -> Result<Exit, Failed> {
    let op = Op::Trace { node: args.node.clone(), deadline_ms: cx.deadline_ms() };
    let trace: TraceDoc = cx.ask_until_deadline(op, b"").await?.document().await?;
    let out = cx.output();
    if out.is_lines() {
        trace.hops.iter().try_for_each(|hop| out.json(&hop.json()))?;
    } else {
        cx.print(&trace, |trace| table(["HOP", "ID", "RTT", ""], trace.hops.iter().map(row)))?;
    }
    if trace.reached {
        return Ok(Exit::Done);
    }
    let problem = Problem::new(Code::E0401, Exit::NoRoute, format!("{} did not answer", args.node));
    Err(problem.try_this("node routes").try_this(format!("node find {}", args.node)).into())
}

fn row(hop: &HopDoc) -> [String; 4] {
    let note = match (&hop.stopped, hop.last) {
        (Some(why), _) => format!("went no further: {why}"),
        (None, true) => "destination".to_owned(),
        (None, false) => String::new(),
    };
    [hop.hop.to_string(), hop.id.clone(), micros(hop.rtt_us), note]
}
