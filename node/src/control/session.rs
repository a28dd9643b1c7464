//! What a running node answers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use io_tokio::{DeliveryReport, Hop, Mesh, Outcome, Receiver, SendOptions};
use proto_core::{error::Rejected, id::NodeAddr, limits};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    Document as _, FoundDoc, HopDoc, IdDoc, Lines, Op, PingDoc, Receipt, Receipts, Reply, Status, StopDoc, TraceDoc,
    journal::Journal, mailbox::Mailboxes, refusal, views,
};
use crate::{
    config::{TopicRule, nearest},
    errors::{Code, Exit, Problem},
    run::Readiness,
};

/// What a running node is, apart from its mesh.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// What people call it.
    pub(crate) name: String,
    /// Its network.
    pub(crate) network: String,
    /// Its public key, in hexadecimal digits.
    pub(crate) key: String,
    /// Where it listens, with the ports that were taken.
    pub(crate) listen: Vec<String>,
    /// Where its API is.
    pub(crate) api: Vec<String>,
    /// Where its metrics are.
    pub(crate) admin: Option<String>,
    /// Where commands reach it.
    pub(crate) control: std::path::PathBuf,
    /// How long a message may take if its sender does not say.
    pub(crate) deadline: Duration,
    /// What the configuration says of topics.
    pub(crate) topics: Vec<TopicRule>,
    /// When it started.
    pub(crate) started: Instant,
}

/// A wish to stop, and where to report to.
#[derive(Debug)]
pub(crate) struct Stop {
    /// How long to wait for what is under way; `None`: the usual time.
    pub(crate) deadline: Option<Duration>,
    /// Told how many messages were left without an answer.
    pub(crate) done: oneshot::Sender<u64>,
}

/// What a running node answers with.
#[derive(Debug)]
pub(crate) struct Session {
    /// The node.
    pub(crate) mesh: Mesh,
    /// What it is.
    pub(crate) facts: Facts,
    /// What happened to it.
    pub(crate) journal: Arc<Journal>,
    /// Messages that a receiver took and did not acknowledge.
    pub(crate) mailboxes: Arc<Mailboxes>,
    /// Whether it takes messages.
    pub(crate) readiness: Arc<Readiness>,
    /// Tells the process to end.
    pub(crate) stop: mpsc::Sender<Stop>,
}

/// The last document of an answer; `None` if the caller left before.
pub(super) type Answered = Result<Option<Value>, Problem>;

impl Session {
    /// Answers one request. What is streamed goes out through `lines`.
    pub(super) async fn answer(&self, op: Op, body: Bytes, lines: &mut Lines) -> Answered {
        match op {
            Op::Status => self.status().await.map(|status| Some(status.json())),
            Op::Id => Ok(Some(self.id().json())),
            Op::Peers => Ok(Some(views::peers(&self.mesh).await.map_err(|_| refusal::stopped())?.json())),
            Op::Routes => Ok(Some(views::routes(&self.mesh).await.map_err(|_| refusal::stopped())?.json())),
            Op::Ping { node, deadline_ms } => {
                let deadline = deadline_ms.map_or(limits::TRACE_TIMEOUT, Duration::from_millis);
                self.ping(&node, deadline).await.map(|pong| Some(pong.json()))
            }
            Op::Send { node, client, from_client, deadline_ms } => {
                let options = SendOptions {
                    client: client.map(Into::into),
                    from_client: from_client.map(Into::into),
                    deadline: deadline_ms.map(Duration::from_millis),
                };
                self.send(&node, body, options).await.map(|receipt| Some(receipt.json()))
            }
            Op::Broadcast { deadline_ms } => {
                let receipts = self.broadcast(body, deadline_ms.map(Duration::from_millis)).await;
                receipts.map(|receipts| Some(receipts.json()))
            }
            Op::Recv { client, count } => self.mailboxes.serve(&self.mesh, client, count, lines).await,
            Op::Trace { node, deadline_ms } => {
                let deadline = deadline_ms.map_or(limits::TRACE_TIMEOUT, Duration::from_millis);
                self.trace(&node, deadline).await.map(|trace| Some(trace.json()))
            }
            Op::Find { node, deadline_ms } => {
                let deadline = deadline_ms.map_or(limits::TRACE_TIMEOUT, Duration::from_millis);
                self.find(&node, deadline).await.map(|found| Some(found.json()))
            }
            Op::Events { follow } => self.journal.serve(follow, lines).await,
            Op::Stop { deadline_ms } => self.stop(deadline_ms).await,
        }
    }

