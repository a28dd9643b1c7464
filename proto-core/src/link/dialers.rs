//! All peers that this node dials.
//!
//! Bounds: [`DIALERS_MAX`] peers; more are not taken. Each has at most one dial under way.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::time::Duration;

use super::{
    Effect, LinkId,
    dialer::{Attempt, Dialer, Due, is_lasting},
};
use crate::{
    cx::Cx,
    error::{CloseReason, Rejected},
    id::{DialId, NodeName},
    limits::{DIAL_SLACK, DIALERS_MAX},
    node::{LinkConfig, Peer},
    probe::Counter,
    time::Time,
    timers::DeadlineIndex,
};

/// Names a dialer; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DialerId(u32);

/// What a dial that the substrate speaks of is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Under way, for this dialer.
    UnderWay(DialerId),
    /// Given up, or its peer is gone.
    GivenUp,
    /// Never asked for.
    Never,
}

/// The dialers, their deadlines and their dials.
#[derive(Debug)]
pub(super) struct Dialers {
    by_id: BTreeMap<DialerId, Dialer>,
    dials: BTreeMap<DialId, DialerId>,
    deadlines: DeadlineIndex<DialerId>,
    next_id: DialerId,
    next_dial: DialId,
    config: LinkConfig,
}

impl Dialers {
    /// Dials these peers as soon as it is woken.
    pub(super) fn new(peers: &[Peer], config: &LinkConfig) -> Self {
        let mut dialers = Self {
            by_id: BTreeMap::new(),
            dials: BTreeMap::new(),
            deadlines: DeadlineIndex::new(),
            next_id: DialerId(0),
            next_dial: DialId(1),
            config: config.clone(),
        };
        for peer in peers {
            // Beyond the limit the rest is left out.
            dialers.connect(Time::ZERO, peer.clone(), None).ok();
        }
        dialers
    }

    /// Adds a peer, or changes the one of the same name; without a name, of the same endpoints. `live` is the link to
    /// it, if there is one.
    ///
    /// # Errors
    /// [`Rejected::Busy`] at the limit.
    pub(super) fn connect(&mut self, now: Time, peer: Peer, live: Option<LinkId>) -> Result<(), Rejected> {
        let same = |known: &Peer| match (&known.name, &peer.name) {
            (None, None) => known.endpoints == peer.endpoints,
            (known, name) => known == name,
        };
        if let Some((&id, dialer)) = self.by_id.iter_mut().find(|(_, dialer)| same(dialer.peer())) {
            dialer.configure(now, peer);
            self.rearm(id);
        } else if self.by_id.len() >= DIALERS_MAX {
            return Err(Rejected::Busy);
        } else {
            let id = self.next_id;
            self.next_id = DialerId(id.0.saturating_add(1));
            let mut dialer = Dialer::new(peer, &self.config);
            if let Some(link) = live {
                dialer.up(now, link);
            }
            self.by_id.insert(id, dialer);
            self.rearm(id);
        }
        Ok(())
    }

    /// Removes a peer.
    pub(super) fn disconnect(&mut self, name: &NodeName) {
        let gone: Vec<DialerId> =
            self.by_id.iter().filter(|(_, dialer)| dialer.name() == Some(name)).map(|(&id, _)| id).collect();
        for id in gone {
            self.by_id.remove(&id);
            self.deadlines.set(id, None);
        }
        let by_id = &self.by_id;
        self.dials.retain(|_, id| by_id.contains_key(id));
    }

    /// Removes all peers.
    pub(super) fn clear(&mut self) {
        self.by_id.clear();
        self.dials.clear();
        self.deadlines = DeadlineIndex::new();
    }

