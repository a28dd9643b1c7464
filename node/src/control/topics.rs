//! Topics: publishing, and what is known of who subscribed.

use bytes::Bytes;
use io_tokio::{PatternInfo, PublishOptions, ReceiverInfo, ReceiversInfo, SubscribeError, SubscribeOptions, Subscription};
use proto_core::pubsub::{Missing, Policy, Publication, Report, SubscriptionView};

use super::{
    GroupDoc, HistoryDoc, InterestDoc, PublicationDoc, Published, Receipt, ReceiverDoc, Receivers, Session,
    SubscriptionDoc, TopicDoc, Topics, headers, refusal,
    session::{address, name},
};
use crate::errors::Problem;

/// Subscriptions that are listed of one pattern.
const LISTED: usize = 20;

impl Session {
    /// Publishes, and waits until it is known who got it.
    pub(crate) async fn publish(&self, topic: &str, body: Bytes, options: PublishOptions) -> Result<Published, Problem> {
        let published = self.mesh.publish_with(topic, body, options).await;
        let report = published.map_err(|why| refusal::publish(why, topic))?;
        Ok(self.published(topic, report))
    }

    /// Subscribes, as the configuration says of the topics.
    pub(crate) async fn subscribe(&self, pattern: &str, options: SubscribeOptions) -> Result<Subscription, Problem> {
        let subscribed = self.mesh.subscribe_with(pattern, options).await;
        subscribed.map_err(|why: SubscribeError| refusal::subscribe(why, pattern))
    }

    /// What happens to a subscription that does not keep up: what the configuration says of its topics, or `usual`.
    pub(crate) fn slow_policy(&self, pattern: &str, usual: Policy) -> Policy {
        let rule = self.facts.topics.iter().find(|rule| rule.covers(pattern));
        rule.and_then(|rule| rule.slow_consumer).unwrap_or(usual)
    }

    /// What is subscribed to in the mesh, in order of pattern, and what this node keeps.
    pub(crate) async fn topics(&self) -> Result<Topics, Problem> {
        let info = self.mesh.topics().await.map_err(|_| refusal::stopped())?;
        let topics = info.patterns.iter().map(|pattern| topic(pattern, &info.subscriptions)).collect();
        let history = info.history.iter().map(|view| HistoryDoc {
            topic: view.topic.to_string(),
            epoch: view.epoch.0,
            first: view.first.0,
            next: view.next.0,
            bytes: view.bytes as u64,
        });
        let mut history: Vec<_> = history.collect();
        history.sort_by(|a, b| a.topic.cmp(&b.topic));
        Ok(Topics { topics, history })
    }

    /// Who would get a publication to a topic now.
    pub(crate) async fn receivers(&self, topic: &str) -> Result<Receivers, Problem> {
        let ReceiversInfo { here, nodes, groups, kept } =
            self.mesh.who_would_receive(topic).await.map_err(|why| refusal::publish(why, topic))?;
        let group = |(group, nodes): &(_, Vec<_>)| GroupDoc {
            group: ToString::to_string(group),
            nodes: nodes.iter().map(receiver).collect(),
        };
        Ok(Receivers {
            topic: topic.to_owned(),
            here: here.len() as u64,
            subscriptions: here.iter().take(LISTED).map(subscription).collect(),
            nodes: nodes.iter().map(receiver).collect(),
            groups: groups.iter().map(group).collect(),
            kept,
        })
    }

    /// A publication without its payload.
    pub(crate) fn publication(&self, publication: &Publication) -> PublicationDoc {
        let (headers, headers_base64) = headers::decode(&publication.headers);
        let from = self.mesh.name_of(publication.from);
        PublicationDoc {
            topic: publication.topic.to_string(),
            from: from.map_or_else(|| address(publication.from), |name| name.to_string()),
            from_client: publication.from_client.as_deref().map(str::to_owned),
            seq: publication.seq.0,
            epoch: publication.position.map(|position| position.epoch.0),
            position: publication.position.map(|position| position.seq.0),
            headers,
            headers_base64,
            bytes: publication.payload.len() as u64,
            missed: 0,
        }
    }

    fn published(&self, topic: &str, report: Report) -> Published {
        let missing = report.missing.iter().map(|(addr, why)| {
            let id = self.mesh.name_of(*addr).map_or_else(|| address(*addr), |name| name.to_string());
            let (outcome, problem) = match why {
                Missing::Rejected(why) => ("refused", refusal::rejected(*why, &id)),
                Missing::Unknown | Missing::NoAnswer => {
                    ("unknown", refusal::outcome(io_tokio::Outcome::Unknown, &id))
                }
            };
            let (code, detail) = (Some(problem.code), Some(problem.what));
            Receipt { id, outcome: outcome.to_owned(), code, detail }
        });
        Published {
            topic: topic.to_owned(),
            subscribers: report.subscribers,
            nodes: report.nodes as u64,
            missing: missing.collect(),
            unserved: report.unserved.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Published {
    /// Whether everybody has it who should.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unserved.is_empty()
    }
}

fn topic(info: &PatternInfo, subscriptions: &[SubscriptionView]) -> TopicDoc {
    let same = |view: &&SubscriptionView| view.pattern == info.pattern && view.group == info.group;
    let here = || subscriptions.iter().filter(same);
    let mut slow: Vec<_> = here().map(subscription).filter(|view| view.dropped > 0 || view.queued > 0).collect();
    slow.sort_by_key(|view| std::cmp::Reverse((view.dropped, view.queued)));
    slow.truncate(LISTED);
    let nodes = info.nodes.iter().map(|(node, members)| InterestDoc { id: name(node), members: u64::from(*members) });
    let mut nodes: Vec<_> = nodes.collect();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    TopicDoc {
        pattern: info.pattern.to_string(),
        group: info.group.as_ref().map(ToString::to_string),
        nodes,
        here: here().count() as u64,
        slow,
    }
}

fn subscription(view: &SubscriptionView) -> SubscriptionDoc {
    SubscriptionDoc {
        client: view.client.as_deref().map(str::to_owned),
        pattern: view.pattern.to_string(),
        policy: policy_name(view.policy).to_owned(),
        held: u64::from(view.held),
        queued: view.queued as u64,
        queued_bytes: view.queued_bytes as u64,
        delivered: view.delivered,
        dropped: view.dropped_oldest + view.dropped_newest,
    }
}

/// A policy as the configuration calls it.
const fn policy_name(policy: Policy) -> &'static str {
    match policy {
        Policy::DropOldest => "drop_oldest",
        Policy::DropNewest => "drop_newest",
        Policy::Disconnect => "disconnect",
    }
}

fn receiver(info: &ReceiverInfo) -> ReceiverDoc {
    ReceiverDoc { id: name(&info.node), members: info.members, cost: info.cost.map(u64::from) }
}
