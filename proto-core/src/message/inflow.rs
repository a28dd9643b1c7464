//! The receiving side of a flow: everything from one life of another node to this one.
//!
//! Messages are handed to the application in the order of their numbers. One that comes early, or finds the inbox full,
//! waits here. A number that never comes is skipped once the sender says that it gave it up (`behind`). A message is
//! refused when its turn comes, never before, so everything up to the acknowledged number has a definite fate; refusals
//! are repeated until the sender shows that it knows them.
//!
//! Bounds: [`FLOW_WINDOW`] numbers ahead of the next one, which also bounds the refusals; bytes by the [`Inbox`].

use alloc::{boxed::Box, collections::VecDeque};

use bytes::Bytes;

use super::{
    env::{Counted, Env, Heading, Label, Me, Place},
    inbox::{Admission, Inbox, NoRoom},
    view::InflowView,
};
use crate::{
    id::{Incarnation, NodeAddr, Seq},
    limits::{COPY_MAX, FLOW_IDLE, FLOW_WINDOW, REFUSALS_PER_ACK},
    node::Client,
    time::Time,
    wire::{
        Frame, Kind,
        v1::{self, Refusal},
    },
};

/// One flow, seen from its receiver. See the module's first lines.
#[derive(Debug)]
pub(super) struct Inflow {
    from: NodeAddr,
    path: u16,
    /// Which life of the sender.
    life: Incarnation,
    /// The life that counted before; it may turn out to be the one that counts. Nothing waits of it.
    before: Option<Box<Self>>,
    /// The number whose turn it is.
    next: u64,
    /// The sender awaits nothing below this.
    floor: u64,
    /// What has arrived from `next` on.
    early: VecDeque<Option<Arrived>>,
    /// Bytes booked with the inbox for `early`.
    held: usize,
    /// What was refused and may not be known to the sender yet; from `floor` on, in order.
    refused: VecDeque<Refusal>,
    heard: Time,
    /// An acknowledgement is due.
    pub(super) ack_due: bool,
    /// It has its turn for room in the inbox.
    pub(super) queued: bool,
}

/// A message that waits.
#[derive(Debug)]
struct Arrived {
    payload: Bytes,
    label: Label,
}

/// What became of the message whose turn it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// It is settled; the next one may follow.
    Yes,
    /// It has not arrived.
    Missing,
    /// It has, and the inbox is full.
    Full,
}

/// Bytes that a slot of `early` costs beside the payload.
const SLOT: usize = size_of::<Option<Arrived>>();
/// Slots that an empty flow may keep for the next time.
const SLOTS_KEPT: usize = 64;

impl Inflow {
    /// A flow from a sender that awaits nothing before `floor`.
    pub(super) const fn new(from: NodeAddr, path: u16, life: Incarnation, floor: u64, now: Time) -> Self {
        Self {
            from,
            path,
            life,
            before: None,
            next: floor,
            floor,
            early: VecDeque::new(),
            held: 0,
            refused: VecDeque::new(),
            heard: now,
            ack_due: false,
            queued: false,
        }
    }

    /// Which life of the sender.
    pub(super) const fn life(&self) -> Incarnation {
        self.life
    }

    /// The sender.
    pub(super) const fn from(&self) -> NodeAddr {
        self.from
    }

    /// Another life of the sender is the one that counts. What waits of the one before is dropped; nobody was told that
    /// it is delivered. A life that is taken up again goes on where it was.
    pub(super) fn replace(&mut self, inbox: &mut Inbox, life: Incarnation, floor: u64, now: Time) {
        self.drop_waiting(inbox);
        let (ack_due, queued) = (self.ack_due, self.queued);
        let known = self.before.take().filter(|known| known.life == life);
        let flow = known.map_or_else(|| Self::new(self.from, self.path, life, floor, now), |known| *known);
        let before = core::mem::replace(self, Self { ack_due, queued, ..flow });
        self.before = Some(Box::new(before));
    }

    /// Drops what waits.
    pub(super) fn drop_waiting(&mut self, inbox: &mut Inbox) {
        inbox.release(self.held);
        self.held = 0;
        self.early = VecDeque::new();
    }

    /// Takes in a message. `true`: the flow waits for room in the inbox.
    pub(super) fn arrive(
        &mut self,
        env: &mut Env<'_>,
        inbox: &mut Inbox,
        place: &Place,
        heading: Heading<'_>,
        body: Bytes,
    ) -> bool {
        self.heard = env.now;
        let seq = place.seq.0;
        self.raise_floor(seq - u64::from(place.behind));
        let served = self.serve_all(env, inbox);
        if seq < self.next {
            env.count(Counted::Duplicate);
            return served == Served::Full;
        }
        // The one whose turn it is needs no room to wait in; it may be what all that holds the room waits for.
        if seq == self.next && served == Served::Missing {
            match inbox.admit(env.now, &heading, body.len()) {
                Admission::Full => self.keep(env, inbox, seq, heading, body),
                Admission::Taken(client) => {
                    self.take_front(inbox);
                    self.deliver(env, client, heading, body);
                }
                Admission::Refused(code) => {
                    self.take_front(inbox);
                    self.refuse(env, code);
                }
            }
        } else {
            self.keep(env, inbox, seq, heading, body);
        }
        self.serve_all(env, inbox) == Served::Full
    }

