use std::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use core::time::Duration;

use super::*;
use crate::probe::Counter;

/// Routers joined by links that take a while and keep the order.
pub(super) struct Mesh {
    nodes: Vec<Option<Node>>,
    lives: Vec<u64>,
    configure: fn(&mut Config),
    /// What crossing a link costs in each direction, for links that are up.
    costs: BTreeMap<(usize, usize), u32>,
    flying: BTreeMap<(Time, u64), Flying>,
    pub(super) now: Time,
    /// Time that a frame takes over a link.
    pub(super) delay: Duration,
    /// Drops every frame between two of these nodes while set.
    pub(super) deaf: BTreeSet<usize>,
    sent: u64,
    links_made: u8,
    generation: u8,
}

struct Node {
    bench: Bench<Routing>,
    /// Each link with the node at its other end.
    links: BTreeMap<LinkId, (usize, LinkId)>,
    told: Vec<Effect>,
}

struct Flying {
    to: usize,
    over: LinkId,
    frame: Frame,
}

impl Mesh {
    pub(super) fn new(count: usize) -> Self {
        Self::configured(count, |_| {})
    }

    pub(super) fn configured(count: usize, configure: fn(&mut Config)) -> Self {
        let mut mesh = Self {
            nodes: (0..count).map(|_| None).collect(),
            lives: vec![0; count],
            configure,
            costs: BTreeMap::new(),
            flying: BTreeMap::new(),
            now: Time::ZERO,
            delay: Duration::from_millis(1),
            deaf: BTreeSet::new(),
            sent: 0,
            links_made: 0,
            generation: 0,
        };
        (0..count).for_each(|node| mesh.start(node));
        mesh
    }

    /// Starts a node, in a new life.
    pub(super) fn start(&mut self, node: usize) {
        self.lives[node] += 1;
        let mut config = config(node, self.lives[node]);
        (self.configure)(&mut config);
        self.nodes[node] = Some(Node { bench: bench(&config), links: BTreeMap::new(), told: vec![] });
    }

    /// Ends a node without a word; its neighbours' links go down.
    pub(super) fn kill(&mut self, node: usize) {
        let peers: Vec<usize> = self.costs.keys().filter(|(from, _)| *from == node).map(|(_, to)| *to).collect();
        peers.into_iter().for_each(|peer| self.cut(node, peer));
        self.nodes[node] = None;
    }

    /// Links two nodes at the same cost in both directions.
    pub(super) fn join(&mut self, a: usize, b: usize, cost: u32) {
        let (here, there) = (self.next_link(), self.next_link());
        self.costs.insert((a, b), cost);
        self.costs.insert((b, a), cost);
        for (node, peer, link, other) in [(a, b, here, there), (b, a, there, here)] {
            self.nodes[node].as_mut().unwrap().links.insert(link, (peer, other));
            self.tell(node, Event::LinkUp { link, peer: addr(peer), cost });
        }
    }

    /// Ends the link between two nodes; frames on it are lost.
    pub(super) fn cut(&mut self, a: usize, b: usize) {
        for (node, peer) in [(a, b), (b, a)] {
            self.costs.remove(&(node, peer));
            let Some(links) = self.nodes[node].as_mut().map(|node| &mut node.links) else { continue };
            let gone: Vec<LinkId> = links.iter().filter(|(_, (to, _))| *to == peer).map(|(link, _)| *link).collect();
            links.retain(|_, (to, _)| *to != peer);
            gone.into_iter().for_each(|link| self.tell(node, Event::LinkDown { link }));
        }
    }

    /// Changes what crossing a link costs for one end.
    pub(super) fn set_cost(&mut self, from: usize, to: usize, cost: u32) {
        self.costs.insert((from, to), cost);
        let links = &self.node(from).links;
        let link = *links.iter().find(|(_, (peer, _))| *peer == to).unwrap().0;
        self.tell(from, Event::LinkCost { link, cost });
    }

    /// Tells one node what happened.
    pub(super) fn tell(&mut self, node: usize, event: Event) {
        let now = self.now;
        let effects = self.nodes[node].as_mut().unwrap().bench.handle(now, event);
        self.settle(node, now, effects);
    }

    /// Lets time pass, jumping from one thing that happens to the next.
    pub(super) fn run_for(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        loop {
            let due = |node: &Node| node.bench.machine.poll_timeout().map(|(due, _)| due.max(self.now));
            let timer = self.nodes.iter().flatten().filter_map(due).min();
            let arrival = self.flying.keys().next().map(|(due, _)| *due);
            let Some(next) = timer.into_iter().chain(arrival).min().filter(|next| *next <= until) else { break };
            self.now = next;
            while self.flying.first_key_value().is_some_and(|((due, _), _)| *due <= next) {
                let (_, flying) = self.flying.pop_first().unwrap();
                self.arrive(flying);
            }
            for number in 0..self.nodes.len() {
                let Some(node) = &mut self.nodes[number] else { continue };
                for (at, effect) in node.bench.run_until(next) {
                    self.settle(number, at, vec![effect]);
                    assert_eq!(at, next, "what happens now is asked for now");
                }
            }
        }
        self.now = until;
    }

