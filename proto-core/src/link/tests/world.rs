//! Several [`Links`] on a wire in memory: latency, a rate, cuts, and literal times.

use std::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    sync::Arc,
    vec,
    vec::Vec,
};

use core::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::{
    cx::Cx,
    error::CloseReason,
    id::{ChannelId, DialId, Incarnation, NodeName},
    link::{Effect, Event, Lane, LinkId, Links},
    node::{Config, Endpoint, Peer},
    rng::Secrets,
    secure::{Identity, Pins, Psk},
    testing::{Bench, Machine, PROVIDER},
    time::Time,
    wire::{Frame, Kind, v1},
};

/// The links of one node and its pins, as one machine.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) links: Links,
    pub(super) pins: Pins,
}

impl Machine for Host {
    type Event = Event;
    type Effect = Effect;

    fn handle(&mut self, cx: &mut Cx<'_>, event: Event, effects: &mut Vec<Effect>) {
        self.links.handle(cx, &mut self.pins, event, effects);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Effect>) {
        self.links.handle_timeout(cx, effects);
    }

    fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.links.poll_timeout()
    }
}

pub(super) const fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

pub(super) fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

/// A node whose key follows from its name, without chance in its pauses.
pub(super) fn config(text: &str, incarnation: u64, peers: &[(Option<&str>, &str)]) -> Config {
    let mut seed = [0; 32];
    seed[..text.len()].copy_from_slice(text.as_bytes());
    let identity = Arc::new(Identity::from_seed(seed, PROVIDER));
    let mut config = Config::new(name(text), identity, Incarnation(incarnation), PROVIDER);
    config.psks = vec![Psk::from_token(b"secret")];
    config.secret_seed = seed;
    config.secret_seed[31] = u8::try_from(incarnation).unwrap();
    config.link.reconnect_jitter_per_mille = 0;
    config.peers = peers.iter().map(|(name, endpoint)| peer(*name, &[*endpoint])).collect();
    config
}

pub(super) fn peer(text: Option<&str>, endpoints: &[&str]) -> Peer {
    let endpoints = endpoints.iter().map(|endpoint| Endpoint::new(endpoint)).collect();
    Peer { name: text.map(name), endpoints, cost: 0 }
}

pub(super) fn frame(number: u32, len: usize) -> Frame {
    Frame::with_body(Kind::Advert, &v1::Advert { age_ms: number }, Bytes::from(vec![0; len]))
}

pub(super) fn number(frame: &Frame) -> u32 {
    frame.header::<v1::Advert>().unwrap().age_ms
}

/// One end of a channel.
type End = (usize, ChannelId);

#[derive(Debug)]
struct Pipe {
    other: End,
    /// When everything written so far has left.
    busy: Time,
    open: bool,
}

/// Hosts and what lies between them. Endpoints are host names; anything else cannot be connected to, and `void` never
/// answers.
pub(super) struct World {
    pub(super) hosts: Vec<Bench<Host>>,
    pub(super) latency: Duration,
    /// Bytes per second of each direction of each channel.
    pub(super) rate: u64,
    /// Longest piece in which bytes arrive.
    pub(super) chunk: usize,
    /// Ends to which nothing comes through any more, not even the end of the channel.
    pub(super) deaf: BTreeSet<End>,
    /// Everything asked for that is not bytes, with its time and host.
    pub(super) told: Vec<(Time, usize, Effect)>,
    names: Vec<String>,
    pipes: BTreeMap<End, Pipe>,
    wire: BTreeMap<(Time, u64), (usize, Event)>,
    sent: u64,
    channels: u64,
    now: Time,
}

impl World {
    pub(super) fn new(configs: &[Config]) -> Self {
        Self {
            hosts: configs.iter().map(host).collect(),
            latency: Duration::from_millis(10),
            rate: 1_000_000_000_000,
            chunk: usize::MAX,
            deaf: BTreeSet::new(),
            told: Vec::new(),
            names: configs.iter().map(|config| config.name.to_string()).collect(),
            pipes: BTreeMap::new(),
            wire: BTreeMap::new(),
            sent: 0,
            channels: 0,
            now: Time::ZERO,
        }
    }

    pub(super) const fn now(&self) -> Time {
        self.now
    }

