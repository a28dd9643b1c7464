//! `node recv`.

use bytes::Bytes;
use clap::Args;

use super::{Context, body, output::Output, value};
use crate::{
    control::{Document as _, MessageDoc, Op, Reply, read_document},
    errors::{Code, Exit, Failed, Problem},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node recv                            until interrupted
  node recv --count 1 --raw > file     the payload of the next message, byte by byte
  node recv --client billing --json    messages for one client of this node
  node recv --timeout 5s               what comes in the time; exit code 9 if nothing does")]
pub(super) struct RecvArgs {
    /// End after so many messages
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Messages for this client of the node, instead of the node itself
    #[arg(long, value_name = "NAME", value_parser = value::client)]
    client: Option<String>,
    /// Print the payloads and nothing else, byte by byte
    #[arg(long, conflicts_with_all = ["json", "output"])]
    raw: bool,
}

pub(super) async fn run(args: RecvArgs, cx: &Context) -> Result<Exit, Failed> {
    let (op, wanted) = (Op::Recv { client: args.client, count: args.count }, args.count);
    let mut got = 0;
    let receive = async {
        let mut client = crate::control::Client::ask(&cx.target, op, b"", None).await?;
        let out = cx.output();
        loop {
            match client.next().await? {
                (Reply::Item { data, .. }, body) => {
                    show(&out, &read_document(data)?, &body, args.raw)?;
                    got += 1;
                    client.got(got).await?;
                }
                (Reply::Done { .. }, _) => return Ok(Exit::Done),
                (Reply::Problem { problem }, _) => return Err(problem.into()),
            }
        }
    };
    match cx.timeout {
        None => receive.await,
        Some(timeout) => match tokio::time::timeout(timeout, receive).await {
            Ok(result) => result,
            // As many as came in the time were wanted.
            Err(_) if wanted.is_none() && got > 0 => Ok(Exit::Done),
            Err(_) => {
                let what = match wanted {
                    Some(wanted) if got > 0 => format!("{got} of {wanted} messages within {timeout:?}"),
                    Some(_) | None => format!("no message within {timeout:?}"),
                };
                Err(Problem::new(Code::E0308, Exit::Unknown, what).into())
            }
        },
    }
}

fn show(out: &Output, message: &MessageDoc, body: &Bytes, raw: bool) -> Result<(), Failed> {
    if raw {
        return out.raw(body);
    }
    if !out.is_text() {
        return out.json(&body::with(message.json(), body));
    }
    let from = body::party(&message.from, message.from_client.as_deref());
    out.text(&format!("{from}: {}", body::printable(body)))
}
