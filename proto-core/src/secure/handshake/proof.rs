//! A name, a key, and the key's signature for the name on this very channel.

use serde::{Deserialize, Serialize};

use super::{HandshakeError, Local, PeerIdentity};
use crate::{
    id::NodeName,
    secure::{Provider, PublicKey},
    wire::{self, Head},
};

/// What the signature begins with, so that it means nothing anywhere else.
const DOMAIN: &[u8] = b"firelink identity v1\0";

/// Who signs. Part of what is signed, so no proof can be sent back to where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that dialled.
    Dialler,
    /// The one that accepted.
    Acceptor,
}

impl Role {
    /// The byte that stands for it.
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Dialler => 1,
            Self::Acceptor => 2,
        }
    }
}

/// What a signature is for, besides the name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding<'a> {
    /// Who signs.
    pub(super) role: Role,
    /// A hash of everything that was exchanged before.
    pub(super) transcript: &'a [u8; 32],
    /// The signer's Noise static key; zeros on a channel that was encrypted already.
    pub(super) noise_key: &'a [u8; 32],
}

/// The encoded part of a proof, followed by the 64 bytes of the signature. Frozen, like the headers of the wire format.
#[derive(Serialize, Deserialize)]
struct IdentityV1 {
    name: NodeName,
    key: PublicKey,
}

/// The proof of this node's identity.
pub(super) fn prove(local: &Local<'_>, binding: &Binding<'_>) -> Head {
    let key = local.identity.public();
    let mut proof = wire::encode(&IdentityV1 { name: local.name.clone(), key });
    let signature = local.identity.sign(&signed(binding, local.name), local.provider);
    proof.extend_from_slice(&signature);
    proof
}

/// Whose proof this is.
///
/// # Errors
/// [`HandshakeError::Malformed`] if it cannot be decoded, [`HandshakeError::BadIdentity`] if it proves nothing.
pub(super) fn verify(
    provider: &dyn Provider,
    binding: &Binding<'_>,
    proof: &[u8],
) -> Result<PeerIdentity, HandshakeError> {
    let (identity, signature) = proof.split_last_chunk::<64>().ok_or(HandshakeError::Malformed)?;
    let IdentityV1 { name, key } = wire::decode(identity).map_err(|_| HandshakeError::Malformed)?;
    if provider.ed25519_verify(&key.0, &signed(binding, &name), signature) {
        Ok(PeerIdentity { name, key })
    } else {
        Err(HandshakeError::BadIdentity)
    }
}

/// What the signature is over. Every part but the last has a fixed length.
fn signed(binding: &Binding<'_>, name: &NodeName) -> Head {
    let mut text = Head::from_slice(DOMAIN);
    text.push(binding.role.byte());
    text.extend_from_slice(binding.transcript);
    text.extend_from_slice(binding.noise_key);
    text.extend_from_slice(name.as_str().as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        node::Suite,
        secure::{Identity, SOFTWARE},
    };

    #[test]
    fn a_proof_is_good_for_its_own_binding_alone() {
        let name = NodeName::new("a").unwrap();
        let identity = Identity::from_seed([1; 32], SOFTWARE);
        let local = Local {
            name: &name,
            identity: &identity,
            network: "n",
            psks: &[],
            suite: Suite::AesGcm,
            provider: SOFTWARE,
        };
        let binding = Binding { role: Role::Dialler, transcript: &[2; 32], noise_key: &[3; 32] };
        let proof = prove(&local, &binding);
        assert_eq!(proof.len(), 2 + 32 + 64, "length and name, key, signature");
        assert_eq!(&proof[..2], [1, b'a']);
        assert_eq!(&proof[2..34], identity.public().0);

        let verify = |binding: Binding<'_>| verify(SOFTWARE, &binding, &proof);
        assert_eq!(verify(binding), Ok(PeerIdentity { name: name.clone(), key: identity.public() }));
        assert_eq!(verify(Binding { role: Role::Acceptor, ..binding }), Err(HandshakeError::BadIdentity));
        assert_eq!(verify(Binding { transcript: &[0; 32], ..binding }), Err(HandshakeError::BadIdentity));
        assert_eq!(verify(Binding { noise_key: &[0; 32], ..binding }), Err(HandshakeError::BadIdentity));
    }

    #[test]
    fn what_is_no_proof_is_refused_before_the_signature_is_looked_at() {
        let binding = Binding { role: Role::Dialler, transcript: &[0; 32], noise_key: &[0; 32] };
        for junk in [&[][..], &[0; 63], &[0; 64], &[0xff; 200], &[0; 300]] {
            assert_eq!(verify(SOFTWARE, &binding, junk), Err(HandshakeError::Malformed));
        }
    }
}
