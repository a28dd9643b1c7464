//! Who may link, which of two links to one node lives, and what the end of a link means for everything else.

use alloc::vec::Vec;

use super::{Effect, LinkId, Links, dialer::is_lasting, live::Live, rank::Rank};
use crate::{
    cx::Cx,
    error::CloseReason,
    id::NodeName,
    limits::LINKS_MAX,
    probe::Counter,
    secure::{PeerIdentity, PinConflict, Pins},
    wire::v1::Hello,
};

/// How a link ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Why.
    pub(super) reason: CloseReason,
    /// Whether what caused it may mend itself, although the reason alone says otherwise.
    pub(super) mends: bool,
    /// Whether what waits on its lanes still goes out.
    pub(super) in_order: bool,
    /// Whether another link to the same node takes its place this very moment.
    pub(super) replaced: bool,
}

impl End {
    /// At once, for this reason.
    pub(super) const fn of(reason: CloseReason) -> Self {
        Self { reason, mends: false, in_order: false, replaced: false }
    }
}

impl Links {
    /// The handshake has proven who is there: says hello, or closes.
    pub(super) fn judge_peer(
        &mut self,
        cx: &mut Cx<'_>,
        pins: &mut Pins,
        link: LinkId,
        peer: &PeerIdentity,
        fx: &mut Vec<Effect>,
    ) {
        match self.objection(cx, pins, link, peer, fx) {
            Some(reason) => self.end(cx, link, End::of(reason), fx),
            None => {
                let Some(channel) = self.channels.get_mut(link.retag()) else { return };
                channel.greet(cx, &self.own);
                if channel.origin.dialer.is_some() {
                    self.greeting.insert(peer.name.addr(), link);
                }
            }
        }
    }

    /// The peer said hello: the link is up, unless another one to the same node ranks higher.
    pub(super) fn judge_link(&mut self, cx: &mut Cx<'_>, link: LinkId, hello: &Hello, fx: &mut Vec<Effect>) {
        let Some(channel) = self.channels.get(link.retag()) else { return };
        let Some(addr) = channel.peer().map(|peer| peer.name.addr()) else { return };
        let rank = Rank {
            incarnation: hello.incarnation,
            dialled_by_lower: channel.origin.dialer.is_some() == (self.own.addr < addr),
            order: channel.origin.order,
        };
        let full = self.is_full();
        let rival = self.live.get(&addr).and_then(|&old| Some((old, self.channels.get_mut(old.retag())?.live_mut()?)));
        match rival {
            Some((old, live)) if live.rank > rank => {
                let same_life = live.rank.incarnation == rank.incarnation;
                if same_life && channel_is_theirs(rank, self.own.addr < addr) {
                    // A peer does not dial while it believes in the link.
                    live.doubt(cx.now);
                }
                self.settle(cx.now, old);
                self.end(cx, link, End::of(loser(same_life)), fx);
            }
            Some((old, live)) => {
                let reason = loser(live.rank.incarnation == rank.incarnation);
                self.end(cx, old, End { replaced: true, ..End::of(reason) }, fx);
                self.bring_up(cx, link, rank, fx);
            }
            None if full => {
                self.end(cx, link, End::of(CloseReason::TooManyLinks), fx);
            }
            None => self.bring_up(cx, link, rank, fx),
        }
    }

