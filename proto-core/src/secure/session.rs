//! The records of an authenticated channel: `[length u16 LE][ciphertext][tag]`, one after the other.
//!
//! A session begins where its handshake ends and lives as long as the channel. Each direction has its own key and
//! counts its records; after [`RECORDS_PER_KEY`] of them both sides derive the next key (Noise rekey) and count from
//! zero, so a counter never runs out and an AES-GCM key seals at most 64 GiB. The first record that does not
//! authenticate ends the session: it opens nothing more.
//!
//! On a channel that is encrypted already, records have the length and nothing else.
//!
//! Bounds: constant memory; a record is sealed and opened where it lies.

use alloc::boxed::Box;
use core::fmt;

use bytes::{Buf as _, Bytes, BytesMut};
use zeroize::Zeroizing;

use super::{Aead, Provider};
use crate::{
    error::{Part, Violation},
    limits::{RECORD_MAX, RECORDS_PER_KEY},
    node::Suite,
};

/// Both directions of an authenticated channel. See the module's first lines.
pub struct Session {
    id: u64,
    protection: Protection,
    broken: Option<Violation>,
}

enum Protection {
    /// By the channel underneath.
    Channel,
    /// By the two keys that the handshake gave.
    Sealed { send: Direction, receive: Direction },
}

impl Session {
    /// Room to leave in front of the plaintext of a record.
    pub const PREFIX: usize = 2;
    /// Most bytes that sealing appends to the plaintext.
    pub const TAG: usize = 16;

    /// A session under the keys of a handshake.
    pub(super) fn sealed(
        id: u64,
        suite: Suite,
        provider: &'static dyn Provider,
        send: &[u8; 32],
        receive: &[u8; 32],
    ) -> Self {
        let direction = |key| Direction { aead: provider.aead(suite, key), records: 0, suite, provider };
        let protection = Protection::Sealed { send: direction(send), receive: direction(receive) };
        Self { id, protection, broken: None }
    }

    /// A session on a channel that is encrypted already.
    pub(super) const fn plain(id: u64) -> Self {
        Self { id, protection: Protection::Channel, broken: None }
    }

    /// A number that is equal at both ends and differs from channel to channel.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Seals the record whose plaintext is `out[start + PREFIX ..]`, at most [`RECORD_MAX`] bytes: fills in the prefix,
    /// encrypts in place, appends the tag.
    pub fn seal(&mut self, out: &mut BytesMut, start: usize) {
        let record = out.get_mut(start..).and_then(|record| record.split_first_chunk_mut::<{ Self::PREFIX }>());
        let Some((prefix, plaintext)) = record else {
            debug_assert!(false, "no room was left for the prefix");
            return;
        };
        debug_assert!(plaintext.len() <= RECORD_MAX, "a record of {} bytes", plaintext.len());
        let tag = match &mut self.protection {
            Protection::Channel => None,
            Protection::Sealed { send, .. } => Some(send.seal(plaintext)),
        };
        let len = plaintext.len() + tag.map_or(0, |tag| tag.len());
        // A record beyond the limit has a length that no peer accepts.
        *prefix = u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
        out.extend_from_slice(tag.as_ref().map_or(&[], |tag| tag.as_slice()));
    }

    /// Takes the next whole record out of `input` and decrypts it in place; `Ok(None)` while it is not all there.
    ///
    /// # Errors
    /// [`Violation`] if a record is too long or does not authenticate, and from then on always.
    pub fn open(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, Violation> {
        if let Some(violation) = self.broken {
            return Err(violation);
        }
        let Some(&prefix) = input.first_chunk::<{ Self::PREFIX }>() else { return Ok(None) };
        let len = usize::from(u16::from_le_bytes(prefix));
        if len > self.longest() {
            let violation = Violation::TooLong { what: Part::Record, len: len as u64, limit: RECORD_MAX as u64 };
            self.broken = Some(violation);
            return Err(violation);
        }
        if input.len() - prefix.len() < len {
            return Ok(None);
        }
        let mut record = input.split_to(prefix.len() + len);
        record.advance(prefix.len());
        self.unseal(record).map(Some)
    }

    /// Decrypts a record without its prefix, in place.
    ///
    /// # Errors
    /// [`Violation::BadSeal`] if it does not authenticate.
    pub(super) fn unseal(&mut self, mut record: BytesMut) -> Result<Bytes, Violation> {
        match &mut self.protection {
            Protection::Channel => Ok(record.freeze()),
            Protection::Sealed { receive, .. } => match receive.open(&mut record) {
                Some(len) => {
                    record.truncate(len);
                    Ok(record.freeze())
                }
                None => {
                    self.broken = Some(Violation::BadSeal);
                    Err(Violation::BadSeal)
                }
            },
        }
    }

    /// The longest record as it is on the wire, without its prefix.
    const fn longest(&self) -> usize {
        match self.protection {
            Protection::Channel => RECORD_MAX,
            Protection::Sealed { .. } => RECORD_MAX + Self::TAG,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("broken", &self.broken).finish_non_exhaustive()
    }
}

/// One direction: a key, and how many records it has protected.
struct Direction {
    aead: Box<dyn Aead>,
    records: u64,
    suite: Suite,
    provider: &'static dyn Provider,
}

impl Direction {
    fn seal(&mut self, plaintext: &mut [u8]) -> [u8; Session::TAG] {
        let counter = self.next_counter();
        self.aead.seal(counter, &[], plaintext)
    }

    fn open(&mut self, sealed: &mut [u8]) -> Option<usize> {
        let counter = self.next_counter();
        self.aead.open(counter, &[], sealed)
    }

    fn next_counter(&mut self) -> u64 {
        if self.records == RECORDS_PER_KEY {
            self.rekey();
        }
        let counter = self.records;
        self.records += 1;
        counter
    }

    /// The next key: the first 32 bytes of sealing zeros under the counter that no record has (Noise, section 4.2).
    fn rekey(&mut self) {
        let mut key = Zeroizing::new([0; 32]);
        self.aead.seal(u64::MAX, &[], key.as_mut_slice());
        self.aead = self.provider.aead(self.suite, &key);
        self.records = 0;
    }
}

#[cfg(test)]
mod tests;