    /// Runs everything that happens up to and including `until`, and returns what was told meanwhile.
    pub(super) fn run_until(&mut self, until: Time) -> Vec<(Time, usize, Effect)> {
        let before = self.told.len();
        loop {
            let wire = self.wire.first_key_value().map(|(&(due, _), _)| due);
            let timer = self.hosts.iter().filter_map(|host| host.machine.poll_timeout()).map(|(due, _)| due).min();
            let Some(next) = [wire, timer].into_iter().flatten().min().filter(|next| *next <= until) else { break };
            self.now = next.max(self.now);
            while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (host, event) = entry.remove();
                self.tell(host, event);
            }
            for host in 0..self.hosts.len() {
                for (_, effect) in self.hosts[host].run_until(self.now) {
                    self.carry_out(host, effect);
                }
            }
        }
        self.now = until;
        self.told[before..].to_vec()
    }

    /// Lets something happen to a host now.
    pub(super) fn tell(&mut self, host: usize, event: Event) {
        if self.swallows(host, &event) {
            return;
        }
        for effect in self.hosts[host].handle(self.now, event) {
            self.carry_out(host, effect);
        }
    }

    /// Gives a host a peer to dial.
    pub(super) fn connect(&mut self, host: usize, peer: Peer) {
        self.hosts[host].with(self.now, |machine, cx, _| machine.links.connect(cx, peer).unwrap());
    }

    /// Sends a frame.
    pub(super) fn send(&mut self, host: usize, link: LinkId, lane: Lane, frame: Frame) {
        self.hosts[host].with(self.now, |machine, cx, _| machine.links.send(cx, link, lane, frame).unwrap());
    }

    /// The host stops and starts anew; its channels end without a word to the others if `silently`.
    pub(super) fn restart(&mut self, index: usize, config: &Config, silently: bool) {
        let mine: Vec<End> = self.pipes.keys().filter(|(host, _)| *host == index).copied().collect();
        self.wire.retain(|_, (host, _)| *host != index);
        for end in mine {
            let pipe = self.pipes.remove(&end).unwrap();
            if !silently {
                self.post(self.latency, pipe.other.0, Event::Closed { channel: pipe.other.1 });
            }
        }
        self.hosts[index] = host(config);
        self.hosts[index].run_until_nothing(self.now);
    }

    /// Ends a channel as the network does: both ends are told.
    pub(super) fn break_channel(&mut self, host: usize, channel: ChannelId) {
        if let Some(other) = self.pipes.get(&(host, channel)).map(|pipe| pipe.other) {
            for (host, channel) in [(host, channel), other] {
                self.post(Duration::ZERO, host, Event::Closed { channel });
            }
        }
    }

    /// From now on nothing crosses any channel that exists, and nobody is told.
    pub(super) fn cut(&mut self) {
        self.deaf.extend(self.pipes.keys().copied());
    }

    /// The links of a host that are up: link, peer, session.
    pub(super) fn up(&self, host: usize) -> Vec<(LinkId, String, u64)> {
        let views = self.hosts[host].machine.links.views();
        views.map(|view| (view.link, view.peer.to_string(), view.session)).collect()
    }

    /// The only link of a host.
    pub(super) fn link(&self, host: usize) -> LinkId {
        let up = self.up(host);
        assert_eq!(up.len(), 1, "{up:?}");
        up[0].0
    }

    /// The channel of the only link of a host.
    pub(super) fn channel(&self, host: usize) -> ChannelId {
        let link = self.link(host);
        self.hosts[host].machine.links.views().find(|view| view.link == link).unwrap().channel
    }

    fn carry_out(&mut self, host: usize, effect: Effect) {
        match &effect {
            Effect::Dial { dial, endpoint } => self.dial(host, *dial, &endpoint.0),
            Effect::Write { channel, bytes } => return self.write((host, *channel), bytes),
            Effect::Close { channel } => self.close((host, *channel)),
            Effect::Up { .. }
            | Effect::Cost { .. }
            | Effect::Down { .. }
            | Effect::Failed { .. }
            | Effect::KeyConflict { .. }
            | Effect::Frame { .. }
            | Effect::Misuse(_) => {}
        }
        self.told.push((self.now, host, effect));
    }

    fn dial(&mut self, host: usize, dial: DialId, endpoint: &str) {
        if endpoint == "void" {
            return;
        }
        let Some(target) = self.names.iter().position(|name| name == endpoint) else {
            return self.post(self.latency * 2, host, Event::DialFailed { dial });
        };
        let (near, far) = (ChannelId(self.channels + 1), ChannelId(self.channels + 2));
        self.channels += 2;
        for (end, other) in [((host, near), (target, far)), ((target, far), (host, near))] {
            self.pipes.insert(end, Pipe { other, busy: self.now, open: true });
        }
        let opened =
            |channel, dial, from: &str| Event::Opened { channel, dial, remote: Arc::from(from), exporter: None };
        let name = self.names[host].clone();
        self.post(self.latency * 2, host, opened(near, Some(dial), endpoint));
        // As with TCP, the accepting side knows last, so each end sees its own dial open before the other's.
        self.post(self.latency * 3, target, opened(far, None, &name));
    }

    fn write(&mut self, end: End, bytes: &Bytes) {
        let Some(pipe) = self.pipes.get_mut(&end) else { return };
        assert!(pipe.open, "a write to {end:?} after its close");
        let other = pipe.other;
        let mut gone = pipe.busy.max(self.now);
        for piece in bytes.chunks(self.chunk) {
            gone += Duration::from_nanos(piece.len() as u64 * 1_000_000_000 / self.rate);
            let (late, bytes) = (gone.since(self.now), BytesMut::from(piece));
            self.post(late, end.0, Event::Written { channel: end.1, bytes: piece.len() as u64 });
            self.post(late + self.latency, other.0, Event::Received { channel: other.1, bytes });
        }
        if let Some(pipe) = self.pipes.get_mut(&end) {
            pipe.busy = gone;
        }
    }

    fn close(&mut self, end: End) {
        let Some(pipe) = self.pipes.get_mut(&end) else { return };
        pipe.open = false;
        let (other, late) = (pipe.other, pipe.busy.max(self.now).since(self.now));
        self.post(late, end.0, Event::Closed { channel: end.1 });
        self.post(late + self.latency, other.0, Event::Closed { channel: other.1 });
    }

    fn post(&mut self, late: Duration, host: usize, event: Event) {
        self.sent += 1;
        self.wire.insert((self.now + late, self.sent), (host, event));
    }

    /// Whether the host does not get to hear of this. A channel ends once.
    fn swallows(&mut self, host: usize, event: &Event) -> bool {
        match event {
            Event::Opened { channel, .. } | Event::Received { channel, .. } => {
                !self.pipes.contains_key(&(host, *channel)) || self.deaf.contains(&(host, *channel))
            }
            Event::Written { channel, .. } => !self.pipes.contains_key(&(host, *channel)),
            Event::Closed { channel } => {
                let end = (host, *channel);
                let own = self.pipes.get(&end).is_some_and(|pipe| !pipe.open);
                (self.deaf.contains(&end) && !own) || self.pipes.remove(&end).is_none()
            }
            Event::DialFailed { .. } | Event::Disconnect { .. } | Event::Shutdown => false,
        }
    }
}

