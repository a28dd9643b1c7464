//! The network between hosts and puppets: channels whose bytes wait until the script lets them through.

use std::{collections::VecDeque, sync::Arc};

use bytes::BytesMut;
use proto_core::{
    error::CloseReason,
    id::{ChannelId, DialId, NodeName},
    limits::CHANNEL_WINDOW,
    link::{Effect, Event, LinkId},
    node::Peer,
    testing::{Bench, Machine as _},
    time::Time,
};

use super::{
    cast::{Role, cast, peer},
    host::{Host, Watch},
    puppet::Puppet,
};

/// Most channels that a script opens. More: dials fail.
const CHANNELS_MAX: usize = 24;
/// Room for a goodbye beyond the window of a channel.
const GOODBYE: u64 = 64;

/// Two hosts, puppets, and the channels between them.
pub(super) struct Network {
    pub(super) hosts: [Bench<Host>; 2],
    pub(super) watches: [Watch; 2],
    pub(super) puppets: Vec<Puppet>,
    /// Dials that nothing has become of yet, oldest first.
    pub(super) dials: VecDeque<(usize, DialId)>,
    /// Frames that the script had sent.
    pub(super) sent: u32,
    /// Whether the script did something after which the hosts need not find each other.
    pub(super) poisoned: bool,
    pub(super) now: Time,
    healing: bool,
    ends: Vec<End>,
    peers: [bool; 2],
    named: bool,
    exporters: bool,
    lives: [u64; 2],
}

/// Who sits at one end of a channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Host(usize),
    Puppet(usize),
}

/// One end of a channel. Ends come in pairs: the number of the other one differs in the lowest bit.
struct End {
    who: Who,
    /// What waits to be delivered here.
    incoming: BytesMut,
    /// Bytes written here that nobody has reported as written.
    outstanding: u64,
    /// The host asked to close it.
    closed: bool,
    /// The host was told that it ended, or never gets to know.
    ended: bool,
}

impl Network {
    /// Two hosts. The bits of `settings`: Alice dials, Bob dials, they expect nobody in particular, channels are encrypted
    /// already.
    pub(super) fn new(settings: u8) -> Self {
        let peers = [settings & 1 == 0, settings & 2 != 0];
        let named = settings & 4 == 0;
        let host = |number: usize| cast()[number].host(1, dialled(number, peers, named));
        Self {
            hosts: [host(0), host(1)],
            watches: Default::default(),
            puppets: Vec::new(),
            dials: VecDeque::new(),
            sent: 0,
            poisoned: false,
            now: Time::ZERO,
            healing: false,
            ends: Vec::new(),
            peers,
            named,
            exporters: settings & 8 != 0,
            lives: [1; 2],
        }
    }

    /// How many ends of channels there are.
    pub(super) fn ends(&self) -> usize {
        self.ends.len()
    }

    /// Lets time pass up to `until`; nothing is delivered meanwhile.
    pub(super) fn advance(&mut self, until: Time) {
        self.now = self.now.max(until);
        self.turn(0);
        self.turn(1);
    }

    /// Lets a host do what is due now.
    pub(super) fn turn(&mut self, host: usize) {
        for (_, effect) in self.hosts[host].run_until(self.now) {
            self.carry_out(host, effect);
        }
        for (channel, peer) in self.watches[host].check(&self.hosts[host].machine) {
            let other = &self.ends[number(channel) ^ 1];
            let role = self.role(other.who);
            assert!(role.name == peer && role.name.as_str() != "stranger", "{peer} is up, but {} is there", role.name);
        }
    }

    /// Tells a host what happened; it has no right to complain.
    pub(super) fn tell(&mut self, host: usize, event: Event) {
        for effect in self.hosts[host].handle(self.now, event) {
            self.carry_out(host, effect);
        }
        self.turn(host);
    }

    fn carry_out(&mut self, host: usize, effect: Effect) {
        match effect {
            Effect::Dial { dial, endpoint: _ } => self.dials.push_back((host, dial)),
            Effect::Write { channel, bytes } => {
                let end = &mut self.ends[number(channel)];
                assert!(end.who == Who::Host(host) && !end.closed && !end.ended, "a write to {channel:?}");
                end.outstanding += bytes.len() as u64;
                assert!(end.outstanding <= CHANNEL_WINDOW as u64 + GOODBYE, "{} bytes on the way", end.outstanding);
                self.post(number(channel) ^ 1, &bytes);
            }
            Effect::Close { channel } => {
                let end = &mut self.ends[number(channel)];
                assert!(end.who == Who::Host(host) && !end.closed && !end.ended, "a close of {channel:?}");
                end.closed = true;
            }
            Effect::Up { link, peer, addr, cost, .. } => {
                assert_eq!(addr, peer.addr());
                self.watches[host].up(link, peer, cost);
            }
            Effect::Cost { link, cost } => self.watches[host].cost(link, cost),
            Effect::Down { link, peer, .. } => self.watches[host].down(link, &peer),
            Effect::Frame { link, frame } => {
                let machine = &self.hosts[host].machine;
                // Told in one go with what ended it, a link may be down already when its last frames are looked at.
                let view = machine.links.views().find(|view| view.link == link);
                let other = view.map(|view| self.ends[number(view.channel) ^ 1].who);
                let sent = matches!(other, Some(Who::Host(_))).then_some(self.sent);
                self.watches[host].frame(link, &frame, sent);
            }
            Effect::Failed { .. } | Effect::KeyConflict { .. } => {}
            Effect::Misuse(misuse) => panic!("{misuse}"),
        }
    }

