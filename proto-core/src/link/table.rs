//! All links of a node.
//!
//! A channel that opens becomes a [`Channel`] in the table; the handshake proves who is there, hello says which life of it,
//! and then it is up, unless another link to the same node ranks higher. At most one link to a node is up at any time,
//! and only that one delivers.
//!
//! Bounds: [`CHANNELS_MAX`] channels; what comes beyond is closed at once, as is what the [`Gate`] does not let in. When as
//! many links are up as may be, only who has one already gets another, in its place: that a handshake has to prove first.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use bytes::BytesMut;

use super::{
    Effect, Event, Lane, LinkId,
    accept::Gate,
    channel::{Channel, Origin, Progress},
    dialer::{Attempt, Dialer},
    dialers::{DialerId, Dialers, Known},
    judge::End,
    lanes::Outgoing,
    own::Own,
    sealed::Sealed,
    view::{DialerState, DialerView, LinkView},
};
use crate::{
    arena::Arena,
    collections::DetMap,
    cx::Cx,
    error::{CloseReason, DropReason, Misuse, Rejected},
    id::{ChannelId, DialId, NodeAddr, NodeName},
    limits::{CHANNELS_MAX, REFUSED_MAX},
    node::{Config, Peer},
    probe::Counter,
    rng::Secrets,
    secure::Pins,
    time::Time,
    timers::{DeadlineIndex, earlier},
    wire::{Encoded, Frame},
};

/// All links of a node, up or on their way up, and the peers it dials.
#[derive(Debug)]
pub struct Links {
    pub(super) own: Own,
    pub(super) channels: Arena<Channel>,
    /// The link to each node that is up.
    pub(super) live: BTreeMap<NodeAddr, LinkId>,
    /// The link to each node on which this one, having dialled, said hello and was not answered yet.
    pub(super) greeting: BTreeMap<NodeAddr, LinkId>,
    pub(super) dialers: Dialers,
    pub(super) gate: Gate,
    secrets: Secrets,
    by_channel: DetMap<ChannelId, LinkId>,
    /// Channels that were refused at once and have not ended yet.
    refused: BTreeSet<ChannelId>,
    deadlines: DeadlineIndex<LinkId>,
    /// Links with something to seal.
    ready: Vec<LinkId>,
    ready_since: Time,
    scratch: BytesMut,
    opened: u64,
    shut: bool,
}

/// What the substrate says of a channel that opened.
struct Opened {
    channel: ChannelId,
    remote: Arc<str>,
    exporter: Option<[u8; 32]>,
}

