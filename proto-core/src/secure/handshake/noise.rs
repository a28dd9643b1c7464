//! The handshake on a bare channel: Noise XXpsk3, then the acceptor's identity in the first record.

use alloc::{boxed::Box, vec::Vec};

use bytes::BytesMut;
use snow::HandshakeState;
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    HandshakeError, Local, Mode, PeerIdentity,
    framing::put_message,
    proof::{Binding, Role, prove, verify},
};
use crate::{
    limits::{HANDSHAKE_MAX, PSKS_MAX},
    node::Suite,
    secure::{Psk, Session, resolver::Noise},
};

/// Where the token enters: at the end of the third message.
const PSK_AT: usize = 3;

/// The acceptor, before the first message.
pub(super) struct First {
    /// The suite that the dialler chose.
    pub(super) suite: Suite,
    /// The secret of this side's ephemeral key.
    pub(super) ephemeral: Zeroizing<[u8; 32]>,
}

/// The dialler, before the second message.
pub(super) struct Second {
    state: Box<HandshakeState>,
    suite: Suite,
}

/// The acceptor, before the third message.
pub(super) struct Third {
    state: Box<HandshakeState>,
    /// What it takes to come to this state anew.
    first: First,
    message: Vec<u8>,
}

/// The dialler, before the acceptor's first record.
pub(super) struct Reply {
    session: Session,
    transcript: [u8; 32],
    noise_key: [u8; 32],
}

/// Begins as the dialler.
///
/// # Errors
/// [`HandshakeError::NoToken`] or [`HandshakeError::Provider`].
pub(super) fn dial(
    local: &Local<'_>,
    ephemeral: Zeroizing<[u8; 32]>,
    write: &mut BytesMut,
) -> Result<Second, HandshakeError> {
    if local.psks.is_empty() {
        return Err(HandshakeError::NoToken);
    }
    let suite = local.suite;
    let prologue = prologue(suite, local.network);
    let noise = noise(local, suite, &ephemeral, &prologue);
    let mut state = Box::new(noise.initiator().map_err(|_| HandshakeError::Provider)?);
    write.extend_from_slice(&Mode::Noise(suite).preamble());
    speak(&mut state, &[], write)?;
    Ok(Second { state, suite })
}

impl First {
    /// Takes the first message and writes the second, both without payload.
    ///
    /// # Errors
    /// [`HandshakeError`]; nothing is written then.
    pub(super) fn receive(
        self,
        local: &Local<'_>,
        message: &[u8],
        write: &mut BytesMut,
    ) -> Result<Third, HandshakeError> {
        let state = self.answer(local, message, write)?;
        Ok(Third { state, first: self, message: message.to_vec() })
    }

    fn answer(
        &self,
        local: &Local<'_>,
        message: &[u8],
        write: &mut BytesMut,
    ) -> Result<Box<HandshakeState>, HandshakeError> {
        let prologue = prologue(self.suite, local.network);
        let noise = noise(local, self.suite, &self.ephemeral, &prologue);
        let mut state = Box::new(noise.responder().map_err(|_| HandshakeError::Provider)?);
        state.read_message(message, &mut []).map_err(|_| HandshakeError::Refused)?;
        speak(&mut state, &[], write)?;
        Ok(state)
    }
}

impl Second {
    /// Takes the second message and writes the third, with this node's identity in it.
    ///
    /// # Errors
    /// [`HandshakeError`]; nothing is written then.
    pub(super) fn receive(
        mut self,
        local: &Local<'_>,
        message: &[u8],
        write: &mut BytesMut,
    ) -> Result<Reply, HandshakeError> {
        let state = &mut self.state;
        state.read_message(message, &mut []).map_err(|_| HandshakeError::Refused)?;
        let psk = local.psks.first().ok_or(HandshakeError::NoToken)?;
        state.set_psk(PSK_AT, psk.bytes()).map_err(|_| HandshakeError::Provider)?;
        let before = transcript(state)?;
        let binding = Binding { role: Role::Dialler, transcript: &before, noise_key: local.identity.noise_public() };
        speak(state, &prove(local, &binding), write)?;
        let (transcript, noise_key) = (transcript(state)?, peer_key(state)?);
        Ok(Reply { session: session(state, local, self.suite, Role::Dialler)?, transcript, noise_key })
    }
}

