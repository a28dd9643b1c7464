//! From an open channel to a session with a known peer, without input or output of its own.
//!
//! The one that dialled says `FLK1` and how it wants to go on; then the two exchange messages of
//! `[length u16 LE][bytes]`.
//!
//! On a bare channel they speak Noise (XXpsk3), each a `->` from the dialler or a `<-` to it:
//!
//! ```text
//! ->  "FLK1" suite, e
//! <-  e, ee, s, es
//! ->  s, se, psk, and in it the dialler's name, key and signature
//! <-  the first record: the acceptor's name, key and signature
//! ```
//!
//! On a channel that is encrypted already (`exporter` is its keying material), each side sends one proof: a MAC under
//! the token, then name, key and signature, all bound to that channel:
//!
//! ```text
//! ->  "FLK1" channel, the dialler's proof
//! <-  the acceptor's proof
//! ```
//!
//! A stranger learns next to nothing. Whoever does not begin as above, in the same network, gets no byte back. Whoever
//! does but lacks the token gets the acceptor's ephemeral and static Noise key, which stand for no name. The acceptor
//! shows its name and key to holders of the token alone. So does the dialler under Noise; on a channel that is encrypted
//! already it shows them to whoever that channel ends at.
//!
//! Bounds: a message has at most [`HANDSHAKE_MAX`](crate::limits::HANDSHAKE_MAX) bytes, which is checked before it is
//! waited for; four messages in all; at most [`PSKS_MAX`](crate::limits::PSKS_MAX) tokens are tried.

mod channel;
mod error;
mod framing;
mod noise;
mod proof;
#[cfg(test)]
mod tests;

pub use error::HandshakeError;

use core::fmt;

use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use super::{Identity, Provider, Psk, PublicKey, Session};
use crate::{id::NodeName, node::Suite, rng::Secrets};
use framing::Mode;

/// What this node brings to every handshake.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// Its name.
    pub name: &'a NodeName,
    /// Its key pair.
    pub identity: &'a Identity,
    /// Its network.
    pub network: &'a str,
    /// The tokens: the dialler uses the first, the acceptor accepts any. At least one.
    pub psks: &'a [Psk],
    /// The suite it dials with.
    pub suite: Suite,
    /// Where the cryptography comes from.
    pub provider: &'static dyn Provider,
}

/// Who is at the other end: it holds the token, and the key signs for the name on this channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Its name.
    pub name: NodeName,
    /// Its key. Whether the name is pinned to it is not the handshake's business.
    pub key: PublicKey,
}

/// A handshake under way. Every step consumes it, so there is none left once it is done or has failed.
pub struct Handshake(State);

/// What a step led to.
#[derive(Debug)]
#[must_use]
#[allow(clippy::large_enum_variant, reason = "lives for one match")]
pub enum Step {
    /// The handshake goes on.
    More {
        /// What is left to do.
        handshake: Handshake,
        /// What to write now; may be empty.
        write: Bytes,
    },
    /// The peer is known. Bytes left in the input belong to the session.
    Done {
        /// Seals and opens records from now on.
        session: Session,
        /// Who is at the other end.
        peer: PeerIdentity,
        /// What to write before any record; may be empty.
        write: Bytes,
    },
    /// It came to nothing. Nothing more is written; the channel is closed.
    Failed(HandshakeError),
}

enum State {
    /// As the acceptor, nothing is known of the stranger.
    Stranger { ephemeral: Zeroizing<[u8; 32]>, exporter: Option<[u8; 32]> },
    /// The next message is awaited.
    Awaiting(Awaiting),
    /// It failed before the peer could do anything about it.
    Unusable(HandshakeError),
}

/// Which message is awaited.
#[allow(clippy::large_enum_variant, reason = "one per half-open channel, and those are bounded")]
enum Awaiting {
    /// As the acceptor, the first message of Noise.
    First(noise::First),
    /// As the dialler, the second.
    Second(noise::Second),
    /// As the acceptor, the third.
    Third(noise::Third),
    /// As the dialler, the acceptor's first record.
    Record(noise::Reply),
    /// As the acceptor on an encrypted channel, the dialler's proof.
    Proof(channel::Proof),
    /// As the dialler on an encrypted channel, the acceptor's.
    Answer(channel::Answer),
}

/// What a message led to.
#[allow(clippy::large_enum_variant, reason = "lives for one match")]
enum Next {
    More(Awaiting),
    Done(Session, PeerIdentity),
}

