//! The network between the hosts: `io-sim`'s paths laid over the simulator's links.
//!
//! The simulator holds every segment back for ever; this decides when each may go on. So latency, loss, rates and cuts
//! are those of the discrete-event tier, direction by direction: a segment that is lost is sent again after a timeout
//! that doubles, and what is behind it in its connection waits. Nothing is dropped but what a machine without power
//! would have sent, since the simulator's TCP never sends anything twice.
//!
//! Bounds: what the shells have written. A segment that never arrives stays on its link.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ::turmoil::{LinkIter, LinksIter, Protocol, Segment};
use io_sim::{HostId, Lost, Paths, SimTime, hash::Hash64};

/// Time until an unanswered handshake is sent again; doubles every time.
const SYN_AGAIN: Duration = Duration::from_secs(1);

/// All links.
#[derive(Debug)]
pub(super) struct Wires {
    /// What the directions are like.
    pub(super) paths: Paths,
    machines: Vec<Machine>,
    by_ip: BTreeMap<IpAddr, HostId>,
    /// What is on each link, in the simulator's order.
    links: BTreeMap<(IpAddr, IpAddr), VecDeque<Packet>>,
    flows: BTreeMap<Flow, FlowState>,
    hash: Hash64,
    delivered: u64,
}

/// One direction of a connection.
type Flow = (SocketAddr, SocketAddr);

#[derive(Clone, Copy, Debug, Default)]
struct Machine {
    /// It has no power.
    dark: bool,
    /// It has lost it since the last look: what it had not sent yet, it will never send.
    silenced: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct FlowState {
    /// Nothing leaves before.
    stalled_until: SimTime,
    /// Losses in a row.
    losses: u32,
    /// When the last segment arrives.
    last: SimTime,
}

#[derive(Debug)]
struct Packet {
    flow: Flow,
    from: HostId,
    to: HostId,
    kind: Kind,
    len: usize,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Handshake,
    Stream,
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Not under way: new, or lost and to be sent again.
    Waiting,
    /// Arrives then.
    Flying(SimTime),
    /// The simulator delivers it with its next step.
    Arrived,
    /// Never arrives.
    Lost,
}

impl Wires {
    /// Between hosts that are all off.
    pub(super) fn new(paths: Paths, by_ip: BTreeMap<IpAddr, HostId>) -> Self {
        let machines = vec![Machine::default(); by_ip.len()];
        let (links, flows) = (BTreeMap::new(), BTreeMap::new());
        Self { paths, machines, by_ip, links, flows, hash: Hash64::new(), delivered: 0 }
    }

    /// A machine loses its power.
    pub(super) fn darken(&mut self, host: HostId) {
        if let Some(machine) = self.machines.get_mut(host.0 as usize) {
            *machine = Machine { dark: true, silenced: true };
        }
    }

    /// A machine has power again.
    pub(super) fn lighten(&mut self, host: HostId) {
        if let Some(machine) = self.machines.get_mut(host.0 as usize) {
            machine.dark = false;
        }
    }

    /// Takes in what was sent, and lets everything go on that arrives by `horizon`. Called once before every step of the
    /// simulator.
    pub(super) fn carry(&mut self, links: LinksIter<'_>, now: SimTime, horizon: SimTime) {
        for link in links {
            self.carry_link(link, now, horizon);
        }
        self.machines.iter_mut().for_each(|machine| machine.silenced = false);
        self.flows.retain(|_, flow| flow.last > now || flow.stalled_until > now || flow.losses > 0);
    }

    /// Over every segment that arrived, and when.
    pub(super) const fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// Segments that arrived.
    pub(super) const fn delivered(&self) -> u64 {
        self.delivered
    }

