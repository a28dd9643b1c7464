//! How bytes get through a connection: send buffer, chunks, loss and retransmission, acknowledgement, close and reset.
//!
//! Chunks travel in order. One that is lost stalls the pipe until it is sent again; what comes behind it waits, as it
//! would in the receiver's buffer. Timeouts double with every loss in a row; without any acknowledgement for
//! [`USER_TIMEOUT`] the sending end is told that the channel closed. The other end learns nothing of that: it is half
//! open until it sends something itself and is answered with a reset.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proto_core::node::ChannelEvent;

use super::{
    NetEvent, Side, StreamId,
    stream::{Chunk, Content, EndState, LOCAL_MAX, RECEIVE_BUFFER, SEND_BUFFER, Stream, USER_TIMEOUT},
    wire::{Power, Wire},
};
use crate::{host::HostId, rng::Label, time::SimTime};

impl Stream {
    /// The node writes.
    pub(super) fn write(&mut self, stream: StreamId, side: Side, bytes: Bytes, wire: &mut Wire<'_, '_>) {
        if self.end(side).state == EndState::Open && !bytes.is_empty() {
            self.pipe_mut(side).waiting.push_back(bytes);
            self.pump(stream, side, wire);
        }
    }

    /// The node closes.
    pub(super) fn close(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        if self.end(side).state == EndState::Open {
            self.end_mut(side).state = EndState::Closing;
            self.pump(stream, side, wire);
        }
    }

    /// The process ends: the kernel takes all that was written, and sends it and an end.
    pub(super) fn linger(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        match self.end(side).state {
            EndState::Open | EndState::Closing => {
                let pipe = self.pipe_mut(side);
                while let Some(bytes) = pipe.waiting.pop_front() {
                    pipe.buffered += bytes.len();
                    pipe.queue.push_back(Chunk::new(Content::Data(bytes)));
                }
                pipe.queue.push_back(Chunk::new(Content::Fin));
                self.end_mut(side).state = EndState::Lingering;
                self.transmit(stream, side, wire);
            }
            EndState::Opening if side == Side::Dialler => {
                self.ends.iter_mut().for_each(|end| end.state = EndState::Dead);
            }
            EndState::Opening | EndState::Lingering | EndState::Dead => {}
        }
        let end = self.end_mut(side);
        (end.telling, end.tell_closed) = (false, false);
    }

    /// Fills the send buffer from what waits, and sends.
    fn pump(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        let now = wire.now();
        let (src, dst) = self.hosts(side);
        let pipe = self.pipe_mut(side);
        pipe.free_acknowledged(now);
        let mut taken = 0;
        while pipe.buffered < SEND_BUFFER
            && let Some(bytes) = pipe.waiting.pop_front()
        {
            taken += pipe.take_over(bytes, src, dst, wire);
        }
        if !pipe.waiting.is_empty() {
            pipe.await_room(stream, side, wire);
        }
        let drained = pipe.waiting.is_empty();
        if drained && self.end(side).state == EndState::Closing {
            self.pipe_mut(side).queue.push_back(Chunk::new(Content::Fin));
            let end = self.end_mut(side);
            end.state = EndState::Lingering;
            end.tell_closed = true;
        }
        self.end_mut(side).written += taken as u64;
        self.schedule_telling(stream, side, wire);
        self.transmit(stream, side, wire);
    }

    /// Sends everything in the send buffer that is not on its way, up to the first loss.
    pub(super) fn transmit(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        let (src, dst) = self.hosts(side);
        let pipe = self.pipe_mut(side);
        while !pipe.stalled
            && let Some(chunk) = pipe.queue.get_mut(pipe.flying)
        {
            match wire.carry(src, dst, chunk.len()) {
                Ok(at) => {
                    chunk.arrives = at.max(pipe.last_arrival);
                    pipe.flying += 1;
                    // Chunks that arrive at one moment share an event.
                    if at > pipe.last_arrival {
                        pipe.last_arrival = at;
                        wire.at(at, NetEvent::Arrives { stream, side, flight: pipe.flight });
                    }
                }
                Err(lost) => pipe.stall(stream, side, lost.noticed, (src, dst), wire),
            }
        }
    }

    /// Chunks arrive, unless the path was cut or the receiver lost power meanwhile.
    pub(super) fn arrives(&mut self, stream: StreamId, side: Side, flight: u32, wire: &mut Wire<'_, '_>) {
        let (src, dst) = self.hosts(side);
        if flight != self.pipe_mut(side).flight {
            return;
        }
        if !wire.reaches(src, dst) {
            wire.cx.stats.segments_lost += 1;
            self.lose_flight(stream, side, wire);
            return;
        }
        let mut held: Option<BytesMut> = None;
        while self.receive(stream, side, &mut held, wire) {}
        self.hand_over(side, held, wire);
    }

