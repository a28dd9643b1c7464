//! The nodes that adverts are about, and what they and forgers sign.

use std::sync::{Arc, LazyLock};

use proto_core::{
    cx::Cx,
    id::{Incarnation, NodeAddr, NodeName},
    link::LinkId,
    node::Config,
    route::{Effect, Event, Router, advert::Advert},
    secure::{AWS_LC, Identity, Pins},
    testing::{Bench, Machine},
    time::Time,
    wire::{
        self,
        v1::{AdvertBody, Neighbour},
    },
};

/// How many nodes there are. Node 0 is the one whose router is tried.
pub(super) const NODES: usize = 7;
/// The life that node 0 is in.
pub(super) const LIFE: Incarnation = Incarnation(2);
/// The network of all nodes.
const NETWORK: &str = "default";

/// A router with the pins that a node lends it.
#[derive(Debug)]
pub(super) struct Routing {
    pub(super) router: Router,
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

struct Member {
    name: NodeName,
    addr: NodeAddr,
    identity: Arc<Identity>,
}

fn member(number: usize) -> &'static Member {
    static MEMBERS: LazyLock<Vec<Member>> = LazyLock::new(|| {
        let member = |number: u8| {
            let Ok(name) = NodeName::new(&format!("node-{number}")) else { panic!("a good name") };
            Member { addr: name.addr(), name, identity: Arc::new(Identity::from_seed([number; 32], AWS_LC)) }
        };
        // One more, who is nobody and signs for others.
        (0..=NODES).map(|number| member(u8::try_from(number).unwrap_or(u8::MAX))).collect()
    });
    &MEMBERS[number]
}

/// Node 0, which knows everybody's key but the last one's.
pub(super) fn bench(transit: bool) -> Bench<Routing> {
    let me = member(0);
    let mut config = Config::new(me.name.clone(), Arc::clone(&me.identity), LIFE, AWS_LC);
    config.route.transit = transit;
    let known = (1..NODES - 1).map(member).map(|member| (member.name.clone(), member.identity.public()));
    Bench::new(Routing { router: Router::new(&config), pins: Pins::new(known) })
}

/// The name of a node.
pub(super) fn name(number: usize) -> NodeName {
    member(number).name.clone()
}

/// The address of a node.
pub(super) fn addr(number: usize) -> NodeAddr {
    member(number).addr
}

/// The link to a node, in the `generation`th of its lives.
pub(super) fn link(number: usize, generation: u8) -> LinkId {
    let slot = u8::try_from(number).unwrap_or(u8::MAX);
    let Ok(link) = wire::decode(&[slot, generation & 0x7f]) else { panic!("two numbers are a handle") };
    link
}

/// What a script lets a node say.
pub(super) struct Saying {
    pub(super) origin: usize,
    pub(super) incarnation: u64,
    pub(super) seq: u64,
    pub(super) transit: bool,
    /// A bit for each neighbour.
    pub(super) neighbours: u8,
    pub(super) costs: u8,
}

impl Saying {
    fn body(&self) -> AdvertBody {
        const COSTS: [u32; 8] = [1, 2, 3, 5, 100, 1 << 24, u32::MAX - 1, u32::MAX];
        let member = member(self.origin);
        let claimed = (0..NODES).filter(|other| *other != self.origin && self.neighbours >> other & 1 == 1);
        let cost = |other: usize| COSTS[(usize::from(self.costs) + other * (usize::from(self.costs) >> 3)) % 8];
        let mut neighbours: Vec<Neighbour> =
            claimed.map(|other| Neighbour { node: addr(other), cost: cost(other) }).collect();
        neighbours.sort_by_key(|neighbour| neighbour.node);
        let (incarnation, seq) = (Incarnation(self.incarnation), self.seq);
        let key = member.identity.public().0;
        AdvertBody { origin: member.name.clone(), key, incarnation, seq, transit: self.transit, neighbours }
    }

    /// Whether nobody knows the node's key beforehand.
    pub(super) const fn is_of_a_stranger(&self) -> bool {
        self.origin == NODES - 1
    }

    /// As the node itself signs it.
    pub(super) fn signed(&self) -> Advert {
        Advert::sign(self.body(), NETWORK, &member(self.origin).identity, AWS_LC)
    }

    /// As somebody else does: with a key of its own, with the node's key in it, or for another network.
    pub(super) fn forged(&self, how: u8) -> Advert {
        let forger = &member(NODES).identity;
        let mut body = self.body();
        match how % 3 {
            0 => {
                body.key = forger.public().0;
                Advert::sign(body, NETWORK, forger, AWS_LC)
            }
            1 => Advert::sign(body, NETWORK, forger, AWS_LC),
            _ => Advert::sign(body, "other", &member(self.origin).identity, AWS_LC),
        }
    }
}

/// Whether an advert is node 0's own and signed by it.
pub(super) fn is_own(advert: &Advert) -> bool {
    let me = member(0);
    advert.addr() == me.addr && advert.key() == me.identity.public() && advert.verify(NETWORK, AWS_LC).is_ok()
}
