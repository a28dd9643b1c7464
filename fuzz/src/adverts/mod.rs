//! What neighbours may tell a router: adverts, true, forged, altered and made up; summaries, wants and questions.
//!
//! The input is a script about one router, whose links lead to nodes that all say what the script wants.
//!
//! Properties, after every line:
//! * Nothing panics, and law L5 holds (by [`Bench`](proto_core::testing::Bench)).
//! * What its origin did not sign changes nothing. Every advert held was signed by its origin, and its number never falls.
//! * Frames go out only on links that are up, few for each that came in, and every advert among them is one that was
//!   signed; a question is passed on with fewer hops left.
//! * Every look-up is answered once, at its deadline at the latest.
//! * Nodes come within reach and get out of it in turns, and the table holds those within.
//!
//! Property whenever time has passed: every route costs what the slow way to compute it says.

mod cast;
mod oracle;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use proto_core::{
    id::{Incarnation, NodeAddr, NodeName, Token},
    limits::{LINK_COST_MAX, SPF_DELAY_MAX},
    link::LinkId,
    route::{Effect, Event, advert::Advert},
    testing::{Bench, Machine as _},
    time::Time,
    wire::{self, Frame, Kind, v1},
};

use cast::{LIFE, NODES, Routing, Saying, addr, link, name};

/// Most lines of one script. More: it ends.
const OPS_MAX: usize = 96;
/// Most frames that one that came in may lead to: for each link all adverts, a summary, a want and a question.
const ANSWERS_MAX: usize = (NODES - 1) * (NODES + 3);
/// Most deadlines in quick succession that are waited for. More: the routes are looked at another time.
const COMPUTING_MAX: usize = 64;

/// Runs a script.
///
/// # Panics
/// If a property does not hold.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let settings = input.arbitrary::<u8>().unwrap_or_default();
    let mut script = Script {
        bench: cast::bench(settings & 1 == 0),
        forgives: settings & 2 != 0,
        links: BTreeMap::new(),
        generations: [0; NODES],
        said: BTreeSet::new(),
        versions: BTreeMap::new(),
        reached: BTreeSet::new(),
        sought: BTreeMap::new(),
        tokens: 0,
    };
    for _ in 0..OPS_MAX {
        if input.is_empty() || script.op(&mut input).is_err() {
            break;
        }
        script.check();
    }
    script.advance(SPF_DELAY_MAX);
    script.check();
}

struct Script {
    bench: Bench<Routing>,
    /// Whether links stay up although the peer broke the protocol.
    forgives: bool,
    /// The links that are up: the peer, what it costs.
    links: BTreeMap<usize, u32>,
    generations: [u8; NODES],
    /// Every advert that its origin signed.
    said: BTreeSet<Bytes>,
    /// The number of each advert held.
    versions: BTreeMap<NodeAddr, (Incarnation, u64)>,
    reached: BTreeSet<NodeAddr>,
    /// The look-ups that were not answered, with their deadlines.
    sought: BTreeMap<u64, Time>,
    tokens: u64,
}

/// What a router knows.
type Knowledge = (u64, Vec<(NodeAddr, Incarnation, u64)>, Vec<(NodeAddr, u32)>);

