//! How a connection comes about: SYN, answer, and the accepting node's being told.

use std::sync::Arc;

use proto_core::node::{ChannelEvent, Input};

use super::{
    NetEvent, Side, StreamId,
    stream::{CONNECT_TIMEOUT, Chunk, Content, EndState, SYN_AT, Stream},
    wire::{Power, Wire},
};

impl Stream {
    /// The dialling kernel sends a SYN, or gives up.
    pub(super) fn syn(&mut self, stream: StreamId, attempt: u8, wire: &mut Wire<'_, '_>) {
        let [from, to] = [self.ends[0].host, self.ends[1].host];
        if self.end(Side::Dialler).state != EndState::Opening {
            return;
        }
        let attempt_index = usize::from(attempt);
        let Some(sent_at) = SYN_AT.get(attempt_index) else {
            wire.cx.stats.dials_timed_out += 1;
            self.fail_dial(wire);
            return;
        };
        if let Ok(at) = wire.carry(from, to, 0) {
            wire.at(at, NetEvent::SynArrives { stream });
        }
        let next = SYN_AT.get(attempt_index + 1).unwrap_or(&CONNECT_TIMEOUT);
        let at = wire.now() + next.saturating_sub(*sent_at);
        wire.at(at, NetEvent::Syn { stream, attempt: attempt + 1 });
    }

    /// The other kernel accepts, refuses, or is not there.
    pub(super) fn syn_arrives(&mut self, stream: StreamId, wire: &mut Wire<'_, '_>) {
        let [from, to] = [self.ends[0].host, self.ends[1].host];
        if !wire.reaches(from, to) {
            return;
        }
        let accepted = match wire.power(to) {
            Power::Running | Power::Paused => true,
            Power::Refusing | Power::Off => false,
        };
        if accepted && self.end(Side::Acceptor).state == EndState::Opening {
            self.end_mut(Side::Acceptor).life = wire.kernels[to.index()].life;
        }
        if let Ok(at) = wire.carry(to, from, 0) {
            wire.at(at, NetEvent::SynAnswered { stream, accepted });
        }
    }

    /// The dialling node is told.
    pub(super) fn syn_answered(&mut self, stream: StreamId, accepted: bool, wire: &mut Wire<'_, '_>) {
        let [from, to] = [self.ends[0].host, self.ends[1].host];
        if self.end(Side::Dialler).state != EndState::Opening || !wire.reaches(to, from) {
            return;
        }
        if !accepted {
            wire.cx.stats.dials_refused += 1;
            self.fail_dial(wire);
            return;
        }
        let channel = wire.open_channel(from, stream, Side::Dialler);
        let remote = Arc::clone(&wire.kernels[to.index()].remote);
        let dial = Some(self.dial);
        let end = self.end_mut(Side::Dialler);
        end.channel = channel;
        end.state = EndState::Open;
        let life = end.life;
        wire.tell_channel(from, life, channel, ChannelEvent::Opened { dial, remote, exporter: None });
        self.pipe_mut(Side::Dialler).queue.push_back(Chunk::new(Content::Open));
        self.transmit(stream, Side::Dialler, wire);
    }

    /// The third packet of the handshake has arrived: the accepting node is told. Answers whether it is still the one
    /// that answered the SYN.
    pub(super) fn accept(&mut self, stream: StreamId, wire: &mut Wire<'_, '_>) -> bool {
        let [from, to] = [self.ends[0].host, self.ends[1].host];
        let life = self.end(Side::Acceptor).life;
        if self.end(Side::Acceptor).state != EndState::Opening || !wire.lives(to, life) {
            return false;
        }
        let channel = wire.open_channel(to, stream, Side::Acceptor);
        let remote = Arc::clone(&wire.kernels[from.index()].remote);
        let end = self.end_mut(Side::Acceptor);
        end.channel = channel;
        end.state = EndState::Open;
        wire.tell_channel(to, life, channel, ChannelEvent::Opened { dial: None, remote, exporter: None });
        true
    }

    /// The dial came to nothing.
    pub(super) fn fail_dial(&mut self, wire: &mut Wire<'_, '_>) {
        let (host, life) = (self.end(Side::Dialler).host, self.end(Side::Dialler).life);
        wire.tell(host, life, Input::DialFailed { dial: self.dial });
        self.ends.iter_mut().for_each(|end| end.state = EndState::Dead);
    }
}
