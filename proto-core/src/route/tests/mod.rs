//! Routers on a bench, one alone or many joined by simulated links.

mod budgets;
mod convergence;
mod damping;
mod lookup;
mod mesh;
mod security;

use std::{format, sync::Arc, vec::Vec};

use super::{Effect, Event, Router, advert::Advert};
use crate::{
    cx::Cx,
    id::{Incarnation, NodeAddr, NodeName},
    link::LinkId,
    node::Config,
    secure::{Identity, Pins},
    testing::{Bench, Machine, PROVIDER},
    time::Time,
    wire::{
        Frame, Kind,
        v1::{self, AdvertBody, Neighbour},
    },
};

/// A router with the pins that a node lends it.
#[derive(Debug)]
struct Routing {
    router: Router,
    pins: Pins,
}

impl Machine for Routing {
    type Event = Event;
    type Effect = Effect;

    fn handle(&mut self, cx: &mut Cx<'_>, event: Event, effects: &mut Vec<Effect>) {
        self.router.handle(cx, &self.pins, event, effects);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Effect>) {
        self.router.handle_timeout(cx, effects);
    }

    fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.router.poll_timeout()
    }
}

const fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn link(number: u8) -> LinkId {
    postcard::from_bytes(&[number & 0x7f, number >> 7]).unwrap()
}

/// The name of node `number`.
fn name(number: usize) -> NodeName {
    NodeName::new(&format!("n{number}")).unwrap()
}

fn addr(number: usize) -> NodeAddr {
    name(number).addr()
}

/// The identity of node `number`.
fn identity(number: usize) -> Arc<Identity> {
    let mut seed = [1; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Arc::new(Identity::from_seed(seed, PROVIDER))
}

fn config(number: usize, incarnation: u64) -> Config {
    Config::new(name(number), identity(number), Incarnation(incarnation), PROVIDER)
}

fn bench(config: &Config) -> Bench<Routing> {
    Bench::new(Routing { router: Router::new(config), pins: Pins::default() })
}

/// What node `number` says: its links to other nodes, all at cost 1.
fn says(number: usize, version: (u64, u64), neighbours: &[usize]) -> AdvertBody {
    let mut neighbours: Vec<Neighbour> =
        neighbours.iter().map(|other| Neighbour { node: addr(*other), cost: 1 }).collect();
    neighbours.sort_by_key(|neighbour| neighbour.node);
    let (incarnation, seq) = (Incarnation(version.0), version.1);
    AdvertBody { origin: name(number), key: identity(number).public().0, incarnation, seq, transit: true, neighbours }
}

/// The same, signed.
fn signed(number: usize, version: (u64, u64), neighbours: &[usize]) -> Advert {
    Advert::sign(says(number, version, neighbours), "default", &identity(number), PROVIDER)
}

/// The arrival of an advert over a link.
fn arrives(over: LinkId, advert: &Advert) -> Event {
    Event::Advert { link: over, header: v1::Advert { age_ms: 0 }, body: advert.signed().clone() }
}

/// A bench with node 0, whose one link leads to node 1, and everything sent that follows from that.
fn linked_to_one() -> Bench<Routing> {
    let mut bench = bench(&config(0, 5));
    bench.handle(ms(0), Event::LinkUp { link: link(1), peer: addr(1), cost: 1 });
    bench.run_until(ms(0));
    bench
}

/// The adverts among effects, with the link they go out on.
fn adverts_in(effects: &[Effect]) -> Vec<(LinkId, Advert)> {
    let adverts = frames_in(effects, Kind::Advert).into_iter();
    adverts.map(|(link, frame)| (link, Advert::parse(frame.body).unwrap())).collect()
}

/// The frames of one kind among effects, with the link they go out on.
fn frames_in(effects: &[Effect], kind: Kind) -> Vec<(LinkId, Frame)> {
    let frame = |effect: &Effect| {
        let Effect::Send { link, frame } = effect else { return None };
        (frame.kind == kind).then(|| (*link, frame.clone()))
    };
    effects.iter().filter_map(frame).collect()
}

/// Effects without the moments they came at.
fn effects(told: Vec<(Time, Effect)>) -> Vec<Effect> {
    told.into_iter().map(|(_, effect)| effect).collect()
}