    /// Takes in the next chunk that has arrived. Answers whether there may be another.
    fn receive(&mut self, stream: StreamId, side: Side, held: &mut Option<BytesMut>, wire: &mut Wire<'_, '_>) -> bool {
        let (src, dst) = self.hosts(side);
        let far = self.end(side.other()).state;
        let paused = wire.power(dst) == Power::Paused;
        let pipe = self.pipe_mut(side);
        let Some(chunk) = pipe.queue.front().filter(|chunk| pipe.flying > 0 && chunk.arrives <= wire.now()) else {
            return false;
        };
        let len = chunk.len();
        if paused && pipe.unread + len > RECEIVE_BUFFER {
            pipe.blocked = true;
            return false;
        }
        let welcome = match chunk.what {
            Content::Open => self.accept(stream, wire),
            Content::Data(_) => far.is_held(),
            Content::Fin => true,
        };
        if !welcome {
            // Not acknowledged, so the sender repeats it until a reset gets through.
            self.send_reset(stream, side, wire);
            self.lose_flight(stream, side, wire);
            return false;
        }
        let pipe = self.pipe_mut(side);
        let Some(chunk) = pipe.queue.pop_front() else { return false };
        pipe.flying -= 1;
        pipe.unread += if paused { len } else { 0 };
        pipe.acknowledge(stream, side, len, (src, dst), wire);
        match chunk.what {
            Content::Open => true,
            Content::Data(bytes) => {
                self.join(side, BytesMut::from(bytes), held, wire);
                true
            }
            Content::Fin => {
                self.hand_over(side, held.take(), wire);
                self.drop_end(side.other(), wire);
                false
            }
        }
    }

