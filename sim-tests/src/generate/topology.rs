//! Who is there and who dials whom.

use std::{collections::BTreeSet, time::Duration};

use io_sim::{HostConfig, HostId, HostSpec, PeerSpec};
use proto_core::{
    id::NodeName,
    node::{Metric, Suite},
};

use super::draw::Draw;

/// Hosts in the making.
#[derive(Debug)]
pub(super) struct Hosts {
    draw: Draw,
    /// How often in a hundred a pair dials each other, so that both open a link at once.
    both_percent: u64,
    pub(super) specs: Vec<HostSpec>,
}

impl Hosts {
    /// Hosts that differ in nothing but their name, and dial nobody yet.
    pub(super) fn new(draw: &Draw, least: u32, most: u32, both_percent: u64) -> Self {
        let mut draw = draw.part("topology");
        let count = draw.between_u32(least, most);
        let metric = draw.weighted(&[(Metric::Latency, 3), (Metric::Hops, 2), (Metric::Cost, 1)]);
        let suite = if draw.percent(50) { Suite::AesGcm } else { Suite::ChaChaPoly };
        let template = HostConfig { metric: metric.unwrap_or(Metric::Hops), suite, ..timers(&mut draw) };
        let names = (0..count).map_while(|number| NodeName::new(&format!("n{number}")).ok());
        let specs = names.map(|name| HostSpec { template: template.clone(), ..HostSpec::new(name) }).collect();
        Self { draw, both_percent, specs }
    }

    pub(super) fn count(&self) -> u32 {
        self.specs.len() as u32
    }

    /// One of them dials the other, or each the other.
    fn link(&mut self, a: u32, b: u32) {
        let cost = if self.draw.percent(50) { 0 } else { self.draw.between_u32(1, 20) };
        let (first, second) = if self.draw.percent(50) { (a, b) } else { (b, a) };
        self.dial(first, second, cost);
        if self.draw.percent(self.both_percent) {
            self.dial(second, first, cost);
        }
    }

    fn dial(&mut self, from: u32, to: u32, cost: u32) {
        let name = self.specs[to as usize].name.clone();
        self.specs[from as usize].template.peers.push(PeerSpec { name, cost });
    }

    /// Each with the next.
    pub(super) fn line(mut self) -> Self {
        (1..self.count()).for_each(|host| self.link(host - 1, host));
        self
    }

    /// Each with the next, the last with the first.
    pub(super) fn ring(self) -> Self {
        let mut ring = self.line();
        ring.link(ring.count() - 1, 0);
        ring
    }

    /// All with the first.
    pub(super) fn star(mut self) -> Self {
        (1..self.count()).for_each(|leaf| self.link(0, leaf));
        self
    }

    /// All with all.
    pub(super) fn full(mut self) -> Self {
        for a in 0..self.count() {
            (a + 1..self.count()).for_each(|b| self.link(a, b));
        }
        self
    }

    /// A random tree, and some more links.
    pub(super) fn random(mut self) -> Self {
        let count = self.count();
        let mut pairs: BTreeSet<_> = (1..count).map(|host| (self.draw.host(host).0, host)).collect();
        for _ in 0..self.draw.between(0, 2 * u64::from(count)) {
            let (HostId(a), HostId(b)) = self.draw.pair(count);
            pairs.insert((a.min(b), a.max(b)));
        }
        pairs.into_iter().for_each(|(a, b)| self.link(a, b));
        self
    }

    /// Changes each host in a way of its own.
    pub(super) fn each(mut self, mut change: impl FnMut(&mut Draw, &mut HostSpec)) -> Self {
        self.specs.iter_mut().for_each(|spec| change(&mut self.draw, spec));
        self
    }
}

/// Timers that fit each other, faster than the defaults, so that a minute holds several failures. Adverts expire within
/// a scenario, so that what depends on it is seen.
fn timers(draw: &mut Draw) -> HostConfig {
    let ms = Duration::from_millis;
    let heartbeat = draw.scale(100, 1_000);
    let reconnect = draw.scale(50, 500);
    let refresh = draw.between(5_000, 12_000);
    HostConfig {
        heartbeat: ms(heartbeat),
        dead_after: ms(heartbeat * draw.between(2, 5) + draw.between(0, 500)),
        handshake_timeout: ms(draw.between(1_000, 4_000)),
        reconnect_initial: ms(reconnect),
        reconnect_max: ms(reconnect * draw.between(1, 8)),
        advert_interval_min: ms(draw.scale(20, 200)),
        advert_refresh: ms(refresh),
        advert_expiry: ms(refresh * 2 + draw.between(1_000, 10_000)),
        retry_max: ms(draw.scale(200, 5_000)),
        drain: ms(draw.scale(100, 4_000)),
        ..HostConfig::default()
    }
}