impl Handshake {
    /// Begins as the one that dialled. Returns the first bytes to write.
    pub fn dial(local: &Local<'_>, secrets: &mut Secrets, exporter: Option<[u8; 32]>) -> (Self, Bytes) {
        let mut write = BytesMut::new();
        let awaiting = match exporter {
            None => noise::dial(local, Zeroizing::new(secrets.bytes32()), &mut write).map(Awaiting::Second),
            Some(exporter) => channel::dial(local, &exporter, &mut write).map(Awaiting::Answer),
        };
        match awaiting {
            Ok(awaiting) => (Self(State::Awaiting(awaiting)), write.freeze()),
            Err(error) => (Self(State::Unusable(error)), Bytes::new()),
        }
    }

    /// Begins as the one that accepted. Writes nothing until the stranger has spoken correctly.
    #[must_use]
    pub fn accept(local: &Local<'_>, secrets: &mut Secrets, exporter: Option<[u8; 32]>) -> Self {
        if local.psks.is_empty() {
            return Self(State::Unusable(HandshakeError::NoToken));
        }
        Self(State::Stranger { ephemeral: Zeroizing::new(secrets.bytes32()), exporter })
    }

    /// Takes whole messages out of `input`, leaves partial ones there, and moves on.
    pub fn receive(self, local: &Local<'_>, input: &mut BytesMut) -> Step {
        self.run(local, input).unwrap_or_else(Step::Failed)
    }

    fn run(self, local: &Local<'_>, input: &mut BytesMut) -> Result<Step, HandshakeError> {
        let mut write = BytesMut::new();
        let mut awaiting = match self.0 {
            State::Unusable(error) => return Err(error),
            State::Awaiting(awaiting) => awaiting,
            State::Stranger { ephemeral, exporter } => match framing::take_mode(input)? {
                Some(mode) => Awaiting::begin(local, mode, ephemeral, exporter)?,
                None => {
                    let handshake = Self(State::Stranger { ephemeral, exporter });
                    return Ok(Step::More { handshake, write: Bytes::new() });
                }
            },
        };
        while let Some(message) = framing::take_message(input)? {
            match awaiting.receive(local, message, &mut write)? {
                Next::More(next) => awaiting = next,
                Next::Done(session, peer) => return Ok(Step::Done { session, peer, write: write.freeze() }),
            }
        }
        Ok(Step::More { handshake: Self(State::Awaiting(awaiting)), write: write.freeze() })
    }
}

impl Awaiting {
    /// As the acceptor, what comes after the preamble.
    fn begin(
        local: &Local<'_>,
        mode: Mode,
        ephemeral: Zeroizing<[u8; 32]>,
        exporter: Option<[u8; 32]>,
    ) -> Result<Self, HandshakeError> {
        match (mode, exporter) {
            (Mode::Noise(suite), None) => Ok(Self::First(noise::First { suite, ephemeral })),
            (Mode::Channel, Some(exporter)) => Ok(Self::Proof(channel::accept(local, &exporter))),
            (Mode::Noise(_), Some(_)) | (Mode::Channel, None) => Err(HandshakeError::NotFirelink),
        }
    }

    /// Takes the message that is awaited.
    fn receive(self, local: &Local<'_>, message: BytesMut, write: &mut BytesMut) -> Result<Next, HandshakeError> {
        let (session, peer) = match self {
            Self::First(state) => {
                return Ok(Next::More(Self::Third(state.receive(local, &message, write)?)));
            }
            Self::Second(state) => {
                return Ok(Next::More(Self::Record(state.receive(local, &message, write)?)));
            }
            Self::Third(state) => state.receive(local, &message, write)?,
            Self::Record(state) => state.receive(local, message)?,
            Self::Proof(state) => state.receive(local, &message, write)?,
            Self::Answer(state) => state.receive(local, &message)?,
        };
        Ok(Next::Done(session, peer))
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaiting = match &self.0 {
            State::Stranger { .. } => "preamble",
            State::Awaiting(Awaiting::First(_)) => "first message",
            State::Awaiting(Awaiting::Second(_)) => "second message",
            State::Awaiting(Awaiting::Third(_)) => "third message",
            State::Awaiting(Awaiting::Record(_)) => "first record",
            State::Awaiting(Awaiting::Proof(_)) => "proof",
            State::Awaiting(Awaiting::Answer(_)) => "answer",
            State::Unusable(_) => "nothing",
        };
        write!(f, "Handshake(awaiting {awaiting})")
    }
}