    /// Joins bytes to those that arrived with them, or hands those over first.
    fn join(&mut self, side: Side, mut bytes: BytesMut, held: &mut Option<BytesMut>, wire: &mut Wire<'_, '_>) {
        let (src, dst) = self.hosts(side);
        wire.cx.stats.bytes_delivered += bytes.len() as u64;
        if core::mem::take(&mut wire.paths.get_mut(src.0, dst.0).flip_next) {
            let bit = wire.draws(Label::Flip, src, dst).below(bytes.len() as u64 * 8);
            if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|index| bytes.get_mut(index)) {
                *byte ^= 1 << (bit % 8);
            }
        }
        match held {
            Some(before) if wire.draws(Label::Join, src, dst).chance(500) => before.extend_from_slice(&bytes),
            Some(_) => {
                self.hand_over(side, held.take(), wire);
                *held = Some(bytes);
            }
            None => *held = Some(bytes),
        }
    }

    fn hand_over(&self, side: Side, held: Option<BytesMut>, wire: &mut Wire<'_, '_>) {
        let end = self.end(side.other());
        if let Some(bytes) = held
            && end.state.is_held()
        {
            wire.tell_channel(end.host, end.life, end.channel, ChannelEvent::Received { bytes });
        }
    }

    /// Sends what was lost again, or gives up.
    pub(super) fn retry(&mut self, stream: StreamId, side: Side, retry: u32, wire: &mut Wire<'_, '_>) {
        let (src, dst) = self.hosts(side);
        let now = wire.now();
        let dead = self.end(side).state == EndState::Dead;
        let pipe = self.pipe_mut(side);
        if !pipe.stalled || retry != pipe.retry {
            return;
        }
        let silent = pipe.unheard_since.map_or(Duration::ZERO, |since| now.since(since));
        if dead || silent >= USER_TIMEOUT {
            wire.cx.stats.streams_timed_out += u64::from(!dead);
            self.drop_end(side, wire);
            return;
        }
        wire.cx.stats.retransmits += 1;
        pipe.stalled = false;
        if pipe.unacked.back().is_some_and(|(at, _)| *at == SimTime::MAX) {
            let there = wire.carry(src, dst, 0).ok().filter(|_| wire.reaches(src, dst) && wire.reaches(dst, src));
            let Some(at) = there else {
                pipe.stall(stream, side, false, (src, dst), wire);
                return;
            };
            let back = at + wire.paths.get(dst.0, src.0).spec.latency;
            pipe.unacked.iter_mut().filter(|(at, _)| *at == SimTime::MAX).for_each(|(at, _)| *at = back);
            pipe.heard();
            if pipe.awaiting_room {
                wire.at(back, NetEvent::Room { stream, side });
            }
        }
        self.transmit(stream, side, wire);
    }

    /// Acknowledgements have come.
    pub(super) fn room(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        self.pipe_mut(side).awaiting_room = false;
        if self.end(side).state.is_held() {
            self.pump(stream, side, wire);
        }
    }

    /// Tells the node at `side` how its kernel gets on.
    pub(super) fn tell(&mut self, side: Side, wire: &mut Wire<'_, '_>) {
        let end = self.end_mut(side);
        if !core::mem::take(&mut end.telling) {
            return;
        }
        let (host, life, channel) = (end.host, end.life, end.channel);
        let bytes = core::mem::take(&mut end.written);
        if bytes > 0 {
            wire.tell_channel(host, life, channel, ChannelEvent::Written { bytes });
        }
        if core::mem::take(&mut end.tell_closed) {
            wire.tell_channel(host, life, channel, ChannelEvent::Closed);
            wire.free_channel(host, life, channel);
        }
    }

    /// A reset arrives.
    pub(super) fn reset_arrives(&mut self, side: Side, wire: &mut Wire<'_, '_>) {
        let (here, there) = self.hosts(side);
        if wire.reaches(there, here) {
            self.drop_end(side, wire);
        }
    }

    /// Sends a reset to the end at `side`. It does not overtake what is on its way to there.
    pub(super) fn send_reset(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        let (to, from) = self.hosts(side);
        wire.cx.stats.resets += 1;
        if let Ok(at) = wire.carry(from, to, 0) {
            let at = at.max(self.pipe_mut(side.other()).last_arrival);
            wire.at(at, NetEvent::Reset { stream, side });
        }
    }

    /// The connection is over for the end at `side`, and its node is told.
    pub(super) fn drop_end(&mut self, side: Side, wire: &mut Wire<'_, '_>) {
        let end = self.end_mut(side);
        let (host, life, channel) = (end.host, end.life, end.channel);
        match end.state {
            EndState::Opening if side == Side::Dialler => self.fail_dial(wire),
            EndState::Open | EndState::Closing => {
                wire.tell_channel(host, life, channel, ChannelEvent::Closed);
                wire.free_channel(host, life, channel);
                self.forget(side);
            }
            // The node was promised a `Closed` by its own kernel, and gets it from there.
            EndState::Lingering => {
                self.end_mut(side).state = EndState::Dead;
                self.forget_pipe(side);
            }
            EndState::Opening | EndState::Dead => self.forget(side),
        }
    }

    /// The kernel at `side` knows nothing of the connection any more. What is on its way still arrives.
    pub(super) fn forget(&mut self, side: Side) {
        let end = self.end_mut(side);
        end.state = EndState::Dead;
        (end.telling, end.tell_closed, end.written) = (false, false, 0);
        self.forget_pipe(side);
    }

    fn forget_pipe(&mut self, side: Side) {
        let pipe = self.pipe_mut(side);
        pipe.waiting.clear();
        pipe.queue.truncate(pipe.flying);
        pipe.stalled = false;
        pipe.retry += 1;
        self.give_up_unborn();
    }

    /// Everything on its way is lost, and sent again if there is still somebody to do so.
    fn lose_flight(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        let hosts = self.hosts(side);
        let sender_gone = self.end(side).state == EndState::Dead;
        let pipe = self.pipe_mut(side);
        pipe.flying = 0;
        pipe.flight += 1;
        pipe.last_arrival = wire.now();
        if sender_gone {
            pipe.queue.clear();
            self.give_up_unborn();
        } else if !pipe.stalled {
            pipe.stall(stream, side, false, hosts, wire);
        }
    }

    /// Nobody will ever tell the accepting node of a connection whose dialler is gone without an open on its way.
    fn give_up_unborn(&mut self) {
        let [dialler, acceptor] = &mut self.ends;
        let opens = |chunk: &Chunk| matches!(chunk.what, Content::Open);
        let unborn = acceptor.state == EndState::Opening && !self.pipes[0].queue.iter().any(opens);
        if dialler.state == EndState::Dead && unborn {
            acceptor.state = EndState::Dead;
        }
    }

    fn schedule_telling(&mut self, stream: StreamId, side: Side, wire: &mut Wire<'_, '_>) {
        let end = self.end_mut(side);
        if end.telling || (end.written == 0 && !end.tell_closed) {
            return;
        }
        end.telling = true;
        let host = end.host;
        let after = wire.draws(Label::Local, host, host).up_to(LOCAL_MAX);
        let at = wire.now() + after + Duration::from_nanos(1);
        wire.at(at, NetEvent::Tell { stream, side });
    }

    /// The host that sends from `side`, and the one that receives it.
    const fn hosts(&self, side: Side) -> (HostId, HostId) {
        (self.end(side).host, self.end(side.other()).host)
    }
}
