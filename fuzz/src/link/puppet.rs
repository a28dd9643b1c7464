//! A peer in the script's hands: it proves who it is like any other, and then says what the script wants.

use bytes::{BufMut as _, BytesMut};
use proto_core::{
    limits::{HEADER_MAX, RECORD_MAX},
    node::Suite,
    rng::Secrets,
    secure::{Handshake, Session, Step},
    wire::{self, Frame, Kind, v1},
};

use super::cast::Role;

/// A peer in the script's hands.
pub(super) struct Puppet {
    pub(super) role: &'static Role,
    stage: Stage,
    input: BytesMut,
}

enum Stage {
    Securing(Handshake),
    Session(Session),
    Over,
}

impl Puppet {
    /// The one that dials, and what it says first.
    pub(super) fn dial(role: &'static Role, seed: u8, exporter: Option<[u8; 32]>) -> (Self, BytesMut) {
        let (handshake, write) = Handshake::dial(&role.local(SUITE), &mut Secrets::new([seed; 32]), exporter);
        (Self::new(role, handshake), write.into())
    }

    /// The one that answers.
    pub(super) fn accept(role: &'static Role, seed: u8, exporter: Option<[u8; 32]>) -> Self {
        Self::new(role, Handshake::accept(&role.local(SUITE), &mut Secrets::new([seed; 32]), exporter))
    }

    fn new(role: &'static Role, handshake: Handshake) -> Self {
        Self { role, stage: Stage::Securing(handshake), input: BytesMut::new() }
    }

    /// Takes bytes in, and returns what it answers without being told to.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> BytesMut {
        self.input.extend_from_slice(bytes);
        let mut answer = BytesMut::new();
        self.stage = match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Securing(handshake) => match handshake.receive(&self.role.local(SUITE), &mut self.input) {
                Step::More { handshake, write } => {
                    answer.put(write);
                    Stage::Securing(handshake)
                }
                Step::Done { session, write, .. } => {
                    answer.put(write);
                    Stage::Session(session)
                }
                Step::Failed(_) => Stage::Over,
            },
            stage @ (Stage::Session(_) | Stage::Over) => stage,
        };
        while let Stage::Session(session) = &mut self.stage {
            match session.open(&mut self.input) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => self.stage = Stage::Over,
            }
        }
        answer
    }

    /// Seals a record with any plaintext; nothing outside a session.
    pub(super) fn record(&mut self, plaintext: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        if let Stage::Session(session) = &mut self.stage {
            out.put_bytes(0, Session::PREFIX);
            out.extend_from_slice(&plaintext[..plaintext.len().min(RECORD_MAX)]);
            session.seal(&mut out, 0);
        }
        out
    }
}

const SUITE: Suite = Suite::ChaChaPoly;

/// A frame as it is on the wire, header and payload given as bytes.
pub(super) fn frame(kind: u8, head: &[u8], body_len: usize) -> Vec<u8> {
    let head = &head[..head.len().min(HEADER_MAX)];
    let len = u16::try_from(head.len()).unwrap_or_default().to_le_bytes();
    [&[wire::VERSION << 4, kind], &len[..], head, &vec![0; body_len]].concat()
}

/// A frame with a header of this version.
pub(super) fn hello(hello: &v1::Hello) -> Vec<u8> {
    let Frame { kind, head, .. } = Frame::new(Kind::Hello, hello);
    frame(kind as u8, &head, 0)
}

/// One segment: these flags, this content.
pub(super) fn segment(flags: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap_or(u16::MAX).to_le_bytes();
    [&[flags], &len[..], content].concat()
}
