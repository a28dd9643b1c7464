//! `node topics`.

use clap::Args;

use super::{Context, output::table, value};
use crate::{
    control::{Document as _, Op, ReceiverDoc, Receivers, TopicDoc, Topics},
    counted::counted,
    errors::{Exit, Failed},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node topics
  node topics --who orders.eu.created  who would get a publication now; sends nothing
  node topics -o jsonl | jq 'select(.slow != [])'")]
pub(super) struct TopicsArgs {
    /// Say who would get a publication to this topic
    #[arg(long, value_name = "TOPIC", value_parser = value::topic)]
    who: Option<String>,
}

pub(super) async fn run(args: TopicsArgs, cx: &Context) -> Result<Exit, Failed> {
    if let Some(topic) = args.who {
        let receivers: Receivers = cx.ask(Op::Receivers { topic }).await?.document().await?;
        return cx.print(&receivers, who);
    }
    let topics: Topics = cx.ask(Op::Topics).await?.document().await?;
    let out = cx.output();
    if out.is_lines() {
        topics.topics.iter().try_for_each(|topic| out.json(&topic.json()))?;
        return Ok(Exit::Done);
    }
    cx.print(&topics, |topics| {
        let mut out = table(["PATTERN", "GROUP", "NODES", "HERE", "SLOW"], topics.topics.iter().map(row));
        if !topics.history.is_empty() {
            out.push('\n');
            let rows = topics.history.iter().map(|kept| {
                [
                    kept.topic.clone(),
                    (kept.next - kept.first).to_string(),
                    kept.next.to_string(),
                    kept.bytes.to_string(),
                ]
            });
            out.push_str(&table(["KEPT HERE", "PUBLICATIONS", "NEXT", "BYTES"], rows));
        }
        out
    })
}

fn row(topic: &TopicDoc) -> [String; 5] {
    let dash = || "-".to_owned();
    let node = |node: &crate::control::InterestDoc| match (&topic.group, node.members) {
        (Some(_), members) => format!("{} ({members})", node.id),
        (None, _) => node.id.clone(),
    };
    let nodes: Vec<_> = topic.nodes.iter().map(node).collect();
    let slow: u64 = topic.slow.iter().map(|one| one.dropped).sum();
    let waiting: u64 = topic.slow.iter().map(|one| one.queued).sum();
    [
        topic.pattern.clone(),
        topic.group.clone().unwrap_or_else(dash),
        nodes.join(" "),
        topic.here.to_string(),
        if topic.slow.is_empty() { dash() } else { format!("{slow} missed, {waiting} wait") },
    ]
}

fn who(receivers: &Receivers) -> String {
    let cost = |node: &ReceiverDoc| node.cost.map_or_else(|| "out of reach".to_owned(), |cost| format!("cost {cost}"));
    let mut out = format!("{} here\n", counted(receivers.here, "subscription"));
    for node in &receivers.nodes {
        out.push_str(&format!("{}   {}\n", node.id, cost(node)));
    }
    for group in &receivers.groups {
        let nodes: Vec<_> =
            group.nodes.iter().map(|node| format!("{} ({} members, {})", node.id, node.members, cost(node))).collect();
        out.push_str(&format!("one of group {}: {}\n", group.group, nodes.join(", then ")));
    }
    if receivers.kept {
        out.push_str("kept here, for those who come late\n");
    }
    out
}
