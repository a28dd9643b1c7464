//! Everything that arrives for this node's application, and the answers to it.
//!
//! A flow begins with the first message from a node and is forgotten after [`FLOW_IDLE`](crate::limits::FLOW_IDLE) without
//! any. Flows that wait for room in the inbox take turns, one message each. Answers are gathered, and go out at the next
//! timeout, which is due at once: one acknowledgement for all that came in between. A sender is told to stop while one of
//! its messages waits for room, and to go on with the acknowledgement of the last one that did.
//!
//! Bounds: [`FLOWS_IN_MAX`] flows; the rest gets no answer and tries again.

use alloc::{collections::VecDeque, vec::Vec};

use bytes::Bytes;

use super::{
    env::{Env, Heading, Parcel, Place},
    inbox::Inbox,
    inflow::{Inflow, Served},
    local::Local,
    view::{Backlog, InflowView},
};
use crate::{
    arena::{Arena, Handle},
    collections::DetMap,
    error::Rejected,
    id::{Incarnation, NodeAddr},
    limits::{CLIENT_NAME_MAX, FLOW_WINDOW, FLOWS_IN_MAX},
    node::MessageConfig,
    probe::Counter,
    time::Time,
    timers::earlier,
};

/// All that this node receives. See the module's first lines.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) inbox: Inbox,
    flows: Arena<Inflow>,
    by_node: DetMap<NodeAddr, Handle<Inflow>>,
    local: Local,
    /// Who waits for room in the inbox, in turn.
    turns: VecDeque<Source>,
    /// Flows with an acknowledgement due.
    acks: Vec<Handle<Inflow>>,
    /// Since when answers are due.
    answers_due: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Local,
    Flow(Handle<Inflow>),
}

impl Arrivals {
    /// Nothing has arrived. `seed` varies where the table keeps things.
    pub(super) fn new(seed: u64, config: &MessageConfig) -> Self {
        Self {
            inbox: Inbox::new(config),
            flows: Arena::with_limit(FLOWS_IN_MAX),
            by_node: DetMap::with_seed(seed),
            local: Local::new(),
            turns: VecDeque::new(),
            acks: Vec::new(),
            answers_due: None,
        }
    }

    /// Takes in a message from another node.
    pub(super) fn arrived(&mut self, env: &mut Env<'_>, place: &Place, heading: Heading<'_>, body: Bytes) {
        if !is_sound(env, place, &heading) {
            env.probe.count(Counter::DroppedMalformed);
            return;
        }
        if place.dst_incarnation != env.me.incarnation {
            env.probe.count(Counter::OtherLife);
            return;
        }
        let Some(handle) = self.flow(env, place) else { return };
        let Some(flow) = self.flows.get_mut(handle) else { return };
        if flow.arrive(env, &mut self.inbox, place, heading, body) && !flow.queued {
            flow.queued = true;
            self.turns.push_back(Source::Flow(handle));
        }
        self.ack_later(handle, env.now);
    }

    /// What waits from this node to itself.
    pub(super) fn local_backlog(&self) -> Backlog {
        self.local.backlog()
    }

    /// Takes a message from this node to itself.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if too much waits already.
    pub(super) fn send_local(&mut self, env: &mut Env<'_>, parcel: Parcel) -> Result<(), Rejected> {
        let waits = self.local.send(env, &mut self.inbox, parcel)?;
        if waits && !self.local.queued {
            self.local.queued = true;
            self.turns.push_back(Source::Local);
        }
        Ok(())
    }

    /// Hands over what waits, as far as there is room; to be called when there may be more.
    pub(super) fn serve(&mut self, env: &mut Env<'_>) {
        while let Some(source) = self.turns.pop_front() {
            match self.serve_one(env, source) {
                Served::Yes => self.turns.push_back(source),
                Served::Missing => {}
                Served::Full => {
                    self.turns.push_front(source);
                    break;
                }
            }
        }
    }

    /// Acts on deadlines that have come.
    pub(super) fn handle_timeout(&mut self, env: &mut Env<'_>) {
        self.local.expire(env);
        if self.patience_ends().is_some_and(|end| end <= env.now) {
            self.serve(env);
        }
        if self.answers_due.take().is_none() {
            return;
        }
        let mut acks = core::mem::take(&mut self.acks);
        for handle in acks.drain(..) {
            let Some(flow) = self.flows.get_mut(handle) else { continue };
            flow.ack_due = false;
            let window = self.inbox.window(env.now, flow.waits());
            env.forward(flow.from(), flow.path(), flow.ack(env.me, window));
        }
        self.acks = acks;
    }

