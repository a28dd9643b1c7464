//! One call that is not completed.

use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Ask, CALL_TRIES_MAX, Env, Handle, Known, Mode, Provider, STREAM_WINDOW_BYTES, STREAM_WINDOW_ITEMS, TRY_BITS,
    Target, Time, Token, v1,
};
use crate::{
    id::Incarnation,
    rpc::{Key, Progress, ServiceName},
};

/// A call and how far it got.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) token: Token,
    pub(super) from_client: Option<Arc<str>>,
    pub(super) service: ServiceName,
    pub(super) target: Target,
    pub(super) mode: Mode,
    /// Here until it is sent, and from then on if it may be sent elsewhere.
    pub(super) payload: Option<Bytes>,
    /// What it weighs while it is kept; 0: not kept.
    pub(super) kept: usize,
    pub(super) deadline: Time,
    pub(super) tried: SmallVec<[Handle<Known>; CALL_TRIES_MAX as usize]>,
    pub(super) tries: u8,
    /// The provider that has it now, if it came from the directory.
    pub(super) known: Option<Handle<Known>>,
    /// The provider that has it, or had it last.
    pub(super) at: Option<Provider>,
    /// The life of that node that it was sent to, or that has answered.
    pub(super) life: Option<Incarnation>,
    pub(super) stage: Stage,
    /// When `stage` was learnt.
    pub(super) told: Time,
    pub(super) inbound: Option<Inbound>,
}

/// How far a call is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No provider has it: it was not sent, or was refused.
    NotSent,
    /// On its way.
    Sent,
    /// At the provider's node.
    Delivered,
    /// It waits there.
    Queued { behind: u32 },
    /// A handler runs it, for this long when that was said.
    Running { time: Duration },
}

/// What came of a streaming reply, and what may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inbound {
    pub(super) items: u64,
    pub(super) bytes: u64,
    items_consumed: u64,
    bytes_consumed: u64,
    items_allowed: u64,
    bytes_allowed: u64,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            items: 0,
            bytes: 0,
            items_consumed: 0,
            bytes_consumed: 0,
            items_allowed: STREAM_WINDOW_ITEMS.into(),
            bytes_allowed: STREAM_WINDOW_BYTES.into(),
        }
    }
}

impl Inbound {
    /// Takes in an item. `false` if it is not the next one, or there was no room for it.
    pub(super) fn arrive(&mut self, seq: u64, len: usize) -> bool {
        let fits = seq == self.items && self.items < self.items_allowed && self.bytes < self.bytes_allowed;
        if fits {
            self.items += 1;
            self.bytes += len as u64;
        }
        fits
    }

    /// Items were taken by the application. Returns the new credit, once half a window is to be given.
    pub(super) fn consume(&mut self, items: u64, bytes: u64) -> Option<(u64, u64)> {
        self.items_consumed = self.items_consumed.saturating_add(items).min(self.items);
        self.bytes_consumed = self.bytes_consumed.saturating_add(bytes).min(self.bytes);
        let (items_window, bytes_window) = (u64::from(STREAM_WINDOW_ITEMS), u64::from(STREAM_WINDOW_BYTES));
        let (items, bytes) = (self.items_consumed + items_window, self.bytes_consumed + bytes_window);
        let due = items - self.items_allowed >= items_window / 2 || bytes - self.bytes_allowed >= bytes_window / 2;
        if due {
            (self.items_allowed, self.bytes_allowed) = (items, bytes);
        }
        due.then_some((items, bytes))
    }
}

impl Pending {
    /// Whether it may be tried at another provider.
    pub(super) fn may_move(&self) -> bool {
        matches!(self.target, Target::Balanced(_)) && self.mode.key().is_none() && self.tries < CALL_TRIES_MAX
    }

    /// How far it got, as far as is known.
    pub(super) fn progress(&self, now: Time) -> Progress {
        let told = now - self.told;
        match (self.stage, self.inbound) {
            (Stage::NotSent, _) => Progress::NotSent,
            (_, Some(Inbound { items: items @ 1.., .. })) => Progress::Streaming { items },
            (Stage::Sent, _) => Progress::Sent,
            (Stage::Delivered, _) => Progress::Delivered,
            (Stage::Queued { behind }, _) => Progress::Queued { behind, told },
            (Stage::Running { time }, _) => Progress::Running { time: time + told, told },
        }
    }

    /// Sends the request to the provider in `at`.
    pub(super) fn request(&self, env: &mut Env<'_>, number: u64, here: bool, payload: Bytes) {
        let Some(at) = &self.at else { return };
        let window = self.inbound.is_some().then_some((STREAM_WINDOW_ITEMS, STREAM_WINDOW_BYTES));
        let whoever = matches!(self.target, Target::Node(_));
        if here {
            env.local.asks.push_back(Ask::Request {
                call: number,
                service: self.service.clone(),
                to: (!whoever).then(|| at.client.clone()),
                from_client: self.from_client.clone(),
                deadline: self.deadline,
                key: self.mode.key().cloned(),
                window,
                payload,
            });
            return;
        }
        let request = v1::Request {
            call: number,
            service: self.service.as_str(),
            to: (!whoever).then(|| at.client.as_deref().unwrap_or_default()),
            from_client: self.from_client.as_deref().unwrap_or_default(),
            left_us: u64::try_from((self.deadline - env.now).as_micros()).unwrap_or(u64::MAX),
            key: self.mode.key().map(Key::as_bytes).unwrap_or_default(),
            window,
        };
        let report = number << TRY_BITS | u64::from(self.tries.saturating_sub(1));
        env.send(at.node, Some(report), &v1::Call::Request(request), payload, self.deadline);
    }

    /// Tells the provider that nobody waits any more.
    pub(super) fn call_off(&self, env: &mut Env<'_>, number: u64) {
        let Some(at) = self.at.as_ref().filter(|_| self.stage != Stage::NotSent) else { return };
        if at.node == env.me.addr {
            env.local.asks.push_back(Ask::Cancel { call: number });
        } else {
            env.send(at.node, None, &v1::Call::Cancel { call: number }, Bytes::new(), self.deadline);
        }
    }
}

impl Mode {
    /// Its idempotency key.
    pub(super) const fn key(&self) -> Option<&Key> {
        match self {
            Self::Unary { key } => key.as_ref(),
            Self::Streaming => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_given_back_by_half_windows_and_never_for_more_than_came() {
        let mut inbound = Inbound::default();
        for seq in 0..64 {
            assert!(inbound.arrive(seq, 10));
        }
        assert!(!inbound.arrive(64, 10), "the window is full");
        assert_eq!(inbound.consume(31, 310), None);
        assert_eq!(inbound.consume(1, 10), Some((96, 1_048_896)));
        assert_eq!(inbound.consume(1_000, 100_000), Some((128, 1_049_216)));
        assert!(!inbound.arrive(65, 1), "one was passed over");
    }

    #[test]
    fn one_item_may_exceed_the_bytes_and_the_next_waits() {
        let mut inbound = Inbound::default();
        assert!(inbound.arrive(0, 2_000_000));
        assert!(!inbound.arrive(1, 1));
        assert_eq!(inbound.consume(1, 2_000_000), Some((65, 3_048_576)));
        assert!(inbound.arrive(1, 1));
    }
}
