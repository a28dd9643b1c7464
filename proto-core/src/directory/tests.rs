//! Several directories, with flows between them in the test's hand.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec,
    vec::Vec,
};

use bytes::Bytes;
use proptest::prelude::*;

use super::{Directory, Effect, Event, Offers, Place, Section};
use crate::{
    cx::Cx,
    id::{Incarnation, NodeAddr},
    limits::OFFER_PIECE_BYTES,
    testing::{Bench, Machine},
    time::Time,
    wire::Head,
};

const TOPIC: Place = (Section::Topics, 7);
const SERVICE: Place = (Section::Services, 0);

/// What a node offers: for each place a byte, repeated to a size.
#[derive(Clone, Debug, Default)]
struct Shelf(BTreeMap<Place, (u8, u16)>);

impl Offers for Shelf {
    fn next(&self, from: Place) -> Option<Place> {
        self.0.range(from..).next().map(|(place, _)| *place)
    }

    fn write(&self, place: Place, out: &mut Vec<u8>) {
        let there = self.0.get(&place);
        out.extend_from_slice(&[u8::from(there.is_some()), place.0 as u8]);
        out.extend_from_slice(&place.1.to_le_bytes());
        if let Some((value, size)) = there {
            out.extend_from_slice(&size.to_le_bytes());
            out.resize(out.len() + usize::from(*size), *value);
        }
    }
}

/// Adds what was told to a copy.
fn read(mut offers: &[u8], copy: &mut Shelf) {
    while let [there, section, n0, n1, n2, n3, rest @ ..] = offers {
        let section = if *section == 0 { Section::Topics } else { Section::Services };
        let place = (section, u32::from_le_bytes([*n0, *n1, *n2, *n3]));
        if *there == 1 {
            let size = u16::from_le_bytes(*rest.first_chunk().unwrap());
            copy.0.insert(place, (rest[2], size));
            offers = &rest[2 + usize::from(size)..];
        } else {
            copy.0.remove(&place);
            offers = rest;
        }
    }
}

#[derive(Debug)]
struct Node {
    directory: Directory,
    shelf: Shelf,
}

impl Machine for Node {
    type Event = Event;
    type Effect = Effect;

    fn handle(&mut self, cx: &mut Cx<'_>, event: Event, effects: &mut Vec<Effect>) {
        self.directory.handle(cx, event, effects);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Effect>) {
        self.directory.handle_timeout(cx, &self.shelf, effects);
    }

    fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.directory.poll_timeout()
    }
}

#[derive(Debug)]
struct Sent {
    id: u64,
    head: Head,
    body: Bytes,
}

/// Nodes, what each knows of the others, and the flows from one to another.
#[derive(Debug)]
struct World {
    now: Time,
    nodes: Vec<Bench<Node>>,
    lives: Vec<u64>,
    copies: BTreeMap<(usize, usize), Shelf>,
    flows: BTreeMap<(usize, usize), VecDeque<Sent>>,
    /// Who finds whom within reach.
    reach: BTreeMap<(usize, usize), bool>,
    known: Vec<u64>,
}

fn addr(node: usize) -> NodeAddr {
    NodeAddr(node as u64)
}

fn node() -> Bench<Node> {
    Bench::new(Node { directory: Directory::new(), shelf: Shelf::default() })
}

impl World {
    fn new(nodes: usize) -> Self {
        Self {
            now: Time::from_secs(1),
            nodes: (0..nodes).map(|_| node()).collect(),
            lives: vec![1; nodes],
            copies: BTreeMap::new(),
            flows: BTreeMap::new(),
            reach: BTreeMap::new(),
            known: vec![1; nodes],
        }
    }

    fn tell(&mut self, node: usize, event: Event) {
        let effects = self.nodes[node].handle(self.now, event);
        self.take(node, effects);
        self.wake(node);
    }

    fn wake(&mut self, node: usize) {
        let effects = self.nodes[node].run_until(self.now);
        self.take(node, effects.into_iter().map(|(_, effect)| effect).collect());
    }

