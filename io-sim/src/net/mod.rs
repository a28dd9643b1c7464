//! The network between the hosts: paths that lose and delay packets, partitions that cut them, and streams on top.
//!
//! A [`LinkSpec`] describes one direction between two hosts. Datagrams feel all of it. Streams are reliable and ordered
//! like TCP: on them loss and partitions turn into delay by retransmission, and in the end into a reset.
//!
//! Inside, `Net` plays the part of all kernels and all wires. Hosts call it with what their nodes ask for; it schedules
//! its own events and lists what nodes must be told.
//!
//! Simplifications against TCP: no slow start, a send buffer as the only window, acknowledgements that are lost by chance
//! cost nothing (later ones cover them), a lost packet is sent again after a round trip if three more followed it and
//! after the timeout otherwise, and half-closing does not exist, since channels have none.

mod datagram;
mod dial;
mod flow;
mod partition;
mod path;
mod pipe;
mod spec;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

pub use datagram::{DropReason, Verdict};
pub use partition::Partition;
pub use path::{Lost, Paths};
pub use spec::{LinkSpec, Loss};
pub(crate) use stream::{Side, StreamId};

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use proto_core::{
    arena::Arena,
    id::{ChannelId, DialId},
    node::{Endpoint, Input},
};

use self::{
    stream::Stream,
    wire::{Kernel, Power, Wire},
};
use crate::{
    host::HostId,
    rng::Dice,
    schedule::{Happening, Schedule},
    stats::Stats,
    time::SimTime,
};

/// Something that happens in the network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NetEvent {
    /// A dial to a name that does not exist fails.
    NoSuchHost { host: HostId, life: u64, dial: DialId },
    /// A SYN leaves, or the dial is given up.
    Syn { stream: StreamId, attempt: u8 },
    /// A SYN arrives.
    SynArrives { stream: StreamId },
    /// The answer to a SYN arrives.
    SynAnswered { stream: StreamId, accepted: bool },
    /// Chunks from `side` arrive at the other end.
    Arrives { stream: StreamId, side: Side, flight: u32 },
    /// What was lost is sent again.
    Retry { stream: StreamId, side: Side, retry: u32 },
    /// Acknowledgements have made room in a send buffer.
    Room { stream: StreamId, side: Side },
    /// A node is told how its own kernel gets on.
    Tell { stream: StreamId, side: Side },
    /// A reset arrives at `side`.
    Reset { stream: StreamId, side: Side },
}

/// What a node must be told.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) host: HostId,
    pub(crate) input: Input,
}

/// The network.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) paths: Paths,
    kernels: Vec<Kernel>,
    by_name: BTreeMap<Arc<str>, HostId>,
    streams: Arena<Stream>,
    chop_per_mille: u32,
}

/// What every call into the network is given.
#[derive(Debug)]
pub(crate) struct NetCx<'a> {
    pub(crate) schedule: &'a mut Schedule,
    pub(crate) inbound: &'a mut Vec<Inbound>,
    pub(crate) stats: &'a mut Stats,
}

impl Net {
    pub(crate) const fn new(usual: LinkSpec, dice: Dice, chop_per_mille: u32, canary: bool) -> Self {
        Self {
            paths: Paths::new(usual, dice, canary),
            kernels: Vec::new(),
            by_name: BTreeMap::new(),
            streams: Arena::with_limit(u32::MAX as usize),
            chop_per_mille,
        }
    }

    /// One more host, off.
    pub(crate) fn add_host(&mut self, host: HostId, name: &str) {
        self.paths.add_host();
        let remote = Arc::from(name);
        self.by_name.insert(Arc::clone(&remote), host);
        self.kernels.push(Kernel { power: Power::Off, life: 0, remote, channels: Vec::new() });
    }

    /// A new life of a host begins.
    pub(crate) fn start(&mut self, host: HostId, life: u64) {
        let kernel = &mut self.kernels[host.index()];
        kernel.power = Power::Running;
        kernel.life = life;
        kernel.channels.clear();
    }

    /// The process stands still.
    pub(crate) fn pause(&mut self, host: HostId) {
        self.kernels[host.index()].power = Power::Paused;
    }

    /// The process goes on: what its full buffers held back arrives.
    pub(crate) fn resume(&mut self, cx: &mut NetCx<'_>, host: HostId) {
        self.kernels[host.index()].power = Power::Running;
        self.unblock(cx, host);
    }

