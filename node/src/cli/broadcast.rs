//! `node broadcast`.

use clap::Args;

use super::{Context, receipt, value};
use crate::{
    control::{Document as _, Op, Receipts},
    errors::{Code, Exit, Failed, Problem},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node broadcast 'maintenance at noon'
  node broadcast - --json < notice.txt  who has it; exit code 11 if not everybody")]
pub(super) struct BroadcastArgs {
    /// The payload; `-` takes it from standard input
    #[arg(allow_hyphen_values = true)]
    body: String,
}

pub(super) async fn run(args: BroadcastArgs, cx: &Context) -> Result<Exit, Failed> {
    let body = value::body(args.body)?;
    let op = Op::Broadcast { deadline_ms: cx.deadline_ms() };
    let receipts: Receipts = cx.ask_until_deadline(op, &body).await?.document().await?;
    let out = cx.output();
    if out.is_lines() {
        receipts.receipts.iter().try_for_each(|receipt| out.json(&receipt.json()))?;
    } else {
        cx.print(&receipts, receipt::lines)?;
    }
    let missing = receipts.total - receipts.delivered.min(receipts.total);
    if missing == 0 {
        return Ok(Exit::Done);
    }
    let what = format!("{missing} of {} did not acknowledge", receipts.total);
    Err(Problem::new(Code::E0408, Exit::Partial, what).into())
}
