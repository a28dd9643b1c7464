//! What a node tells people about topics and services.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proto_core::{
    id::{NodeAddr, NodeName},
    node::Node,
    pubsub::{BadTopic, Group, HistoryView, Pattern, SubscriptionView, Topic},
    rpc::{CallView, Capacity, Meta, ServiceName},
    time::Time,
};

use crate::{
    error::{PublishError, Stopped},
    mesh::{Mesh, Receiver},
};

/// What this node knows of topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsInfo {
    /// What is subscribed to anywhere in the mesh, in order of pattern.
    pub patterns: Vec<PatternInfo>,
    /// The subscriptions of this node.
    pub subscriptions: Vec<SubscriptionView>,
    /// The topics of which this node keeps history.
    pub history: Vec<HistoryView>,
    /// The nodes that did not get publications of this one, and how many they did not get.
    pub slow_nodes: Vec<(Receiver, u64)>,
    /// Publications of this node that wait for their receipts.
    pub open: usize,
}

/// A pattern that somebody subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternInfo {
    /// The pattern.
    pub pattern: Pattern,
    /// The queue group of those subscriptions.
    pub group: Option<Group>,
    /// At which nodes, and how many members of the group are there; 1 without a group.
    pub nodes: Vec<(Receiver, u32)>,
}

/// Who would get a publication of this node now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiversInfo {
    /// The subscriptions of this node without a group.
    pub here: Vec<SubscriptionView>,
    /// The other nodes with such subscriptions.
    pub nodes: Vec<ReceiverInfo>,
    /// The queue groups, of which one member each gets it: nodes with members, the one that is asked first coming first.
    pub groups: Vec<(Group, Vec<ReceiverInfo>)>,
    /// Whether this node keeps it for those who come late.
    pub kept: bool,
}

/// A node that would get a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverInfo {
    /// The node.
    pub node: Receiver,
    /// How many members of the group are there; 1 without a group.
    pub members: u64,
    /// What the way there costs; `None`: out of reach. 0: this node.
    pub cost: Option<u32>,
}

/// A provider of a service anywhere in the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceInfo {
    /// The service.
    pub service: ServiceName,
    /// The node that serves it.
    pub node: Receiver,
    /// The client of that node that serves it; `None`: the node itself.
    pub client: Option<Arc<str>>,
    /// How many calls it takes.
    pub capacity: Capacity,
    /// What it says of itself.
    pub meta: Arc<Meta>,
    /// What the way there costs; `None`: out of reach. 0: this node.
    pub cost: Option<u32>,
    /// Calls of this node that are pending there.
    pub pending: u32,
    /// Calls of everybody that ran or waited there when it last told.
    pub load: u32,
    /// Whether it refused a call a moment ago, and is chosen last.
    pub cooling: bool,
    /// How it fares, if it is this node's.
    pub served: Option<ServedInfo>,
}

/// How a service of this node fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedInfo {
    /// Calls that run.
    pub running: u32,
    /// Calls that wait.
    pub queued: u32,
    /// Calls that a handler was given.
    pub requests: u64,
    /// Those of them that ended with an error of the handler.
    pub errors: u64,
    /// Calls that were refused, because too many waited.
    pub refused: u64,
    /// Calls that were over before their turn came.
    pub expired: u64,
    /// How long its handlers took on average.
    pub average: Option<Duration>,
}

impl Mesh {
    /// What is subscribed to, here and anywhere.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn topics(&self) -> Result<TopicsInfo, Stopped> {
        self.inspect(|node, _| topics(node)).await
    }

    /// Who would get a publication of this node to a topic now, without publishing any.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn who_would_receive(&self, topic: &str) -> Result<ReceiversInfo, PublishError> {
        let topic = Topic::new(topic).map_err(|error: BadTopic| PublishError::from(error))?;
        Ok(self.inspect(move |node, _| receivers(node, &topic)).await?)
    }

    /// Every provider of every service in the mesh.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn services(&self) -> Result<Vec<ServiceInfo>, Stopped> {
        self.inspect(services).await
    }

    /// Every call of this node that has not ended.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn calls(&self) -> Result<Vec<CallView>, Stopped> {
        self.inspect(|node, now| node.calls().calls(now).collect()).await
    }
}

/// Which nodes want what, with how many members.
type Wanted = BTreeMap<(Pattern, Option<Group>), Vec<(Receiver, u32)>>;

fn topics(node: &Node) -> TopicsInfo {
    let mut patterns = Wanted::new();
    for interest in node.topics().interests().iter() {
        let at = receiver(node, interest.node.unwrap_or(node.addr()));
        patterns.entry((interest.pattern, interest.group)).or_default().push((at, interest.members));
    }
    let pattern = |((pattern, group), nodes)| PatternInfo { pattern, group, nodes };
    TopicsInfo {
        patterns: patterns.into_iter().map(pattern).collect(),
        subscriptions: node.topics().subscriptions().collect(),
        history: node.topics().history().collect(),
        slow_nodes: node.topics().slow_nodes().map(|(addr, dropped)| (receiver(node, addr), dropped)).collect(),
        open: node.topics().open(),
    }
}

fn receivers(node: &Node, topic: &Topic) -> ReceiversInfo {
    let cost = |addr| node.router().cost(addr);
    let found = node.topics().receivers(topic, cost);
    let groups = found.groups.into_iter().map(|(group, members)| {
        let member = |view: proto_core::pubsub::ReceiverView| ReceiverInfo {
            node: receiver(node, view.node.unwrap_or(node.addr())),
            members: view.members,
            cost: view.cost,
        };
        (group, members.into_iter().map(member).collect())
    });
    let plain = |addr| ReceiverInfo { node: receiver(node, addr), members: 1, cost: cost(addr) };
    ReceiversInfo {
        here: node.topics().subscriptions().filter(|view| found.here.contains(&view.id)).collect(),
        nodes: found.nodes.into_iter().map(plain).collect(),
        groups: groups.collect(),
        kept: found.kept,
    }
}

fn services(node: &Node, now: Time) -> Vec<ServiceInfo> {
    let served = |service: &ServiceName, client: &Option<Arc<str>>| {
        let view = node.calls().served().find(|view| view.entry.service == *service && view.entry.client == *client)?;
        Some(ServedInfo {
            running: view.running,
            queued: view.queued,
            requests: view.requests,
            errors: view.errors,
            refused: view.refused,
            expired: view.expired,
            average: view.average,
        })
    };
    let info = |view: proto_core::rpc::ProviderView<'_>| ServiceInfo {
        service: view.entry.service.clone(),
        node: receiver(node, view.node),
        client: view.entry.client.clone(),
        capacity: view.entry.capacity,
        meta: Arc::clone(&view.entry.meta),
        cost: view.cost,
        pending: view.pending,
        load: view.load,
        cooling: view.cooling,
        served: (view.node == node.addr()).then(|| served(&view.entry.service, &view.entry.client)).flatten(),
    };
    let mut all: Vec<ServiceInfo> = node.calls().providers(now).map(info).collect();
    all.sort_by(|a, b| (&a.service, a.node.addr, &a.client).cmp(&(&b.service, b.node.addr, &b.client)));
    all
}

fn receiver(node: &Node, addr: NodeAddr) -> Receiver {
    let name: Option<NodeName> =
        if addr == node.addr() { Some(node.name().clone()) } else { node.name_of(addr).cloned() };
    Receiver { addr, name }
}
