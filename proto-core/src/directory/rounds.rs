//! The directory itself: who is told what, and who is asked.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use bytes::Bytes;

use super::{Effect, Event, Offers, Place, Section, listener::Listener, teller::Teller};
use crate::{
    cx::Cx,
    id::{Incarnation, NodeAddr},
    limits::{NODES_MAX, OFFER_PAUSE, OFFER_PIECE_BYTES},
    probe::Counter,
    rng::Rng,
    time::Time,
    timers::{DeadlineIndex, earlier},
    wire::{self, v1::Notice},
};

/// Where telling begins.
const FIRST: Place = (Section::Topics, 0);

/// Lets other nodes know what this one offers, and hears what they do. See the module's first lines.
#[derive(Debug)]
pub struct Directory {
    listener: Listener,
    tellers: BTreeMap<NodeAddr, Teller>,
    /// When there is something to tell a node.
    telling: DeadlineIndex<NodeAddr>,
    /// When a node is asked again.
    asking: DeadlineIndex<NodeAddr>,
    /// What was sent and has no outcome yet.
    under_way: BTreeMap<u64, UnderWay>,
    last_id: u64,
    /// What changed and was not told yet, and since when.
    changed: BTreeSet<Place>,
    changed_at: Option<Time>,
    /// Counts changes, from 1.
    version: u64,
    /// What every node within reach knows, as told to the owner.
    known: u64,
}

/// Something that was sent.
#[derive(Clone, Copy, Debug)]
enum UnderWay {
    Question { node: NodeAddr, round: u64 },
    Telling { node: NodeAddr, attempt: u32, version: u64 },
}