    fn take(&mut self, node: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, id, head, body } => {
                    assert!(body.len() <= OFFER_PIECE_BYTES, "{} bytes", body.len());
                    self.flows.entry((node, to.0 as usize)).or_default().push_back(Sent { id, head, body });
                }
                Effect::Told { from, offers } => {
                    read(&offers, self.copies.entry((node, from.0 as usize)).or_default());
                }
                Effect::Forget { node: of } => {
                    self.copies.remove(&(node, of.0 as usize));
                }
                Effect::Known { version } => {
                    assert!(version > self.known[node]);
                    self.known[node] = version;
                }
            }
        }
    }

    fn see(&mut self, from: usize, to: usize, reachable: bool) {
        if core::mem::replace(self.reach.entry((from, to)).or_default(), reachable) != reachable {
            let (node, incarnation) = (addr(to), Incarnation(self.lives[to]));
            let event = if reachable { Event::Reachable { node, incarnation } } else { Event::Unreachable { node } };
            self.tell(from, event);
        }
    }

    fn join(&mut self) {
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                self.see(from, to, true);
            }
        }
    }

    fn offer(&mut self, node: usize, place: Place, value: Option<(u8, u16)>) {
        let shelf = &mut self.nodes[node].machine.shelf.0;
        match value {
            Some(value) => shelf.insert(place, value),
            None => shelf.remove(&place),
        };
        self.tell(node, Event::Changed { place });
    }

    /// The oldest thing on a flow arrives, and is known to have.
    fn deliver(&mut self, from: usize, to: usize) -> bool {
        let Some(Sent { id, head, body }) = self.flows.entry((from, to)).or_default().pop_front() else { return false };
        let (node, incarnation) = (addr(from), Incarnation(self.lives[from]));
        let head = Bytes::copy_from_slice(&head);
        self.tell(to, Event::Received { from: node, incarnation, head, body });
        self.tell(from, Event::Sent { id, delivered: true });
        true
    }

    /// The oldest thing on a flow is given up; it may have arrived all the same.
    fn give_up(&mut self, from: usize, to: usize, arrived: bool) {
        let Some(Sent { id, head, body }) = self.flows.entry((from, to)).or_default().pop_front() else { return };
        if arrived {
            let (node, incarnation) = (addr(from), Incarnation(self.lives[from]));
            let head = Bytes::copy_from_slice(&head);
            self.tell(to, Event::Received { from: node, incarnation, head, body });
        }
        self.tell(from, Event::Sent { id, delivered: false });
    }

    /// A node begins another life. What was under way to it comes to nothing; of its own nothing arrives.
    fn restart(&mut self, which: usize) {
        self.lives[which] += 1;
        let shelf = self.nodes[which].machine.shelf.clone();
        self.nodes[which] = node();
        self.nodes[which].machine.shelf = shelf;
        self.known[which] = 1;
        for other in (0..self.nodes.len()).filter(|other| *other != which) {
            self.flows.remove(&(which, other));
            self.copies.remove(&(which, other));
            self.reach.remove(&(which, other));
            while self.flows.get(&(other, which)).is_some_and(|flow| !flow.is_empty()) {
                self.give_up(other, which, false);
            }
            if self.reach.get(&(other, which)) == Some(&true) {
                let (node, incarnation) = (addr(which), Incarnation(self.lives[which]));
                self.tell(other, Event::Reachable { node, incarnation });
            }
        }
    }

    /// Lets everything arrive that is or gets under way.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let pairs: Vec<_> = self.flows.keys().copied().collect();
            let any = pairs.into_iter().fold(false, |any, (from, to)| self.deliver(from, to) || any);
            if any {
                continue;
            }
            let next = self.nodes.iter().filter_map(|node| node.machine.poll_timeout()).map(|(due, _)| due).min();
            let Some(next) = next else { return };
            self.now = self.now.max(next);
            (0..self.nodes.len()).for_each(|node| self.wake(node));
        }
        panic!("it never ends");
    }

    fn assert_agreed(&self) {
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                let copy = self.copies.get(&(to, from)).cloned().unwrap_or_default();
                assert_eq!(copy.0, self.nodes[from].machine.shelf.0, "what {to} knows of {from}");
            }
            let directory = &self.nodes[from].machine.directory;
            assert_eq!(self.known[from], directory.version(), "node {from} waits for nobody");
        }
    }
}

#[test]
fn a_node_within_reach_learns_everything_and_every_change() {
    let mut world = World::new(2);
    world.offer(0, TOPIC, Some((1, 1)));
    world.join();
    world.settle();
    world.assert_agreed();
    world.offer(0, SERVICE, Some((2, 3)));
    world.offer(0, TOPIC, None);
    world.settle();
    assert_eq!(world.copies[&(1, 0)].0, BTreeMap::from([(SERVICE, (2, 3))]));
}

#[test]
fn a_change_is_known_once_everybody_within_reach_has_it() {
    let mut world = World::new(3);
    world.join();
    world.settle();
    world.offer(0, TOPIC, Some((1, 1)));
    let version = world.nodes[0].machine.directory.version();
    assert!(world.deliver(0, 1));
    assert!(!world.nodes[0].machine.directory.is_known(version), "node 2 does not have it");
    assert!(world.deliver(0, 2));
    assert_eq!(world.known[0], version);
    // Nobody waits for one that is gone.
    world.offer(0, TOPIC, None);
    assert!(world.deliver(0, 1));
    world.see(0, 2, false);
    assert_eq!(world.known[0], version + 1);
}

