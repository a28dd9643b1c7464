//! Hands on what the machines ask for, until nothing is left.

use super::{Answer, Event, Node, Output, Record};
use crate::{
    cx::Cx,
    directory,
    error::CloseReason,
    limits::HAND_OFFS_PER_INPUT,
    link::{self, Lane, LinkId},
    message,
    probe::Counter,
    pubsub,
    route::{self, trace},
    rpc,
    secure::PinChange,
    wire::Frame,
};

impl Node {
    /// Hands on effects to a fixpoint.
    ///
    /// # Panics
    /// If one input causes a chain of more than [`HAND_OFFS_PER_INPUT`] hand-offs: two machines talk in circles, which is
    /// a bug. How much the network sends makes no chain longer.
    pub(super) fn settle(&mut self) {
        let mut rounds = 0;
        while !(self.fx.is_empty() && self.ports.is_settled()) {
            assert!(rounds < HAND_OFFS_PER_INPUT, "machines hand on work in circles");
            rounds += 1;
            self.settle_links();
            self.settle_router();
            self.settle_messages();
            self.settle_traces();
            self.settle_ports();
            self.settle_topics();
            self.settle_calls();
            self.settle_directory();
        }
        self.persist_pins();
    }

    pub(super) fn tell_links(&mut self, event: link::Event) {
        let Self { links, rngs, probe, pins, fx, last_now, .. } = self;
        links.handle(&mut Cx { now: *last_now, rng: &mut rngs.links, probe }, pins, event, &mut fx.links);
    }

    pub(super) fn tell_router(&mut self, event: route::Event) {
        self.last_way = None;
        let Self { router, rngs, probe, pins, fx, last_now, .. } = self;
        router.handle(&mut Cx { now: *last_now, rng: &mut rngs.router, probe }, pins, event, &mut fx.router);
    }

    pub(super) fn tell_messages(&mut self, event: message::Event<'_>) {
        let Self { messages, rngs, probe, fx, last_now, .. } = self;
        messages.handle(&mut Cx { now: *last_now, rng: &mut rngs.messages, probe }, event, &mut fx.messages);
    }

    /// Tells the flows of the application and of every port.
    pub(super) fn tell_flows(&mut self, event: &message::Event<'static>) {
        self.ports.tell_all(self.last_now, &mut self.probe, event);
        self.tell_messages(event.clone());
    }

    pub(super) fn wake_machines(&mut self) {
        self.last_way = None;
        self.ports.handle_timeout(self.last_now, &mut self.probe);
        // Handed on first: a deadline of a call or a publication then knows whether it ever left.
        self.settle_ports();
        let Self { router, messages, traces, topics, calls, rngs, probe, fx, last_now, .. } = self;
        let now = *last_now;
        topics.handle_timeout(&mut Cx { now, rng: &mut rngs.topics, probe }, &mut fx.topics);
        calls.handle_timeout(&mut Cx { now, rng: &mut rngs.calls, probe }, &mut fx.calls);
        router.handle_timeout(&mut Cx { now, rng: &mut rngs.router, probe }, &mut fx.router);
        messages.handle_timeout(&mut Cx { now, rng: &mut rngs.messages, probe }, &mut fx.messages);
        traces.handle_timeout(&mut Cx { now, rng: &mut rngs.traces, probe }, &mut fx.traces);
        self.wake_directory();
        self.expire_waiting();
    }

    pub(super) fn wake_links(&mut self) {
        let Self { links, rngs, probe, fx, last_now, .. } = self;
        links.handle_timeout(&mut Cx { now: *last_now, rng: &mut rngs.links, probe }, &mut fx.links);
    }

    /// Sends a frame of this node to a neighbour, ahead of all messages.
    fn send_control(&mut self, link: LinkId, frame: Frame) {
        let Self { links, rngs, probe, last_now, .. } = self;
        let mut cx = Cx { now: *last_now, rng: &mut rngs.links, probe };
        // A link that is gone, or closes because it takes nothing, reports itself; the frame is lost with it.
        if links.send(&mut cx, link, Lane::Control, frame).is_err() {
            cx.probe.count(Counter::DroppedQueueFull);
        }
    }

    fn settle_links(&mut self) {
        if self.fx.links.is_empty() {
            return;
        }
        let mut effects = core::mem::take(&mut self.fx.links);
        for effect in effects.drain(..) {
            self.on_link_effect(effect);
            // At once, because a read may hold hundreds of frames that each go on over every link.
            self.settle_router();
        }
        keep_larger(&mut self.fx.links, effects);
    }

    fn on_link_effect(&mut self, effect: link::Effect) {
        match effect {
            link::Effect::Frame { link, frame } => self.dispatch(link, frame),
            link::Effect::Write { channel, bytes } => self.out.push_back(Output::Write { channel, bytes }),
            link::Effect::Dial { dial, endpoint } => self.out.push_back(Output::Dial { dial, endpoint }),
            link::Effect::Close { channel } => self.out.push_back(Output::Close { channel }),
            link::Effect::Up { link, peer, addr, incarnation, remote, cost } => {
                self.pins.set_linked(self.last_now, addr, true);
                self.tell(Event::LinkUp { peer, incarnation, remote });
                self.tell_router(route::Event::LinkUp { link, peer: addr, cost });
            }
            link::Effect::Cost { link, cost } => self.tell_router(route::Event::LinkCost { link, cost }),
            link::Effect::Down { link, peer, reason } => {
                self.pins.set_linked(self.last_now, peer.addr(), false);
                self.tell(Event::LinkDown { peer, reason });
                self.tell_router(route::Event::LinkDown { link });
            }
            link::Effect::Failed { peer, remote, reason, retry_in } => {
                self.tell(Event::LinkFailed { peer, remote, reason, retry_in });
            }
            link::Effect::KeyConflict { name, pinned, shown } => {
                self.tell(Event::KeyConflict { name, pinned, shown });
            }
            link::Effect::Misuse(misuse) => self.misuse(misuse),
        }
    }