impl Bench<Host> {
    /// Only moves the clock: a host that starts late has had no deadlines before.
    fn run_until_nothing(&mut self, now: Time) {
        self.with(now, |_, _, _| {});
    }
}

fn host(config: &Config) -> Bench<Host> {
    let links = Links::new(config, Secrets::new(config.secret_seed));
    Bench::new(Host { links, pins: Pins::new(config.pins.iter().cloned()) })
}

/// Links that came up or went down, or failed: time, host, what.
pub(super) fn story(told: &[(Time, usize, Effect)]) -> Vec<(u64, usize, Told)> {
    let line = |(time, host, effect): &(Time, usize, Effect)| {
        let what = match effect {
            Effect::Up { peer, .. } => Told::Up(peer.to_string()),
            Effect::Down { reason, .. } => Told::Down(*reason),
            Effect::Failed { reason, .. } => Told::Failed(*reason),
            Effect::Misuse(misuse) => panic!("{misuse} at {time}"),
            Effect::Dial { .. }
            | Effect::Write { .. }
            | Effect::Close { .. }
            | Effect::Cost { .. }
            | Effect::KeyConflict { .. }
            | Effect::Frame { .. } => return None,
        };
        Some((time.as_nanos() / 1_000_000, *host, what))
    };
    told.iter().filter_map(line).collect()
}

/// A line of a [`story`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Up(String),
    Down(CloseReason),
    Failed(CloseReason),
}

/// When a host dialled, in milliseconds.
pub(super) fn dials(told: &[(Time, usize, Effect)], host: usize) -> Vec<u64> {
    let mine = told.iter().filter(|(_, at, effect)| *at == host && matches!(effect, Effect::Dial { .. }));
    mine.map(|(time, ..)| time.as_nanos() / 1_000_000).collect()
}

/// The numbers of the frames that a host got, with their times.
pub(super) fn frames(told: &[(Time, usize, Effect)], host: usize) -> Vec<(u64, u32)> {
    let mine = told.iter().filter(|(_, at, _)| *at == host);
    mine.filter_map(|(time, _, effect)| match effect {
        Effect::Frame { frame, .. } => Some((time.as_nanos() / 1_000_000, number(&frame.clone().into_frame()))),
        Effect::Dial { .. }
        | Effect::Write { .. }
        | Effect::Close { .. }
        | Effect::Up { .. }
        | Effect::Cost { .. }
        | Effect::Down { .. }
        | Effect::Failed { .. }
        | Effect::KeyConflict { .. }
        | Effect::Misuse(_) => None,
    })
    .collect()
}