impl Third {
    /// Takes the third message and writes this node's identity in the first record.
    ///
    /// # Errors
    /// [`HandshakeError`]; nothing is written then.
    pub(super) fn receive(
        self,
        local: &Local<'_>,
        message: &[u8],
        write: &mut BytesMut,
    ) -> Result<(Session, PeerIdentity), HandshakeError> {
        let suite = self.first.suite;
        let before = transcript(&self.state)?;
        let (mut state, proof) = self.try_tokens(local, message)?;
        let binding = Binding { role: Role::Dialler, transcript: &before, noise_key: &peer_key(&state)? };
        let peer = verify(local.provider, &binding, &proof)?;

        let mut session = session(&mut state, local, suite, Role::Acceptor)?;
        let after = transcript(&state)?;
        let binding = Binding { role: Role::Acceptor, transcript: &after, noise_key: local.identity.noise_public() };
        let start = write.len();
        write.extend_from_slice(&[0; Session::PREFIX]);
        write.extend_from_slice(&prove(local, &binding));
        session.seal(write, start);
        Ok((session, peer))
    }

    /// Reads the third message with one token after the other. A state that has failed is spoilt, so the next token
    /// gets one built anew: with the same ephemeral key it answers the first message with the same second one.
    fn try_tokens(self, local: &Local<'_>, message: &[u8]) -> Result<(Box<HandshakeState>, Vec<u8>), HandshakeError> {
        let Self { state, first, message: beginning } = self;
        let mut fresh = Some(state);
        for psk in local.psks.iter().take(PSKS_MAX) {
            let mut state = match fresh.take() {
                Some(state) => state,
                None => first.answer(local, &beginning, &mut BytesMut::new())?,
            };
            if let Some(payload) = read_third(&mut state, psk, message) {
                return Ok((state, payload));
            }
            // The static key comes before the token enters: where that fails already, no token helps.
            if state.get_remote_static().is_none() {
                break;
            }
        }
        Err(if local.psks.is_empty() { HandshakeError::NoToken } else { HandshakeError::Refused })
    }
}

impl Reply {
    /// Takes the acceptor's first record.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub(super) fn receive(
        mut self,
        local: &Local<'_>,
        record: BytesMut,
    ) -> Result<(Session, PeerIdentity), HandshakeError> {
        let proof = self.session.unseal(record).map_err(|_| HandshakeError::Refused)?;
        let binding = Binding { role: Role::Acceptor, transcript: &self.transcript, noise_key: &self.noise_key };
        let peer = verify(local.provider, &binding, &proof)?;
        Ok((self.session, peer))
    }
}

/// What both sides must agree on beforehand: the preamble and the network.
fn prologue(suite: Suite, network: &str) -> Vec<u8> {
    [b"firelink noise v1\0".as_slice(), &Mode::Noise(suite).preamble(), network.as_bytes()].concat()
}

fn noise<'a>(local: &Local<'a>, suite: Suite, ephemeral: &'a Zeroizing<[u8; 32]>, prologue: &'a [u8]) -> Noise<'a> {
    Noise { suite, provider: local.provider, secret: local.identity.noise_secret(), ephemeral, prologue }
}

/// Writes the next message. Fails if the peer's key of the message before is one that agrees on nothing.
fn speak(state: &mut HandshakeState, payload: &[u8], write: &mut BytesMut) -> Result<(), HandshakeError> {
    let mut message = [0; HANDSHAKE_MAX];
    let len = state.write_message(payload, &mut message).map_err(|_| HandshakeError::Refused)?;
    put_message(write, message.get(..len).ok_or(HandshakeError::Provider)?);
    Ok(())
}

/// The payload of the third message, if this is its token.
fn read_third(state: &mut HandshakeState, psk: &Psk, message: &[u8]) -> Option<Vec<u8>> {
    let mut payload = [0; HANDSHAKE_MAX];
    state.set_psk(PSK_AT, psk.bytes()).ok()?;
    let len = state.read_message(message, &mut payload).ok()?;
    payload.get(..len).map(<[u8]>::to_vec)
}

/// The hash of everything so far.
fn transcript(state: &HandshakeState) -> Result<[u8; 32], HandshakeError> {
    state.get_handshake_hash().try_into().map_err(|_| HandshakeError::Provider)
}

/// The peer's Noise static key.
fn peer_key(state: &HandshakeState) -> Result<[u8; 32], HandshakeError> {
    state.get_remote_static().and_then(|key| key.try_into().ok()).ok_or(HandshakeError::Provider)
}

/// The session that a finished handshake leads to.
fn session(state: &mut HandshakeState, local: &Local<'_>, suite: Suite, role: Role) -> Result<Session, HandshakeError> {
    let [a, b, c, d, e, f, g, h, ..] = transcript(state)?;
    let id = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let (mut from_dialler, mut from_acceptor) = state.dangerously_get_raw_split();
    let (send, receive) = match role {
        Role::Dialler => (&from_dialler, &from_acceptor),
        Role::Acceptor => (&from_acceptor, &from_dialler),
    };
    let session = Session::sealed(id, suite, local.provider, send, receive);
    from_dialler.zeroize();
    from_acceptor.zeroize();
    Ok(session)
}
