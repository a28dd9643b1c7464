//! What the machines of one node say to those of another: a reliable flow for each port, and frames for several nodes.

use core::time::Duration;

use alloc::vec::Vec;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Node,
    unsent::{Unsent, Word},
};
use crate::{
    cx::Cx,
    directory,
    error::{DropReason, Rejected, Violation},
    id::{Incarnation, NodeAddr},
    limits::{CAST_HEAD_MAX, CAST_NODES_MAX},
    link::{Lane, LinkId},
    message::{self, Messages, OutflowView, Place, path_between},
    node::{Config, Outcome},
    probe::{Counter, Probe},
    rng::Rng,
    rpc,
    time::Time,
    timers::earlier,
    wire::{
        Encoded, Frame,
        v1::{self, CastTo, Port},
    },
};

/// The flows of every port.
#[derive(Debug)]
pub(super) struct Ports {
    all: [Flows; 3],
}

#[derive(Debug)]
struct Flows {
    messages: Messages,
    unsent: Unsent,
    rng: Rng,
    fx: Vec<message::Effect>,
}

/// Receivers of one content, as long as they are gathered.
type Receivers = SmallVec<[CastTo; 4]>;

/// One content on its way to several nodes.
struct Content<'a> {
    head: &'a [u8],
    body: Bytes,
}

impl Ports {
    /// No flows yet.
    pub(super) fn new(config: &Config, root: &Rng) -> Self {
        let flows = |port, label| Flows {
            messages: Messages::of_port(config, port),
            unsent: Unsent::default(),
            rng: root.fork(label),
            fx: Vec::new(),
        };
        let directory = flows(Port::Directory, "parcels/directory");
        let (calls, topics) = (flows(Port::Calls, "parcels/calls"), flows(Port::Topics, "parcels/topics"));
        Self { all: [directory, calls, topics] }
    }

    /// Tells one port what happened.
    #[inline]
    pub(super) fn tell(&mut self, port: Port, now: Time, probe: &mut Probe, event: message::Event<'_>) {
        if let Some(Flows { messages, rng, fx, .. }) = self.all.get_mut(port as usize) {
            messages.handle(&mut Cx { now, rng, probe }, event, fx);
        }
    }

    /// Tells every port what happened to a node or to this one.
    pub(super) fn tell_all(&mut self, now: Time, probe: &mut Probe, event: &message::Event<'static>) {
        for Flows { messages, rng, fx, .. } in &mut self.all {
            messages.handle(&mut Cx { now, rng, probe }, event.clone(), fx);
        }
    }

    /// Acts on deadlines that have come.
    pub(super) fn handle_timeout(&mut self, now: Time, probe: &mut Probe) {
        for Flows { messages, unsent, rng, fx } in &mut self.all {
            messages.handle_timeout(&mut Cx { now, rng, probe }, fx);
            unsent.say_again(now, |to, Word { head, body, deadline }| {
                let left = *deadline - now;
                let cx = &mut Cx { now, rng, probe };
                messages.post(cx, to, None, head.clone(), body.clone(), left, fx) != Err(Rejected::Busy)
            });
        }
    }

    /// The next deadline and what for.
    #[inline]
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.all.iter().map(Flows::poll_timeout).fold(None, earlier)
    }

    /// What waits or is unanswered on one port, for each other node.
    pub(super) fn outflows(&self, port: Port) -> impl Iterator<Item = OutflowView> {
        self.all.get(port as usize).into_iter().flat_map(|flows| flows.messages.outflows())
    }

    /// Whether something that topics or calls have to say waits for a node within reach, or for its answer. What this node
    /// offers is of no use any more to whom it was not told before it goes.
    pub(super) fn has_to_say(&self) -> bool {
        if self.all.iter().any(|flows| !flows.unsent.is_empty()) {
            return true;
        }
        let mut flows = [Port::Calls, Port::Topics].into_iter().flat_map(|port| self.outflows(port));
        flows.any(|flow| flow.reachable && flow.waiting + flow.in_flight > 0)
    }

    /// Whether nothing is to be handed on.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        self.all.iter().all(|flows| flows.fx.is_empty())
    }

    /// Sends a parcel. With an `id` its outcome comes as [`message::Effect::Settled`], also if it was not taken.
    ///
    /// # Errors
    /// [`Rejected`]: it was not taken.
    pub(super) fn post(
        &mut self,
        port: Port,
        now: Time,
        probe: &mut Probe,
        to: NodeAddr,
        id: Option<u64>,
        content: (Bytes, Bytes),
        deadline: Duration,
    ) -> Result<(), Rejected> {
        let Some(Flows { messages, rng, fx, .. }) = self.all.get_mut(port as usize) else { return Ok(()) };
        let (head, body) = content;
        let posted = messages.post(&mut Cx { now, rng, probe }, to, id, head, body, deadline, fx);
        if let (Err(why), Some(id)) = (posted, id) {
            fx.push(message::Effect::Settled { id, node: to, outcome: Outcome::Rejected(why) });
        }
        posted
    }

    /// Sends a parcel whose outcome nobody asks for. What the flow does not take, because too much waits in it, is said again
    /// until it does, and so is what comes after it, in order.
    pub(super) fn say(
        &mut self,
        port: Port,
        now: Time,
        probe: &mut Probe,
        to: NodeAddr,
        (head, body): (Bytes, Bytes),
        deadline: Duration,
    ) {
        let Some(Flows { messages, unsent, rng, fx }) = self.all.get_mut(port as usize) else { return };
        let taken = !unsent.holds(to) && {
            let cx = &mut Cx { now, rng, probe };
            messages.post(cx, to, None, head.clone(), body.clone(), deadline, fx) != Err(Rejected::Busy)
        };
        let without_payload = |head: &Bytes| match port {
            Port::Calls => rpc::without_payload(head),
            Port::Directory | Port::Topics => head.clone(),
        };
        if !taken && !unsent.keep(now, to, Word { head, body, deadline: now + deadline }, without_payload) {
            probe.count(Counter::ParcelsUnsent);
        }
    }

    /// Whether something waits to be said again to a node.
    #[cfg(test)]
    pub(super) fn is_holding(&self, port: Port, node: NodeAddr) -> bool {
        self.all.get(port as usize).is_some_and(|flows| flows.unsent.holds(node))
    }
}