    fn arrive(&mut self, flying: Flying) {
        let Flying { to, over, frame } = flying;
        let linked = self.nodes[to].as_ref().is_some_and(|node| node.links.contains_key(&over));
        if !linked {
            return;
        }
        let body = frame.body.clone();
        let event = if frame.kind == Kind::Advert {
            Event::Advert { link: over, header: frame.header().unwrap(), body }
        } else if frame.kind == Kind::Summary {
            Event::Summary { link: over, header: frame.header().unwrap(), body }
        } else if frame.kind == Kind::Want {
            Event::Want { link: over, body }
        } else {
            assert_eq!(frame.kind, Kind::Find);
            Event::Find { link: over, header: frame.header().unwrap() }
        };
        self.tell(to, event);
    }

    fn settle(&mut self, from: usize, at: Time, effects: Vec<Effect>) {
        for effect in effects {
            let node = self.nodes[from].as_mut().unwrap();
            if let Effect::Send { link, frame } = effect {
                let Some(&(to, over)) = node.links.get(&link) else { panic!("{link:?} is down") };
                self.sent += 1;
                if !(self.deaf.contains(&from) && self.deaf.contains(&to)) {
                    self.flying.insert((at + self.delay, self.sent), Flying { to, over, frame });
                }
            } else {
                assert!(!matches!(effect, Effect::Violation { .. }), "{from} was offended: {effect:?}");
                node.told.push(effect);
            }
        }
    }

    /// What a node told since it was asked last, apart from frames.
    pub(super) fn told(&mut self, node: usize) -> Vec<Effect> {
        std::mem::take(&mut self.nodes[node].as_mut().unwrap().told)
    }

    pub(super) fn router(&self, node: usize) -> &Router {
        &self.node(node).bench.machine.router
    }

    pub(super) fn count(&self, node: usize, counter: Counter) -> u64 {
        self.node(node).bench.probe.get(counter)
    }

    /// Frames sent by all nodes so far.
    pub(super) const fn frames(&self) -> u64 {
        self.sent
    }

    fn node(&self, node: usize) -> &Node {
        self.nodes[node].as_ref().unwrap()
    }

    fn next_link(&mut self) -> LinkId {
        self.links_made += 1;
        if self.links_made == 128 {
            (self.links_made, self.generation) = (0, self.generation + 1);
        }
        assert!(self.generation < 128, "enough links for one test");
        postcard::from_bytes(&[self.links_made, self.generation]).unwrap()
    }

    /// Cost of the cheapest path between all pairs of live nodes, after Floyd and Warshall.
    fn oracle(&self) -> BTreeMap<(usize, usize), u64> {
        let mut best: BTreeMap<(usize, usize), u64> =
            self.costs.iter().map(|(pair, cost)| (*pair, u64::from(*cost))).collect();
        let count = self.nodes.len();
        for middle in 0..count {
            for from in 0..count {
                for to in (0..count).filter(|to| *to != from) {
                    let legs = (best.get(&(from, middle)).copied(), best.get(&(middle, to)).copied());
                    if let (Some(a), Some(b)) = legs {
                        let known = best.entry((from, to)).or_insert(u64::MAX);
                        *known = (*known).min(a + b);
                    }
                }
            }
        }
        best
    }

    /// Whether every node reaches exactly the nodes it can, at the least cost.
    pub(super) fn is_converged(&self) -> bool {
        let oracle = self.oracle();
        let live = |node: &usize| self.nodes[*node].is_some();
        (0..self.nodes.len()).filter(live).all(|from| {
            let routes: BTreeMap<NodeAddr, u64> =
                self.router(from).routes().map(|route| (route.node, u64::from(route.cost))).collect();
            let others = (0..self.nodes.len()).filter(|to| *to != from);
            let expected = others.filter_map(|to| Some((addr(to), *oracle.get(&(from, to))?))).collect();
            routes == expected
        })
    }

    /// Asserts that, and that frames arrive whatever their flow, never by the way they came.
    pub(super) fn assert_converged(&self) {
        assert!(self.is_converged(), "routes differ from the oracle at {}", self.now);
        for (from, to) in self.oracle().into_keys() {
            for flow in 0..8 {
                self.follow(from, to, flow);
            }
        }
    }

    /// Follows a frame and returns the nodes it visits.
    pub(super) fn follow(&self, from: usize, to: usize, flow: u16) -> Vec<usize> {
        let (mut at, mut came) = (from, None);
        let mut way = vec![from];
        while at != to {
            let link = self.router(at).next_hop(addr(to), flow, came).unwrap();
            assert_ne!(Some(link), came);
            let (next, over) = self.node(at).links[&link];
            (at, came) = (next, Some(over));
            way.push(at);
            assert!(way.len() <= self.nodes.len(), "a loop: {way:?}");
        }
        way
    }
}
