//! `node pub`.

use std::{
    io::{self, BufRead as _, Read as _},
    time::Duration,
};

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCandidates;
use proto_core::limits;

use super::{Context, complete, value};
use crate::{
    bench::Pacer,
    clock,
    control::{About, Op, Piece, Published, PublishedMany, Reply, read_document},
    counted::counted,
    errors::{Code, Exit, Failed, Problem},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node pub orders.eu.created '{\"n\": 7}' -H trace:1-2
  node pub ticks --template 'tick {{count}} at {{time}}' --count 100 --rate 10
  tail -f app.log | node pub logs.app --stdin --on newline
  node pub orders.new hi --trace       and then `why message ID` tells what became of it")]
pub(super) struct PubArgs {
    /// The topic
    #[arg(value_parser = value::topic, add = ArgValueCandidates::new(complete::patterns))]
    topic: String,
    /// The payload; `-` takes it from standard input; nothing: an empty one
    #[arg(allow_hyphen_values = true, conflicts_with_all = ["stdin", "template"])]
    body: Option<String>,
    /// A header, as NAME:VALUE; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE", value_parser = value::header)]
    headers: Vec<(String, String)>,
    /// The client of this node that publishes
    #[arg(long = "as", value_name = "CLIENT", value_parser = value::client)]
    from_client: Option<String>,
    /// Publish so many times
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// So many per second; otherwise as fast as possible
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: Option<u64>,
    /// The payload, in which {{count}} stands for a number from 1, {{time}} and {{unix_ms}} for the present moment
    #[arg(long, value_name = "TEXT", conflicts_with = "stdin")]
    template: Option<String>,
    /// Publish what comes from standard input
    #[arg(long, conflicts_with = "count")]
    stdin: bool,
    /// With --stdin: publish at every line, or everything at its end
    #[arg(long, value_enum, default_value = "newline", requires = "stdin")]
    on: On,
    /// Have the node remember what becomes of it, for `why message`
    #[arg(long, conflicts_with_all = ["count", "stdin", "rate"])]
    trace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum On {
    Newline,
    Eof,
}

/// Where the payloads come from.
enum Source {
    /// The same one, so many times.
    Same(Vec<u8>, u64),
    /// A text with places to fill in, so many times.
    Template(String, u64),
    /// The lines of standard input.
    Lines,
}

pub(super) async fn run(args: PubArgs, cx: &Context) -> Result<Exit, Failed> {
    let many = args.count.is_some() || args.rate.is_some() || (args.stdin && args.on == On::Newline);
    let about = About {
        headers: args.headers.into_iter().collect(),
        from_client: args.from_client,
        deadline_ms: cx.deadline_ms(),
    };
    let count = args.count.unwrap_or(1);
    let source = match (args.template, args.stdin, args.body) {
        (Some(template), _, _) => Source::Template(template, count),
        (None, true, _) if args.on == On::Newline => Source::Lines,
        (None, true, _) => Source::Same(value::body("-".to_owned())?, count),
        (None, false, body) => Source::Same(value::body(body.unwrap_or_default())?, count),
    };
    if many {
        return cx.bounded(publish_many(args.topic, about, source, args.rate, cx)).await;
    }
    let body = source.first();
    let op = Op::Publish { topic: args.topic, about, trace: args.trace };
    let published: Published = cx.ask_until_deadline(op, &body).await?.document().await?;
    cx.print(&published, text)?;
    judge(&published, cx)
}

async fn publish_many(
    topic: String,
    about: About,
    source: Source,
    rate: Option<u64>,
    cx: &Context,
) -> Result<Exit, Failed> {
    let op = Op::PublishMany { topic, about };
    let (mut replies, mut teller) = cx.ask_until_deadline(op, b"").await?.split();
    let mut pacer = rate.map(Pacer::new).transpose().map_err(|why| no_timer(&why))?;
    let mut left = source.count();
    // Why the node takes nothing any more, it says.
    let mut taken = true;
    let mut pieces = source.pieces();
    loop {
        // Before it is made: it may tell the time.
        if let Some(pacer) = &mut pacer {
            pacer.next().await.map_err(|why| no_timer(&why))?;
        }
        let Some(body) = pieces.next().transpose()? else { break };
        left = left.map(|left| left - 1);
        let piece = Piece { body: body.len() as u64, last: left == Some(0), only_end: false };
        taken = teller.tell(&piece, &body).await.is_ok();
        if !taken || piece.last {
            break;
        }
    }
    if taken && left.is_none() {
        // The node may have said why before.
        let _ = teller.tell(&Piece { body: 0, last: true, only_end: true }, b"").await;
    }
    match replies.next().await? {
        (Reply::Done { data } | Reply::Item { data, .. }, _) => {
            let published: PublishedMany = read_document(data)?;
            cx.print(&published, |all| {
                let last = all.last.as_ref().map(|last| format!("; the last one: {}", text(last)));
                format!("{} publications{}", all.count, last.unwrap_or_default())
            })?;
            published.last.as_ref().map_or(Ok(Exit::Done), |last| judge(last, cx))
        }
        (Reply::Problem { problem }, _) => Err(problem.into()),
    }
}

fn no_timer(why: &io::Error) -> Problem {
    Problem::new(Code::E0310, Exit::Failed, format!("no timer: {why}"))
}

/// What became of a publication, for people.
pub(super) fn text(published: &Published) -> String {
    let Published { topic, subscribers, nodes, .. } = published;
    let (subscribers, nodes) = (counted(*subscribers, "subscription"), counted(*nodes, "node"));
    let mut out = format!("{topic}: {subscribers} on {nodes}");
    for missing in &published.missing {
        let detail = missing.detail.as_deref().unwrap_or_default();
        out.push_str(&format!("\n{} {}: {detail}", missing.outcome, missing.id));
    }
    for group in &published.unserved {
        out.push_str(&format!("\nnobody of group {group} took it"));
    }
    if let Some(id) = &published.id {
        out.push_str(&format!("\nid {id}"));
    }
    out
}

fn judge(published: &Published, cx: &Context) -> Result<Exit, Failed> {
    if !published.is_complete() {
        let what = format!("{}: not everybody has it", published.topic);
        return Err(Problem::new(Code::E0408, Exit::Partial, what).into());
    }
    if published.subscribers == 0 {
        cx.hint(&format!("nobody has subscribed to it: node why topic {}", published.topic));
    }
    Ok(Exit::Done)
}

impl Source {
    /// The first payload.
    fn first(self) -> Vec<u8> {
        match self {
            Self::Same(body, _) => body,
            Self::Template(template, _) => fill(&template, 1),
            Self::Lines => Vec::new(),
        }
    }

    /// How many payloads there are, if that is known.
    const fn count(&self) -> Option<u64> {
        match self {
            Self::Same(_, count) | Self::Template(_, count) => Some(*count),
            Self::Lines => None,
        }
    }

    /// All payloads, as they come.
    fn pieces(self) -> impl Iterator<Item = Result<Vec<u8>, Problem>> {
        let (mut number, mut input) = (0, io::stdin().lock());
        std::iter::from_fn(move || {
            number += 1;
            match &self {
                Self::Same(body, count) => (number <= *count).then(|| Ok(body.clone())),
                Self::Template(template, count) => (number <= *count).then(|| Ok(fill(template, number))),
                Self::Lines => line(&mut input).transpose(),
            }
        })
    }
}

/// The next line of standard input, without its end.
fn line(input: &mut io::StdinLock<'_>) -> Result<Option<Vec<u8>>, Problem> {
    let mut line = Vec::new();
    let most = limits::PAYLOAD_HARD_MAX as u64 + 1;
    let read = input.by_ref().take(most).read_until(b'\n', &mut line);
    let read =
        read.map_err(|why| Problem::new(Code::E0411, Exit::Failed, format!("cannot read standard input: {why}")))?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read as u64 == most {
        let what = format!("a line of standard input has more than {} bytes", limits::PAYLOAD_HARD_MAX);
        return Err(Problem::new(Code::E0404, Exit::Failed, what));
    }
    Ok((read > 0).then_some(line))
}

fn fill(template: &str, number: u64) -> Vec<u8> {
    let now: Duration = clock::wall();
    let filled = template
        .replace("{{count}}", &number.to_string())
        .replace("{{time}}", &clock::rfc3339(now))
        .replace("{{unix_ms}}", &now.as_millis().to_string());
    filled.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_in() {
        let all: Vec<_> = Source::Template("n{{count}} {{x}}".to_owned(), 2).pieces().map(Result::unwrap).collect();
        assert_eq!(all, [b"n1 {{x}}".to_vec(), b"n2 {{x}}".to_vec()]);
        let moment = String::from_utf8(fill("{{time}} {{unix_ms}}", 1)).unwrap();
        assert!(moment.starts_with("20") && moment.contains("Z 1"), "{moment}");
    }
}
