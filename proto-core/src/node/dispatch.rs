//! Where a frame goes: to the router, up to a service of this node, or on towards its destination.

use super::Node;
use crate::{
    cx::Cx,
    error::{CloseReason, DropReason, Violation},
    id::NodeAddr,
    link::{Lane, LinkId},
    message,
    probe::Counter,
    route::{
        self,
        trace::{Place, answer_probe},
    },
    wire::{Encoded, Frame, Kind, v1},
};

/// All that the next hop of a frame which passes through depends on, as long as the routes stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    dst: NodeAddr,
    flow: u16,
    from: LinkId,
}

impl Node {
    /// Takes a frame that came in on a link.
    pub(super) fn dispatch(&mut self, link: LinkId, frame: Encoded) {
        let done = if frame.kind().is_end_to_end() {
            self.dispatch_through(link, frame)
        } else {
            self.dispatch_neighbour(link, frame)
        };
        if let Err(violation) = done {
            let Self { links, rngs, probe, fx, last_now, .. } = self;
            let mut cx = Cx { now: *last_now, rng: &mut rngs.links, probe };
            links.close(&mut cx, link, CloseReason::Violation(violation), &mut fx.links);
        }
    }

    /// Sends a frame of this node on its way.
    ///
    /// # Errors
    /// [`DropReason`], counted already.
    pub(super) fn originate(&mut self, dst: NodeAddr, flow: u16, frame: Frame) -> Result<(), DropReason> {
        let sent = self.router.next_hop(dst, flow, None).and_then(|next| {
            let Self { links, rngs, probe, last_now, .. } = self;
            links.send(&mut Cx { now: *last_now, rng: &mut rngs.links, probe }, next, Lane::Data, frame)
        });
        sent.inspect_err(|why| self.count_drop(*why))
    }

    /// A frame between neighbours.
    fn dispatch_neighbour(&mut self, link: LinkId, frame: Encoded) -> Result<(), Violation> {
        match frame.kind() {
            Kind::Advert => {
                let header = frame.header()?;
                self.tell_router(route::Event::Advert { link, header, body: frame.into_body() });
            }
            Kind::Summary => {
                let header = frame.header()?;
                self.tell_router(route::Event::Summary { link, header, body: frame.into_body() });
            }
            Kind::Want => {
                let v1::Want {} = frame.header()?;
                self.tell_router(route::Event::Want { link, body: frame.into_body() });
            }
            Kind::Find => self.tell_router(route::Event::Find { link, header: frame.header()? }),
            // The link keeps its own business to itself, and end-to-end kinds take the other way.
            Kind::Hello
            | Kind::Ping
            | Kind::Pong
            | Kind::Bye
            | Kind::Data
            | Kind::Ack
            | Kind::Probe
            | Kind::ProbeReply
            | Kind::Parcel
            | Kind::ParcelAck
            | Kind::Cast => return Err(Violation::Unexpected { kind: frame.kind() as u8 }),
        }
        Ok(())
    }

    /// A frame on its way from one end to the other. Only its [`v1::Transit`] is read unless it is for this node.
    fn dispatch_through(&mut self, link: LinkId, frame: Encoded) -> Result<(), Violation> {
        let transit = frame.transit()?;
        let for_several = frame.kind() == Kind::Cast && (transit.dst == NodeAddr::MANY || transit.dst == self.addr);
        if for_several {
            if self.take_cast(link, frame).is_err() {
                self.probe.count(Counter::DroppedMalformed);
            }
            return Ok(());
        }
        if transit.dst == self.addr {
            // Its source may be far away, so no neighbour is to blame if it cannot be read.
            if self.take(frame).is_err() {
                self.probe.count(Counter::DroppedMalformed);
            }
            return Ok(());
        }
        // What a probe's source may want to know is read before the frame is gone.
        let probe = (frame.kind() == Kind::Probe).then(|| frame.header::<v1::Probe>().ok()).flatten();
        // No frame goes further than this node lets its own go.
        let sent = match transit.hops_left.min(self.max_hops).checked_sub(1) {
            Some(hops_left) => self.forward(&transit, link, frame.with_hops_left(hops_left)),
            None => Err(DropReason::HopLimit),
        };
        match sent {
            Ok(()) => self.probe.count(Counter::Forwarded),
            Err(why) => self.count_drop(why),
        }
        if let Some(probe) = probe {
            self.reply(&probe, sent.map_or_else(Place::Stopped, |()| Place::Passing));
        }
        Ok(())
    }

    /// Puts a frame that came in on `from` on the link towards its destination.
    fn forward(&mut self, transit: &v1::Transit, from: LinkId, frame: Encoded) -> Result<(), DropReason> {
        let way = Way { dst: transit.dst, flow: transit.flow, from };
        let next = match self.last_way {
            Some((last, next)) if last == way => next,
            Some(_) | None => {
                let next = self.router.next_hop(transit.dst, transit.flow, Some(from))?;
                self.last_way = Some((way, next));
                next
            }
        };
        let Self { links, rngs, probe, last_now, .. } = self;
        links.forward(&mut Cx { now: *last_now, rng: &mut rngs.links, probe }, next, frame)
    }

    /// A frame has reached its destination: this node.
    fn take(&mut self, frame: Encoded) -> Result<(), Violation> {
        match frame.kind() {
            Kind::Data => self.take_data(frame)?,
            Kind::Ack => self.tell_messages(message::Event::Ack(frame.header()?)),
            Kind::Parcel => self.take_parcel(frame)?,
            Kind::ParcelAck => self.take_parcel_ack(&frame)?,
            Kind::Probe => self.reply(&frame.header()?, Place::Destination),
            Kind::ProbeReply => {
                let Self { traces, rngs, probe, fx, last_now, .. } = self;
                let mut cx = Cx { now: *last_now, rng: &mut rngs.traces, probe };
                traces.on_reply(&mut cx, frame.header()?, &mut fx.traces);
            }
            Kind::Hello
            | Kind::Ping
            | Kind::Pong
            | Kind::Bye
            | Kind::Advert
            | Kind::Summary
            | Kind::Want
            | Kind::Find
            | Kind::Cast => return Err(Violation::Unexpected { kind: frame.kind() as u8 }),
        }
        Ok(())
    }

    fn take_data(&mut self, frame: Encoded) -> Result<(), Violation> {
        let header = frame.data_header()?;
        if let Some(header) = header.without_clients() {
            self.tell_messages(message::Event::Data { header, body: frame.into_body() });
        } else {
            let body = frame.clone().into_body();
            self.tell_messages(message::Event::Data { header, body });
        }
        Ok(())
    }

    fn reply(&mut self, probe: &v1::Probe, place: Place) {
        if let Some(reply) = answer_probe(probe, &self.name, place, self.max_hops) {
            // A lost answer is the source's to notice: its trace has a deadline.
            self.originate(probe.transit.src, probe.transit.flow, reply).ok();
        }
    }

    pub(super) fn count_drop(&mut self, why: DropReason) {
        self.probe.count(match why {
            DropReason::NoRoute => Counter::DroppedNoRoute,
            DropReason::HopLimit => Counter::DroppedHopLimit,
            DropReason::WouldReturn => Counter::DroppedWouldReturn,
            DropReason::NoTransit => Counter::DroppedNoTransit,
            DropReason::QueueFull => Counter::DroppedQueueFull,
        });
    }
}
