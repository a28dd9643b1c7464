//! Every flow from this node.
//!
//! A flow begins with the first message to a node and is forgotten after [`FLOW_IDLE`](crate::limits::FLOW_IDLE) without
//! any, or earlier to make room. What is forgotten leaves one thing behind: no later flow begins below the highest number
//! that any forgotten one used, so no number is ever used twice for one receiver.
//!
//! Bounds: [`FLOWS_OUT_MAX`] flows.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    env::{Env, Parcel},
    outflow::Outflow,
    view::{Backlog, OutflowView},
};
use crate::{
    arena::{Arena, Handle},
    collections::DetMap,
    error::Rejected,
    id::{Incarnation, NodeAddr},
    limits::FLOWS_OUT_MAX,
    time::Time,
    timers::DeadlineIndex,
    wire::v1,
};

/// All that this node sends. See the module's first lines.
#[derive(Debug)]
pub(super) struct Outflows {
    flows: Arena<Scheduled>,
    by_node: DetMap<NodeAddr, Handle<Scheduled>>,
    timers: DeadlineIndex<Handle<Scheduled>>,
    /// No flow that begins now may use a lower number.
    first: u64,
    retry_max: Duration,
}

/// A flow and the deadline that the index knows of it.
#[derive(Debug)]
struct Scheduled {
    flow: Outflow,
    deadline: Option<(Time, &'static str)>,
}

impl Outflows {
    /// No flows. `seed` varies where the tables keep things.
    pub(super) fn new(seed: u64, retry_max: Duration) -> Self {
        Self {
            flows: Arena::with_limit(FLOWS_OUT_MAX),
            by_node: DetMap::with_seed(seed),
            timers: DeadlineIndex::new(),
            first: 1,
            retry_max,
        }
    }

    /// Takes a message to send to another node.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if too much waits for that node, or too many nodes are waited for.
    #[inline]
    pub(super) fn send(&mut self, env: &mut Env<'_>, to: NodeAddr, parcel: Parcel) -> Result<(), Rejected> {
        let handle = match self.by_node.get(&to) {
            Some(&handle) => handle,
            None => self.begin(env, to).ok_or(Rejected::Busy)?,
        };
        self.with(handle, |flow| flow.send(env, parcel)).unwrap_or(Err(Rejected::Busy))
    }

    /// A node is within reach, in this life.
    pub(super) fn reached(&mut self, env: &mut Env<'_>, node: NodeAddr, life: Incarnation) {
        self.with_node(node, |flow| flow.reached(env, life));
    }

    /// The way to a node is another now.
    pub(super) fn rerouted(&mut self, env: &mut Env<'_>, node: NodeAddr) {
        self.with_node(node, |flow| flow.rerouted(env));
    }

    /// A node is out of reach.
    pub(super) fn lost_reach(&mut self, node: NodeAddr, now: Time) {
        self.with_node(node, |flow| flow.lost_reach(now));
    }

    /// Takes in an acknowledgement, if it is for this life of this node.
    pub(super) fn acknowledged(&mut self, env: &mut Env<'_>, ack: &v1::Ack) {
        if ack.dst_incarnation == env.me.incarnation {
            self.with_node(ack.transit.src, |flow| flow.acknowledged(env, ack));
        }
    }

    /// Acts on deadlines that have come.
    pub(super) fn handle_timeout(&mut self, env: &mut Env<'_>) {
        while let Some((_, handle, _)) = self.timers.first().filter(|&(due, ..)| due <= env.now) {
            if self.with(handle, |flow| flow.handle_timeout(env)).is_none() {
                self.timers.set(handle, None);
            }
        }
    }

    /// What waits or is unanswered for a receiver.
    pub(super) fn backlog(&self, to: NodeAddr) -> Backlog {
        let flow = self.by_node.get(&to).and_then(|&handle| self.flows.get(handle));
        flow.map_or(Backlog::default(), |scheduled| scheduled.flow.backlog())
    }

    /// The next deadline and what for.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.timers.first().map(|(due, _, why)| (due, why))
    }

    /// Forgets the idle flows.
    pub(super) fn sweep(&mut self, now: Time) {
        let idle = self.flows.iter().filter(|(_, slot)| slot.flow.is_idle(now)).map(|(handle, _)| handle);
        for handle in idle.collect::<Vec<_>>() {
            self.forget(handle);
        }
    }

    /// Whether there is no flow.
    pub(super) fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// What people may see of the flows.
    pub(super) fn views(&self) -> impl Iterator<Item = OutflowView> {
        self.flows.iter().map(|(_, slot)| slot.flow.view())
    }

    fn begin(&mut self, env: &mut Env<'_>, to: NodeAddr) -> Option<Handle<Scheduled>> {
        if self.flows.is_full() {
            let empty = self.flows.iter().filter(|(_, slot)| slot.flow.is_empty());
            let (longest_idle, _) = empty.min_by_key(|(_, slot)| slot.flow.active())?;
            self.forget(longest_idle);
        }
        let mut flow = Outflow::new(to, env.me.path_to(to), self.first, self.retry_max, env.now);
        if let Some(life) = env.lives.within_reach(to) {
            flow.reached(env, life);
        }
        let handle = self.flows.insert(Scheduled { flow, deadline: None }).ok()?;
        self.by_node.insert(to, handle);
        Some(handle)
    }

    fn forget(&mut self, handle: Handle<Scheduled>) {
        if let Some(Scheduled { flow, .. }) = self.flows.remove(handle) {
            self.first = self.first.max(flow.next());
            self.by_node.remove(&flow.to());
        }
        self.timers.set(handle, None);
    }

    fn with_node(&mut self, node: NodeAddr, step: impl FnOnce(&mut Outflow)) {
        if let Some(&handle) = self.by_node.get(&node) {
            self.with(handle, step);
        }
    }

    /// Lets a flow take a step, and keeps the index up to date.
    #[inline]
    fn with<T>(&mut self, handle: Handle<Scheduled>, step: impl FnOnce(&mut Outflow) -> T) -> Option<T> {
        let Scheduled { flow, deadline } = self.flows.get_mut(handle)?;
        let result = step(flow);
        let next = flow.poll_timeout();
        if next.map(|(due, _)| due) != deadline.map(|(due, _)| due) {
            *deadline = next;
            self.timers.set(handle, next);
        }
        Some(result)
    }
}