    /// What full buffers of a process held back arrives now: at the process, or at a kernel that has none any more.
    fn unblock(&mut self, cx: &mut NetCx<'_>, host: HostId) {
        let now = cx.schedule.now();
        for (stream, one) in self.streams.iter_mut() {
            for side in one.sides_at(host).map(Side::other) {
                let pipe = one.pipe_mut(side);
                pipe.unread = 0;
                if core::mem::take(&mut pipe.blocked) {
                    cx.schedule.at(now, Happening::Net(NetEvent::Arrives { stream, side, flight: pipe.flight }));
                }
            }
        }
    }

    /// The machine loses power: nothing answers, nothing more is sent. What is on its way still arrives.
    pub(crate) fn power_off(&mut self, cx: &mut NetCx<'_>, host: HostId) {
        self.kernels[host.index()].power = Power::Off;
        self.unblock(cx, host);
        for stream in self.ends_at(host) {
            self.forget(stream, host);
        }
    }

    /// The process dies, the kernel resets its connections.
    pub(crate) fn kill(&mut self, cx: &mut NetCx<'_>, host: HostId) {
        self.kernels[host.index()].power = Power::Refusing;
        self.unblock(cx, host);
        for stream in self.ends_at(host) {
            let (streams, mut wire) = self.split(cx);
            if let Some(one) = streams.get_mut(stream) {
                for side in one.sides_at(host) {
                    one.send_reset(stream, side.other(), &mut wire);
                }
            }
            self.forget(stream, host);
        }
    }

    /// The process ends, the kernel sends what it was given and closes its connections.
    pub(crate) fn leave(&mut self, cx: &mut NetCx<'_>, host: HostId) {
        self.kernels[host.index()].power = Power::Refusing;
        self.unblock(cx, host);
        for stream in self.ends_at(host) {
            let (streams, mut wire) = self.split(cx);
            if let Some(one) = streams.get_mut(stream) {
                for side in one.sides_at(host) {
                    one.linger(stream, side, &mut wire);
                }
            }
            self.tidy(stream);
        }
    }

    /// Resets every connection between two hosts, at both ends at once.
    pub(crate) fn cut_streams(&mut self, cx: &mut NetCx<'_>, a: HostId, b: HostId) {
        let between: Vec<_> = self.streams.iter().filter(|(_, one)| one.joins(a, b)).map(|(id, _)| id).collect();
        for stream in between {
            let (streams, mut wire) = self.split(cx);
            if let Some(one) = streams.get_mut(stream) {
                Side::BOTH.into_iter().for_each(|side| one.drop_end(side, &mut wire));
            }
            self.streams.remove(stream);
        }
    }

    /// Writes to a channel. Bytes for a channel that is closed go nowhere.
    pub(crate) fn write(&mut self, cx: &mut NetCx<'_>, host: HostId, channel: ChannelId, bytes: Bytes) {
        self.with_channel(cx, host, channel, |one, stream, side, wire| one.write(stream, side, bytes, wire));
    }

    /// Closes a channel once everything written is taken over.
    pub(crate) fn close(&mut self, cx: &mut NetCx<'_>, host: HostId, channel: ChannelId) {
        self.with_channel(cx, host, channel, Stream::close);
    }

    /// Cuts paths until [`Net::heal`].
    pub(crate) fn partition(&mut self, partition: &Partition) {
        self.paths.partition(partition);
    }

    /// Ends every partition.
    pub(crate) fn heal(&mut self) {
        self.paths.heal();
    }

    /// Whether packets get from one host to the other, if it is there.
    pub(crate) fn carries(&self, from: HostId, to: HostId) -> bool {
        let path = self.paths.get(from.0, to.0);
        !path.is_cut() && !path.spec.loss.is_total()
    }

    /// What becomes of a datagram.
    pub(crate) fn datagram(&mut self, now: SimTime, from: HostId, to: HostId, len: usize) -> Verdict {
        let dice = self.paths.dice;
        let path = self.paths.get_mut(from.0, to.0);
        let mut draws = path.next_packet(dice, from.0, to.0);
        path.datagram(now, len, &mut draws)
    }

    /// Flips a bit of the next bytes that a stream delivers from one host to another.
    pub(crate) fn flip_next(&mut self, from: HostId, to: HostId) {
        self.paths.get_mut(from.0, to.0).flip_next = true;
    }

