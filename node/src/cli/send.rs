//! `node send`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{
    Context, complete, receipt,
    value::{self, Receiver},
};
use crate::{
    control::{Op, Receipt},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node send hk-01 'hello'
  node send hk-01/billing '{\"order\": 7}'
  node send hk-01 - < report.pdf        the payload from standard input
  node send hk-01 hello --timeout 2s    unknown after two seconds: exit code 9")]
pub(super) struct SendArgs {
    /// The receiver: a node, or a client of it
    #[arg(value_name = "NODE[/CLIENT]", add = ArgValueCandidates::new(complete::reachable_nodes))]
    to: Receiver,
    /// The payload; `-` takes it from standard input
    #[arg(allow_hyphen_values = true)]
    body: String,
    /// The client of this node that it is from
    #[arg(long = "as", value_name = "CLIENT", value_parser = value::client)]
    from_client: Option<String>,
}

pub(super) async fn run(args: SendArgs, cx: &Context) -> Result<Exit, Failed> {
    let body = value::body(args.body)?;
    let op = Op::Send {
        node: args.to.node,
        client: args.to.client,
        from_client: args.from_client,
        deadline_ms: cx.deadline_ms(),
    };
    let receipt: Receipt = cx.ask_until_deadline(op, &body).await?.document().await?;
    cx.print(&receipt, receipt::line)
}
