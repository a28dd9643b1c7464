//! What a link has while it is up: who, since when, how far away, and whether it is still there.

use core::time::Duration;

use super::{
    cost::{Announced, cost},
    keepalive::{self, Keepalive},
    own::Own,
    rank::Rank,
    rtt::Meter,
};
use crate::{
    cx::Cx,
    id::NodeAddr,
    node::Metric,
    time::Time,
    wire::v1::{Ping, Pong},
};

/// A link that is up.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) addr: NodeAddr,
    pub(super) rank: Rank,
    pub(super) since: Time,
    /// Added to what is measured; 0 where nothing is configured.
    pub(super) configured_cost: u32,
    metric: Metric,
    announced: Announced,
    meter: Meter,
    keepalive: Keepalive,
}

/// What a link that is up has to do about its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Send this.
    Ping(Ping),
    /// Close: nothing was heard for too long.
    GiveUp,
}

impl Live {
    /// A link that comes up now. `rtt` is what the handshake told of the round trip.
    pub(super) fn new(
        now: Time,
        own: &Own,
        addr: NodeAddr,
        rank: Rank,
        configured_cost: u32,
        rtt: Option<Duration>,
    ) -> Self {
        let mut meter = Meter::default();
        if let Some(rtt) = rtt {
            meter.sample(rtt);
        }
        Self {
            addr,
            rank,
            since: now,
            configured_cost,
            metric: own.metric,
            announced: Announced::new(cost(own.metric, meter.srtt(), configured_cost)),
            meter,
            keepalive: Keepalive::new(own.link.heartbeat, own.link.dead_after, now),
        }
    }

    /// Something authentic arrived.
    pub(super) const fn heard(&mut self, now: Time) {
        self.keepalive.heard(now);
    }

    /// The peer behaves as if the link were gone.
    pub(super) fn doubt(&mut self, now: Time) {
        self.keepalive.doubt(now);
    }

    /// A ping was answered. Returns the new cost if it is to be announced.
    pub(super) fn answered(&mut self, now: Time, pong: Pong) -> Option<u32> {
        if !self.meter.answered(now, pong) {
            return None;
        }
        self.announced.observe(now, cost(self.metric, self.meter.srtt(), self.configured_cost))
    }

    /// Acts on a deadline that has come.
    pub(super) fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Due {
        match self.keepalive.handle_timeout(cx) {
            None => Due::Nothing,
            Some(keepalive::Effect::Ping) => Due::Ping(self.meter.ask(cx.now)),
            Some(keepalive::Effect::GiveUp) => Due::GiveUp,
        }
    }

    /// The next deadline and who wants it.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.keepalive.poll_timeout()
    }

    /// The cost announced last.
    pub(super) const fn cost(&self) -> u32 {
        self.announced.cost()
    }

    /// What was measured.
    pub(super) const fn meter(&self) -> &Meter {
        &self.meter
    }
}
