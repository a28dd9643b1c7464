//! One direction of a connection: what it holds, when what was lost is sent again, and what is acknowledged.

use bytes::Bytes;

use super::{
    Lost, NetEvent, Side, StreamId,
    stream::{CHUNK_MAX, Chunk, Content, Pipe},
    wire::Wire,
};
use crate::{host::HostId, rng::Label, time::SimTime};

impl Pipe {
    /// Puts bytes into the send buffer, cut as chance has it, and tells how many.
    pub(super) fn take_over(&mut self, mut bytes: Bytes, src: HostId, dst: HostId, wire: &mut Wire<'_, '_>) -> usize {
        let len = bytes.len();
        wire.cx.stats.bytes_sent += len as u64;
        self.buffered += len;
        if len > 1 {
            let mut draws = wire.draws(Label::Chop, src, dst);
            if draws.chance(wire.chop_per_mille) {
                let cut = usize::try_from(1 + draws.below(len as u64 - 1)).unwrap_or(1);
                self.queue.push_back(Chunk::new(Content::Data(bytes.split_to(cut.min(CHUNK_MAX)))));
            }
        }
        while bytes.len() > CHUNK_MAX {
            self.queue.push_back(Chunk::new(Content::Data(bytes.split_to(CHUNK_MAX))));
        }
        self.queue.push_back(Chunk::new(Content::Data(bytes)));
        len
    }

    /// Nothing leaves until what was lost is sent again: after a round trip if the loss was noticed, after the timeout
    /// otherwise.
    pub(super) fn stall(
        &mut self,
        stream: StreamId,
        side: Side,
        noticed: bool,
        (src, dst): (HostId, HostId),
        wire: &mut Wire<'_, '_>,
    ) {
        let now = wire.now();
        let wait = wire.paths.retransmit_after(src, dst, self.losses, Lost { noticed });
        self.losses += u32::from(!noticed);
        self.unheard_since.get_or_insert(now);
        self.stalled = true;
        self.retry += 1;
        wire.at(now + wait, NetEvent::Retry { stream, side, retry: self.retry });
    }

    /// The receiver acknowledges `len` bytes; the acknowledgement may be cut off.
    pub(super) fn acknowledge(
        &mut self,
        stream: StreamId,
        side: Side,
        len: usize,
        (src, dst): (HostId, HostId),
        wire: &mut Wire<'_, '_>,
    ) {
        let now = wire.now();
        let back = wire.paths.get(dst.0, src.0);
        if back.is_cut() {
            self.unacked.push_back((SimTime::MAX, len));
            if !self.stalled {
                self.stall(stream, side, false, (src, dst), wire);
            }
            return;
        }
        let at = now + back.spec.latency;
        self.unacked.push_back((at, len));
        self.heard();
        if self.stalled {
            self.unheard_since = Some(now);
        }
        if !self.waiting.is_empty() {
            self.await_room(stream, side, wire);
        }
    }

    pub(super) const fn heard(&mut self) {
        self.unheard_since = None;
        self.losses = 0;
    }

    pub(super) fn free_acknowledged(&mut self, now: SimTime) {
        while let Some((_, len)) = self.unacked.pop_front_if(|(at, _)| *at <= now) {
            self.buffered -= len;
        }
    }

    /// Asks to be looked at when the next acknowledgement comes, if one is on its way.
    pub(super) fn await_room(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        if let Some((at, _)) = self.unacked.front().filter(|(at, _)| *at < SimTime::MAX && !self.awaiting_room) {
            self.awaiting_room = true;
            wire.at(*at, NetEvent::Room { stream, side });
        }
    }
}
