//! The link-state machine.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Effect, Event,
    advert::Advert,
    damper::{Damper, Pace},
    database::{Change, Database, Entry},
    graph::{Claim, Graph, Path},
    lookup::{Lookup, Lookups},
    neighbours::Neighbours,
    origin::{Heard, Origin},
    seldom::Seldom,
    summary,
    table::{Hops, Reach, Route, Table},
    view,
};
use crate::{
    cx::Cx,
    error::{DropReason, Violation},
    id::{NodeAddr, NodeName, Token},
    limits::{CALL_GAP, CONFLICT_INTERVAL, CONFLICTS_MAX, MULTIPATH_MAX, SPF_DELAY, SPF_DELAY_MAX},
    link::LinkId,
    node::{Config, Found},
    probe::Counter,
    rng::Rng,
    secure::{PinConflict, Pins},
    time::Time,
    timers::earlier,
    wire::v1,
};

/// Computations of shortest paths at the full rate before it slows down.
const SPF_PATIENCE: u32 = 3;
/// Quiet after which the next change is acted upon fast again.
const SPF_CALM: Duration = Duration::from_millis(100);

/// What this node knows of the graph, and the way to every node in it.
///
/// Life: silent until the first link is up; then it advertises itself, learns what its neighbours know, and keeps both
/// up to date; after [`Event::Leave`] it says nothing more of itself, and still routes what it must.
///
/// Bounds: those of its parts. One event costs at most one look at every advert (a link that comes up, a summary), one
/// signature to check (an advert), or one computation of shortest paths (a timeout). What a neighbour may cause of the
/// first two is bounded over time as well. One call sends about [`CALL_FRAMES`](crate::limits::CALL_FRAMES) frames, however
/// many links there are; the rest follows.
#[derive(Debug)]
pub struct Router {
    pub(super) origin: Origin,
    pub(super) database: Database,
    pub(super) neighbours: Neighbours,
    pub(super) table: Table,
    lookups: Lookups,
    spf: Damper,
    conflicts: Seldom<NodeAddr>,
    expiry: Duration,
}

impl Router {
    /// Knows only itself.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let me = config.name.addr();
        let (first, gap, gap_max) = (SPF_DELAY, SPF_DELAY, SPF_DELAY_MAX);
        // Nodes may share a seed in tests; the address sets them apart.
        let salt = Rng::new(config.seed).fork("route table").next_u64() ^ me.0;
        Self {
            origin: Origin::new(config),
            database: Database::new(me, config.route.advert_expiry),
            neighbours: Neighbours::default(),
            table: Table::new(salt),
            lookups: Lookups::new(),
            spf: Damper::new(Pace { first, gap, gap_max, patience: SPF_PATIENCE, calm: SPF_CALM }),
            conflicts: Seldom::new(CONFLICT_INTERVAL, CONFLICTS_MAX),
            expiry: config.route.advert_expiry,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, cx: &mut Cx<'_>, pins: &Pins, event: Event, fx: &mut Vec<Effect>) {
        self.neighbours.begin_call(cx.now);
        match event {
            Event::LinkUp { link, peer, cost } => {
                self.drop_disproved(cx, pins, peer, fx);
                self.link_up(cx, link, peer, cost, fx);
            }
            Event::LinkCost { link, cost } => self.link_cost(cx, link, cost),
            Event::LinkDown { link } => self.link_down(cx, link),
            Event::Advert { link, header, body } => {
                let age = Duration::from_millis(u64::from(header.age_ms));
                let taken = self.advert(cx, pins, link, age, body, fx);
                if taken.is_err() {
                    cx.probe.count(Counter::AdvertsRefused);
                }
                blame(link, taken, fx);
            }
            Event::Summary { link, .. } | Event::Want { link, .. } | Event::Find { link, .. }
                if !self.neighbours.may_look(cx.now, link) =>
            {
                cx.probe.count(Counter::OverBudget);
            }
            Event::Summary { link, header, body } => {
                let taken = self.summary(cx, link, header.scope, &body, fx);
                blame(link, taken, fx);
            }
            Event::Want { link, body } => {
                let taken = self.want(cx, link, &body, fx);
                blame(link, taken, fx);
            }
            Event::Find { link, header } => self.find(cx, link, header, fx),
            Event::Lookup { token, name, deadline } => self.lookup(cx, token, name, deadline, fx),
            Event::Leave => self.leave(cx, fx),
        }
    }