impl Script {
    /// One line.
    fn op(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.arbitrary::<u8>()? % 16 {
            0 => self.link_up(u)?,
            1 => {
                let peer = node(u)?;
                self.link_down(peer);
            }
            2 => {
                let (peer, cost) = (node(u)?, cost(u)?);
                if let Some(known) = self.links.get_mut(&peer) {
                    *known = cost;
                    self.tell(Event::LinkCost { link: self.link(peer), cost });
                }
            }
            3..=6 => {
                let advert = saying(u)?.signed();
                self.said.insert(advert.signed().clone());
                let event = self.advert(u, advert.signed().clone())?;
                self.tell(event);
            }
            7 => {
                let (saying, how) = (saying(u)?, u.arbitrary::<u8>()?);
                let forged = saying.forged(how);
                if saying.is_of_a_stranger() && forged.key() != saying.signed().key() {
                    // The first key that a new name comes with is the name's.
                    self.said.insert(forged.signed().clone());
                }
                let event = self.advert(u, forged.signed().clone())?;
                self.tell_nothing(event);
            }
            8 => {
                let altered = altered(u)?;
                let event = self.advert(u, altered)?;
                self.tell_nothing(event);
            }
            9 => {
                let made_up = Bytes::copy_from_slice(some_bytes(u)?);
                let event = self.advert(u, made_up)?;
                self.tell_nothing(event);
            }
            10 => self.summary(u)?,
            11 => {
                let (link, body) = (self.a_link(u)?, wanted(u)?);
                self.tell_nothing(Event::Want { link, body });
            }
            12 => {
                let (link, target, hops_left) = (self.a_link(u)?, addr(node(u)?), u.arbitrary()?);
                let passed_on = self.tell_nothing(Event::Find { link, header: v1::Find { target, hops_left } });
                for frame in passed_on.into_iter().filter(|frame| frame.kind == Kind::Find) {
                    assert!(frame.header::<v1::Find>().is_ok_and(|find| find.hops_left < hops_left));
                }
            }
            13 => self.lookup(u)?,
            14 => {
                let (millis, many) = (u64::from(u.arbitrary::<u16>()?), u.arbitrary::<u8>()?);
                self.advance(Duration::from_millis(millis * if many & 1 == 0 { 1 } else { 100 }));
            }
            _ => {
                // Leaving is for ever, so that it is kept rare.
                if u.arbitrary::<u8>()? == 0 {
                    self.tell(Event::Leave);
                }
            }
        }
        Ok(())
    }

    fn link_up(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (peer, cost) = (node(u)?, cost(u)?);
        if peer != 0 && self.links.insert(peer, cost).is_none() {
            self.generations[peer] = self.generations[peer].wrapping_add(1);
            self.tell(Event::LinkUp { link: self.link(peer), peer: addr(peer), cost });
        } else if let Some(known) = self.links.get(&peer).copied() {
            self.tell(Event::LinkCost { link: self.link(peer), cost: known });
        }
        Ok(())
    }

    fn link_down(&mut self, peer: usize) {
        if self.links.remove(&peer).is_some() {
            self.tell(Event::LinkDown { link: self.link(peer) });
        }
    }

    fn summary(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let link = self.a_link(u)?;
        let (scope, body) = match u.arbitrary::<u8>()? % 4 {
            0 => (v1::SummaryScope::Digest(self.bench.machine.router.digest()), Bytes::new()),
            1 => (v1::SummaryScope::Digest(u.arbitrary()?), Bytes::new()),
            2 => (v1::SummaryScope::Range { first: NodeAddr(0), last: NodeAddr(u64::MAX) }, held(u)?),
            _ => {
                let (first, last) = (NodeAddr(u.arbitrary()?), NodeAddr(u.arbitrary()?));
                (v1::SummaryScope::Range { first, last }, Bytes::copy_from_slice(some_bytes(u)?))
            }
        };
        self.tell_nothing(Event::Summary { link, header: v1::Summary { scope }, body });
        Ok(())
    }

    fn lookup(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (number, millis) = (usize::from(u.arbitrary::<u8>()?) % (NODES + 1), u64::from(u.arbitrary::<u16>()?));
        let (name, deadline): (NodeName, _) = (name(number), Duration::from_millis(millis));
        self.tokens += 1;
        self.sought.insert(self.tokens, self.bench.now() + deadline);
        self.tell(Event::Lookup { token: Token(self.tokens), name, deadline });
        Ok(())
    }

    /// The present link to a node, or the last one.
    fn link(&self, peer: usize) -> LinkId {
        link(peer, self.generations[peer])
    }

    /// Any link, up or not.
    fn a_link(&self, u: &mut Unstructured<'_>) -> Result<LinkId> {
        Ok(self.link(node(u)?))
    }

    /// The arrival of these bytes as an advert.
    fn advert(&self, u: &mut Unstructured<'_>, body: Bytes) -> Result<Event> {
        const AGES: [u32; 6] = [0, 1, 500_000, 999_999, 1_000_000, u32::MAX];
        let (link, age) = (self.a_link(u)?, usize::from(u.arbitrary::<u8>()?));
        Ok(Event::Advert { link, header: v1::Advert { age_ms: AGES[age % AGES.len()] }, body })
    }

