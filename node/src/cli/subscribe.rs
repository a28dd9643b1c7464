//! `node sub`.

use bytes::Bytes;
use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{Context, body, complete, output::Output, value};
use crate::{
    control::{Client, Document as _, Op, PublicationDoc, Reply, SubscribedDoc, read_document},
    errors::{Code, Exit, Failed, Problem},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node sub 'orders.>'                  until interrupted
  node sub 'orders.*.created' jobs --queue workers
  node sub alarms --count 1 --raw > file
  node sub 'news.>' --since-last 10 --timeout 5s")]
pub(super) struct SubArgs {
    /// Patterns of topics: `*` stands for one token, `>` for all that follow. One publication that several match comes for
    /// each
    #[arg(required = true, value_name = "PATTERN", value_parser = value::pattern, add = ArgValueCandidates::new(complete::patterns))]
    patterns: Vec<String>,
    /// As a member of a queue group: each publication goes to one of them
    #[arg(long, value_name = "GROUP", value_parser = value::group)]
    queue: Option<String>,
    /// The client of this node that subscribes
    #[arg(long = "as", value_name = "CLIENT", value_parser = value::client)]
    client: Option<String>,
    /// Begin with the last N of each topic, if the node keeps them
    #[arg(long, value_name = "N")]
    since_last: Option<usize>,
    /// End after so many publications
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print the payloads and nothing else, byte by byte
    #[arg(long, conflicts_with_all = ["json", "output"])]
    raw: bool,
}

pub(super) async fn run(args: SubArgs, cx: &Context) -> Result<Exit, Failed> {
    let wanted = args.count;
    let op = Op::Subscribe {
        patterns: args.patterns,
        group: args.queue,
        client: args.client,
        last: args.since_last,
        count: args.count,
    };
    let mut got = 0_u64;
    let receive = async {
        let mut client = Client::ask(&cx.target, op, b"", None).await?;
        let out = cx.output();
        loop {
            match client.next().await? {
                (Reply::Item { data, .. }, _) if data["schema"] == SubscribedDoc::SCHEMA => {
                    begin(&read_document(data)?, cx);
                }
                (Reply::Item { data, .. }, body) => {
                    show(&out, &read_document(data)?, &body, args.raw, cx)?;
                    got += 1;
                }
                (Reply::Done { .. }, _) => return Ok(Exit::Done),
                (Reply::Problem { problem }, _) => return Err(problem.into()),
            }
        }
    };
    let Some(timeout) = cx.timeout else { return receive.await };
    match tokio::time::timeout(timeout, receive).await {
        Ok(result) => result,
        // As many as came in the time were wanted.
        Err(_) if wanted.is_none() && got > 0 => Ok(Exit::Done),
        Err(_) => {
            let what = match wanted {
                Some(wanted) if got > 0 => format!("{got} of {wanted} publications within {timeout:?}"),
                Some(_) | None => format!("no publication within {timeout:?}"),
            };
            Err(Problem::new(Code::E0308, Exit::Unknown, what).into())
        }
    }
}

fn begin(begun: &SubscribedDoc, cx: &Context) {
    let late = if begun.known { "" } else { "; not every node knows of it yet" };
    cx.hint(&format!("subscribed to {}{late}", begun.patterns.join(" ")));
}

fn show(out: &Output, publication: &PublicationDoc, body: &Bytes, raw: bool, cx: &Context) -> Result<(), Failed> {
    if publication.missed > 0 {
        cx.hint(&format!("missed {} publications: they were not taken in time", publication.missed));
    }
    if raw {
        return out.raw(body);
    }
    if !out.is_text() {
        return out.json(&body::with(publication.json(), body));
    }
    let from = body::party(&publication.from, publication.from_client.as_deref());
    let mut line = format!("{}  {from}: {}", publication.topic, body::printable(body));
    for (name, value) in &publication.headers {
        line.push_str(&format!("\n  {}: {}", body::printable(name.as_bytes()), body::printable(value.as_bytes())));
    }
    out.text(&line)
}