impl Flows {
    #[inline]
    fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let again = self.unsent.poll_timeout().map(|due| (due, "node: say it again"));
        earlier(self.messages.poll_timeout(), again)
    }
}

impl Node {
    /// Hands on what the ports ask for.
    pub(super) fn settle_ports(&mut self) {
        for port in [Port::Directory, Port::Calls, Port::Topics] {
            let Some(flows) = self.ports.all.get_mut(port as usize).filter(|flows| !flows.fx.is_empty()) else {
                continue;
            };
            let mut effects = core::mem::take(&mut flows.fx);
            self.settle_port(port, &mut effects);
            if let Some(flows) = self.ports.all.get_mut(port as usize).filter(|flows| flows.fx.is_empty()) {
                flows.fx = effects;
            }
        }
    }

    /// A parcel for this node.
    pub(super) fn take_parcel(&mut self, frame: Encoded) -> Result<(), Violation> {
        let (parcel, head, body) = frame.into_parcel()?;
        let event = message::Event::Parcel { place: Place::from(&parcel), head, body };
        self.ports.tell(parcel.port, self.last_now, &mut self.probe, event);
        Ok(())
    }

    /// An answer to parcels of this node.
    pub(super) fn take_parcel_ack(&mut self, frame: &Encoded) -> Result<(), Violation> {
        let v1::ParcelAck { ack, port } = frame.header()?;
        self.ports.tell(port, self.last_now, &mut self.probe, message::Event::Ack(ack));
        Ok(())
    }

    /// A parcel for several nodes, among them perhaps this one: it goes on towards the others.
    pub(super) fn take_cast(&mut self, link: LinkId, frame: Encoded) -> Result<(), Violation> {
        let (cast, head, body) = frame.into_cast()?;
        let (src, src_incarnation) = (cast.transit.src, cast.src_incarnation);
        let own = |to: CastTo| {
            let CastTo { node: _, incarnation, seq, behind } = to;
            Place { src, src_incarnation, dst_incarnation: incarnation, seq, behind }
        };
        // The usual one is for this node alone.
        if let [to] = cast.to[..]
            && to.node == self.addr
        {
            let event = message::Event::Parcel { place: own(to), head, body };
            self.ports.tell(Port::Topics, self.last_now, &mut self.probe, event);
            return Ok(());
        }
        let mut others = Receivers::new();
        for to in cast.to {
            if to.node == self.addr {
                let event = message::Event::Parcel { place: own(to), head: head.clone(), body: body.clone() };
                self.ports.tell(Port::Topics, self.last_now, &mut self.probe, event);
            } else if others.len() < CAST_NODES_MAX {
                others.push(to);
            }
        }
        if others.is_empty() {
            return Ok(());
        }
        match cast.transit.hops_left.min(self.max_hops).checked_sub(1) {
            Some(hops_left) => {
                let source = Source { node: src, incarnation: src_incarnation, hops_left, from: Some(link) };
                self.spread(&source, &others, Content { head: &head, body });
            }
            None => others.iter().for_each(|_| self.count_drop(DropReason::HopLimit)),
        }
        Ok(())
    }