    /// Lets something happen that must not change what the router knows, and returns what it sent.
    fn tell_nothing(&mut self, event: Event) -> Vec<Frame> {
        if let Event::Advert { body, .. } = &event
            && self.said.contains(body)
        {
            return self.tell(event);
        }
        let before = self.knowledge();
        let now = self.bench.now();
        let effects = self.bench.handle(now, event);
        assert_eq!(self.knowledge(), before, "{effects:?}");
        self.take(effects)
    }

    /// Lets something happen, and returns what the router sent.
    fn tell(&mut self, event: Event) -> Vec<Frame> {
        let now = self.bench.now();
        let effects = self.bench.handle(now, event);
        self.take(effects)
    }

    /// Lets time pass, and compares the routes with what they should be once nothing is about to happen.
    fn advance(&mut self, time: Duration) {
        let mut until = self.bench.now() + time;
        for _ in 0..COMPUTING_MAX {
            for (_, effect) in self.bench.run_until(until) {
                self.take_one(effect);
            }
            assert!(self.sought.values().all(|due| *due > until), "a look-up is overdue: {:?}", self.sought);
            match self.bench.machine.poll_timeout() {
                Some((due, _)) if due <= until + SPF_DELAY_MAX => until = due,
                Some(_) | None => return self.compare(),
            }
        }
    }

    fn compare(&self) {
        let router = &self.bench.machine.router;
        let routes = router.routes().map(|route| (route.node, route.cost)).collect::<BTreeMap<_, _>>();
        let oracle = oracle::costs(router, self.bench.now(), &self.links).into_iter();
        let oracle = oracle.map(|(node, cost)| (node, u32::try_from(cost).unwrap_or(u32::MAX))).collect();
        assert_eq!(routes, oracle);
    }

    /// Takes what one event led to, at once and when everything due is done.
    fn take(&mut self, effects: Vec<Effect>) -> Vec<Frame> {
        let mut effects = effects;
        let now = self.bench.now();
        effects.extend(self.bench.run_until(now).into_iter().map(|(_, effect)| effect));
        let frames: Vec<Frame> = effects.into_iter().filter_map(|effect| self.take_one(effect)).collect();
        assert!(frames.len() <= ANSWERS_MAX, "{} frames", frames.len());
        frames
    }

    fn take_one(&mut self, effect: Effect) -> Option<Frame> {
        match effect {
            Effect::Send { link, frame } => {
                self.sent(link, &frame);
                return Some(frame);
            }
            Effect::Reachable { addr, .. } => {
                self.reached.insert(addr);
            }
            Effect::Rerouted { addr, .. } => assert!(self.reached.contains(&addr), "{addr} is out of reach"),
            Effect::Unreachable { addr, .. } => assert!(self.reached.remove(&addr), "{addr} was out of reach before"),
            Effect::Found { token, .. } => {
                assert!(self.sought.remove(&token.0).is_some(), "{token:?} is answered twice")
            }
            Effect::Violation { link, .. } => {
                let peer = self.peer(link);
                if let (Some(peer), false) = (peer, self.forgives) {
                    self.link_down(peer);
                }
            }
            Effect::KeyConflict { pinned, shown, .. } => assert_ne!(pinned, shown),
            Effect::IdentityInUse { incarnation } => assert!(incarnation >= LIFE),
        }
        None
    }

    /// The peer of a link that is up.
    fn peer(&self, link: LinkId) -> Option<usize> {
        self.links.keys().copied().find(|peer| self.link(*peer) == link)
    }

    fn sent(&mut self, link: LinkId, frame: &Frame) {
        // A link that an event just before took down may still be named.
        assert!(self.peer(link).is_some() || !self.forgives, "{frame:?} goes to {link:?}, which is down");
        if frame.kind != Kind::Advert {
            return;
        }
        let known = self.said.contains(&frame.body);
        if !known {
            let own = Advert::parse(frame.body.clone()).is_ok_and(|advert| cast::is_own(&advert));
            assert!(own, "an advert that nobody signed goes out");
            self.said.insert(frame.body.clone());
        }
    }

    fn knowledge(&self) -> Knowledge {
        let router = &self.bench.machine.router;
        let adverts = router.adverts(self.bench.now()).map(|advert| (advert.addr, advert.incarnation, advert.seq));
        let routes = router.routes().map(|route| (route.node, route.cost));
        (router.digest(), adverts.collect(), routes.collect())
    }

