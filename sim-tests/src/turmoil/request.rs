//! What applications ask for, put to the handle of a node.

use std::time::Duration;

use io_tokio::{DeliveryReport, Mesh, RequestError, SendOptions};
use proto_core::{
    error::Rejected,
    id::{NodeAddr, NodeName},
    limits::{MESSAGE_DEADLINE, TRACE_TIMEOUT},
    node::{Answer, Command, Outcome, Send},
};

use super::app::Booth;

/// How long an answer may take. The handle has a deadline of its own for all but single messages.
pub(super) const fn patience(command: &Command, asked: Duration) -> Duration {
    match command {
        Command::Send(_) => asked,
        Command::SendMany { .. } | Command::Broadcast { .. } => MESSAGE_DEADLINE,
        Command::Trace { .. } | Command::FindNode { .. } => TRACE_TIMEOUT,
        Command::Connect(_)
        | Command::Disconnect { .. }
        | Command::SetClient { .. }
        | Command::Topic(_)
        | Command::Call(_)
        | Command::AwaitKnown { .. }
        | Command::Drain { .. } => asked,
    }
}

/// Asks, and waits for the answer. `None` if there is none to be had.
pub(super) async fn ask(booth: &Booth, mesh: &Mesh, command: Command) -> Option<Answer> {
    match command {
        Command::Send(send) => self::send(booth, mesh, send).await,
        Command::SendMany { to, payload, .. } => {
            let names: Vec<&str> = to.iter().filter_map(|addr| booth.name_of(*addr)).map(NodeName::as_str).collect();
            Some(answer(mesh.send_many(names, payload).await, sent_many, Answer::SentMany(Vec::new())))
        }
        Command::Broadcast { payload, .. } => {
            Some(answer(mesh.broadcast(payload).await, sent_many, Answer::SentMany(Vec::new())))
        }
        Command::Trace { to, every_hop: true, .. } => {
            let hops = mesh.trace(booth.name_of(to)?.as_str()).await;
            let reached = |hops: Vec<_>| Answer::Traced { reached: hops.iter().any(|hop: &io_tokio::Hop| hop.last) };
            Some(answer(hops, reached, Answer::Traced { reached: false }))
        }
        Command::Trace { to, every_hop: false, .. } => {
            let hop = mesh.ping(booth.name_of(to)?.as_str()).await;
            Some(answer(hop, |hop| Answer::Traced { reached: hop.is_some() }, Answer::Traced { reached: false }))
        }
        Command::FindNode { name, .. } => {
            Some(answer(mesh.find_node(name.as_str()).await, Answer::Found, Answer::Found(None)))
        }
        Command::SetClient { client, present } => {
            let set = mesh.set_client(&client, present).await;
            Some(answer(set, |()| Answer::Accepted, Answer::Rejected(Rejected::ShuttingDown)))
        }
        Command::Connect(_)
        | Command::Disconnect { .. }
        | Command::Topic(_)
        | Command::Call(_)
        | Command::AwaitKnown { .. }
        | Command::Drain { .. } => None,
    }
}

async fn send(booth: &Booth, mesh: &Mesh, send: Send) -> Option<Answer> {
    let Ok(sender) = mesh.sender(booth.name_of(send.to)?.as_str()) else {
        return send.report.then_some(Answer::Sent(Outcome::Rejected(Rejected::ShuttingDown)));
    };
    let options = SendOptions { client: send.to_client, from_client: send.from_client, deadline: Some(send.deadline) };
    if !send.report {
        // Nobody is told what becomes of it, not even that the node is over.
        let _ = sender.post_with(send.payload, options).await;
        return None;
    }
    let outcome = sender.send_with(send.payload, options).await;
    Some(Answer::Sent(outcome.unwrap_or(Outcome::Unknown)))
}

/// The answer of the core that an answer of the handle was made of; `over` if the node ended meanwhile.
fn answer<T>(result: Result<T, RequestError>, good: impl FnOnce(T) -> Answer, over: Answer) -> Answer {
    match result {
        Ok(value) => good(value),
        Err(RequestError::Rejected(reason)) => Answer::Rejected(reason),
        Err(RequestError::Stopped(_) | RequestError::BadName(_)) => over,
    }
}

fn sent_many(report: DeliveryReport) -> Answer {
    let delivered = report.acknowledged.into_iter().map(|receiver| (receiver.addr, Outcome::Delivered));
    let failed = report.failed.into_iter().map(|(receiver, outcome)| (receiver.addr, outcome));
    let mut all: Vec<(NodeAddr, Outcome)> = delivered.chain(failed).collect();
    all.sort_by_key(|(addr, _)| *addr);
    Answer::SentMany(all)
}
