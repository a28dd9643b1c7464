//! What a node says of itself and its links, signed, so that no node on the way can change it.
//!
//! On the wire an advert is an [`AdvertBody`] and, at its end, the origin's signature over a fixed context, the name of
//! the network, and the body. The context keeps it apart from everything else the key signs; the network keeps it out
//! of other meshes that the same identity is in.
//!
//! Order of checks: length, form, and only then the signature, so that what is refused costs little. Whether the key is
//! the one that the name is pinned to is the caller's question, asked after the signature has proven the key.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::{
    error::{Part, Violation},
    id::{Incarnation, NodeAddr},
    limits::{ADVERT_BYTES_MAX, NEIGHBOURS_MAX},
    secure::{Identity, Provider, PublicKey},
    wire::v1::AdvertBody,
};

/// Length of the signature at the end, in bytes.
pub const SIGNATURE_LEN: usize = 64;

const CONTEXT: &[u8] = b"firelink advert v1\0";

/// An advert: what it says, and the bytes that travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    addr: NodeAddr,
    body: AdvertBody,
    signed: Bytes,
}

impl Advert {
    /// Signs what a node says of itself.
    #[must_use]
    pub fn sign(body: AdvertBody, network: &str, identity: &Identity, provider: &dyn Provider) -> Self {
        // Every part of a body has a known length, which is all that postcard needs to succeed.
        let mut signed: Vec<u8> = postcard::to_extend(&body, Vec::new()).unwrap_or_default();
        let signature = identity.sign(&message(network, &signed), provider);
        signed.extend_from_slice(&signature);
        Self { addr: body.origin.addr(), body, signed: signed.into() }
    }

    /// Takes apart what arrived and checks its form. It proves nothing yet: see [`Advert::verify`].
    ///
    /// # Errors
    /// [`Violation`] if it is too long, cannot be decoded, or lists neighbours out of order, twice, itself, too many, or
    /// at no cost.
    pub fn parse(signed: Bytes) -> Result<Self, Violation> {
        const MALFORMED: Violation = Violation::Malformed { what: Part::Payload };
        if signed.len() > ADVERT_BYTES_MAX {
            let (len, limit) = (signed.len() as u64, ADVERT_BYTES_MAX as u64);
            return Err(Violation::TooLong { what: Part::Payload, len, limit });
        }
        let (unsigned, _) = signed.split_last_chunk::<SIGNATURE_LEN>().ok_or(MALFORMED)?;
        let (body, rest) = postcard::take_from_bytes::<AdvertBody>(unsigned).map_err(|_| MALFORMED)?;
        let addr = body.origin.addr();
        let ascending = body.neighbours.is_sorted_by(|a, b| a.node < b.node);
        let sound = body.neighbours.iter().all(|neighbour| neighbour.node != addr && neighbour.cost >= 1);
        if !rest.is_empty() || body.neighbours.len() > NEIGHBOURS_MAX || !ascending || !sound {
            return Err(MALFORMED);
        }
        Ok(Self { addr, body, signed })
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`Violation::BadSignature`]: it is not the key's that the advert names.
    pub fn verify(&self, network: &str, provider: &dyn Provider) -> Result<(), Violation> {
        let (unsigned, signature) = self.signed.split_last_chunk().ok_or(Violation::BadSignature)?;
        if provider.ed25519_verify(&self.body.key, &message(network, unsigned), signature) {
            Ok(())
        } else {
            Err(Violation::BadSignature)
        }
    }

    /// The address of its origin.
    #[must_use]
    pub const fn addr(&self) -> NodeAddr {
        self.addr
    }

    /// What it says.
    #[must_use]
    pub const fn body(&self) -> &AdvertBody {
        &self.body
    }

    /// The bytes that travel: body and signature.
    #[must_use]
    pub const fn signed(&self) -> &Bytes {
        &self.signed
    }

    /// The key that it names.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        PublicKey(self.body.key)
    }

    /// What orders adverts of one origin.
    #[must_use]
    pub const fn version(&self) -> (Incarnation, u64) {
        (self.body.incarnation, self.body.seq)
    }
}

/// What is signed. The length in front of the network's name leaves no doubt where it ends.
fn message(network: &str, unsigned: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(CONTEXT.len() + 8 + network.len() + unsigned.len());
    message.extend_from_slice(CONTEXT);
    message.extend_from_slice(&(network.len() as u64).to_le_bytes());
    message.extend_from_slice(network.as_bytes());
    message.extend_from_slice(unsigned);
    message
}