    fn carry_link(&mut self, link: LinkIter<'_>, now: SimTime, horizon: SimTime) {
        let pair = link.pair();
        let mut packets = self.links.remove(&pair).unwrap_or_default();
        packets.retain(|packet| packet.fate != Fate::Arrived);
        for (place, sent) in link.enumerate() {
            if place == packets.len() {
                let Some(packet) = self.packet(sent.pair(), sent.protocol()) else { continue };
                packets.push_back(packet);
            }
            let Some(packet) = packets.get_mut(place) else { continue };
            self.advance(packet, now, horizon);
            if packet.fate == Fate::Arrived {
                self.trace(now, packet, sent.protocol());
                sent.deliver();
            }
        }
        self.links.insert(pair, packets);
    }

    fn packet(&self, flow: Flow, protocol: &Protocol) -> Option<Packet> {
        let (from, to) = (*self.by_ip.get(&flow.0.ip())?, *self.by_ip.get(&flow.1.ip())?);
        let (kind, len) = match protocol {
            Protocol::Tcp(Segment::Syn(_)) => (Kind::Handshake, 0),
            Protocol::Tcp(Segment::Data(_, bytes)) => (Kind::Stream, bytes.len()),
            Protocol::Tcp(Segment::Fin(_)) => (Kind::Stream, 0),
            Protocol::Tcp(Segment::Rst) | Protocol::Udp(_) => (Kind::Reset, 0),
        };
        let silenced = self.machines.get(from.0 as usize).is_some_and(|machine| machine.silenced);
        Some(Packet { flow, from, to, kind, len, fate: if silenced { Fate::Lost } else { Fate::Waiting } })
    }

    fn advance(&mut self, packet: &mut Packet, now: SimTime, horizon: SimTime) {
        if packet.fate == Fate::Waiting {
            self.depart(packet, now);
        }
        if let Fate::Flying(at) = packet.fate
            && at <= horizon
        {
            let dark = self.machines.get(packet.to.0 as usize).is_some_and(|machine| machine.dark);
            if dark || self.paths.is_cut(packet.from, packet.to) {
                self.lose(packet, now, Lost { noticed: false });
            } else {
                packet.fate = Fate::Arrived;
                self.flows.entry(packet.flow).or_default().losses = 0;
            }
        }
    }

    fn depart(&mut self, packet: &mut Packet, now: SimTime) {
        let flow = self.flows.entry(packet.flow).or_default();
        if flow.stalled_until > now {
            return;
        }
        match self.paths.carry(now, packet.from, packet.to, packet.len) {
            Ok(at) => {
                flow.last = flow.last.max(at);
                packet.fate = Fate::Flying(flow.last);
            }
            Err(lost) => self.lose(packet, now, lost),
        }
    }

    /// A segment is lost on its way: it will be sent again, but for a reset, which nobody waits for.
    fn lose(&mut self, packet: &mut Packet, now: SimTime, lost: Lost) {
        packet.fate = if packet.kind == Kind::Reset { Fate::Lost } else { Fate::Waiting };
        if packet.kind != Kind::Reset {
            let flow = self.flows.entry(packet.flow).or_default();
            let mut wait = self.paths.retransmit_after(packet.from, packet.to, flow.losses, lost);
            if packet.kind == Kind::Handshake {
                wait = wait.max(SYN_AGAIN * (1 << flow.losses.min(6)));
            }
            flow.losses += u32::from(!lost.noticed);
            flow.stalled_until = flow.stalled_until.max(now + wait);
        }
    }

