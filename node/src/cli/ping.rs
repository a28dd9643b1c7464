//! `node ping`.

use std::time::Duration;

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{Context, complete, value};
use crate::{
    control::{Document as _, Op, PingDoc},
    errors::{Exit, Failed, Problem},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node ping hk-01
  node ping hk-01 --count 5 --every 200ms
  node ping hk-01 --timeout 1s --json")]
pub(super) struct PingArgs {
    /// The node
    #[arg(value_name = "ID", value_parser = value::node, add = ArgValueCandidates::new(complete::reachable_nodes))]
    node: String,
    /// How often
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Time between two
    #[arg(long, default_value = "1s", value_parser = value::duration, value_name = "TIME")]
    every: Duration,
}

pub(super) async fn run(args: PingArgs, cx: &Context) -> Result<Exit, Failed> {
    let mut last: Option<Problem> = None;
    let mut times = Vec::new();
    for number in 0..args.count {
        if number > 0 {
            tokio::time::sleep(args.every).await;
        }
        match once(&args.node, cx).await {
            Ok(pong) => {
                show(&pong, cx)?;
                times.push(pong.rtt_us);
            }
            // Without a node to ask there is no point in asking again.
            Err(problem) if problem.exit == Exit::NoNode => return Err(problem.into()),
            Err(problem) => {
                if args.count > 1 {
                    cx.hint(&format!("no answer from {}: {}", args.node, problem.what));
                }
                last = Some(problem);
            }
        }
    }
    if args.count > 1 {
        cx.hint(&summary(args.count, &times));
    }
    match last {
        Some(problem) if times.is_empty() => Err(problem.into()),
        Some(_) => Ok(Exit::Partial),
        None => Ok(Exit::Done),
    }
}

async fn once(node: &str, cx: &Context) -> Result<PingDoc, Problem> {
    let op = Op::Ping { node: node.to_owned(), deadline_ms: cx.deadline_ms() };
    cx.ask_until_deadline(op, b"").await?.document().await
}

fn show(pong: &PingDoc, cx: &Context) -> Result<(), Failed> {
    let out = cx.output();
    if out.is_text() {
        out.text(&format!("pong from {}   {}   {}", pong.id, value::hops(pong.hops), value::micros(pong.rtt_us)))
    } else {
        out.json(&pong.json())
    }
}

fn summary(sent: u32, times: &[u64]) -> String {
    if times.is_empty() {
        return format!("{sent} sent, none received");
    }
    let (min, max) = (times.iter().min().copied().unwrap_or(0), times.iter().max().copied().unwrap_or(0));
    let mean = times.iter().sum::<u64>() / (times.len() as u64).max(1);
    format!(
        "{sent} sent, {} received, rtt min/avg/max {} / {} / {}",
        times.len(),
        value::micros(min),
        value::micros(mean),
        value::micros(max)
    )
}