    /// How the node is.
    pub(crate) async fn status(&self) -> Result<Status, Problem> {
        let counters = self.mesh.counters().await.map_err(|_| refusal::stopped())?;
        let peers = views::peers(&self.mesh).await.map_err(|_| refusal::stopped())?;
        let routes = views::routes(&self.mesh).await.map_err(|_| refusal::stopped())?;
        let count = |name: &str| counters.get(name).copied().unwrap_or(0);
        let up = peers.peers.iter().filter(|peer| peer.state == views::UP).count() as u64;
        Ok(Status {
            id: self.mesh.name().to_string(),
            name: self.facts.name.clone(),
            network: self.facts.network.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_ms: u64::try_from(self.facts.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            ready: !self.readiness.is_draining(),
            listen: self.facts.listen.clone(),
            api: self.facts.api.clone(),
            admin: self.facts.admin.clone(),
            links_up: up,
            links_down: peers.peers.len() as u64 - up,
            reachable: routes.routes.len() as u64,
            messages_sent: count("messages_sent"),
            messages_received: count("messages_delivered"),
            messages_refused: count("messages_refused"),
            messages_unknown: count("messages_unknown"),
        })
    }

    fn id(&self) -> IdDoc {
        IdDoc { id: self.mesh.name().to_string(), key: self.facts.key.clone(), network: self.facts.network.clone() }
    }

    /// Asks a node for an answer.
    pub(crate) async fn ping(&self, node: &str, deadline: Duration) -> Result<PingDoc, Problem> {
        let hop = match self.mesh.ping_within(node, deadline).await {
            Ok(Some(hop)) => hop,
            Ok(None) => return Err(self.explain(self.silent(node, deadline).await, node).await),
            Err(why) => return Err(self.explain(refusal::request(why, node), node).await),
        };
        Ok(PingDoc { id: hop.name.to_string(), rtt_us: micros(hop.rtt), hops: u64::from(hop.hop) })
    }

    /// Sends to a node, or to a client at it.
    pub(crate) async fn send(&self, node: &str, body: Bytes, options: SendOptions) -> Result<Receipt, Problem> {
        let receiver = match &options.client {
            Some(client) => format!("{node}/{client}"),
            None => node.to_owned(),
        };
        let outcome = self.mesh.send_with(node, body, options).await.map_err(|why| refusal::send(why, &receiver))?;
        match outcome {
            Outcome::Delivered => Ok(Receipt { id: receiver, outcome: "delivered".to_owned(), ..Receipt::default() }),
            Outcome::Rejected(_) | Outcome::Unknown => {
                Err(self.explain(refusal::outcome(outcome, &receiver), node).await)
            }
        }
    }

    /// Sends to every node within reach.
    pub(crate) async fn broadcast(&self, body: Bytes, deadline: Option<Duration>) -> Result<Receipts, Problem> {
        let deadline = deadline.unwrap_or(self.facts.deadline);
        let report =
            self.mesh.broadcast_within(body, deadline).await.map_err(|why| refusal::request(why, "anybody"))?;
        Ok(receipts(report))
    }

    /// Asks every node on the way to one.
    pub(crate) async fn trace(&self, node: &str, deadline: Duration) -> Result<TraceDoc, Problem> {
        let hops = match self.mesh.trace_within(node, deadline).await {
            Ok(hops) => hops,
            Err(why) => return Err(self.explain(refusal::request(why, node), node).await),
        };
        let reached = hops.iter().any(|hop| hop.last);
        if let (false, Some(conflict)) = (reached, self.journal.conflict(node)) {
            return Err(refusal::wrong_key(node, conflict));
        }
        Ok(TraceDoc { reached, hops: hops.iter().map(hop_document).collect() })
    }

    /// Looks a node up.
    pub(crate) async fn find(&self, node: &str, deadline: Duration) -> Result<FoundDoc, Problem> {
        let unknown = || {
            let what = format!("nobody knows a node `{node}`");
            Problem::new(Code::E0410, Exit::NotFound, what).try_this("node routes")
        };
        let found = self.mesh.find_node_within(node, deadline).await;
        let found = match found.map_err(|why| refusal::request(why, node))? {
            Some(found) => found,
            None => return Err(self.explain(unknown(), node).await),
        };
        Ok(FoundDoc { id: found.name.to_string(), cost: found.cost.map(u64::from), hops: found.hops.map(u64::from) })
    }

    /// A node that was asked and said nothing: because there is no way to it, or although there is one.
    async fn silent(&self, node: &str, deadline: Duration) -> Problem {
        if self.names().await.iter().any(|name| name == node) {
            let what = format!("{node} did not answer within {deadline:?}");
            return Problem::new(Code::E0401, Exit::NoRoute, what).try_this(format!("node trace {node}"));
        }
        refusal::rejected(Rejected::NoRoute, node).note(format!("none came up within {deadline:?}"))
    }

    /// The problem with what this node knows about it: a wrong key that explains why there is no way to the node, or a
    /// node with a similar name.
    async fn explain(&self, problem: Problem, node: &str) -> Problem {
        if problem.exit == Exit::NoRoute
            && let Some(conflict) = self.journal.conflict(node)
        {
            return refusal::wrong_key(node, conflict);
        }
        if !matches!(problem.code, Code::E0401 | Code::E0410) {
            return problem;
        }
        let names = self.names().await;
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        match nearest(node, &names) {
            Some(near) if !names.contains(&node) => problem.note(format!("did you mean `{near}`?")),
            Some(_) | None => problem,
        }
    }

    /// The nodes within reach, and this one.
    async fn names(&self) -> Vec<String> {
        let routes = views::routes(&self.mesh).await.unwrap_or_default();
        routes.routes.into_iter().map(|route| route.id).chain([self.mesh.name().to_string()]).collect()
    }

    async fn stop(&self, deadline_ms: Option<u64>) -> Answered {
        let (done, told) = oneshot::channel();
        let stop = Stop { deadline: deadline_ms.map(Duration::from_millis), done };
        self.stop.send(stop).await.map_err(|_| refusal::stopped())?;
        let unanswered = told.await.map_err(|_| refusal::stopped())?;
        Ok(Some(StopDoc { id: self.mesh.name().to_string(), unanswered }.json()))
    }
}

fn receipts(report: DeliveryReport) -> Receipts {
    let delivered = report.acknowledged.len() as u64;
    let mut receipts: Vec<_> = report
        .acknowledged
        .into_iter()
        .map(|receiver| Receipt { id: name(&receiver), outcome: "delivered".to_owned(), ..Receipt::default() })
        .collect();
    for (receiver, outcome) in report.failed {
        let problem = refusal::outcome(outcome, &name(&receiver));
        let word = if outcome == Outcome::Unknown { "unknown" } else { "refused" };
        let (code, detail) = (Some(problem.code), Some(problem.what));
        receipts.push(Receipt { id: name(&receiver), outcome: word.to_owned(), code, detail });
    }
    receipts.sort_by(|a, b| a.id.cmp(&b.id));
    Receipts { total: receipts.len() as u64, receipts, delivered }
}

/// The name of a receiver, or its address.
pub(super) fn name(receiver: &Receiver) -> String {
    receiver.name.as_ref().map_or_else(|| address(receiver.addr), ToString::to_string)
}

/// An address whose name is not known, for people.
pub(crate) fn address(addr: NodeAddr) -> String {
    format!("#{:016x}", addr.0)
}

fn hop_document(hop: &Hop) -> HopDoc {
    HopDoc {
        hop: u64::from(hop.hop),
        id: hop.name.to_string(),
        rtt_us: micros(hop.rtt),
        last: hop.last,
        stopped: hop.stopped.map(|why| refusal::stopped_probe(why).to_owned()),
    }
}

/// A time in whole microseconds.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// An item of a stream that is nothing but a document.
pub(super) fn item(data: Value) -> Reply {
    Reply::Item { data, body: 0 }
}