impl Links {
    /// No links yet; dials the configured peers as soon as it is woken.
    #[must_use]
    pub fn new(config: &Config, secrets: Secrets) -> Self {
        Self {
            own: Own::new(config),
            channels: Arena::with_limit(CHANNELS_MAX),
            live: BTreeMap::new(),
            greeting: BTreeMap::new(),
            dialers: Dialers::new(&config.peers, &config.link),
            gate: Gate::new(config.link.accepts_per_sec),
            secrets,
            by_channel: DetMap::with_seed(0),
            refused: BTreeSet::new(),
            deadlines: DeadlineIndex::new(),
            ready: Vec::new(),
            ready_since: Time::ZERO,
            scratch: BytesMut::new(),
            opened: 0,
            shut: false,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, cx: &mut Cx<'_>, pins: &mut Pins, event: Event, fx: &mut Vec<Effect>) {
        match event {
            Event::Received { channel, bytes } => self.received(cx, pins, channel, bytes, fx),
            Event::Written { channel, bytes } => self.written(cx, channel, bytes, fx),
            Event::Opened { channel, dial: None, remote, exporter } => {
                self.accepted(cx, Opened { channel, remote, exporter }, fx);
            }
            Event::Opened { channel, dial: Some(dial), remote, exporter } => {
                self.dialled(cx, dial, Opened { channel, remote, exporter }, fx);
            }
            Event::Closed { channel } => self.closed(cx, channel, fx),
            Event::DialFailed { dial } => match self.dialers.known(dial) {
                Known::UnderWay(id) => self.dialers.dial_failed(cx, id, fx),
                Known::GivenUp => {}
                Known::Never => fx.push(Effect::Misuse(Misuse::NoSuchDial)),
            },
            Event::Disconnect { peer } => self.disconnect(cx, &peer, fx),
            Event::Shutdown => self.shut_down(cx, fx),
        }
    }

    /// Adds a peer to dial, or changes it.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if there are too many, [`Rejected::ShuttingDown`] after [`Event::Shutdown`].
    pub fn connect(&mut self, cx: &mut Cx<'_>, peer: Peer) -> Result<(), Rejected> {
        if self.shut {
            return Err(Rejected::ShuttingDown);
        }
        let link = peer.name.as_ref().and_then(|name| self.live.get(&name.addr())).copied();
        let cost = peer.cost;
        self.dialers.connect(cx.now, peer, link)?;
        if let Some(live) = link.and_then(|link| self.channels.get_mut(link.retag())).and_then(Channel::live_mut) {
            live.configured_cost = cost;
        }
        Ok(())
    }

    /// Acts on deadlines that have come; seals what waits on the lanes.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        while let Some((due, link, _)) = self.deadlines.first() {
            if due > cx.now {
                break;
            }
            self.deadlines.set(link, None);
            let Some(channel) = self.channels.get_mut(link.retag()) else { continue };
            match channel.handle_timeout(cx) {
                Progress::Idle | Progress::Secured(_) | Progress::Greeted(_) => {}
                Progress::Over(reason) => self.end(cx, link, End::of(reason), fx),
            }
            self.flush(cx, link, fx);
        }
        let mut next = 0;
        // Ending a link that has overflowed lists it once more.
        while let Some(&link) = self.ready.get(next) {
            next += 1;
            self.flush(cx, link, fx);
        }
        self.ready.clear();
        // Last, because the end of a link may be when its peer is dialled again.
        self.dialers.handle_timeout(cx, fx);
    }

    /// The next deadline and who wants it. May change after any other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        if !self.ready.is_empty() {
            return Some((self.ready_since, "links: seal"));
        }
        earlier(self.dialers.poll_timeout(), self.deadlines.first().map(|(due, _, why)| (due, why)))
    }

    /// Puts a frame on a lane of a link. It is sealed at the next timeout, which is due at once.
    ///
    /// # Errors
    /// [`DropReason`] if the link is gone or the lane refuses. A control lane that refuses closes its link at the next
    /// timeout.
    pub fn send(&mut self, cx: &mut Cx<'_>, link: LinkId, lane: Lane, frame: Frame) -> Result<(), DropReason> {
        self.put(cx, link, lane, frame)
    }

    /// Puts a frame of another node on the data lane of a link, as [`Links::send`] does one of this node.
    ///
    /// # Errors
    /// [`DropReason`] if the link is gone or the lane refuses.
    pub fn forward(&mut self, cx: &mut Cx<'_>, link: LinkId, frame: Encoded) -> Result<(), DropReason> {
        self.put(cx, link, Lane::Data, frame)
    }

    /// Closes a link, for instance one whose peer broke the protocol of a machine above.
    pub fn close(&mut self, cx: &mut Cx<'_>, link: LinkId, reason: CloseReason, fx: &mut Vec<Effect>) {
        self.end(cx, link, End::of(reason), fx);
    }

    /// The links that are up, in order of their slots.
    pub fn views(&self) -> impl Iterator<Item = LinkView<'_>> {
        self.channels.iter().filter_map(|(handle, channel)| {
            let (live, sealed) = (channel.live()?, channel.sealed()?);
            Some(view(handle.retag(), channel, live, sealed))
        })
    }

    /// The peers that this node dials, in the order in which they were configured.
    pub fn dialers(&self) -> impl Iterator<Item = DialerView<'_>> {
        self.dialers.iter().map(|dialer| {
            let (state, next_attempt) = match (dialer.live(), dialer.attempt()) {
                (Some(link), _) => (DialerState::Linked(link), None),
                (None, attempt @ Attempt::Waiting { next }) => (DialerState::Trying(attempt), Some(next)),
                (None, attempt @ (Attempt::Dialling { .. } | Attempt::Securing { .. })) => {
                    (DialerState::Trying(attempt), None)
                }
            };
            DialerView {
                peer: dialer.name(),
                endpoint: dialer.endpoint(),
                state,
                failures: dialer.failures(),
                last_reason: dialer.last_reason(),
                next_attempt,
            }
        })
    }

    /// How many dials are under way that have led to no channel yet.
    #[must_use]
    pub fn dials(&self) -> usize {
        self.dialers.under_way()
    }

    /// How many channels there are: links that are up, on their way up, and on their way down.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    /// Whether no channel is left: after a shutdown, everything has been said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.refused.is_empty()
    }

    /// Moves the deadline of a link to where it belongs, and lists the link if it has something to seal.
    pub(super) fn settle(&mut self, now: Time, link: LinkId) {
        let deadline = self.channels.get(link.retag()).and_then(Channel::poll_timeout);
        self.deadlines.set(link, deadline);
        self.list(now, link);
    }

    #[inline]
    fn put(&mut self, cx: &mut Cx<'_>, link: LinkId, lane: Lane, frame: impl Into<Outgoing>) -> Result<(), DropReason> {
        let channel = self.channels.get_mut(link.retag()).ok_or(DropReason::NoRoute)?;
        let sent = channel.send(cx, lane, frame);
        if !channel.listed {
            self.list(cx.now, link);
        }
        sent
    }

    fn list(&mut self, now: Time, link: LinkId) {
        let Some(channel) = self.channels.get_mut(link.retag()) else { return };
        if channel.listed || !(channel.wants_flush(now) || channel.is_doomed()) {
            return;
        }
        channel.listed = true;
        if self.ready.is_empty() {
            self.ready_since = now;
        }
        self.ready.push(link);
    }

    fn flush(&mut self, cx: &mut Cx<'_>, link: LinkId, fx: &mut Vec<Effect>) {
        let Some(channel) = self.channels.get_mut(link.retag()) else { return };
        channel.listed = false;
        if channel.is_doomed() {
            self.end(cx, link, End::of(CloseReason::TooSlow), fx);
        }
        if let Some(channel) = self.channels.get_mut(link.retag()) {
            channel.flush(cx, &mut self.scratch, fx);
        }
        self.settle(cx.now, link);
    }

    fn received(
        &mut self,
        cx: &mut Cx<'_>,
        pins: &mut Pins,
        channel: ChannelId,
        bytes: BytesMut,
        fx: &mut Vec<Effect>,
    ) {
        let Some(link) = self.find(channel, fx) else { return };
        if let Some(channel) = self.channels.get_mut(link.retag()) {
            channel.receive(cx, bytes);
        }
        while let Some(channel) = self.channels.get_mut(link.retag()) {
            match channel.advance(cx, &self.own, link, fx) {
                Progress::Idle => break,
                Progress::Secured(peer) => self.judge_peer(cx, pins, link, &peer, fx),
                Progress::Greeted(hello) => self.judge_link(cx, link, &hello, fx),
                Progress::Over(reason) => self.end(cx, link, End::of(reason), fx),
            }
        }
        self.settle(cx.now, link);
    }

    fn written(&mut self, cx: &mut Cx<'_>, channel: ChannelId, bytes: u64, fx: &mut Vec<Effect>) {
        let Some(link) = self.find(channel, fx) else { return };
        if let Some(channel) = self.channels.get_mut(link.retag()) {
            channel.written(bytes);
        }
        self.list(cx.now, link);
    }

    fn closed(&mut self, cx: &mut Cx<'_>, channel: ChannelId, fx: &mut Vec<Effect>) {
        let found = self.find(channel, fx);
        self.refused.remove(&channel);
        let Some(link) = found else { return };
        let reason = self.channels.get(link.retag()).map_or(CloseReason::ChannelLost, Channel::why_lost);
        self.end(cx, link, End { mends: true, ..End::of(reason) }, fx);
        self.by_channel.remove(&channel);
        self.channels.remove(link.retag());
        self.deadlines.set(link, None);
    }

    fn accepted(&mut self, cx: &mut Cx<'_>, opened: Opened, fx: &mut Vec<Effect>) {
        cx.probe.count(Counter::Accepted);
        if self.shut || self.channels.is_full() || !self.gate.enter(cx.now) {
            cx.probe.count(Counter::AcceptsRefused);
            self.refuse(opened.channel, fx);
            return;
        }
        self.open(cx, opened, None, fx);
    }

    fn dialled(&mut self, cx: &mut Cx<'_>, dial: DialId, opened: Opened, fx: &mut Vec<Effect>) {
        let id = match self.dialers.known(dial) {
            Known::UnderWay(id) => id,
            Known::GivenUp => return self.refuse(opened.channel, fx),
            Known::Never => {
                fx.push(Effect::Misuse(Misuse::NoSuchDial));
                return self.refuse(opened.channel, fx);
            }
        };
        // While the dial was under way, the peer's own may have come up.
        if let Some(live) = self.dialers.get(id).and_then(Dialer::live) {
            self.dialers.settled(dial);
            self.dialers.abandoned(cx.now, id, live);
            return self.refuse(opened.channel, fx);
        }
        if self.channels.is_full() {
            self.dialers.settled(dial);
            self.dialers.failed(cx, id, CloseReason::TooManyLinks, false);
            return self.refuse(opened.channel, fx);
        }
        if let Some(link) = self.open(cx, opened, Some(id), fx) {
            self.dialers.opened(dial, link);
        }
    }

    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        opened: Opened,
        dialer: Option<DialerId>,
        fx: &mut Vec<Effect>,
    ) -> Option<LinkId> {
        self.opened += 1;
        let Opened { channel: id, remote, exporter } = opened;
        let origin = Origin { id, remote, dialer, order: self.opened };
        let channel = Channel::open(cx, &self.own, &mut self.secrets, origin, exporter, fx);
        let link = self.channels.insert(channel).ok()?.retag();
        self.by_channel.insert(id, link);
        self.settle(cx.now, link);
        Some(link)
    }

    /// Closes a channel at once and remembers it until it has ended.
    fn refuse(&mut self, channel: ChannelId, fx: &mut Vec<Effect>) {
        self.refused.insert(channel);
        if self.refused.len() > REFUSED_MAX {
            self.refused.pop_first();
        }
        fx.push(Effect::Close { channel });
    }

    /// The link on a channel; a complaint if there was never such a channel.
    fn find(&self, channel: ChannelId, fx: &mut Vec<Effect>) -> Option<LinkId> {
        let found = self.by_channel.get(&channel).copied();
        if found.is_none() && !self.refused.contains(&channel) {
            fx.push(Effect::Misuse(Misuse::NoSuchChannel));
        }
        found
    }

    fn disconnect(&mut self, cx: &mut Cx<'_>, peer: &NodeName, fx: &mut Vec<Effect>) {
        self.dialers.disconnect(peer);
        let orphaned = self.channels.iter().filter(|(_, channel)| {
            channel.origin.dialer.is_some_and(|id| self.dialers.get(id).is_none())
                || channel.peer().is_some_and(|proven| proven.name == *peer)
        });
        let gone: Vec<LinkId> = orphaned.map(|(handle, _)| handle.retag()).collect();
        for link in gone {
            self.end(cx, link, End { in_order: true, ..End::of(CloseReason::Local) }, fx);
        }
    }

    fn shut_down(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        self.shut = true;
        self.dialers.clear();
        let all: Vec<LinkId> = self.channels.iter().map(|(handle, _)| handle.retag()).collect();
        for link in all {
            self.end(cx, link, End { in_order: true, ..End::of(CloseReason::Local) }, fx);
        }
    }
}

fn view<'a>(link: LinkId, channel: &'a Channel, live: &'a super::live::Live, sealed: &'a Sealed) -> LinkView<'a> {
    let (origin, traffic, meter) = (&channel.origin, channel.traffic, live.meter());
    LinkView {
        link,
        channel: origin.id,
        session: sealed.session_id(),
        peer: &sealed.peer().name,
        addr: live.addr,
        incarnation: live.rank.incarnation,
        remote: &origin.remote,
        dialled: origin.dialer.is_some(),
        up_since: live.since,
        srtt: meter.srtt(),
        rtt_variance: meter.variance(),
        loss_per_mille: meter.loss_per_mille(),
        cost: live.cost(),
        frames_in: traffic.frames_in,
        frames_out: traffic.frames_out,
        bytes_in: traffic.bytes_in,
        bytes_out: traffic.bytes_out,
        queued: sealed.lanes().queued(),
        queued_bytes: sealed.lanes().bytes(),
    }
}
