//! Starts, ends and mishaps of a world's hosts and network.

use core::time::Duration;

use proto_core::{
    limits::CLOSE_TIMEOUT,
    node::{Command, Input},
};

use super::World;
use crate::{
    fault::Fault,
    host::{HostId, HostState},
    rng::Label,
    schedule::Happening,
};

/// Time beyond its drain and its goodbyes after which a stopping node is killed.
const STOP_GRACE: Duration = Duration::from_secs(1);

impl World {
    /// Lets something go wrong, or right again, at the present moment.
    pub fn apply(&mut self, fault: &Fault) {
        match fault {
            Fault::Crash { host } => self.if_there(*host, Self::crash),
            Fault::Kill { host } => self.if_there(*host, Self::kill),
            Fault::Stop { host } => self.if_there(*host, Self::stop),
            Fault::Restart { host } => self.if_there(*host, Self::start),
            Fault::Pause { host, for_ms } => {
                self.if_there(*host, |world, host| world.pause(host, Duration::from_millis(*for_ms)));
            }
            Fault::Partition { kind } => self.net.partition(kind),
            Fault::Heal => self.net.heal(),
            Fault::Link { from, to, spec } => {
                self.if_both(*from, *to, |world, from, to| world.net.paths.get_mut(from.0, to.0).spec = *spec);
            }
            Fault::ClockRate { host, ppm } => self.if_there(*host, |world, host| world.set_clock_rate(host, *ppm)),
            Fault::CutStreams { a, b } => {
                self.if_both(*a, *b, |world, a, b| world.with_net(|net, cx| net.cut_streams(cx, a, b)));
            }
            Fault::Corrupt { from, to } => self.if_both(*from, *to, |world, from, to| world.net.flip_next(from, to)),
            Fault::SlowApplication { host, consume_after_ms } => self.if_there(*host, |world, host| {
                world.hosts[host.index()].set_consume_after(Duration::from_millis(*consume_after_ms));
            }),
            Fault::StuckClient { host, client, stuck: true } => self.if_there(*host, |world, host| {
                let host = &mut world.hosts[host.index()];
                if host.engine.is_some() {
                    host.stuck.entry(client.clone()).or_default();
                }
            }),
            Fault::StuckClient { host, client, stuck: false } => {
                self.if_there(*host, |world, host| world.unstick(host, client));
            }
            Fault::FailDisk { host } => self.if_there(*host, |world, host| world.hosts[host.index()].disk.fail()),
        }
    }

    fn if_there(&mut self, host: HostId, act: impl FnOnce(&mut Self, HostId)) {
        if host.index() < self.hosts.len() {
            act(self, host);
        }
    }

    fn if_both(&mut self, a: HostId, b: HostId, act: impl FnOnce(&mut Self, HostId, HostId)) {
        self.if_there(a, |world, a| world.if_there(b, |world, b| act(world, a, b)));
    }

    /// A host that is down begins a new life.
    pub(super) fn start(&mut self, id: HostId) {
        let (now, dice, provider) = (self.now(), self.dice, self.provider);
        let host = &mut self.hosts[id.index()];
        if host.state != HostState::Down {
            return;
        }
        host.start(id, now, dice, provider);
        self.net.start(id, host.life);
        self.stats.starts += 1;
        let wall = self.wall();
        self.tell(id, Input::Clock { wall });
    }

    fn crash(&mut self, id: HostId) {
        let mut draws = self.draws(id, Label::Torn);
        let host = &mut self.hosts[id.index()];
        self.stats.records_lost += host.disk.crash(&mut draws);
        host.end();
        self.with_net(|net, cx| net.power_off(cx, id));
    }

    fn kill(&mut self, id: HostId) {
        self.end_process(id, true);
    }

    /// The node has drained: its process ends.
    pub(super) fn leave(&mut self, id: HostId) {
        self.end_process(id, false);
    }

    fn end_process(&mut self, id: HostId, abruptly: bool) {
        let host = &mut self.hosts[id.index()];
        if host.state == HostState::Down {
            return;
        }
        host.disk.leave();
        host.end();
        self.with_net(|net, cx| if abruptly { net.kill(cx, id) } else { net.leave(cx, id) });
    }

    fn stop(&mut self, id: HostId) {
        let host = &self.hosts[id.index()];
        if host.state == HostState::Down || host.stopping.is_some() {
            return;
        }
        let (deadline, life) = (host.config.drain, host.life);
        let token = self.command(id, Command::Drain { deadline });
        self.hosts[id.index()].stopping = token;
        let at = self.now() + deadline + CLOSE_TIMEOUT + STOP_GRACE;
        self.schedule.at(at, Happening::StopOverdue { host: id, life });
    }

    pub(super) fn stop_overdue(&mut self, id: HostId, life: u64) {
        let host = &self.hosts[id.index()];
        if host.life == life && host.stopping.is_some() {
            self.kill(id);
        }
    }

    fn pause(&mut self, id: HostId, length: Duration) {
        let until = self.now() + length;
        let host = &mut self.hosts[id.index()];
        let until = match host.state {
            HostState::Down => return,
            HostState::Up => until,
            HostState::Paused { until: already } => until.max(already),
        };
        host.state = HostState::Paused { until };
        host.pause_serial += 1;
        self.schedule.at(until, Happening::Resume { host: id, serial: host.pause_serial });
        self.net.pause(id);
    }

    /// A paused host goes on: it is told at once all that has piled up.
    pub(super) fn resume(&mut self, id: HostId, serial: u32) {
        let host = &mut self.hosts[id.index()];
        if host.pause_serial != serial || host.state == HostState::Down {
            return;
        }
        host.state = HostState::Up;
        // Wake-ups that came in the pause were dropped.
        host.wake = None;
        host.wake_serial += 1;
        self.with_net(|net, cx| net.resume(cx, id));
        self.make_ready(id);
    }

    fn set_clock_rate(&mut self, id: HostId, ppm: i32) {
        let now = self.now();
        let host = &mut self.hosts[id.index()];
        host.set_ppm(now, ppm);
        if host.state == HostState::Up
            && let Some(deadline) = host.deadline
        {
            let due = host.clock.true_at(deadline);
            host.wake = None;
            self.schedule_wake(id, due);
        }
    }
}