    /// Every dialer.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Dialer> {
        self.by_id.values()
    }

    /// How many dials the substrate has not said anything of yet.
    pub(super) fn under_way(&self) -> usize {
        self.dials.len()
    }

    /// A dialer.
    pub(super) fn get(&self, id: DialerId) -> Option<&Dialer> {
        self.by_id.get(&id)
    }

    /// The cost configured for a peer; 0 where none is.
    pub(super) fn configured_cost(&self, name: &NodeName) -> u32 {
        self.iter().find(|dialer| dialer.name() == Some(name)).map_or(0, |dialer| dialer.peer().cost)
    }

    /// What `dial` is.
    pub(super) fn known(&self, dial: DialId) -> Known {
        match self.dials.get(&dial) {
            Some(&id) => Known::UnderWay(id),
            None if dial < self.next_dial => Known::GivenUp,
            None => Known::Never,
        }
    }

    /// A dial led to a channel.
    pub(super) fn opened(&mut self, dial: DialId, link: LinkId) {
        if let Some(id) = self.dials.remove(&dial) {
            self.change(id, |dialer| dialer.opened(link));
        }
    }

    /// Somebody proved a name on the channel of a dialer. Says whether it may be its peer.
    pub(super) fn answered_by(&mut self, id: DialerId, name: &NodeName) -> bool {
        self.by_id.get_mut(&id).is_none_or(|dialer| dialer.answered_by(name))
    }

    /// An attempt came to nothing. Returns how long until the next, if there is one.
    pub(super) fn failed(
        &mut self,
        cx: &mut Cx<'_>,
        id: DialerId,
        reason: CloseReason,
        lasting: bool,
    ) -> Option<Duration> {
        let dialer = self.by_id.get_mut(&id)?;
        let pause = dialer.failed(cx, reason, lasting);
        let retry_in = if dialer.live().is_none() { Some(pause) } else { None };
        self.rearm(id);
        retry_in
    }

    /// An attempt is not needed any more: another link to the peer lives.
    pub(super) fn abandoned(&mut self, now: Time, id: DialerId, live: LinkId) {
        self.change(id, |dialer| dialer.abandoned(now, live));
    }

    /// A dial is over, whatever became of it.
    pub(super) fn settled(&mut self, dial: DialId) {
        self.dials.remove(&dial);
    }

    /// A dial came to nothing before there was a channel.
    pub(super) fn dial_failed(&mut self, cx: &mut Cx<'_>, id: DialerId, fx: &mut Vec<Effect>) {
        let Some(dialer) = self.by_id.get(&id) else { return };
        if let Attempt::Dialling { dial, .. } = dialer.attempt() {
            self.dials.remove(&dial);
        }
        let (peer, remote): (_, Arc<str>) = (dialer.name().cloned(), dialer.remote());
        let reason = CloseReason::DialFailed;
        let retry_in = self.failed(cx, id, reason, false);
        fx.push(Effect::Failed { peer, remote, reason, retry_in });
    }

    /// A link to a node lives: whoever dials it stops.
    pub(super) fn up(&mut self, now: Time, name: &NodeName, link: LinkId) {
        for id in self.of(name) {
            self.change(id, |dialer| dialer.up(now, link));
        }
    }

    /// The link to a node is down: whoever dials it begins again.
    pub(super) fn down(&mut self, cx: &mut Cx<'_>, name: &NodeName, reason: CloseReason, lasted: Duration) {
        for id in self.of(name) {
            self.change(id, |dialer| {
                dialer.down(cx, reason, is_lasting(reason), lasted);
            });
        }
    }

    /// Acts on deadlines that have come.
    pub(super) fn handle_timeout(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        while let Some((due, id, _)) = self.deadlines.first() {
            if due > cx.now {
                return;
            }
            match self.by_id.get(&id).map(|dialer| dialer.due(cx.now)) {
                Some(Due::Dial) => self.dial(cx, id, fx),
                Some(Due::TimedOut) => self.dial_failed(cx, id, fx),
                Some(Due::Nothing) | None => self.deadlines.set(id, None),
            }
        }
    }

    /// The next deadline and who wants it.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.deadlines.first().map(|(due, _, why)| (due, why))
    }

    fn dial(&mut self, cx: &mut Cx<'_>, id: DialerId, fx: &mut Vec<Effect>) {
        let dial = self.next_dial;
        self.next_dial = dial.next();
        let until = cx.now + self.config.dial_timeout + DIAL_SLACK;
        let Some(dialer) = self.by_id.get_mut(&id) else { return };
        let Some(endpoint) = dialer.endpoint().cloned() else { return };
        dialer.dialling(dial, until);
        self.dials.insert(dial, id);
        self.rearm(id);
        cx.probe.count(Counter::Dialled);
        fx.push(Effect::Dial { dial, endpoint });
    }

    fn of(&self, name: &NodeName) -> Vec<DialerId> {
        self.by_id.iter().filter(|(_, dialer)| dialer.name() == Some(name)).map(|(&id, _)| id).collect()
    }

    fn change(&mut self, id: DialerId, change: impl FnOnce(&mut Dialer)) {
        if let Some(dialer) = self.by_id.get_mut(&id) {
            change(dialer);
            self.rearm(id);
        }
    }

    fn rearm(&mut self, id: DialerId) {
        let deadline = self.by_id.get(&id).and_then(Dialer::poll_timeout);
        self.deadlines.set(id, deadline);
    }
}