    /// Settles the message whose turn it is, if it is there.
    pub(super) fn serve(&mut self, env: &mut Env<'_>, inbox: &mut Inbox) -> Served {
        loop {
            match self.early.front() {
                Some(Some(arrived)) => {
                    match inbox.admit(env.now, &arrived.label.heading(), arrived.payload.len()) {
                        Admission::Full => return Served::Full,
                        Admission::Taken(client) => {
                            if let Some(arrived) = self.take_front(inbox) {
                                self.deliver(env, client, arrived.label.heading(), arrived.payload);
                            }
                        }
                        Admission::Refused(code) => {
                            self.take_front(inbox);
                            self.refuse(env, code);
                        }
                    }
                    return Served::Yes;
                }
                Some(None) if self.next < self.floor => {
                    self.take_front(inbox);
                    self.next += 1;
                }
                None if self.next < self.floor => self.next = self.floor,
                Some(None) | None => return Served::Missing,
            }
        }
    }

    /// Settles all that can be.
    pub(super) fn serve_all(&mut self, env: &mut Env<'_>, inbox: &mut Inbox) -> Served {
        loop {
            match self.serve(env, inbox) {
                Served::Yes => {}
                end @ (Served::Missing | Served::Full) => return end,
            }
        }
    }

    /// The answer to everything so far.
    pub(super) fn ack(&self, me: &Me, window: u32) -> Frame {
        // Each answer lists every refusal it covers that the sender may not know, because an earlier answer may be lost;
        // with too many, it covers less.
        let cut = self.refused.get(REFUSALS_PER_ACK).map(|first_left_out| first_left_out.seq.0);
        let upto = cut.unwrap_or(self.next) - 1;
        let header = v1::Ack {
            transit: me.transit(self.from, self.path),
            src_incarnation: me.incarnation,
            dst_incarnation: self.life,
            upto: Seq(upto),
            beyond: self.beyond(upto),
            window,
            refused: self.refused.iter().take(REFUSALS_PER_ACK).copied().collect(),
        };
        match me.port {
            None => Frame::new(Kind::Ack, &header),
            Some(port) => Frame::new(Kind::ParcelAck, &v1::ParcelAck { ack: header, port }),
        }
    }

    /// The sender's path number, for answers.
    pub(super) const fn path(&self) -> u16 {
        self.path
    }

    /// Whether it may be forgotten: the sender has been silent so long that no copy of what it sent is left anywhere.
    /// Messages that wait for the inbox stay; those behind a hole were given up by their sender long ago.
    pub(super) fn is_idle(&self, now: Time) -> bool {
        now - self.heard >= FLOW_IDLE && !self.waits()
    }

    /// Whether the message whose turn it is waits for room in the inbox.
    pub(super) fn waits(&self) -> bool {
        matches!(self.early.front(), Some(Some(_)))
    }

    /// It is forgotten.
    pub(super) fn forget(self, inbox: &mut Inbox) {
        inbox.release(self.held);
    }

    /// What people may see of it.
    pub(super) fn view(&self) -> InflowView {
        InflowView {
            from: self.from,
            incarnation: self.life,
            next: Seq(self.next),
            waiting: self.early.iter().flatten().count(),
            waiting_bytes: self.held,
            refused: self.refused.len(),
        }
    }

    /// The sender has an outcome for everything below `floor`.
    fn raise_floor(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        while self.refused.front().is_some_and(|refusal| refusal.seq.0 < self.floor) {
            self.refused.pop_front();
        }
    }

    fn deliver(&mut self, env: &mut Env<'_>, to_client: Option<Client>, heading: Heading<'_>, body: Bytes) {
        env.count(Counted::Delivered);
        env.deliver(self.from, self.life, Seq(self.next), to_client, heading, body);
        self.next += 1;
    }

    fn refuse(&mut self, env: &mut Env<'_>, code: v1::RefusalCode) {
        env.count(Counted::Refused);
        if self.next >= self.floor {
            self.refused.push_back(Refusal { seq: Seq(self.next), code });
        }
        self.next += 1;
    }

    /// Keeps a message until its turn. One that is too far ahead, or for which there is no room, counts as never arrived.
    fn keep(&mut self, env: &mut Env<'_>, inbox: &mut Inbox, seq: u64, heading: Heading<'_>, body: Bytes) {
        let Some(index) = usize::try_from(seq - self.next).ok().filter(|&index| index < FLOW_WINDOW) else {
            return;
        };
        if matches!(self.early.get(index), Some(Some(_))) {
            env.count(Counted::Duplicate);
            return;
        }
        let slots = (index + 1).saturating_sub(self.early.len());
        let cost = slots * SLOT + body.len();
        if inbox.hold(cost) == Err(NoRoom) {
            return;
        }
        self.held += cost;
        if slots > 0 {
            self.early.resize_with(index + 1, || None);
        }
        let payload = if body.len() <= COPY_MAX { Bytes::copy_from_slice(&body) } else { body };
        self.early[index] = Some(Arrived { payload, label: heading.into_label() });
    }

    /// Takes the first slot away. `next` is the caller's to move.
    fn take_front(&mut self, inbox: &mut Inbox) -> Option<Arrived> {
        let arrived = self.early.pop_front()?;
        let freed = SLOT + arrived.as_ref().map_or(0, |arrived| arrived.payload.len());
        self.held -= freed;
        inbox.release(freed);
        if self.early.is_empty() && self.early.capacity() > SLOTS_KEPT {
            self.early = VecDeque::new();
        }
        arrived
    }

    /// Bit `i`: message `upto + 2 + i` is here, or settled but not covered by `upto`.
    fn beyond(&self, upto: u64) -> u64 {
        if self.early.is_empty() && upto + 1 == self.next {
            return 0;
        }
        let is_here = |seq: u64| match seq.checked_sub(self.next) {
            None => true,
            Some(ahead) => {
                let slot = usize::try_from(ahead).ok().and_then(|index| self.early.get(index));
                slot.is_some_and(Option::is_some)
            }
        };
        (0..64).filter(|bit| is_here(upto + 2 + bit)).fold(0, |bits, bit| bits | 1 << bit)
    }
}
