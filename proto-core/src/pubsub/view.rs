//! What people may see of the topics.

use alloc::{sync::Arc, vec::Vec};

use super::{
    Topics,
    api::{Policy, SubscriptionId},
    interest::{InterestView, Interests},
    matches::{GroupMatch, Matches},
    subscription::Subscription,
    topic::{Group, Pattern, Topic},
};
use crate::id::{Incarnation, NodeAddr, Seq};

/// One subscription of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// The subscription.
    pub id: SubscriptionId,
    /// Its topics.
    pub pattern: Pattern,
    /// Its queue group.
    pub group: Option<Group>,
    /// The client that it belongs to; `None`: the node.
    pub client: Option<Arc<str>>,
    /// What happens when its queue is full.
    pub policy: Policy,
    /// Publications handed to it and not consumed.
    pub held: u32,
    /// Publications that wait for it.
    pub queued: usize,
    /// What they weigh.
    pub queued_bytes: usize,
    /// Publications handed to it since it began.
    pub delivered: u64,
    /// Waiting publications that made room for newer ones.
    pub dropped_oldest: u64,
    /// Publications that found no room.
    pub dropped_newest: u64,
}

/// The history of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryView {
    /// The topic.
    pub topic: Topic,
    /// The life that its numbers belong to.
    pub epoch: Incarnation,
    /// The number of the oldest publication that is kept; that of the next one to come if none is.
    pub first: Seq,
    /// The number of the next publication.
    pub next: Seq,
    /// What is kept weighs so much.
    pub bytes: usize,
}

/// Who would get a publication to a topic now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receivers {
    /// The subscriptions of this node without a group.
    pub here: Vec<SubscriptionId>,
    /// The other nodes with such subscriptions, in order of address.
    pub nodes: Vec<NodeAddr>,
    /// The queue groups, of which one member each gets it, in order of name.
    pub groups: Vec<(Group, Vec<ReceiverView>)>,
    /// Whether a history rule of this node keeps it.
    pub kept: bool,
}

/// One node with members of a queue group: this one first, then in order of cost, and those out of reach last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverView {
    /// The node; `None`: this one.
    pub node: Option<NodeAddr>,
    /// How many members there.
    pub members: u64,
    /// What the way there costs; `None`: out of reach.
    pub cost: Option<u32>,
}

impl Topics {
    /// Every subscription of this node.
    pub fn subscriptions(&self) -> impl Iterator<Item = SubscriptionView> {
        self.subscriptions.iter().map(|(id, subscription)| self.view(id, subscription))
    }

    /// Everybody's interests.
    #[must_use]
    pub const fn interests(&self) -> &Interests {
        &self.interests
    }

    /// What this node wants, as the others are told: for one that has to be told everything.
    pub fn wanted(&self) -> impl Iterator<Item = InterestView> {
        self.interests.of(None)
    }

    /// The topics of which history is kept here.
    pub fn history(&self) -> impl Iterator<Item = HistoryView> {
        self.history.views()
    }

    /// How many publications of this node are not over: their receipt is awaited, or a group may need another node.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The nodes that did not get publications, and how many since they were forgotten last.
    pub fn slow_nodes(&self) -> impl Iterator<Item = (NodeAddr, u64)> {
        self.slow.iter().map(|(node, slow)| (*node, slow.dropped))
    }

    /// Who would get a publication to this topic now. `cost` as for [`Topics::publish`].
    #[must_use]
    pub fn receivers(&self, topic: &Topic, cost: impl Fn(NodeAddr) -> Option<u32>) -> Receivers {
        let found = Matches::find(topic.clone(), &self.interests, self.history.rule(topic));
        let members = |group: &GroupMatch| {
            let here: usize = group.here.iter().map(|&interest| self.subscriptions.of(interest).count()).sum();
            let here = (here > 0).then_some(ReceiverView { node: None, members: here as u64, cost: Some(0) });
            let mut there: Vec<ReceiverView> = group
                .there
                .iter()
                .map(|&(node, members)| ReceiverView { node: Some(node), members, cost: cost(node) })
                .collect();
            there.sort_by_key(|receiver| (receiver.cost.is_none(), receiver.cost));
            (self.interests.group(group.group).clone(), here.into_iter().chain(there).collect())
        };
        let mut groups: Vec<(Group, Vec<ReceiverView>)> = found.groups.iter().map(members).collect();
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        Receivers {
            here: found.here.iter().flat_map(|&interest| self.subscriptions.of(interest)).collect(),
            nodes: found.there.iter().map(|destination| destination.node).collect(),
            groups,
            kept: found.rule.is_some(),
        }
    }

    fn view(&self, id: SubscriptionId, subscription: &Subscription) -> SubscriptionView {
        let (pattern, group) = self.interests.describe(subscription.interest);
        let counts = subscription.counts();
        SubscriptionView {
            id,
            pattern: Pattern::trusted(pattern),
            group,
            client: subscription.client.clone(),
            policy: subscription.policy(),
            held: subscription.held(),
            queued: subscription.queued(),
            queued_bytes: subscription.queued_bytes(),
            delivered: counts.delivered,
            dropped_oldest: counts.dropped_oldest,
            dropped_newest: counts.dropped_newest,
        }
    }
}
