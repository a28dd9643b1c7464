//! Subscribing for commands.
//!
//! Bounds: [`CREDIT`] publications here, and what the socket holds; the rest waits at the node, where the policy of the
//! subscription decides.

use std::sync::Arc;

use io_tokio::{HubEvent, HubSubscription, Policy, Publication, Resume, SubscribeOptions, SubscriptionHub};
use serde_json::Value;

use super::{
    Document as _, Lines, Reply, Session, SubscribedDoc, refusal,
    session::{Answered, item},
};
use crate::errors::{Code, Exit, Problem};

/// Publications that are taken for a caller before it has read any.
const CREDIT: u32 = 1_024;

/// What a caller wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// The queue group.
    pub(super) group: Option<String>,
    /// The client that subscribes.
    pub(super) client: Option<String>,
    /// How many of each topic from before.
    pub(super) last: Option<usize>,
    /// How many in all.
    pub(super) count: Option<u64>,
}

impl Session {
    /// Streams what is published until there is enough, or the caller leaves.
    pub(super) async fn stream_publications(&self, patterns: &[String], wish: Wish, lines: &mut Lines) -> Answered {
        let mut hub = self.mesh.hub();
        let subscriptions = self.subscribe_all(&hub, patterns, &wish).await?;
        let recoveries = || subscriptions.iter().filter_map(HubSubscription::recovery);
        let begin = SubscribedDoc {
            patterns: patterns.to_vec(),
            known: subscriptions.iter().all(HubSubscription::was_known),
            replayed: recoveries().map(|recovery| recovery.replayed as u64).sum(),
        };
        if lines.writer.line(&item(begin.json()), b"").await.is_err() {
            return Ok(None);
        }
        let (mut left, mut missed) = (wish.count.unwrap_or(u64::MAX), 0);
        while left > 0 {
            let event = tokio::select! {
                event = hub.recv() => event,
                // A caller has nothing to say, and may leave.
                _ = lines.reader.line::<Value>() => return Ok(None),
            };
            let publication = match event {
                Some(HubEvent::Publication { publication, .. }) => publication,
                Some(HubEvent::Ended { reason, .. }) => {
                    return Err(Problem::new(Code::E1514, Exit::Failed, reason.to_string()));
                }
                None => return Err(refusal::stopped()),
            };
            if !self.send_publication(&publication, &hub, &mut missed, lines).await {
                return Ok(None);
            }
            left -= 1;
        }
        Ok(Some(Value::Null))
    }

    async fn subscribe_all(
        &self,
        hub: &SubscriptionHub,
        patterns: &[String],
        wish: &Wish,
    ) -> Result<Vec<HubSubscription>, Problem> {
        let mut all = Vec::new();
        for pattern in patterns {
            let options = SubscribeOptions {
                group: wish.group.clone(),
                client: wish.client.as_deref().map(Arc::from),
                policy: self.slow_policy(pattern, Policy::DropOldest),
                credit: CREDIT,
                resume: wish.last.map_or(Resume::Live, Resume::Last),
                ..SubscribeOptions::default()
            };
            let subscription = hub.subscribe(pattern, options).await;
            all.push(subscription.map_err(|why| refusal::subscribe(why, pattern))?);
        }
        Ok(all)
    }

    /// Whether the caller is still there.
    async fn send_publication(
        &self,
        publication: &Publication,
        hub: &SubscriptionHub,
        missed: &mut u64,
        lines: &mut Lines,
    ) -> bool {
        let mut document = self.publication(publication);
        let dropped = hub.dropped();
        document.missed = dropped.saturating_sub(*missed);
        *missed = dropped;
        let reply = Reply::Item { data: document.json(), body: document.bytes };
        lines.writer.line(&reply, &publication.payload).await.is_ok()
    }
}
