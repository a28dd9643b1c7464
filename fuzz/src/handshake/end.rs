//! One end of one channel, and everything that went in and out of it.

use bytes::{Bytes, BytesMut};
use proto_core::{
    limits::{HANDSHAKE_MAX, RECORD_MAX},
    rng::Secrets,
    secure::{Handshake, PeerIdentity, Session, Step},
};

use super::cast::Node;

/// Most bytes that a handshake may leave in the input: a message that is not all there.
const HANDSHAKE_REST: usize = 2 + HANDSHAKE_MAX;
/// Most bytes that a session may leave in the input: a record that is not all there.
const RECORD_REST: usize = Session::PREFIX + RECORD_MAX + Session::TAG;
/// Most bytes that an end writes in a handshake: a preamble and two messages.
const SENT_MAX: usize = 5 + 2 * HANDSHAKE_REST;

/// Which end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that dialled.
    Dialler,
    /// The one that accepted.
    Acceptor,
}

/// One end of one channel.
pub(super) struct End {
    pub(super) node: &'static Node,
    pub(super) role: Role,
    pub(super) exporter: Option<[u8; 32]>,
    stage: Stage,
    /// Whom it believes to be talking to, and the number of the session, from the moment it was done.
    pub(super) proven: Option<(PeerIdentity, u64)>,
    /// What the handshake wrote.
    pub(super) sent: Vec<u8>,
    /// What the handshake consumed.
    pub(super) received: Vec<u8>,
    /// What went into records.
    pub(super) sealed: Vec<Bytes>,
    /// What came out of records.
    pub(super) opened: Vec<Bytes>,
    input: BytesMut,
}

/// Where an end stands.
enum Stage {
    /// In the handshake.
    Running(Handshake),
    /// In the session.
    Done(Session),
    /// Over.
    Failed,
}

impl End {
    /// The end that dials, and what it says first.
    pub(super) fn dial(node: &'static Node, seed: u8, exporter: Option<[u8; 32]>) -> (Self, Bytes) {
        let (handshake, write) = Handshake::dial(&node.local(), &mut Secrets::new([seed; 32]), exporter);
        let mut end = Self::new(node, Role::Dialler, exporter, handshake);
        end.sent.extend_from_slice(&write);
        (end, write)
    }

    /// The end that accepts.
    pub(super) fn accept(node: &'static Node, seed: u8, exporter: Option<[u8; 32]>) -> Self {
        let handshake = Handshake::accept(&node.local(), &mut Secrets::new([!seed; 32]), exporter);
        Self::new(node, Role::Acceptor, exporter, handshake)
    }

    fn new(node: &'static Node, role: Role, exporter: Option<[u8; 32]>, handshake: Handshake) -> Self {
        let (sent, received, sealed, opened) = (vec![], vec![], vec![], vec![]);
        let stage = Stage::Running(handshake);
        let input = BytesMut::new();
        Self { node, role, exporter, stage, proven: None, sent, received, sealed, opened, input }
    }

    /// Takes bytes in, and returns what it writes.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Bytes {
        self.input.extend_from_slice(bytes);
        let write = match core::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Running(handshake) => self.step(handshake),
            stage @ (Stage::Done(_) | Stage::Failed) => {
                self.stage = stage;
                Bytes::new()
            }
        };
        self.open();
        write
    }

    fn step(&mut self, handshake: Handshake) -> Bytes {
        let before = self.input.clone();
        let step = handshake.receive(&self.node.local(), &mut self.input);
        let write = match step {
            Step::More { handshake, write } => {
                assert!(self.input.len() < HANDSHAKE_REST, "{} bytes are waited for", self.input.len());
                self.stage = Stage::Running(handshake);
                write
            }
            Step::Done { session, peer, write } => {
                self.proven = Some((peer, session.id()));
                self.stage = Stage::Done(session);
                write
            }
            // What it made nothing of is not what it heard.
            Step::Failed(_) => return Bytes::new(),
        };
        self.received.extend_from_slice(&before[..before.len() - self.input.len()]);
        self.sent.extend_from_slice(&write);
        assert!(self.sent.len() <= SENT_MAX);
        let amplified = self.role == Role::Acceptor && self.sent.len() > 4 * self.received.len();
        assert!(!amplified, "{} bytes in answer to {}", self.sent.len(), self.received.len());
        write
    }

    /// Opens the records that are all there.
    fn open(&mut self) {
        while let Stage::Done(session) = &mut self.stage {
            match session.open(&mut self.input) {
                Ok(Some(record)) => self.opened.push(record),
                Ok(None) => {
                    assert!(self.input.len() < RECORD_REST, "{} bytes are waited for", self.input.len());
                    return;
                }
                Err(violation) => {
                    let again = session.open(&mut BytesMut::from(&[0, 0][..]));
                    assert_eq!(again, Err(violation), "what is broken stays broken");
                    self.stage = Stage::Failed;
                }
            }
        }
    }

    /// Seals a record of `len` bytes that differs from the ones before; `None` outside a session.
    pub(super) fn seal(&mut self, len: usize) -> Option<Bytes> {
        let Stage::Done(session) = &mut self.stage else { return None };
        let mut plaintext = vec![0; len.min(RECORD_MAX)];
        plaintext.iter_mut().zip(self.sealed.len().to_le_bytes()).for_each(|(byte, count)| *byte = count);
        let mut wire = BytesMut::zeroed(Session::PREFIX);
        wire.extend_from_slice(&plaintext);
        session.seal(&mut wire, 0);
        self.sealed.push(plaintext.into());
        Some(wire.freeze())
    }

    /// Whether it is in a session.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }
}