    /// A host is given a peer to dial. After its shutdown it refuses.
    pub(super) fn connect(&mut self, host: usize, peer: Peer) {
        let effects = self.hosts[host].with(self.now, |machine, cx, _| {
            machine.links.connect(cx, peer).ok();
        });
        effects.into_iter().for_each(|effect| self.carry_out(host, effect));
        self.turn(host);
    }

    /// A host closes a link.
    pub(super) fn close(&mut self, host: usize, link: LinkId, reason: CloseReason) {
        let effects = self.hosts[host].with(self.now, |machine, cx, fx| machine.links.close(cx, link, reason, fx));
        effects.into_iter().for_each(|effect| self.carry_out(host, effect));
        self.turn(host);
    }

    /// Settles the oldest dial: with the other host (0), with a puppet in a role, or not at all.
    pub(super) fn settle_dial(&mut self, with: u8) {
        let Some((host, dial)) = self.dials.pop_front() else { return };
        if with == u8::MAX || (self.ends.len() >= 2 * CHANNELS_MAX && !self.healing) {
            return self.tell(host, Event::DialFailed { dial });
        }
        let here = self.ends.len();
        let exporter = self.exporter();
        let role = usize::from(with) % cast().len();
        if role < 2 {
            self.open(Who::Host(host), Who::Host(1 - host));
            self.opened(here, Some(dial), exporter);
            return self.opened(here + 1, None, exporter);
        }
        self.open(Who::Host(host), Who::Puppet(self.puppets.len()));
        self.cast(Puppet::accept(&cast()[role], self.seed(), exporter));
        self.opened(here, Some(dial), exporter);
    }

    /// A puppet in a role dials a host.
    pub(super) fn puppet_dials(&mut self, host: usize, role: usize) {
        if self.ends.len() >= 2 * CHANNELS_MAX {
            return;
        }
        let here = self.ends.len();
        let exporter = self.exporter();
        let (puppet, first) = Puppet::dial(&cast()[role % cast().len()], self.seed(), exporter);
        self.open(Who::Host(host), Who::Puppet(self.puppets.len()));
        self.cast(puppet);
        self.post(here, &first);
        self.opened(here, None, exporter);
    }

    fn cast(&mut self, puppet: Puppet) {
        self.poisoned |= !puppet.role.harmless;
        self.puppets.push(puppet);
    }

    fn open(&mut self, one: Who, other: Who) {
        for who in [one, other] {
            self.ends.push(End { who, incoming: BytesMut::new(), outstanding: 0, closed: false, ended: false });
        }
    }

    fn opened(&mut self, end: usize, dial: Option<DialId>, exporter: Option<[u8; 32]>) {
        let Who::Host(host) = self.ends[end].who else { return };
        self.tell(host, Event::Opened { channel: channel(end), dial, remote: Arc::from("somewhere"), exporter });
    }

    fn exporter(&self) -> Option<[u8; 32]> {
        self.exporters.then(|| [self.seed(); 32])
    }

    fn seed(&self) -> u8 {
        u8::try_from(self.ends.len()).unwrap_or(u8::MAX)
    }

    /// Lets up to `most` of the bytes that wait at an end through, or its end if none do. Whether there was any of it.
    pub(super) fn pump(&mut self, end: usize, most: usize) -> bool {
        let other_closed = self.ends.get(end ^ 1).is_some_and(|other| other.closed || other.ended);
        let Some(this) = self.ends.get_mut(end) else { return false };
        if this.ended {
            return false;
        }
        let bytes = this.incoming.split_to(most.min(this.incoming.len()));
        match this.who {
            Who::Host(host) if !bytes.is_empty() => {
                self.tell(host, Event::Received { channel: channel(end), bytes });
            }
            Who::Puppet(puppet) if !bytes.is_empty() => {
                let answer = self.puppets[puppet].receive(&bytes);
                self.post(end ^ 1, &answer);
            }
            Who::Host(_) | Who::Puppet(_) if this.closed || (other_closed && this.incoming.is_empty()) => self.end(end),
            Who::Host(_) | Who::Puppet(_) => return false,
        }
        true
    }