impl Directory {
    /// Knows nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            listener: Listener::new(),
            tellers: BTreeMap::new(),
            telling: DeadlineIndex::new(),
            asking: DeadlineIndex::new(),
            under_way: BTreeMap::new(),
            last_id: 0,
            changed: BTreeSet::new(),
            changed_at: None,
            version: 1,
            known: 1,
        }
    }

    /// The version of the last change. [`Effect::Known`] tells when every node within reach has it.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether every node within reach knows all changes up to this version.
    #[must_use]
    pub const fn is_known(&self, version: u64) -> bool {
        self.known >= version
    }

    /// Takes in what happened.
    pub fn handle(&mut self, cx: &mut Cx<'_>, event: Event, fx: &mut Vec<Effect>) {
        match event {
            Event::Reachable { node, incarnation } => self.reached(cx.rng, node, incarnation, fx),
            Event::Unreachable { node } => {
                self.asking.set(node, None);
                if self.listener.forget(node) {
                    fx.push(Effect::Forget { node });
                }
                self.note_known(fx);
            }
            Event::Received { from, incarnation, head, body } => match wire::decode(&head) {
                Ok(notice) => self.noticed(cx.now, from, incarnation, notice, body, fx),
                Err(_) => cx.probe.count(Counter::DroppedMalformed),
            },
            Event::Sent { id, delivered } => self.outcome(cx.now, id, delivered, fx),
            Event::Changed { place } => {
                self.version += 1;
                self.changed.insert(place);
                self.changed_at.get_or_insert(cx.now);
            }
        }
    }

    /// Acts on deadlines that have come.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>, offers: &impl Offers, fx: &mut Vec<Effect>) {
        while let Some((_, node, _)) = self.asking.first().filter(|&(due, ..)| due <= cx.now) {
            self.asking.set(node, None);
            self.ask_again(node, fx);
        }
        if self.changed_at.take().is_some() {
            let changed = core::mem::take(&mut self.changed);
            self.tell_changes(&changed, offers, fx);
            self.note_known(fx);
        }
        let mut pieces = BTreeMap::new();
        while let Some((_, node, _)) = self.telling.first().filter(|&(due, ..)| due <= cx.now) {
            self.tell(cx.now, node, offers, &mut pieces, fx);
            let due = self.tellers.get(&node).and_then(Teller::due);
            self.telling.set(node, due);
        }
    }

    /// The next deadline and who wants it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let telling = self.telling.first().map(|(due, _, why)| (due, why));
        let asking = self.asking.first().map(|(due, _, why)| (due, why));
        let changes = self.changed_at.map(|due| (due, "directory: changes"));
        earlier(earlier(telling, asking), changes)
    }

    fn reached(&mut self, rng: &mut Rng, node: NodeAddr, life: Incarnation, fx: &mut Vec<Effect>) {
        if self.listener.is_asked(node, life) || self.listener.len() >= NODES_MAX {
            return;
        }
        if self.tellers.get(&node).is_some_and(|teller| teller.life < life) {
            self.tellers.remove(&node);
            self.telling.set(node, None);
        }
        if self.listener.ask(node, life, rng.next_u64()) {
            fx.push(Effect::Forget { node });
        }
        self.ask_again(node, fx);
    }

    fn ask_again(&mut self, node: NodeAddr, fx: &mut Vec<Effect>) {
        let Some(round) = self.listener.round(node) else { return };
        self.send(node, Notice::Want { round }, Bytes::new(), UnderWay::Question { node, round }, fx);
    }

    fn noticed(
        &mut self,
        now: Time,
        from: NodeAddr,
        life: Incarnation,
        notice: Notice,
        body: Bytes,
        fx: &mut Vec<Effect>,
    ) {
        match notice {
            Notice::Want { round } => {
                if self.tellers.len() >= NODES_MAX && !self.tellers.contains_key(&from) {
                    return;
                }
                let teller = self.tellers.entry(from).or_insert_with(|| Teller::new(life, round, now));
                teller.ask(life, round, now);
                self.telling.set(from, teller.due());
            }
            Notice::Begin { round } => {
                if self.listener.begin(from, life, round) == Some(true) {
                    fx.push(Effect::Forget { node: from });
                }
            }
            Notice::Offers { round } => {
                if self.listener.listens(from, life, round) {
                    fx.push(Effect::Told { from, offers: body });
                }
            }
        }
    }

    fn outcome(&mut self, now: Time, id: u64, delivered: bool, fx: &mut Vec<Effect>) {
        match self.under_way.remove(&id) {
            Some(UnderWay::Question { node, round }) if !delivered && self.listener.round(node) == Some(round) => {
                self.asking.set(node, Some((now + OFFER_PAUSE, "directory: ask again")));
            }
            None | Some(UnderWay::Question { .. }) => {}
            Some(UnderWay::Telling { node, attempt, version }) => {
                let Some(teller) = self.tellers.get_mut(&node) else { return };
                teller.outcome(now, attempt, version, delivered);
                self.telling.set(node, teller.due());
                self.note_known(fx);
            }
        }
    }

    /// Tells what changed to every node that will not hear of it with a piece.
    fn tell_changes(&mut self, changed: &BTreeSet<Place>, offers: &impl Offers, fx: &mut Vec<Effect>) {
        let whole = bodies(changed.iter().copied(), offers);
        let nodes: Vec<NodeAddr> = self.tellers.keys().copied().collect();
        for node in nodes {
            let Some(teller) = self.tellers.get(&node) else { continue };
            if teller.is_complete() {
                whole.iter().for_each(|body| self.tell_offers(node, body.clone(), fx));
            } else {
                let passed = changed.iter().copied().filter(|place| teller.has_passed(*place));
                bodies(passed, offers).into_iter().for_each(|body| self.tell_offers(node, body, fx));
            }
        }
    }

    /// Begins to tell a node, or goes on. `pieces`: what was written already, for nodes that are at the same place.
    fn tell(
        &mut self,
        now: Time,
        node: NodeAddr,
        offers: &impl Offers,
        pieces: &mut BTreeMap<Place, (Bytes, Option<Place>)>,
        fx: &mut Vec<Effect>,
    ) {
        let Some(teller) = self.tellers.get_mut(&node) else { return };
        if teller.begin(now, FIRST) {
            let notice = Notice::Begin { round: teller.round };
            self.send_telling(node, notice, Bytes::new(), fx);
        }
        while let Some(teller) = self.tellers.get_mut(&node)
            && let Some(from) = teller.next_piece()
        {
            let (body, end) = pieces.entry(from).or_insert_with(|| piece(from, offers)).clone();
            teller.told_up_to(end);
            // The end is told even if there is nothing: its outcome says that the node knows everything.
            self.tell_offers(node, body, fx);
        }
    }

    fn tell_offers(&mut self, node: NodeAddr, body: Bytes, fx: &mut Vec<Effect>) {
        let Some(round) = self.tellers.get(&node).map(|teller| teller.round) else { return };
        self.send_telling(node, Notice::Offers { round }, body, fx);
    }

    fn send_telling(&mut self, node: NodeAddr, notice: Notice, body: Bytes, fx: &mut Vec<Effect>) {
        let Some(teller) = self.tellers.get_mut(&node) else { return };
        let attempt = teller.sent();
        // Only with the last piece, and after it, does the node know everything.
        let version = if teller.is_complete() { self.version } else { 0 };
        self.send(node, notice, body, UnderWay::Telling { node, attempt, version }, fx);
    }

    fn send(&mut self, to: NodeAddr, notice: Notice, body: Bytes, what: UnderWay, fx: &mut Vec<Effect>) {
        self.last_id += 1;
        self.under_way.insert(self.last_id, what);
        fx.push(Effect::Send { to, id: self.last_id, head: wire::encode(&notice), body });
    }

    /// Tells the owner if more is known everywhere.
    fn note_known(&mut self, fx: &mut Vec<Effect>) {
        if self.known == self.version || self.changed_at.is_some() {
            return;
        }
        let known = self.listener.nodes().map(|node| self.tellers.get(&node).and_then(Teller::known).unwrap_or(0));
        let known = known.min().unwrap_or(self.version).min(self.version);
        if known > self.known {
            self.known = known;
            fx.push(Effect::Known { version: known });
        }
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

/// These offers, or that they are gone, in as many pieces as it takes.
fn bodies(places: impl Iterator<Item = Place>, offers: &impl Offers) -> Vec<Bytes> {
    let (mut bodies, mut body) = (Vec::new(), Vec::new());
    for place in places {
        let before = body.len();
        offers.write(place, &mut body);
        if body.len() > OFFER_PIECE_BYTES && before > 0 {
            let last = body.split_off(before);
            bodies.push(Bytes::from(core::mem::replace(&mut body, last)));
        }
    }
    if !body.is_empty() {
        bodies.push(Bytes::from(body));
    }
    bodies
}

/// As many offers from a place on as one piece holds, and where the next piece begins.
fn piece(from: Place, offers: &impl Offers) -> (Bytes, Option<Place>) {
    let mut body = Vec::new();
    let mut next = offers.next(from);
    while let Some(place) = next {
        let before = body.len();
        offers.write(place, &mut body);
        if body.len() > OFFER_PIECE_BYTES && before > 0 {
            body.truncate(before);
            break;
        }
        next = after(place).and_then(|place| offers.next(place));
    }
    (Bytes::from(body), next)
}

/// The place after this one; `None` at the end.
fn after((section, number): Place) -> Option<Place> {
    match (section, number.checked_add(1)) {
        (section, Some(number)) => Some((section, number)),
        (Section::Topics, None) => Some((Section::Services, 0)),
        (Section::Services, None) => None,
    }
}
