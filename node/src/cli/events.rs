//! `node events`.

use clap::Args;
use tokio::time::{Instant, timeout_at};

use super::Context;
use crate::{
    control::{Client, Document as _, EventDoc, Op, Reply, read_document},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node events                          what happened lately
  node events -f                       and what happens from now on
  node events -f -o jsonl | jq 'select(.kind == \"link_down\")'")]
pub(super) struct EventsArgs {
    /// Go on with what happens from now on, until interrupted
    #[arg(short, long)]
    follow: bool,
}

pub(super) async fn run(args: EventsArgs, cx: &Context) -> Result<Exit, Failed> {
    let out = cx.output();
    let mut client = Client::ask(&cx.target, Op::Events { follow: args.follow }, b"", None).await?;
    // What happens, happens when it does: the time that was given ends the command, and is not for one event.
    let end = cx.timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let next = match end {
            Some(end) => match timeout_at(end, client.next()).await {
                Ok(next) => next,
                Err(_) => return Ok(Exit::Done),
            },
            None => client.next().await,
        };
        match next? {
            (Reply::Item { data, .. }, _) => {
                let event: EventDoc = read_document(data)?;
                if out.is_text() {
                    out.text(&format!("{}  {:<14} {}", event.at, event.kind, event.text))?;
                } else {
                    out.json(&event.json())?;
                }
            }
            (Reply::Done { .. }, _) => return Ok(Exit::Done),
            (Reply::Problem { problem }, _) => return Err(problem.into()),
        }
    }
}