    /// Ends a link: tells the machines above and its dialers, and begins to close its channel. Nothing if it has ended.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>, link: LinkId, end: End, fx: &mut Vec<Effect>) {
        let Some(channel) = self.channels.get(link.retag()).filter(|channel| !channel.is_closing()) else { return };
        let peer = channel.peer().map(|peer| peer.name.clone());
        match (channel.live().map(|live| (live.addr, live.since)), peer) {
            (Some((addr, since)), Some(peer)) => {
                self.live.remove(&addr);
                cx.probe.count(Counter::LinksDown);
                if !end.replaced {
                    self.dialers.down(cx, &peer, end.reason, cx.now.since(since));
                }
                fx.push(Effect::Down { link, peer, reason: end.reason });
            }
            (_, peer) => self.attempt_failed(cx, link, end, peer, fx),
        }
        if let Some(channel) = self.channels.get_mut(link.retag()) {
            channel.close(cx.now, end.reason, end.in_order);
        }
        self.settle(cx.now, link);
    }

    /// Why this peer may not link; `None` if it may.
    fn objection(
        &mut self,
        cx: &Cx<'_>,
        pins: &mut Pins,
        link: LinkId,
        peer: &PeerIdentity,
        fx: &mut Vec<Effect>,
    ) -> Option<CloseReason> {
        let dialer = self.channels.get(link.retag())?.origin.dialer;
        let PeerIdentity { name, key } = peer;
        let own_key = self.own.identity.public();
        if *key == own_key {
            return Some(CloseReason::SelfDial);
        }
        if name.addr() == self.own.addr {
            fx.push(Effect::KeyConflict { name: name.clone(), pinned: own_key, shown: *key });
            return Some(CloseReason::KeyConflict);
        }
        if !self.own.allow.permits(name) {
            return Some(CloseReason::NotAllowed);
        }
        // Before anything is remembered of it.
        if self.is_full() && !self.live.contains_key(&name.addr()) {
            return Some(CloseReason::TooManyLinks);
        }
        match pins.check_proven(cx.now, name, *key) {
            Ok(()) => {}
            Err(PinConflict::OtherKey { pinned }) => {
                fx.push(Effect::KeyConflict { name: name.clone(), pinned, shown: *key });
                return Some(CloseReason::KeyConflict);
            }
            Err(PinConflict::SameAddress { .. }) => return Some(CloseReason::KeyConflict),
            Err(PinConflict::Full) => return Some(CloseReason::TooManyLinks),
        }
        // Only now, because a dialer without a name takes the one that answers, and that must be a node that may link.
        if dialer.is_some_and(|id| !self.dialers.answered_by(id, name)) {
            return Some(CloseReason::WrongPeer);
        }
        // Having dialled, this node has a link to the peer at most once, so it says hello at most once.
        let addr = name.addr();
        let has_one = self.live.contains_key(&addr) || self.greeting.contains_key(&addr);
        (dialer.is_some() && has_one).then_some(CloseReason::Superseded)
    }

    /// Whether as many links are up as may be.
    fn is_full(&self) -> bool {
        self.live.len() >= self.own.link.max_links.min(LINKS_MAX)
    }

    fn bring_up(&mut self, cx: &mut Cx<'_>, link: LinkId, rank: Rank, fx: &mut Vec<Effect>) {
        let Self { own, channels, dialers, .. } = self;
        let Some(channel) = channels.get_mut(link.retag()) else { return };
        let Some(peer) = channel.peer().map(|peer| peer.name.clone()) else { return };
        let addr = peer.addr();
        let configured = dialers.configured_cost(&peer);
        channel.bring_up(|rtt| Live::new(cx.now, own, addr, rank, configured, Some(rtt)));
        let cost = channel.live().map_or(1, Live::cost);
        let remote = alloc::sync::Arc::clone(&channel.origin.remote);
        if channel.origin.dialer.is_none() {
            self.gate.settled();
        }
        self.stop_greeting(addr, link);
        self.live.insert(addr, link);
        self.dialers.up(cx.now, &peer, link);
        cx.probe.count(Counter::LinksUp);
        fx.push(Effect::Up { link, peer, addr, incarnation: rank.incarnation, remote, cost });
        self.settle(cx.now, link);
    }

    /// A channel ends that never was a link.
    fn attempt_failed(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        end: End,
        proven: Option<NodeName>,
        fx: &mut Vec<Effect>,
    ) {
        let Some(origin) = self.channels.get(link.retag()).map(|channel| channel.origin.clone()) else { return };
        let addr = proven.as_ref().map(NodeName::addr);
        if let Some(addr) = addr {
            self.stop_greeting(addr, link);
        }
        let reason = end.reason;
        // Not a failure: the node is linked, or about to be, only otherwise.
        let linked = addr.and_then(|addr| self.live.get(&addr)).copied();
        let about_to_be = addr.is_some_and(|addr| self.greeting.contains_key(&addr));
        let needless = reason == CloseReason::Superseded && (linked.is_some() || about_to_be);
        let (expected, retry_in) = match (origin.dialer, linked) {
            (None, _) => {
                self.gate.settled();
                (None, None)
            }
            (Some(id), Some(live)) if needless => {
                self.dialers.abandoned(cx.now, id, live);
                (None, None)
            }
            (Some(id), _) => {
                let expected = self.dialers.get(id).and_then(|dialer| dialer.name().cloned());
                (expected, self.dialers.failed(cx, id, reason, is_lasting(reason) && !end.mends))
            }
        };
        // A stranger that comes and goes is no news; neither is what this node ends itself.
        let stranger = origin.dialer.is_none() && proven.is_none() && reason == CloseReason::ChannelLost;
        if needless || reason == CloseReason::Local {
            return;
        }
        cx.probe.count(Counter::HandshakesFailed);
        if !stranger {
            fx.push(Effect::Failed { peer: proven.or(expected), remote: origin.remote, reason, retry_in });
        }
    }

    fn stop_greeting(&mut self, addr: crate::id::NodeAddr, link: LinkId) {
        if self.greeting.get(&addr) == Some(&link) {
            self.greeting.remove(&addr);
        }
    }
}

/// Whether the peer dialled the link of this rank.
const fn channel_is_theirs(rank: Rank, own_is_lower: bool) -> bool {
    rank.dialled_by_lower != own_is_lower
}

/// Why the lower of two ranks ends.
const fn loser(same_life: bool) -> CloseReason {
    if same_life { CloseReason::Superseded } else { CloseReason::StaleIncarnation }
}