#[test]
fn a_node_that_was_told_in_part_is_not_said_to_know() {
    let mut world = World::new(2);
    world.see(0, 1, true);
    for number in 0..10 {
        world.offer(0, (Section::Topics, number), Some((1, 20_000)));
    }
    world.see(1, 0, true);
    assert!(world.deliver(1, 0));
    // A question, the beginning, and ten pieces.
    for _ in 0..11 {
        assert!(world.deliver(0, 1));
        assert_eq!(world.known[0], 1);
    }
    assert!(world.deliver(0, 1));
    assert_eq!(world.known[0], 11);
    assert!(!world.deliver(0, 1));
}

#[test]
fn what_was_lost_is_told_again_after_a_pause() {
    let mut world = World::new(2);
    world.join();
    world.settle();
    world.offer(0, TOPIC, Some((1, 1)));
    world.give_up(0, 1, false);
    let (due, why) = world.nodes[0].machine.poll_timeout().unwrap();
    assert_eq!((due, why), (world.now + core::time::Duration::from_secs(1), "directory: begin"));
    world.settle();
    world.assert_agreed();
}

#[test]
fn one_that_lost_reach_unnoticed_by_the_other_is_told_anew() {
    let mut world = World::new(2);
    world.offer(1, TOPIC, Some((1, 1)));
    world.join();
    world.settle();
    world.see(0, 1, false);
    assert_eq!(world.copies.get(&(0, 1)).map(|copy| copy.0.len()), None);
    world.offer(1, SERVICE, Some((2, 2)));
    assert!(world.deliver(1, 0));
    assert!(!world.copies.contains_key(&(0, 1)), "nobody listens");
    world.see(0, 1, true);
    world.settle();
    world.assert_agreed();
}

#[test]
fn offers_for_an_earlier_round_are_not_listened_to() {
    let mut world = World::new(2);
    world.offer(1, TOPIC, Some((1, 1)));
    world.join();
    world.settle();
    world.offer(1, TOPIC, Some((9, 1)));
    let late = world.flows.get_mut(&(1, 0)).unwrap().pop_front().unwrap();
    world.see(0, 1, false);
    world.see(0, 1, true);
    let head = Bytes::copy_from_slice(&late.head);
    world.tell(0, Event::Received { from: addr(1), incarnation: Incarnation(1), head, body: late.body });
    assert!(!world.copies.contains_key(&(0, 1)));
}

/// One thing that happens in a story.
#[derive(Clone, Debug)]
enum Step {
    Offer { node: usize, place: Place, value: Option<(u8, u16)> },
    Deliver { from: usize, to: usize },
    GiveUp { from: usize, to: usize, arrived: bool },
    See { from: usize, to: usize, reachable: bool },
    Restart { node: usize },
    Wait { millis: u64 },
}

const NODES: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let node = 0..NODES;
    let pair = (0..NODES, 1..NODES).prop_map(|(from, shift)| (from, (from + shift) % NODES));
    let section = prop_oneof![Just(Section::Topics), Just(Section::Services)];
    let value = prop::option::of((any::<u8>(), prop_oneof![1..9_u16, 9_000..20_000_u16]));
    prop_oneof![
        4 => (node.clone(), section, 0..6_u32, value)
            .prop_map(|(node, section, number, value)| Step::Offer { node, place: (section, number), value }),
        8 => pair.clone().prop_map(|(from, to)| Step::Deliver { from, to }),
        1 => (pair.clone(), any::<bool>()).prop_map(|((from, to), arrived)| Step::GiveUp { from, to, arrived }),
        3 => (pair, any::<bool>()).prop_map(|((from, to), reachable)| Step::See { from, to, reachable }),
        1 => node.prop_map(|node| Step::Restart { node }),
        1 => (0..1_500_u64).prop_map(|millis| Step::Wait { millis }),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_everybody_agrees_in_the_end(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new(NODES);
        world.join();
        for step in steps {
            match step {
                Step::Offer { node, place, value } => world.offer(node, place, value),
                Step::Deliver { from, to } => drop(world.deliver(from, to)),
                Step::GiveUp { from, to, arrived } => world.give_up(from, to, arrived),
                Step::See { from, to, reachable } => world.see(from, to, reachable),
                Step::Restart { node } => world.restart(node),
                Step::Wait { millis } => {
                    world.now += core::time::Duration::from_millis(millis);
                    (0..NODES).for_each(|node| world.wake(node));
                }
            }
        }
        world.join();
        world.settle();
        world.assert_agreed();
    }
}