    fn trace(&mut self, now: SimTime, packet: &Packet, protocol: &Protocol) {
        self.delivered += 1;
        self.hash.word(now.as_nanos());
        self.hash.word(u64::from(packet.from.0) << 32 | u64::from(packet.to.0));
        if let Protocol::Tcp(Segment::Data(number, bytes)) = protocol {
            self.hash.word(*number);
            self.hash.bytes(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use ::turmoil::{
        Builder, Sim,
        net::{TcpListener, TcpStream},
    };
    use io_sim::{LinkSpec, Loss, Partition};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::sleep,
    };

    use super::*;

    const TICK: Duration = Duration::from_millis(5);
    const A: HostId = HostId(0);
    const B: HostId = HostId(1);

    /// Two hosts: `a` connects to `b` and writes a byte every 100 ms; `b` counts what it reads.
    struct Rig<'a> {
        sim: Sim<'a>,
        wires: Wires,
        now: SimTime,
        read: Rc<Cell<u64>>,
    }

    impl Rig<'_> {
        fn new(spec: LinkSpec) -> Self {
            let mut sim = Builder::new()
                .rng_seed(1)
                .epoch(std::time::UNIX_EPOCH)
                .tick_duration(TICK)
                .simulation_duration(Duration::from_secs(1_000))
                .build();
            sim.host("a", || async {
                let mut stream = TcpStream::connect(("b", 1)).await?;
                loop {
                    stream.write_all(b"x").await?;
                    sleep(Duration::from_millis(100)).await;
                }
            });
            let read = Rc::new(Cell::new(0));
            let counter = Rc::clone(&read);
            sim.host("b", move || {
                let counter = Rc::clone(&counter);
                async move {
                    let listener = TcpListener::bind(("0.0.0.0", 1)).await?;
                    let (mut stream, _) = listener.accept().await?;
                    let mut buffer = [0; 1_000];
                    loop {
                        let len = stream.read(&mut buffer).await?;
                        if len == 0 {
                            return Err("the connection ended".into());
                        }
                        counter.set(counter.get() + len as u64);
                    }
                }
            });
            let (a, b) = (sim.lookup("a"), sim.lookup("b"));
            sim.hold(a, b);
            let wires = Wires::new(Paths::of_hosts(2, spec, 1, false), BTreeMap::from([(a, A), (b, B)]));
            Self { sim, wires, now: SimTime::ZERO, read }
        }

        /// Runs until a moment and tells how many bytes have been read by then.
        fn run(&mut self, until_ms: u64) -> u64 {
            while self.now < SimTime::from_millis(until_ms) {
                let (now, wires) = (self.now, &mut self.wires);
                self.sim.links(|links| wires.carry(links, now, now + TICK / 2));
                self.sim.step().expect("both hosts go on");
                self.now += TICK;
            }
            self.read.get()
        }

        fn cut(&mut self, from: HostId, to: HostId) {
            self.wires.paths.partition(&Partition::OneWay { from: vec![from], to: vec![to] });
        }
    }

    #[test]
    fn bytes_take_the_time_of_their_direction() {
        let mut rig = Rig::new(LinkSpec::with_latency(Duration::from_millis(40)));
        assert_eq!(rig.run(80), 0, "connected at 40 ms, the first byte arrives at 80");
        assert_eq!(rig.run(100), 1);
        assert!((9..=10).contains(&rig.run(1_000)));
    }

    #[test]
    fn what_a_cut_stops_arrives_when_it_is_sent_again() {
        let mut rig = Rig::new(LinkSpec::default());
        let before = rig.run(1_000);
        rig.cut(A, B);
        assert!(rig.run(3_000) <= before + 1);
        rig.wires.paths.heal();
        assert!(rig.run(8_000) >= 78, "all of it arrives: {}", rig.read.get());
    }

    #[test]
    fn a_cut_of_the_other_direction_stops_nothing() {
        let mut rig = Rig::new(LinkSpec::default());
        rig.run(1_000);
        rig.cut(B, A);
        assert!(rig.run(3_000) >= 28);
    }

    #[test]
    fn loss_delays_and_loses_nothing() {
        let lossy = LinkSpec { loss: Loss::Bernoulli { per_mille: 200 }, ..LinkSpec::default() };
        let (mut rig, mut sound) = (Rig::new(lossy), Rig::new(LinkSpec::default()));
        let (seen, all) = (rig.run(20_000), sound.run(20_000));
        assert!(seen + 40 > all && seen <= all, "{seen} of {all}");
        assert_ne!(rig.wires.hash(), sound.wires.hash());
    }

    #[test]
    fn a_machine_without_power_says_nothing_more() {
        let mut rig = Rig::new(LinkSpec::default());
        let before = rig.run(1_000);
        rig.sim.crash("a");
        rig.wires.darken(A);
        // The end of the connection, which the simulator sends all the same, must never arrive: it would end `b`.
        assert_eq!(rig.run(3_000), before);
    }
}
