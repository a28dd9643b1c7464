//! Which idempotency keys have been used, and what came of it.
//!
//! An entry is open while its call waits or runs, and closed for [`IDEMPOTENCY_TTL`] from its end. A call that was never
//! begun leaves no entry. Bounds: [`IDEMPOTENCY_KEYS_MAX`] entries, and a full table takes no new key rather than forget
//! one early; [`IDEMPOTENCY_BYTES_MAX`] of results, beyond which the fact is kept and the result is not.

use alloc::collections::VecDeque;

use blake2::{Blake2s256, Digest as _};
use bytes::Bytes;

use super::AppError;
use crate::{
    collections::DetMap,
    id::NodeAddr,
    limits::{IDEMPOTENCY_BYTES_MAX, IDEMPOTENCY_KEYS_MAX, IDEMPOTENCY_TTL},
    time::Time,
    wire::v1::CallLoss,
};

/// A key with everything that it is relative to, hashed: peers choose keys, and none may meet another's.
pub(super) type Scoped = [u8; 16];

/// The key of a caller for a service.
pub(super) fn scoped(node: NodeAddr, client: Option<&str>, service: &str, key: &[u8]) -> Scoped {
    let client = client.unwrap_or_default();
    // Lengths keep the parts apart; each is bounded far below 2^16.
    let length = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes();
    let digest: [u8; 32] = Blake2s256::new()
        .chain_update(node.0.to_le_bytes())
        .chain_update(length(client))
        .chain_update(client)
        .chain_update(length(service))
        .chain_update(service)
        .chain_update(key)
        .finalize()
        .into();
    let mut scoped = Scoped::default();
    scoped.copy_from_slice(&digest[..16]);
    scoped
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Done(Bytes),
    Failed(AppError),
    Lost(CallLoss),
}

impl Stored {
    fn weight(&self) -> usize {
        match self {
            Self::Done(payload) => payload.len(),
            Self::Failed(error) => error.message.len() + error.payload.len(),
            Self::Lost(_) => 0,
        }
    }
}

/// The state of a key that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Used {
    /// Its call waits or runs, under this number.
    Open(u64),
    /// Its call is over.
    Closed(Stored),
}

/// Every key that was used. See the module's first lines.
#[derive(Debug)]
pub(super) struct Keys {
    table: DetMap<Scoped, Used>,
    /// The closed ones in the order in which they are forgotten.
    closed: VecDeque<(Time, Scoped)>,
    bytes: usize,
}

impl Keys {
    /// None. `seed` varies where the table keeps things.
    pub(super) fn new(seed: u64) -> Self {
        Self { table: DetMap::with_seed(seed), closed: VecDeque::new(), bytes: 0 }
    }

    /// What is known of a key.
    pub(super) fn get(&self, key: &Scoped) -> Option<&Used> {
        self.table.get(key)
    }

    /// Whether no new key is taken.
    pub(super) fn is_full(&self) -> bool {
        self.table.len() >= IDEMPOTENCY_KEYS_MAX
    }

    /// A call with this key waits or runs.
    pub(super) fn open(&mut self, key: Scoped, run: u64) {
        self.table.insert(key, Used::Open(run));
    }

    /// The call with this key was never begun.
    pub(super) fn withdraw(&mut self, key: &Scoped) {
        self.table.remove(key);
    }

    /// The call with this key is over.
    pub(super) fn close(&mut self, key: Scoped, stored: Stored, now: Time) {
        let kept = if self.bytes + stored.weight() <= IDEMPOTENCY_BYTES_MAX {
            stored
        } else {
            Stored::Lost(CallLoss::ResultForgotten)
        };
        self.bytes += kept.weight();
        self.table.insert(key, Used::Closed(kept));
        self.closed.push_back((now + IDEMPOTENCY_TTL, key));
    }

    /// Forgets what is old enough.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some((_, key)) = self.closed.pop_front_if(|(due, _)| *due <= now) {
            if let Some(Used::Closed(stored)) = self.table.remove(&key) {
                self.bytes -= stored.weight();
            }
        }
    }

    /// When the next one is forgotten.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.closed.front().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_relative_to_caller_and_service() {
        let all = [
            scoped(NodeAddr(1), None, "s", b"k"),
            scoped(NodeAddr(2), None, "s", b"k"),
            scoped(NodeAddr(1), Some("s"), "", b"k"),
            scoped(NodeAddr(1), Some("c"), "s", b"k"),
            scoped(NodeAddr(1), None, "sk", b""),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{index} meets another");
        }
    }

    #[test]
    fn results_beyond_the_bound_are_forgotten_and_the_fact_is_not() {
        let mut keys = Keys::new(0);
        let big = Bytes::from(std::vec![0; IDEMPOTENCY_BYTES_MAX]);
        keys.close([1; 16], Stored::Done(big.clone()), Time::ZERO);
        keys.close([2; 16], Stored::Done(Bytes::from_static(b"x")), Time::from_millis(1));
        assert_eq!(keys.get(&[1; 16]), Some(&Used::Closed(Stored::Done(big))));
        assert_eq!(keys.get(&[2; 16]), Some(&Used::Closed(Stored::Lost(CallLoss::ResultForgotten))));
        keys.expire(Time::from_secs(600));
        assert_eq!((keys.get(&[1; 16]), keys.bytes, keys.next_due()), (None, 0, Some(Time::from_millis(600_001))));
    }
}