    /// Reports up to `most` of the bytes written at an end. Whether there were any.
    pub(super) fn written(&mut self, end: usize, most: u64) -> bool {
        let Some(this) = self.ends.get_mut(end).filter(|end| !end.ended) else { return false };
        let bytes = most.min(this.outstanding);
        this.outstanding -= bytes;
        if let (Who::Host(host), 1..) = (this.who, bytes) {
            self.tell(host, Event::Written { channel: channel(end), bytes });
            return true;
        }
        false
    }

    /// Lets everything through that waits, until nothing does.
    pub(super) fn settle(&mut self) {
        let mut busy = true;
        while busy {
            busy = false;
            for end in 0..self.ends.len() {
                busy |= self.written(end, u64::MAX);
                busy |= self.pump(end, usize::MAX);
            }
        }
    }

    /// Breaks a channel: what waits is lost.
    pub(super) fn break_channel(&mut self, one: usize) {
        for end in [one, one ^ 1] {
            if let Some(end) = self.ends.get_mut(end) {
                end.incoming.clear();
            }
            self.end(end);
        }
    }

    fn end(&mut self, end: usize) {
        let Some(this) = self.ends.get_mut(end).filter(|end| !end.ended) else { return };
        this.ended = true;
        if let Who::Host(host) = this.who {
            self.tell(host, Event::Closed { channel: channel(end) });
        }
    }

    /// Alters a byte of what waits at an end. On a channel that is encrypted already, nobody can.
    pub(super) fn alter(&mut self, end: usize, at: usize, mask: u8) {
        let Some(this) = self.ends.get_mut(end).filter(|_| !self.exporters) else { return };
        let len = this.incoming.len();
        if let Some(byte) = this.incoming.get_mut(at % len.max(1)) {
            *byte ^= mask;
        }
    }

    /// A puppet says something.
    pub(super) fn say(&mut self, puppet: usize, bytes: &[u8]) {
        let end = self.ends.iter().position(|end| end.who == Who::Puppet(puppet));
        if let Some(end) = end {
            self.post(end ^ 1, bytes);
        }
    }

    fn post(&mut self, end: usize, bytes: &[u8]) {
        let this = &mut self.ends[end];
        if !this.ended {
            this.incoming.extend_from_slice(bytes);
        }
    }

    /// A host ends without a word and starts anew, in its next life.
    pub(super) fn restart(&mut self, host: usize) {
        self.dials.retain(|(other, _)| *other != host);
        for end in 0..self.ends.len() {
            if self.ends[end].who == Who::Host(host) && !self.ends[end].ended {
                self.ends[end].ended = true;
                self.ends[end ^ 1].incoming.clear();
                self.end(end ^ 1);
            }
        }
        self.lives[host] += 1;
        self.watches[host] = Watch::default();
        self.hosts[host] = cast()[host].host(self.lives[host], dialled(host, self.peers, self.named));
        let now = self.now;
        self.hosts[host].with(now, |_, _, _| {});
    }

    /// Ends all puppets, then lets everything through for a while, as a network should.
    pub(super) fn heal(&mut self, until: Time, done: impl Fn(&Self) -> bool) {
        self.healing = true;
        for end in 0..self.ends.len() {
            if matches!(self.ends[end].who, Who::Puppet(_)) {
                self.break_channel(end);
            }
        }
        loop {
            self.settle();
            while !self.dials.is_empty() {
                self.settle_dial(0);
                self.settle();
            }
            if done(self) {
                return;
            }
            let due = self.hosts.iter().filter_map(|host| host.machine.poll_timeout()).map(|(due, _)| due).min();
            match due.filter(|due| *due <= until) {
                Some(due) => self.advance(due),
                None => return self.advance(until),
            }
        }
    }

    /// Whether each host has a link to the other, and it is the same one.
    pub(super) fn is_linked(&self) -> bool {
        let session = |host: usize| {
            let other: &NodeName = &cast()[1 - host].name;
            let mut views = self.hosts[host].machine.links.views();
            views.find(|view| view.peer == other).map(|view| view.session)
        };
        session(0).is_some() && session(0) == session(1)
    }

    /// Whether a host dials at all.
    pub(super) const fn dials_at_all(&self) -> bool {
        self.peers[0] || self.peers[1]
    }

    fn role(&self, who: Who) -> &'static Role {
        match who {
            Who::Host(host) => &cast()[host],
            Who::Puppet(puppet) => self.puppets[puppet].role,
        }
    }
}

/// Whom a host dials.
fn dialled(host: usize, peers: [bool; 2], named: bool) -> Vec<proto_core::node::Peer> {
    peers[host].then(|| peer(&cast()[1 - host], named)).into_iter().collect()
}

/// The number of the channel that an end knows it by.
fn channel(end: usize) -> ChannelId {
    ChannelId(end as u64)
}

/// The end that knows a channel by its number.
fn number(channel: ChannelId) -> usize {
    usize::try_from(channel.0).unwrap_or(usize::MAX)
}
