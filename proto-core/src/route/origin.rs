//! When this node says something of itself, and what it makes of hearing itself speak.
//!
//! Its advert goes out when its links change, gathered and damped, and again every refresh. Links that come and go and
//! costs that drift are damped apart, so that a restless measurement delays no bad news.
//!
//! An advert that another node passes on but that carries this node's name and key is from an earlier life, or this one
//! was started with an incarnation it had before: then its number is jumped over. From a later life it can only be if
//! somebody else uses the key, or the counter of lives was reset: that is told, once per life, and not fought.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use super::{
    advert::Advert,
    damper::{Damper, Pace},
};
use crate::{
    id::{Incarnation, NodeAddr, NodeName},
    limits::ADVERT_INTERVAL_MAX,
    node::Config,
    rng::Rng,
    secure::{Identity, Provider, PublicKey},
    time::Time,
    timers::earlier,
    wire::v1::{AdvertBody, Neighbour},
};

/// Spread of the refresh, in thousandths.
const REFRESH_JITTER_PER_MILLE: u32 = 100;
/// Shortest refresh, whatever is configured.
const REFRESH_MIN: Duration = Duration::from_millis(100);
/// Adverts at the full rate before it slows down.
const PATIENCE: u32 = 5;
/// How often a number may be jumped over before somebody else must be at it.
const JUMPS_MAX: u32 = 3;

/// What this node says of itself.
#[derive(Debug)]
pub(super) struct Origin {
    name: NodeName,
    addr: NodeAddr,
    identity: Arc<Identity>,
    provider: &'static dyn Provider,
    network: Arc<str>,
    incarnation: Incarnation,
    seq: u64,
    transit: bool,
    links: Damper,
    costs: Damper,
    refresh: Duration,
    refresh_at: Option<Time>,
    left: bool,
    jumps: u32,
    reported: Option<Incarnation>,
}

/// What an advert of this node's own means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing new.
    Old,
    /// This node has to speak up.
    Jumped,
    /// Somebody else uses the key, in this life; told for the first time.
    InUse(Incarnation),
}

impl Origin {
    /// Silent until the first link comes up.
    pub(super) fn new(config: &Config) -> Self {
        let gap = config.route.advert_interval_min;
        let gap_max = ADVERT_INTERVAL_MAX.max(gap);
        let pace = Pace { first: Duration::ZERO, gap, gap_max, patience: PATIENCE, calm: gap_max * 2 };
        Self {
            name: config.name.clone(),
            addr: config.name.addr(),
            identity: Arc::clone(&config.identity),
            provider: config.provider,
            network: Arc::clone(&config.network),
            incarnation: config.incarnation,
            seq: 0,
            transit: config.route.transit,
            links: Damper::new(pace),
            costs: Damper::new(pace),
            refresh: config.route.advert_refresh.max(REFRESH_MIN),
            refresh_at: None,
            left: false,
            jumps: 0,
            reported: None,
        }
    }

    /// This node's name.
    pub(super) const fn name(&self) -> &NodeName {
        &self.name
    }

    /// This node's address.
    pub(super) const fn addr(&self) -> NodeAddr {
        self.addr
    }

    /// This node's key.
    pub(super) fn key(&self) -> PublicKey {
        self.identity.public()
    }

    /// Which life this is.
    pub(super) const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Whether this node carries traffic of others.
    pub(super) const fn transit(&self) -> bool {
        self.transit
    }

    /// Checks the signature of an advert.
    ///
    /// # Errors
    /// [`crate::error::Violation::BadSignature`].
    pub(super) fn verify(&self, advert: &Advert) -> Result<(), crate::error::Violation> {
        advert.verify(&self.network, self.provider)
    }

    /// A link came up or went down.
    pub(super) fn links_changed(&mut self, now: Time) {
        if !self.left {
            self.links.ask(now);
        }
    }

    /// A link costs something else.
    pub(super) fn costs_changed(&mut self, now: Time) {
        if !self.left {
            self.costs.ask(now);
        }
    }

    /// The next advert says that nothing goes through this node any more, and is its last. What others send through it
    /// before they hear that is still forwarded.
    pub(super) fn leave(&mut self) {
        self.left = true;
        self.links.forget();
        self.costs.forget();
        self.refresh_at = None;
    }

    /// Whether this node has left.
    pub(super) const fn has_left(&self) -> bool {
        self.left
    }

    /// Whether an advert is due.
    #[must_use]
    pub(super) fn take(&mut self, now: Time) -> bool {
        let links = self.links.take(now);
        let costs = self.costs.take(now);
        let refresh = self.refresh_at.is_some_and(|due| due <= now);
        links || costs || refresh
    }

    /// The next advert, which says everything there is to say.
    pub(super) fn next(&mut self, now: Time, rng: &mut Rng, neighbours: Vec<Neighbour>) -> Advert {
        self.links.forget();
        self.costs.forget();
        self.refresh_at = (!self.left).then(|| now + rng.jitter(self.refresh, REFRESH_JITTER_PER_MILLE));
        self.seq = self.seq.saturating_add(1);
        let body = AdvertBody {
            origin: self.name.clone(),
            key: self.key().0,
            incarnation: self.incarnation,
            seq: self.seq,
            transit: self.transit && !self.left,
            neighbours,
        };
        Advert::sign(body, &self.network, &self.identity, self.provider)
    }

    /// Takes in an advert that is signed with this node's own key.
    pub(super) fn heard(&mut self, now: Time, advert: &Advert) -> Heard {
        let (incarnation, seq) = advert.version();
        if (incarnation, seq) <= (self.incarnation, self.seq) {
            return Heard::Old;
        }
        if incarnation == self.incarnation {
            self.seq = self.seq.max(seq);
            self.links_changed(now);
            self.jumps = self.jumps.saturating_add(1);
            // Old copies of one advert are jumped over once; a number that keeps rising has somebody behind it.
            return if self.jumps > JUMPS_MAX { self.report(incarnation, Heard::Jumped) } else { Heard::Jumped };
        }
        self.report(incarnation, Heard::Old)
    }

    /// Whether a newer advert of this node's own is worth asking for.
    pub(super) fn wants(&self, incarnation: Incarnation) -> bool {
        self.reported.is_none_or(|reported| incarnation > reported)
    }

    /// The next deadline and who wants it.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let change = [self.links.due(), self.costs.due()].into_iter().flatten().min();
        let refresh = self.refresh_at.map(|due| (due, "route: refresh"));
        earlier(change.map(|due| (due, "route: advert")), refresh)
    }

    fn report(&mut self, incarnation: Incarnation, otherwise: Heard) -> Heard {
        if !self.wants(incarnation) {
            return otherwise;
        }
        self.reported = Some(incarnation);
        Heard::InUse(incarnation)
    }
}
