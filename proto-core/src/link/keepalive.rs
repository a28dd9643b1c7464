//! Is the peer still there? Decides when to ping a link and when to give it up.
//!
//! Life: from the moment the link is up, a ping goes out every `heartbeat`, whether or not other traffic flows. It
//! lets the peer hear this node, and its answer measures the round trip under load as well as at rest; at one small
//! frame a second that is cheaper than deciding. Whatever arrives counts as a sign of life. When nothing has arrived for
//! `dead_after`, the link is given up, once. A machine that was paused (a suspended laptop, a stalled VM) finds its
//! deadline long past: it still asks, and waits one `heartbeat`, before it gives up, because the answer may already lie in
//! the socket. When the peer itself behaves as if the link were gone (it opens another), the link is doubted: it has
//! two heartbeats to show life.
//!
//! Bounds: constant memory; at most one ping per `heartbeat`, and one more for a doubt. A dead peer is noticed within
//! `dead_after + heartbeat`.

use core::time::Duration;

use crate::{cx::Cx, time::Time};

/// What the machine asks its owner to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Send a ping on the control lane.
    Ping,
    /// Close the link; nothing was heard for too long.
    GiveUp,
}

/// Watches one link. See the module's first lines for what it does when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keepalive {
    heartbeat: Duration,
    dead_after: Duration,
    heard: Time,
    /// When the next ping is due.
    ping: Time,
    /// The first ping since something was heard.
    asked: Option<Time>,
    /// When doubt began, unless something was heard since.
    doubted: Option<Time>,
    over: bool,
}

impl Keepalive {
    /// Starts watching a link that came up at `now`. The first ping is due at once. `dead_after` counts as at least
    /// twice `heartbeat`, so that one lost ping kills no link.
    pub(super) fn new(heartbeat: Duration, dead_after: Duration, now: Time) -> Self {
        // A heartbeat of nothing would ping without end.
        let heartbeat = heartbeat.max(Duration::from_millis(1));
        let dead_after = dead_after.max(heartbeat * 2);
        Self { heartbeat, dead_after, heard: now, ping: now, asked: None, doubted: None, over: false }
    }

    /// Something authentic arrived from the peer.
    pub(super) const fn heard(&mut self, now: Time) {
        self.heard = now;
        self.asked = None;
        self.doubted = None;
    }

    /// The peer behaves as if the link were gone: ask now, and wait for two heartbeats only.
    pub(super) fn doubt(&mut self, now: Time) {
        if self.doubted.is_none() {
            self.doubted = Some(now);
            self.ping = now;
        }
    }

    /// Acts on a deadline that has come. Early and repeated calls change nothing.
    pub(super) fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Option<Effect> {
        if self.over {
            return None;
        }
        if self.dead_due().is_some_and(|due| due <= cx.now) {
            self.over = true;
            return Some(Effect::GiveUp);
        }
        if self.ping > cx.now {
            return None;
        }
        self.ping = cx.now + self.heartbeat;
        self.asked.get_or_insert(cx.now);
        Some(Effect::Ping)
    }

    /// The next deadline and who wants it; `None` once the link is given up. May change after any call.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        if self.over {
            return None;
        }
        match self.dead_due() {
            Some(due) if due <= self.ping => Some((due, "keepalive: silent")),
            Some(_) | None => Some((self.ping, "keepalive: ping")),
        }
    }

    /// When silence will have lasted long enough; `None` before the peer was asked.
    fn dead_due(&self) -> Option<Time> {
        // Having asked and waited is what makes silence a proof: see the module on paused machines.
        let proof = self.asked? + self.heartbeat;
        let silent = self.heard + self.dead_after;
        let doubtful = self.doubted.map_or(silent, |since| silent.min(since + self.heartbeat * 2));
        Some(doubtful.max(proof))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, Machine};
    use std::{vec, vec::Vec};

    impl Machine for Keepalive {
        type Event = Heard;
        type Effect = Effect;

        fn handle(&mut self, cx: &mut Cx<'_>, event: Heard, _: &mut Vec<Effect>) {
            match event {
                Heard::Peer => self.heard(cx.now),
                Heard::Rival => self.doubt(cx.now),
            }
        }

        fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Effect>) {
            effects.extend(Self::handle_timeout(self, cx));
        }

        fn poll_timeout(&self) -> Option<(Time, &'static str)> {
            Self::poll_timeout(self)
        }
    }

    pub(in crate::link) enum Heard {
        Peer,
        Rival,
    }

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn watching_since_zero() -> Bench<Keepalive> {
        Bench::new(Keepalive::new(Duration::from_secs(2), Duration::from_secs(5), Time::ZERO))
    }

    #[test]
    fn a_silent_peer_is_asked_and_then_given_up_once() {
        let told = watching_since_zero().run_until(at(60_000));
        let pings = [at(0), at(2_000), at(4_000)].map(|time| (time, Effect::Ping));
        assert_eq!(told, [&pings[..], &[(at(5_000), Effect::GiveUp)]].concat());
    }

    #[test]
    fn traffic_counts_as_a_sign_of_life_and_pings_go_on() {
        let mut bench = watching_since_zero();
        let mut pings = 0;
        for second in 1..=20 {
            let told = bench.run_until(at(second * 1_000));
            assert!(told.iter().all(|(_, effect)| *effect == Effect::Ping), "{told:?}");
            pings += told.len();
            bench.handle(at(second * 1_000), Heard::Peer);
        }
        assert_eq!(pings, 11);
    }

    #[test]
    fn a_paused_machine_asks_and_waits_before_it_gives_up() {
        let mut bench = watching_since_zero();
        bench.run_until(at(1));
        bench.handle(at(10), Heard::Peer);
        // Nothing runs between 10 ms and an hour.
        let hour = at(3_600_000);
        let told = bench.with(hour, Machine::handle_timeout);
        assert_eq!(told, [Effect::Ping]);
        let told = bench.run_until(at(3_602_000));
        assert_eq!(told, [(at(3_602_000), Effect::GiveUp)]);
    }

    #[test]
    fn a_paused_machine_that_hears_an_answer_goes_on() {
        let mut bench = watching_since_zero();
        bench.run_until(at(4_500));
        let told = bench.with(at(3_600_000), |machine, cx, effects| {
            machine.heard(cx.now);
            Machine::handle_timeout(machine, cx, effects);
        });
        assert_eq!(told, [Effect::Ping]);
        assert!(bench.run_until(at(3_604_999)).iter().all(|(_, effect)| *effect == Effect::Ping));
    }

    #[test]
    fn a_doubted_peer_has_two_heartbeats() {
        let mut bench = Bench::new(Keepalive::new(Duration::from_secs(1), Duration::from_secs(60), Time::ZERO));
        bench.run_until(at(500));
        bench.handle(at(500), Heard::Peer);
        bench.handle(at(600), Heard::Rival);
        let mut told = bench.run_until(at(900));
        bench.handle(at(900), Heard::Rival);
        told.extend(bench.run_until(at(10_000)));
        assert_eq!(told, vec![(at(600), Effect::Ping), (at(1_600), Effect::Ping), (at(2_600), Effect::GiveUp)]);
    }

    #[test]
    fn a_doubt_ends_with_a_sign_of_life() {
        let mut bench = watching_since_zero();
        bench.run_until(at(500));
        bench.handle(at(600), Heard::Rival);
        bench.handle(at(700), Heard::Peer);
        assert!(bench.run_until(at(5_699)).iter().all(|(_, effect)| *effect == Effect::Ping));
        assert_eq!(bench.run_until(at(5_700)), [(at(5_700), Effect::GiveUp)]);
    }
}
