//! What a connection needs of the rest of the network: paths, the hosts' kernels, and a way to tell nodes.

use std::sync::Arc;

use proto_core::{
    id::ChannelId,
    node::{ChannelEvent, Input},
};

use super::{Inbound, Lost, NetCx, NetEvent, Paths, Side, StreamId};
use crate::{
    host::HostId,
    rng::{Draws, Label},
    schedule::Happening,
    time::SimTime,
};

/// How a host's kernel and process are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// Both run.
    Running,
    /// The kernel runs, the process stands still.
    Paused,
    /// The kernel runs and refuses everything; there is no process.
    Refusing,
    /// Nothing answers.
    Off,
}

/// What the network knows of a host.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) power: Power,
    pub(super) life: u64,
    pub(super) remote: Arc<str>,
    /// The connection behind each channel of this life; channel 1 is the first.
    pub(super) channels: Vec<Option<(StreamId, Side)>>,
}

/// All of the network but the connections, so that one of them can be worked on.
pub(super) struct Wire<'a, 'cx> {
    pub(super) paths: &'a mut Paths,
    pub(super) kernels: &'a mut [Kernel],
    pub(super) chop_per_mille: u32,
    pub(super) cx: &'a mut NetCx<'cx>,
}

impl Wire<'_, '_> {
    pub(super) fn now(&self) -> SimTime {
        self.cx.schedule.now()
    }

    pub(super) fn at(&mut self, at: SimTime, event: NetEvent) {
        self.cx.schedule.at(at, Happening::Net(event));
    }

    pub(super) fn power(&self, host: HostId) -> Power {
        self.kernels[host.index()].power
    }

    /// Whether a host's process is in that life still.
    pub(super) fn lives(&self, host: HostId, life: u64) -> bool {
        let kernel = &self.kernels[host.index()];
        kernel.life == life && matches!(kernel.power, Power::Running | Power::Paused)
    }

    /// Whether packets from `src` reach the kernel of `dst`.
    pub(super) fn reaches(&self, src: HostId, dst: HostId) -> bool {
        !self.paths.get(src.0, dst.0).is_cut() && self.power(dst) != Power::Off
    }

    pub(super) fn carry(&mut self, src: HostId, dst: HostId, len: usize) -> Result<SimTime, Lost> {
        self.cx.stats.segments += 1;
        let carried = self.paths.carry(self.cx.schedule.now(), src, dst, len);
        self.cx.stats.segments_lost += u64::from(carried.is_err());
        carried
    }

    pub(super) fn draws(&mut self, label: Label, src: HostId, dst: HostId) -> Draws {
        let dice = self.paths.dice;
        self.paths.get_mut(src.0, dst.0).next_decision(dice, label, src.0, dst.0)
    }

    /// Tells a node something, if it is in that life still.
    pub(super) fn tell(&mut self, host: HostId, life: u64, input: Input) {
        if self.lives(host, life) {
            self.cx.inbound.push(Inbound { host, input });
        }
    }

    pub(super) fn tell_channel(&mut self, host: HostId, life: u64, channel: ChannelId, event: ChannelEvent) {
        self.tell(host, life, Input::Channel { channel, event });
    }

    /// Gives an end of a connection a channel number.
    pub(super) fn open_channel(&mut self, host: HostId, stream: StreamId, side: Side) -> ChannelId {
        let channels = &mut self.kernels[host.index()].channels;
        channels.push(Some((stream, side)));
        ChannelId(channels.len() as u64)
    }

    pub(super) fn free_channel(&mut self, host: HostId, life: u64, channel: ChannelId) {
        let kernel = &mut self.kernels[host.index()];
        let slot = usize::try_from(channel.0).ok().and_then(|number| number.checked_sub(1));
        if kernel.life == life
            && let Some(entry) = slot.and_then(|slot| kernel.channels.get_mut(slot))
        {
            *entry = None;
        }
    }
}