    fn settle_router(&mut self) {
        if self.fx.router.is_empty() {
            return;
        }
        let mut effects = core::mem::take(&mut self.fx.router);
        for effect in effects.drain(..) {
            self.on_route_effect(effect);
        }
        keep_larger(&mut self.fx.router, effects);
    }

    fn on_route_effect(&mut self, effect: route::Effect) {
        match effect {
            route::Effect::Send { link, frame } => self.send_control(link, frame),
            route::Effect::Reachable { node, addr, incarnation } => {
                self.tell(Event::Reachable { node, incarnation });
                self.tell_flows(&message::Event::Reachable { node: addr, incarnation });
                self.tell_directory(directory::Event::Reachable { node: addr, incarnation });
                self.tell_topics(pubsub::Event::Reachable { node: addr, incarnation });
                let cost = self.router.cost(addr).unwrap_or(u32::MAX);
                self.tell_calls(rpc::Event::Reachable { node: addr, incarnation, cost });
            }
            route::Effect::Rerouted { addr, incarnation } => {
                self.tell_flows(&message::Event::Rerouted { node: addr });
                let cost = self.router.cost(addr).unwrap_or(u32::MAX);
                self.tell_calls(rpc::Event::Reachable { node: addr, incarnation, cost });
            }
            route::Effect::Unreachable { node, addr } => {
                self.tell(Event::Unreachable { node });
                self.tell_flows(&message::Event::Unreachable { node: addr });
                self.tell_directory(directory::Event::Unreachable { node: addr });
                self.tell_topics(pubsub::Event::Unreachable { node: addr });
                self.tell_calls(rpc::Event::Unreachable { node: addr });
            }
            route::Effect::Found { token, found } => self.answer(token, Answer::Found(found)),
            route::Effect::KeyConflict { name, pinned, shown } => {
                self.tell(Event::KeyConflict { name, pinned, shown });
            }
            route::Effect::IdentityInUse { incarnation } => self.tell(Event::IdentityInUse { incarnation }),
            route::Effect::Violation { link, violation } => {
                let Self { links, rngs, probe, fx, last_now, .. } = self;
                let mut cx = Cx { now: *last_now, rng: &mut rngs.links, probe };
                links.close(&mut cx, link, CloseReason::Violation(violation), &mut fx.links);
            }
        }
    }

    fn settle_messages(&mut self) {
        if self.fx.messages.is_empty() {
            return;
        }
        let mut effects = core::mem::take(&mut self.fx.messages);
        for effect in effects.drain(..) {
            match effect {
                // The message machine tries again by itself.
                message::Effect::Forward { dst, flow, frame } => {
                    self.originate(dst, flow, frame).ok();
                }
                message::Effect::Deliver(message) => self.tell(Event::Message(message)),
                message::Effect::Done { token, answer } => self.tell(Event::Done { token, answer }),
                // Only ports carry parcels.
                message::Effect::Cast { .. } | message::Effect::Received { .. } | message::Effect::Settled { .. } => {}
            }
        }
        keep_larger(&mut self.fx.messages, effects);
    }

    fn settle_traces(&mut self) {
        if self.fx.traces.is_empty() {
            return;
        }
        let mut effects = core::mem::take(&mut self.fx.traces);
        for effect in effects.drain(..) {
            match effect {
                trace::Effect::Send { token, dst, flow, frame } => {
                    if let Err(why) = self.originate(dst, flow, frame) {
                        self.traces.unsent(token, &self.name, why, &mut self.fx.traces);
                    }
                }
                trace::Effect::Hop { token, hop } => self.tell(Event::Hop { token, hop }),
                trace::Effect::Done { token, reached } => self.answer(token, Answer::Traced { reached }),
            }
        }
        keep_larger(&mut self.fx.traces, effects);
    }

    fn persist_pins(&mut self) {
        if !self.pins.has_changes() {
            return;
        }
        for change in self.pins.take_changes() {
            self.tickets.last = self.tickets.last.next();
            let record = match change {
                PinChange::Pinned(name, key) => Record::Pin { name, key },
                PinChange::Dropped(name, key) => {
                    self.out.push_back(Output::Event(Event::Unpinned { name: name.clone(), key }));
                    Record::Unpin { name }
                }
            };
            self.out.push_back(Output::Persist { ticket: self.tickets.last, record });
        }
    }
}

/// Keeps the capacity of a drained list, unless new effects came meanwhile: those stay.
pub(super) fn keep_larger<T>(now: &mut alloc::vec::Vec<T>, drained: alloc::vec::Vec<T>) {
    if now.is_empty() && now.capacity() < drained.capacity() {
        *now = drained;
    }
}