    fn settle_port(&mut self, port: Port, effects: &mut Vec<message::Effect>) {
        let mut effects = effects.drain(..);
        while let Some(effect) = effects.next() {
            match effect {
                // The flows try again by themselves.
                message::Effect::Forward { dst, flow, frame } => drop(self.originate(dst, flow, frame)),
                message::Effect::Cast { to, head, body } => {
                    let mut receivers = Receivers::from_slice(&[to]);
                    while effects.as_slice().first().is_some_and(|next| is_cast_of(next, &head, &body))
                        && let Some(message::Effect::Cast { to, .. }) = effects.next()
                    {
                        receivers.push(to);
                    }
                    self.spread(&self.as_source(), &receivers, Content { head: &head, body });
                }
                message::Effect::Received { from, incarnation, seq: _, head, body } => {
                    self.received(port, from, incarnation, head, body);
                }
                message::Effect::Settled { id, node, outcome } => self.parcel_settled(port, id, node, outcome),
                // Only applications send and get messages.
                message::Effect::Deliver(_) | message::Effect::Done { .. } => {}
            }
        }
    }

    /// A parcel is handed to the machine whose it is.
    fn received(&mut self, port: Port, from: NodeAddr, incarnation: Incarnation, head: Bytes, body: Bytes) {
        match port {
            Port::Directory => self.tell_directory(directory::Event::Received { from, incarnation, head, body }),
            Port::Calls => self.take_call(from, incarnation, &head, body),
            Port::Topics => self.take_topics(from, incarnation, &head, body),
        }
    }

    fn parcel_settled(&mut self, port: Port, id: u64, node: NodeAddr, outcome: Outcome) {
        match port {
            Port::Directory => {
                self.tell_directory(directory::Event::Sent { id, delivered: outcome == Outcome::Delivered });
            }
            Port::Calls => self.call_settled(id, outcome),
            Port::Topics => self.publication_settled(id, node, outcome),
        }
    }

    /// This node, as the source of what it sends to several.
    const fn as_source(&self) -> Source {
        let hops_left = self.max_hops.saturating_sub(1);
        Source { node: self.addr, incarnation: self.incarnation, hops_left, from: None }
    }

    /// Sends one content towards several nodes: one frame for each link that leads to some of them.
    fn spread(&mut self, source: &Source, receivers: &[CastTo], content: Content<'_>) {
        if let [to] = receivers {
            match self.way(source, to) {
                Ok(next) => self.send_cast(source, next, receivers, content),
                Err(why) => self.count_drop(why),
            }
            return;
        }
        let mut ways: SmallVec<[(LinkId, Receivers); 4]> = SmallVec::new();
        for to in receivers {
            match self.way(source, to) {
                Err(why) => self.count_drop(why),
                Ok(next) => match ways.iter_mut().find(|(link, _)| *link == next) {
                    Some((_, together)) => together.push(*to),
                    None => ways.push((next, SmallVec::from_slice(&[*to]))),
                },
            }
        }
        // A header that leaves no room for many receivers goes to each alone.
        let at_once = if content.head.len() > CAST_HEAD_MAX { 1 } else { CAST_NODES_MAX };
        for (next, together) in ways {
            for some in together.chunks(at_once) {
                self.send_cast(source, next, some, Content { head: content.head, body: content.body.clone() });
            }
        }
    }

    /// The link towards one receiver.
    fn way(&self, source: &Source, to: &CastTo) -> Result<LinkId, DropReason> {
        self.router.next_hop(to.node, path_between(source.node, to.node), source.from)
    }

    fn send_cast(&mut self, source: &Source, next: LinkId, to: &[CastTo], content: Content<'_>) {
        let (dst, flow) = match to {
            [one] => (one.node, path_between(source.node, one.node)),
            _ => (NodeAddr::MANY, 0),
        };
        let transit = v1::Transit { hops_left: source.hops_left, dst, src: source.node, flow };
        let Self { links, rngs, probe, last_now, .. } = self;
        let mut cx = Cx { now: *last_now, rng: &mut rngs.links, probe };
        let frame = Frame::cast(&transit, source.incarnation, to, content.head, content.body);
        match (links.send(&mut cx, next, Lane::Data, frame), source.from) {
            (Err(why), _) => to.iter().for_each(|_| self.count_drop(why)),
            (Ok(()), Some(_)) => self.probe.count(Counter::Forwarded),
            (Ok(()), None) => {}
        }
    }
}

/// Whose content is spread, and where it came in.
struct Source {
    node: NodeAddr,
    incarnation: Incarnation,
    hops_left: u8,
    from: Option<LinkId>,
}

/// Whether this sends the same content, handed out several times.
fn is_cast_of(effect: &message::Effect, head: &Bytes, body: &Bytes) -> bool {
    let is_same = |a: &Bytes, b: &Bytes| a.as_ptr() == b.as_ptr() && a.len() == b.len();
    matches!(effect, message::Effect::Cast { to: _, head: h, body: b } if is_same(h, head) && is_same(b, body))
}