    /// Acts on deadlines that have come.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        self.neighbours.begin_call(cx.now + CALL_GAP);
        if self.database.expire(cx.now) {
            self.spf.ask(cx.now);
        }
        if self.origin.take(cx.now) {
            self.originate(cx, fx);
        }
        self.neighbours.handle_timeout(cx.now, cx.rng, &mut self.database, fx);
        if self.spf.take(cx.now) {
            self.compute_paths(cx, fx);
            self.answer_lookups(cx.now, true, fx);
        }
        if self.lookups.poll_timeout().is_some_and(|(due, _)| due <= cx.now) {
            self.answer_lookups(cx.now, false, fx);
        }
    }

    /// The next deadline and who wants it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let expiry = self.database.next_expiry().map(|due| (due, "route: expiry"));
        let spf = self.spf.due().map(|due| (due, "route: paths"));
        let deadlines = [self.origin.poll_timeout(), self.neighbours.poll_timeout(), self.lookups.poll_timeout(), spf];
        deadlines.into_iter().fold(expiry, earlier)
    }

    /// The link that a frame takes. `from`: the link it came in by; `None` if it begins here.
    ///
    /// # Errors
    /// [`DropReason`] if there is none.
    #[inline]
    pub fn next_hop(&self, dst: NodeAddr, flow: u16, from: Option<LinkId>) -> Result<LinkId, DropReason> {
        if from.is_some() && !self.origin.transit() {
            return Err(DropReason::NoTransit);
        }
        self.table.pick(dst, flow, from, self.neighbours.ports())
    }

    /// The name of a node, if its advert is known.
    #[must_use]
    pub fn name(&self, addr: NodeAddr) -> Option<&NodeName> {
        if addr == self.origin.addr() {
            return Some(self.origin.name());
        }
        self.database.get(addr).map(|entry| &entry.advert().body().origin)
    }

    /// What the way to a node costs; `None` if there is none.
    #[must_use]
    pub fn cost(&self, node: NodeAddr) -> Option<u32> {
        self.table.get(node).map(|route| view::cost(&route.path))
    }

    /// Every other node within reach, in order of address.
    pub fn reachable(&self) -> impl Iterator<Item = NodeAddr> {
        self.table.iter().map(|route| route.path.node)
    }

    fn link_up(&mut self, cx: &mut Cx<'_>, link: LinkId, peer: NodeAddr, cost: u32, fx: &mut Vec<Effect>) {
        if peer == self.origin.addr() {
            return;
        }
        let Some(port) = self.neighbours.up(cx.now, cx.rng, link, peer, cost) else { return };
        self.database.forget_holder(port);
        self.neighbours.summarise(cx.now, link, false, &self.database, fx);
        self.origin.links_changed(cx.now);
        self.spf.ask(cx.now);
    }

    fn link_cost(&mut self, cx: &mut Cx<'_>, link: LinkId, cost: u32) {
        if !self.neighbours.set_cost(link, cost) {
            return;
        }
        if self.origin.has_left() {
            self.spf.ask(cx.now);
        } else {
            // Paths change when the mesh is told.
            self.origin.costs_changed(cx.now);
        }
    }

    fn link_down(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        if self.neighbours.down(link) {
            self.origin.links_changed(cx.now);
            self.spf.ask_urgently(cx.now);
        }
    }

    fn advert(
        &mut self,
        cx: &mut Cx<'_>,
        pins: &Pins,
        link: LinkId,
        age: Duration,
        signed: Bytes,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        let Some(port) = self.neighbours.port(link) else { return Ok(()) };
        let advert = Advert::parse(signed)?;
        let addr = advert.addr();
        self.drop_disproved(cx, pins, addr, fx);
        let held = self.database.get(addr).map(Entry::version);
        if age >= self.expiry {
            cx.probe.count(Counter::AdvertsStale);
            return Ok(());
        }
        if let Some(held) = held.filter(|held| *held >= advert.version()) {
            cx.probe.count(Counter::AdvertsStale);
            self.answer_stale(cx.now, link, addr, held == advert.version(), fx);
            return Ok(());
        }
        if !self.database.has_room(&advert) {
            cx.probe.count(Counter::AdvertsRefused);
            return Ok(());
        }
        if !self.neighbours.may_check(cx.now, link) {
            cx.probe.count(Counter::OverBudget);
            return Ok(());
        }
        self.origin.verify(&advert)?;
        if !self.is_pinned(cx, pins, &advert, fx) {
            return Ok(());
        }
        if addr == self.origin.addr() {
            self.heard_myself(cx, &advert, fx);
            self.database.note_holder(addr, port);
            return Ok(());
        }
        let Some(change) = self.database.insert(cx.now, age, advert) else { return Ok(()) };
        cx.probe.count(Counter::AdvertsAccepted);
        self.database.note_holder(addr, port);
        self.neighbours.flood(cx.now, addr, &mut self.database, fx);
        match change {
            Change::Refreshed => {}
            Change::Graph => self.spf.ask(cx.now),
        }
        Ok(())
    }

    /// A neighbour sent what is known, or is older than what is known: then it gets the newer one, unless it is on its
    /// way to it already.
    fn answer_stale(&mut self, now: Time, link: LinkId, addr: NodeAddr, same: bool, fx: &mut Vec<Effect>) {
        let Some(port) = self.neighbours.port(link) else { return };
        if same {
            self.database.note_holder(addr, port);
        } else if self.database.get(addr).is_some_and(|entry| !entry.is_held_by(port)) {
            self.neighbours.offer(link, addr);
            self.neighbours.pump(now, link, &mut self.database, fx);
        }
    }

    /// Whether the key of a verified advert may speak for its name: the one that a handshake proved, or else the one of
    /// the advert that is held. A conflict is reported.
    fn is_pinned(&mut self, cx: &mut Cx<'_>, pins: &Pins, advert: &Advert, fx: &mut Vec<Effect>) -> bool {
        let name = &advert.body().origin;
        let pinned = if name != self.origin.name() {
            pins.check_claimed(name, advert.key()).and_then(|()| self.check_held(advert))
        } else if advert.key() == self.origin.key() {
            Ok(())
        } else {
            Err(PinConflict::OtherKey { pinned: self.origin.key() })
        };
        let Err(conflict) = pinned else { return true };
        cx.probe.count(Counter::AdvertsRefused);
        self.report(cx.now, conflict, advert, fx);
        false
    }

    /// Checks an advert against the one held of the same address.
    fn check_held(&self, advert: &Advert) -> Result<(), PinConflict> {
        let Some(held) = self.database.get(advert.addr()).map(Entry::advert) else { return Ok(()) };
        if held.body().origin != advert.body().origin {
            Err(PinConflict::SameAddress { other: held.body().origin.clone() })
        } else if held.key() != advert.key() {
            Err(PinConflict::OtherKey { pinned: held.key() })
        } else {
            Ok(())
        }
    }

    /// Drops the advert held of a node if a handshake has proven since that its name belongs to another key.
    fn drop_disproved(&mut self, cx: &Cx<'_>, pins: &Pins, addr: NodeAddr, fx: &mut Vec<Effect>) {
        let Some(held) = self.database.get(addr).map(Entry::advert) else { return };
        let Err(conflict) = pins.check_claimed(&held.body().origin, held.key()) else { return };
        if let Some(entry) = self.database.remove(addr) {
            self.report(cx.now, conflict, entry.advert(), fx);
            self.spf.ask(cx.now);
        }
    }

    fn report(&mut self, now: Time, conflict: PinConflict, advert: &Advert, fx: &mut Vec<Effect>) {
        match conflict {
            PinConflict::OtherKey { pinned } if self.conflicts.allow(now, advert.addr()) => {
                let name = advert.body().origin.clone();
                fx.push(Effect::KeyConflict { name, pinned, shown: advert.key() });
            }
            PinConflict::OtherKey { .. } | PinConflict::SameAddress { .. } | PinConflict::Full => {}
        }
    }

    fn heard_myself(&mut self, cx: &mut Cx<'_>, advert: &Advert, fx: &mut Vec<Effect>) {
        cx.probe.count(Counter::AdvertsStale);
        match self.origin.heard(cx.now, advert) {
            Heard::Old | Heard::Jumped => {}
            Heard::InUse(incarnation) => fx.push(Effect::IdentityInUse { incarnation }),
        }
    }

    fn summary(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        scope: v1::SummaryScope,
        body: &Bytes,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        match scope {
            v1::SummaryScope::Digest(digest) if digest == self.database.digest() => {
                self.neighbours.looked(cx.now, link, 1);
            }
            v1::SummaryScope::Digest(_) => {
                self.neighbours.looked(cx.now, link, 1);
                self.neighbours.summarise(cx.now, link, true, &self.database, fx);
            }
            v1::SummaryScope::Range { first, last } => {
                let theirs = summary::parse_range(first, last, body)?;
                self.compare(cx.now, link, first, last, &theirs, fx);
            }
        }
        Ok(())
    }

    /// Sends what a neighbour lacks within a range, and asks for what it has and this node lacks.
    fn compare(
        &mut self,
        now: Time,
        link: LinkId,
        first: NodeAddr,
        last: NodeAddr,
        theirs: &[v1::Held],
        fx: &mut Vec<Effect>,
    ) {
        let Some(port) = self.neighbours.port(link) else { return };
        let mut lacking: BTreeMap<NodeAddr, _> = theirs.iter().map(|line| (line.origin, line)).collect();
        let mut lines = Vec::new();
        for entry in self.database.range(first..=last) {
            let held = entry.held();
            let theirs = lacking.get(&held.origin).map(|line| (line.incarnation, line.seq));
            if theirs <= Some(entry.version()) {
                lacking.remove(&held.origin);
            }
            lines.push((held.origin, theirs < Some(entry.version())));
        }
        self.neighbours.looked(now, link, 1 + theirs.len() + lines.len());
        for (origin, lacks) in lines {
            if lacks {
                self.neighbours.offer(link, origin);
            } else {
                self.database.note_holder(origin, port);
            }
        }
        self.neighbours.pump(now, link, &mut self.database, fx);
        if self.neighbours.has_summarised(now, link) {
            return;
        }
        lacking.retain(|origin, line| {
            if *origin == self.origin.addr() {
                self.origin.wants(line.incarnation)
            } else {
                !self.database.is_full() || self.database.get(*origin).is_some()
            }
        });
        let wanted: Vec<NodeAddr> = lacking.into_keys().collect();
        fx.extend(summary::want(&wanted).map(|frame| Effect::Send { link, frame }));
    }

    fn want(&mut self, cx: &Cx<'_>, link: LinkId, body: &Bytes, fx: &mut Vec<Effect>) -> Result<(), Violation> {
        let mut looks = 1;
        for origin in summary::parse_want(body)? {
            self.send_if_known(link, origin);
            looks += 1;
        }
        self.neighbours.looked(cx.now, link, looks);
        self.neighbours.pump(cx.now, link, &mut self.database, fx);
        Ok(())
    }

    fn find(&mut self, cx: &Cx<'_>, link: LinkId, question: v1::Find, fx: &mut Vec<Effect>) {
        self.neighbours.looked(cx.now, link, 1);
        if self.send_if_known(link, question.target) {
            self.neighbours.pump(cx.now, link, &mut self.database, fx);
        } else if let Some(frame) = self.lookups.pass_on(cx.now, question) {
            self.neighbours.ask(frame, Some(link), fx);
        }
    }

    fn send_if_known(&mut self, link: LinkId, origin: NodeAddr) -> bool {
        let known = self.database.get(origin).is_some();
        if known {
            self.neighbours.offer(link, origin);
        }
        known
    }

    fn lookup(&mut self, cx: &Cx<'_>, token: Token, name: NodeName, deadline: Duration, fx: &mut Vec<Effect>) {
        if let Some(found) = self.found(&name) {
            fx.push(Effect::Found { token, found: Some(found) });
            return;
        }
        let target = name.addr();
        if let Err(refused) = self.lookups.open(cx.now + deadline, Lookup { token, name }) {
            fx.push(Effect::Found { token: refused.token, found: None });
            return;
        }
        if let Some(frame) = self.lookups.ask(cx.now, target) {
            self.neighbours.ask(frame, None, fx);
        }
    }

    /// Ends the look-ups whose deadline has come and, after paths were computed, those whose node is known.
    fn answer_lookups(&mut self, now: Time, computed: bool, fx: &mut Vec<Effect>) {
        let database = &self.database;
        let known = |name: &NodeName| {
            computed && database.get(name.addr()).is_some_and(|entry| entry.advert().body().origin == *name)
        };
        for lookup in self.lookups.take(now, known) {
            fx.push(Effect::Found { token: lookup.token, found: self.found(&lookup.name) });
        }
    }

    fn found(&self, name: &NodeName) -> Option<Found> {
        let addr = name.addr();
        if name == self.origin.name() {
            let incarnation = self.origin.incarnation();
            return Some(Found { name: name.clone(), incarnation, cost: Some(0), hops: Some(0) });
        }
        let body = self.database.get(addr)?.advert().body();
        let path = self.table.get(addr).map(|route| &route.path);
        (body.origin == *name).then(|| Found {
            name: name.clone(),
            incarnation: body.incarnation,
            cost: path.map(view::cost),
            hops: path.map(|path| path.hops),
        })
    }

    fn leave(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        if !self.origin.has_left() {
            self.origin.leave();
            self.originate(cx, fx);
        }
    }

    fn originate(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        let edges = if self.origin.has_left() { Vec::new() } else { self.neighbours.edges() };
        let advert = self.origin.next(cx.now, cx.rng, edges);
        let addr = advert.addr();
        cx.probe.count(Counter::AdvertsOriginated);
        if self.database.insert(cx.now, Duration::ZERO, advert) == Some(Change::Graph) {
            self.spf.ask(cx.now);
        }
        self.neighbours.flood(cx.now, addr, &mut self.database, fx);
    }

    fn compute_paths(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        cx.probe.count(Counter::SpfRuns);
        let me = self.origin.addr();
        let paths = self.with_graph(|graph| graph.shortest_paths(me, &[]));
        let routes = paths.into_iter().filter_map(|path| self.route_of(path)).collect();
        for change in self.table.replace(routes) {
            fx.push(match change {
                Reach::Gained(node, addr, incarnation) => Effect::Reachable { node, addr, incarnation },
                Reach::Moved(addr, incarnation) => Effect::Rerouted { addr, incarnation },
                Reach::Lost(node, addr) => Effect::Unreachable { node, addr },
            });
        }
        self.neighbours.sweep();
    }

    /// Calls `read` with the graph of all adverts, where this node's own links are those that are up at present. Each
    /// costs what the mesh was told last: by a cost that only this node knows it would send frames to neighbours that
    /// send them back.
    pub(super) fn with_graph<T>(&self, read: impl FnOnce(&Graph) -> T) -> T {
        let me = self.origin.addr();
        let mut edges = self.neighbours.edges();
        if let Some(entry) = self.database.get(me) {
            keep_told_costs(&mut edges, &entry.advert().body().neighbours);
        }
        let mine = Claim { node: me, transit: self.origin.transit(), neighbours: &edges };
        let others = self.database.iter().filter(|entry| entry.advert().addr() != me).map(|entry| {
            let body = entry.advert().body();
            Claim { node: entry.advert().addr(), transit: body.transit, neighbours: &body.neighbours }
        });
        read(&Graph::new(core::iter::once(mine).chain(others)))
    }

    fn route_of(&self, path: Path) -> Option<Route> {
        let body = self.database.get(path.node)?.advert().body();
        let ports: SmallVec<[_; MULTIPATH_MAX]> =
            path.first.iter().filter_map(|peer| self.neighbours.port_of(*peer)).collect();
        let hops = Hops::new(&ports);
        Some(Route { name: body.origin.clone(), incarnation: body.incarnation, path, hops })
    }
}

/// Gives every link that was told of the cost that was told. Both lists are in order of address.
fn keep_told_costs(edges: &mut [v1::Neighbour], told: &[v1::Neighbour]) {
    for edge in edges {
        if let Ok(place) = told.binary_search_by_key(&edge.node, |told| told.node)
            && let Some(told) = told.get(place)
        {
            edge.cost = told.cost;
        }
    }
}

/// A neighbour that breaks the protocol loses its link.
fn blame(link: LinkId, taken: Result<(), Violation>, fx: &mut Vec<Effect>) {
    if let Err(violation) = taken {
        fx.push(Effect::Violation { link, violation });
    }
}
