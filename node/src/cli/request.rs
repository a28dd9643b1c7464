//! `node request`, which is also `node rpc call`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{
    Context, body, complete,
    value::{self, Receiver},
};
use crate::{
    control::{CallWish, Choice, Document as _, Op, Reply, ResponseDoc, read_document},
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node request shop.price '{\"sku\": 7}'
  node request shop.price - --at hk-01 < question.json
  node request logs.tail app --stream -o jsonl
  node request shop.price x --timeout 2s  exit code 8: nobody serves it; 9: it may have run")]
pub(super) struct RequestArgs {
    /// The service
    #[arg(value_parser = value::service, add = ArgValueCandidates::new(complete::services))]
    service: String,
    /// What the handler is given; `-` takes it from standard input; nothing: an empty payload
    #[arg(allow_hyphen_values = true)]
    body: Option<String>,
    /// Who shall answer: a node, or a client of it
    #[arg(long, value_name = "NODE[/CLIENT]", add = ArgValueCandidates::new(complete::reachable_nodes))]
    at: Option<Receiver>,
    /// How one of several providers is chosen
    #[arg(long, value_enum, conflicts_with = "at")]
    balance: Option<Choice>,
    /// The client of this node that calls
    #[arg(long = "as", value_name = "CLIENT", value_parser = value::client)]
    from_client: Option<String>,
    /// Take the answer in items
    #[arg(long)]
    stream: bool,
    /// Print the payloads and nothing else, byte by byte
    #[arg(long, conflicts_with_all = ["json", "output"])]
    raw: bool,
}

pub(super) async fn run(args: RequestArgs, cx: &Context) -> Result<Exit, Failed> {
    let body = value::body(args.body.unwrap_or_default())?;
    let (node, provider) = args.at.map_or((None, None), |at| (Some(at.node), at.client));
    let how = CallWish {
        node,
        provider,
        balance: args.balance,
        from_client: args.from_client,
        deadline_ms: cx.deadline_ms(),
    };
    let op = Op::Call { service: args.service, how, stream: args.stream };
    let mut client = cx.ask_until_deadline(op, &body).await?;
    let out = cx.output();
    loop {
        match client.next().await? {
            (Reply::Item { data, .. }, body) => {
                let response: ResponseDoc = read_document(data)?;
                if args.raw {
                    out.raw(&body)?;
                } else if !out.is_text() {
                    out.json(&body::with(response.json(), &body))?;
                } else if !(args.stream && !response.item && body.is_empty()) {
                    out.text(&body::printable(&body))?;
                }
            }
            (Reply::Done { .. }, _) => return Ok(Exit::Done),
            (Reply::Problem { problem }, _) => return Err(problem.into()),
        }
    }
}
