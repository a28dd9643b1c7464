//! A TCP-like connection between two hosts: two ends and a pipe in each direction.
//!
//! Life: the dialling kernel sends SYNs until one is answered or refused, or it gives up ([`super::dial`]). Then both ends
//! are told, and bytes flow ([`super::flow`]). An end is gone when its node was told that the channel closed, or when its
//! process died. The connection itself goes when both ends are gone.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use proto_core::{
    arena::Handle,
    id::{ChannelId, DialId},
};

use crate::{host::HostId, time::SimTime};

/// Names a connection.
pub(crate) type StreamId = Handle<Stream>;

/// One of the two ends, and the pipe that starts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The end that dialled.
    Dialler,
    /// The end that accepted.
    Acceptor,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Dialler, Self::Acceptor];

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Dialler => 0,
            Self::Acceptor => 1,
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) dial: DialId,
    pub(super) ends: [End; 2],
    pub(super) pipes: [Pipe; 2],
}

/// What a node and its kernel know of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) host: HostId,
    /// The life of the host that this end belongs to.
    pub(super) life: u64,
    pub(super) channel: ChannelId,
    pub(super) state: EndState,
    /// Bytes taken over that the node has not been told of.
    pub(super) written: u64,
    /// The node must be told that the channel it closed is closed.
    pub(super) tell_closed: bool,
    /// A telling is under way.
    pub(super) telling: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndState {
    /// The node has not been told of it yet.
    Opening,
    /// In use.
    Open,
    /// The node asked to close it; bytes still wait to be taken over.
    Closing,
    /// The node is done with it; the kernel still sends what it took over.
    Lingering,
    /// The kernel knows nothing of it: answers with a reset.
    Dead,
}

impl EndState {
    /// Whether the node holds the channel.
    pub(super) const fn is_held(self) -> bool {
        matches!(self, Self::Open | Self::Closing)
    }

    /// Whether the node holds it no longer.
    pub(super) const fn is_gone(self) -> bool {
        matches!(self, Self::Lingering | Self::Dead)
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// Written by the node, not taken over by the send buffer.
    pub(super) waiting: VecDeque<Bytes>,
    /// In the send buffer, not delivered; the first `flying` of them are on their way.
    pub(super) queue: VecDeque<Chunk>,
    pub(super) flying: usize,
    /// Bytes in the send buffer, delivered ones included until they are acknowledged.
    pub(super) buffered: usize,
    /// Delivered bytes and when their acknowledgement comes; [`SimTime::MAX`] if it was cut off.
    pub(super) unacked: VecDeque<(SimTime, usize)>,
    /// When the last chunk on its way arrives.
    pub(super) last_arrival: SimTime,
    /// Arrivals of earlier flights are void.
    pub(super) flight: u32,
    /// Something was lost and is sent again at a time that is set: nothing new leaves until then.
    pub(super) stalled: bool,
    /// Retries of earlier stalls are void.
    pub(super) retry: u32,
    /// Losses in a row.
    pub(super) losses: u32,
    /// Since when nothing has been acknowledged although something was sent.
    pub(super) unheard_since: Option<SimTime>,
    /// Bytes that the paused receiver has not read.
    pub(super) unread: usize,
    /// The paused receiver's buffer is full.
    pub(super) blocked: bool,
    /// The node is to be looked at again when room comes.
    pub(super) awaiting_room: bool,
}

/// A piece of a stream.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) what: Content,
    pub(super) arrives: SimTime,
}

#[derive(Debug)]
pub(super) enum Content {
    /// The third packet of the handshake: the accepting node is told.
    Open,
    /// Bytes.
    Data(Bytes),
    /// The end.
    Fin,
}

impl Chunk {
    pub(super) const fn new(what: Content) -> Self {
        Self { what, arrives: SimTime::MAX }
    }

    pub(super) fn len(&self) -> usize {
        match &self.what {
            Content::Data(bytes) => bytes.len(),
            Content::Open | Content::Fin => 0,
        }
    }
}

impl Stream {
    pub(super) fn new(dial: DialId, from: HostId, life: u64, to: HostId) -> Self {
        let end = |host, life| End {
            host,
            life,
            channel: ChannelId(0),
            state: EndState::Opening,
            written: 0,
            tell_closed: false,
            telling: false,
        };
        Self { dial, ends: [end(from, life), end(to, 0)], pipes: [Pipe::default(), Pipe::default()] }
    }

    pub(super) const fn end(&self, side: Side) -> &End {
        &self.ends[side.index()]
    }

    pub(super) const fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side.index()]
    }

    pub(super) const fn pipe_mut(&mut self, side: Side) -> &mut Pipe {
        &mut self.pipes[side.index()]
    }

    /// The ends at a host: one, or both if it dialled itself.
    pub(super) fn sides_at(&self, host: HostId) -> impl Iterator<Item = Side> + use<> {
        let here = self.ends.each_ref().map(|end| end.host == host);
        Side::BOTH.into_iter().filter(move |side| here[side.index()])
    }

    /// Whether it lies between these two hosts.
    pub(super) fn joins(&self, a: HostId, b: HostId) -> bool {
        let [one, two] = &self.ends;
        (one.host, two.host) == (a, b) || (one.host, two.host) == (b, a)
    }

    /// Whether nobody holds it or will.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.state.is_gone() && !end.telling)
    }
}

/// Bytes that the send buffer of a connection holds, acknowledgements pending.
pub(super) const SEND_BUFFER: usize = 256 * 1_024;
/// Bytes that arrive for a paused process before the window closes.
pub(super) const RECEIVE_BUFFER: usize = 256 * 1_024;
/// Largest piece that travels as one.
pub(super) const CHUNK_MAX: usize = 16 * 1_024;
/// Least time before something lost is sent again.
pub(super) const RTO_MIN: Duration = Duration::from_millis(200);
/// Longest such time.
pub(super) const RTO_MAX: Duration = Duration::from_secs(60);
/// Time without any acknowledgement after which a connection is given up.
pub(super) const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// When a SYN is sent, after the dial.
pub(super) const SYN_AT: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(7)];
/// When a dial without an answer fails.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most time between a local operation and the node's being told.
pub(super) const LOCAL_MAX: Duration = Duration::from_micros(100);