    /// Opens a connection to an endpoint.
    pub(crate) fn dial(&mut self, cx: &mut NetCx<'_>, host: HostId, dial: DialId, endpoint: &Endpoint) {
        cx.stats.dials += 1;
        let life = self.kernels[host.index()].life;
        let Some(to) = host_name(&endpoint.0).and_then(|name| self.by_name.get(name).copied()) else {
            let at = cx.schedule.now() + stream::LOCAL_MAX;
            cx.schedule.at(at, Happening::Net(NetEvent::NoSuchHost { host, life, dial }));
            return;
        };
        // The arena's limit is far beyond what a world can hold.
        if let Ok(stream) = self.streams.insert(Stream::new(dial, host, life, to)) {
            self.handle(cx, NetEvent::Syn { stream, attempt: 0 });
        }
    }

    /// Something happens in the network.
    pub(crate) fn handle(&mut self, cx: &mut NetCx<'_>, event: NetEvent) {
        let stream = match event {
            NetEvent::NoSuchHost { host, life, dial } => {
                self.split(cx).1.tell(host, life, Input::DialFailed { dial });
                return;
            }
            NetEvent::Syn { stream, .. }
            | NetEvent::SynArrives { stream }
            | NetEvent::SynAnswered { stream, .. }
            | NetEvent::Arrives { stream, .. }
            | NetEvent::Retry { stream, .. }
            | NetEvent::Room { stream, .. }
            | NetEvent::Tell { stream, .. }
            | NetEvent::Reset { stream, .. } => stream,
        };
        let (streams, mut wire) = self.split(cx);
        let Some(one) = streams.get_mut(stream) else { return };
        let wire = &mut wire;
        match event {
            NetEvent::NoSuchHost { .. } => {}
            NetEvent::Syn { attempt, .. } => one.syn(stream, attempt, wire),
            NetEvent::SynArrives { .. } => one.syn_arrives(stream, wire),
            NetEvent::SynAnswered { accepted, .. } => one.syn_answered(stream, accepted, wire),
            NetEvent::Arrives { side, flight, .. } => one.arrives(stream, side, flight, wire),
            NetEvent::Retry { side, retry, .. } => one.retry(stream, side, retry, wire),
            NetEvent::Room { side, .. } => one.room(stream, side, wire),
            NetEvent::Tell { side, .. } => one.tell(side, wire),
            NetEvent::Reset { side, .. } => one.reset_arrives(side, wire),
        }
        self.tidy(stream);
    }

    fn split<'a, 'cx>(&'a mut self, cx: &'a mut NetCx<'cx>) -> (&'a mut Arena<Stream>, Wire<'a, 'cx>) {
        let Self { paths, kernels, streams, chop_per_mille, .. } = self;
        (streams, Wire { paths, kernels, chop_per_mille: *chop_per_mille, cx })
    }

    fn with_channel(
        &mut self,
        cx: &mut NetCx<'_>,
        host: HostId,
        channel: ChannelId,
        act: impl FnOnce(&mut Stream, StreamId, Side, &mut Wire<'_, '_>),
    ) {
        let channels = &self.kernels[host.index()].channels;
        let slot = usize::try_from(channel.0).ok().and_then(|number| number.checked_sub(1));
        let Some((stream, side)) = slot.and_then(|slot| channels.get(slot).copied().flatten()) else { return };
        let (streams, mut wire) = self.split(cx);
        if let Some(one) = streams.get_mut(stream) {
            act(one, stream, side, &mut wire);
        }
    }

    fn ends_at(&self, host: HostId) -> Vec<StreamId> {
        let touches = |one: &Stream| one.ends.iter().any(|end| end.host == host);
        self.streams.iter().filter(|(_, one)| touches(one)).map(|(stream, _)| stream).collect()
    }

    /// A host's kernel knows nothing more of a connection.
    fn forget(&mut self, stream: StreamId, host: HostId) {
        let Some(one) = self.streams.get_mut(stream) else { return };
        for side in one.sides_at(host) {
            one.forget(side);
        }
        self.tidy(stream);
    }

    fn tidy(&mut self, stream: StreamId) {
        if self.streams.get(stream).is_some_and(Stream::is_over) {
            self.streams.remove(stream);
        }
    }
}

/// The host's name in `tcp://name:port`.
fn host_name(endpoint: &str) -> Option<&str> {
    let (name, port) = endpoint.strip_prefix("tcp://")?.rsplit_once(':')?;
    port.parse::<u16>().ok().map(|_| name)
}