    /// What must be true after every line.
    fn check(&mut self) {
        let router = &self.bench.machine.router;
        let mut versions = BTreeMap::new();
        for advert in router.adverts(self.bench.now()) {
            let version = (advert.incarnation, advert.seq);
            let before = self.versions.get(&advert.addr);
            assert!(before.is_none_or(|before| *before <= version), "{:?} goes back", advert.origin);
            versions.insert(advert.addr, version);
        }
        assert!(versions.len() <= NODES);
        self.versions = versions;
        assert_eq!(router.reachable().collect::<BTreeSet<_>>(), self.reached);
        for node in &self.reached {
            self.check_next_hop(*node);
        }
    }

    /// Frames go out on a link that is up, and not back where they came from.
    fn check_next_hop(&self, node: NodeAddr) {
        let router = &self.bench.machine.router;
        for flow in 0..4 {
            if let Ok(link) = router.next_hop(node, flow, None) {
                assert!(self.peer(link).is_some(), "{node} goes over {link:?}, which is down");
                let back = router.next_hop(node, flow, Some(link));
                assert_ne!(back, Ok(link), "a frame goes back where it came from");
            }
        }
    }
}

fn node(u: &mut Unstructured<'_>) -> Result<usize> {
    Ok(usize::from(u.arbitrary::<u8>()?) % NODES)
}

fn cost(u: &mut Unstructured<'_>) -> Result<u32> {
    let cost = u32::from(u.arbitrary::<u8>()?);
    Ok(if cost == 255 { LINK_COST_MAX } else { cost + 1 })
}

/// What a node says of itself, as the script wants it.
fn saying(u: &mut Unstructured<'_>) -> Result<Saying> {
    let (origin, incarnation, seq) = (node(u)?, u.arbitrary::<u8>()? % 5, u.arbitrary::<u8>()?);
    // The greatest numbers are one step away from the small ones.
    let (incarnation, seq) = (u64::from(incarnation), if seq == 255 { u64::MAX } else { u64::from(seq) });
    let incarnation = if incarnation == 4 { u64::MAX } else { incarnation };
    let (flags, neighbours) = (u.arbitrary::<u8>()?, u.arbitrary()?);
    Ok(Saying { origin, incarnation, seq, transit: flags & 1 == 0, neighbours, costs: flags >> 1 })
}

/// A true advert that was altered, cut short or drawn out on its way.
fn altered(u: &mut Unstructured<'_>) -> Result<Bytes> {
    let mut bytes = saying(u)?.signed().signed().to_vec();
    let (at, mask) = (usize::from(u.arbitrary::<u16>()?), u.arbitrary::<u8>()?.max(1));
    match at % 4 {
        0 => bytes.truncate(at / 4 % bytes.len()),
        1 => bytes.push(mask),
        _ => {
            let at = at / 4 % bytes.len();
            bytes[at] ^= mask;
        }
    }
    Ok(bytes.into())
}

/// The payload of a want.
fn wanted(u: &mut Unstructured<'_>) -> Result<Bytes> {
    let nodes = u.arbitrary::<u8>()?;
    if nodes == 0 {
        return some_bytes(u).map(Bytes::copy_from_slice);
    }
    let wanted = (0..NODES).filter(|number| nodes >> number & 1 == 1);
    Ok(wanted.flat_map(|number| addr(number).0.to_le_bytes()).collect())
}

/// The payload of a full summary: a line for each node that the script names, at a number that it names.
fn held(u: &mut Unstructured<'_>) -> Result<Bytes> {
    let nodes = u.arbitrary::<u8>()?;
    let mut lines = Vec::new();
    for number in (0..NODES).filter(|number| nodes >> number & 1 == 1) {
        let (incarnation, seq) = (u64::from(u.arbitrary::<u8>()? % 5), u64::from(u.arbitrary::<u8>()?));
        lines.push(v1::Held { origin: addr(number), incarnation: Incarnation(incarnation), seq });
    }
    lines.sort_by_key(|line| line.origin);
    Ok(lines.iter().flat_map(wire::encode).collect())
}

/// Up to 255 bytes of the script.
fn some_bytes<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let len = usize::from(u.arbitrary::<u8>()?).min(u.len());
    u.bytes(len)
}