    /// The next deadline and what for.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let local = self.local.next_due().map(|due| (due, "message: deadline"));
        let unattended = self.patience_ends().map(|due| (due, "message: unattended mailbox"));
        earlier(earlier(self.answers_due.map(|due| (due, "message: answers")), local), unattended)
    }

    /// A node is within reach, in this life. What waits of a later one, which its advert does not know, is dropped.
    pub(super) fn lives_as(&mut self, node: NodeAddr, life: Incarnation) {
        let flow = self.by_node.get(&node).and_then(|&handle| self.flows.get_mut(handle));
        if let Some(flow) = flow.filter(|flow| flow.life() > life) {
            flow.drop_waiting(&mut self.inbox);
        }
    }

    /// Forgets the idle flows.
    pub(super) fn sweep(&mut self, now: Time) {
        let idle = self.flows.iter().filter(|(_, flow)| flow.is_idle(now)).map(|(handle, _)| handle);
        for handle in idle.collect::<Vec<_>>() {
            if let Some(flow) = self.flows.remove(handle) {
                self.by_node.remove(&flow.from());
                flow.forget(&mut self.inbox);
            }
        }
    }

    /// Whether something waits for room in the node's own mailbox.
    pub(super) fn holds_back(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Whether there is no flow.
    pub(super) fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// What people may see of the flows.
    pub(super) fn views(&self) -> impl Iterator<Item = InflowView> {
        self.flows.iter().map(|(_, flow)| flow.view())
    }

    /// The flow that a message belongs to; `None` if it comes from a life that does not count, or nobody new can be
    /// remembered.
    fn flow(&mut self, env: &mut Env<'_>, place: &Place) -> Option<Handle<Inflow>> {
        let (from, life) = (place.src, place.src_incarnation);
        let told = env.lives.known(from, env.now);
        if told.is_some_and(|told| told != life) {
            env.probe.count(Counter::OtherLife);
            return None;
        }
        let floor = place.seq.0 - u64::from(place.behind);
        let Some(&handle) = self.by_node.get(&from) else {
            let path = env.me.path_to(from);
            let handle = self.flows.insert(Inflow::new(from, path, life, floor, env.now)).ok()?;
            self.by_node.insert(from, handle);
            return Some(handle);
        };
        let flow = self.flows.get_mut(handle)?;
        // Without an advert the newest life counts.
        if told.is_none() && life < flow.life() {
            env.probe.count(Counter::OtherLife);
            return None;
        }
        if life != flow.life() {
            flow.replace(&mut self.inbox, life, floor, env.now);
        }
        Some(handle)
    }

    fn serve_one(&mut self, env: &mut Env<'_>, source: Source) -> Served {
        let handle = match source {
            Source::Local => {
                let served = self.local.serve(env, &mut self.inbox);
                self.local.queued = served != Served::Missing;
                return served;
            }
            Source::Flow(handle) => handle,
        };
        let Some(flow) = self.flows.get_mut(handle) else { return Served::Missing };
        let served = flow.serve(env, &mut self.inbox);
        flow.queued = served != Served::Missing;
        if served == Served::Yes {
            self.ack_later(handle, env.now);
        }
        served
    }

    /// When what waits for the node's own mailbox is refused, unless something is taken out of it.
    fn patience_ends(&self) -> Option<Time> {
        self.inbox.patience_ends().filter(|_| self.holds_back())
    }

    fn ack_later(&mut self, handle: Handle<Inflow>, now: Time) {
        if let Some(flow) = self.flows.get_mut(handle).filter(|flow| !flow.ack_due) {
            flow.ack_due = true;
            self.acks.push(handle);
            self.answers_due.get_or_insert(now);
        }
    }
}

/// Whether a header can come from a node that keeps the protocol.
fn is_sound(env: &Env<'_>, place: &Place, heading: &Heading<'_>) -> bool {
    let (seq, behind) = (place.seq.0, u64::from(place.behind));
    let from_somebody = match heading {
        Heading::Clients { to: _, from } => from.len() <= CLIENT_NAME_MAX,
        Heading::Machine(_) => true,
    };
    place.src != env.me.addr
        && (1..u64::MAX / 2).contains(&seq)
        && behind < seq.min(FLOW_WINDOW as u64)
        && from_somebody
}
