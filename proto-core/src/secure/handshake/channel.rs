//! The handshake on a channel that is encrypted already: one proof each, bound to that channel.
//!
//! A proof is `[MAC][identity][signature]`. The MAC, under the token, is checked before anything is decoded.

use blake2::{Blake2s256, Blake2sMac256, Digest as _, digest::Mac as _};
use bytes::BytesMut;

use super::{
    HandshakeError, Local, Mode, PeerIdentity,
    framing::put_message,
    proof::{Binding, Role, prove, verify},
};
use crate::{
    limits::PSKS_MAX,
    secure::{Psk, Session},
    wire::Head,
};

/// Length of the MAC, in bytes.
const MAC: usize = 32;
/// No Noise key takes part.
const NO_KEY: &[u8; 32] = &[0; 32];

/// The acceptor, before the dialler's proof.
pub(super) struct Proof {
    transcript: [u8; 32],
}

/// The dialler, before the acceptor's proof.
pub(super) struct Answer {
    transcript: [u8; 32],
}

/// Begins as the dialler.
///
/// # Errors
/// [`HandshakeError::NoToken`].
pub(super) fn dial(local: &Local<'_>, exporter: &[u8; 32], write: &mut BytesMut) -> Result<Answer, HandshakeError> {
    let psk = local.psks.first().ok_or(HandshakeError::NoToken)?;
    let transcript = beginning(local, exporter);
    let message = seal(local, psk, Role::Dialler, &transcript);
    write.extend_from_slice(&Mode::Channel.preamble());
    put_message(write, &message);
    Ok(Answer { transcript: after(&transcript, &message) })
}

/// Begins as the acceptor.
pub(super) fn accept(local: &Local<'_>, exporter: &[u8; 32]) -> Proof {
    Proof { transcript: beginning(local, exporter) }
}

impl Proof {
    /// Takes the dialler's proof and writes the acceptor's.
    ///
    /// # Errors
    /// [`HandshakeError`]; nothing is written then.
    pub(super) fn receive(
        self,
        local: &Local<'_>,
        message: &[u8],
        write: &mut BytesMut,
    ) -> Result<(Session, PeerIdentity), HandshakeError> {
        let mut tried = local.psks.iter().take(PSKS_MAX);
        let (psk, proof) = tried
            .find_map(|psk| open(psk, Role::Dialler, &self.transcript, message).map(|proof| (psk, proof)))
            .ok_or(HandshakeError::Refused)?;
        let binding = Binding { role: Role::Dialler, transcript: &self.transcript, noise_key: NO_KEY };
        let peer = verify(local.provider, &binding, proof)?;
        let transcript = after(&self.transcript, message);
        put_message(write, &seal(local, psk, Role::Acceptor, &transcript));
        Ok((session(&transcript), peer))
    }
}

impl Answer {
    /// Takes the acceptor's proof.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub(super) fn receive(self, local: &Local<'_>, message: &[u8]) -> Result<(Session, PeerIdentity), HandshakeError> {
        let psk = local.psks.first().ok_or(HandshakeError::NoToken)?;
        let proof = open(psk, Role::Acceptor, &self.transcript, message).ok_or(HandshakeError::Refused)?;
        let binding = Binding { role: Role::Acceptor, transcript: &self.transcript, noise_key: NO_KEY };
        let peer = verify(local.provider, &binding, proof)?;
        Ok((session(&self.transcript), peer))
    }
}

/// What both sides know before the first proof.
fn beginning(local: &Local<'_>, exporter: &[u8; 32]) -> [u8; 32] {
    let hash = Blake2s256::new().chain_update(b"firelink channel v1\0").chain_update(exporter);
    hash.chain_update(local.network.as_bytes()).finalize().into()
}

/// What both sides know after the dialler's proof.
fn after(transcript: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let hash = Blake2s256::new().chain_update(b"firelink channel proof v1\0").chain_update(transcript);
    hash.chain_update(message).finalize().into()
}

fn session(transcript: &[u8; 32]) -> Session {
    let [a, b, c, d, e, f, g, h, ..] = *transcript;
    Session::plain(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}

/// This node's proof with its MAC.
fn seal(local: &Local<'_>, psk: &Psk, role: Role, transcript: &[u8; 32]) -> Head {
    let proof = prove(local, &Binding { role, transcript, noise_key: NO_KEY });
    let mac: [u8; MAC] = mac(psk, role, transcript, &proof).finalize().into_bytes().into();
    let mut message = Head::from_slice(&mac);
    message.extend_from_slice(&proof);
    message
}

/// The proof of a message, if its MAC is right. Compared in constant time.
fn open<'a>(psk: &Psk, role: Role, transcript: &[u8; 32], message: &'a [u8]) -> Option<&'a [u8]> {
    let (shown, proof) = message.split_first_chunk::<MAC>()?;
    mac(psk, role, transcript, proof).verify_slice(shown).ok().map(|()| proof)
}

fn mac(psk: &Psk, role: Role, transcript: &[u8; 32], proof: &[u8]) -> Blake2sMac256 {
    let mac = Blake2sMac256::new(psk.bytes().into());
    mac.chain_update(b"firelink token v1\0").chain_update([role.byte()]).chain_update(transcript).chain_update(proof)
}
