//! One call that is served here.

use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Answer, Caller, Endpoint, Env, Waiter};
use crate::{
    arena::Handle,
    limits::{CALL_STATUS_EVERY, CALL_STATUS_FIRST, HANDLER_STOP},
    rpc::{Room, keys::Scoped},
    time::Time,
    wire::v1::CallStage,
};

/// A call that waits or runs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) endpoint: Handle<Endpoint>,
    /// The client whose handler it is for. Kept here because a call may outlive its registration.
    pub(super) client: Option<Arc<str>>,
    /// Who gets the answer: one, or with an idempotency key several or nobody.
    pub(super) waiters: SmallVec<[Waiter; 1]>,
    pub(super) state: State,
    /// The latest of all who wait or waited.
    pub(super) deadline: Time,
    /// When its callers are told how far it is.
    pub(super) note: Time,
    /// They were told that it waits, so they are told when it begins.
    pub(super) told_queued: bool,
    /// The alarm that counts.
    pub(super) alarm: Option<Time>,
    pub(super) stream: Option<Stream>,
    pub(super) key: Option<Scoped>,
}

#[derive(Debug)]
pub(super) enum State {
    /// It waits its turn.
    Waiting { caller: Caller, payload: Bytes },
    /// Its handler was given it, and, maybe, told to stop.
    Running { since: Time, stopped: Option<Time> },
}

/// What was sent of a streaming reply, and what may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) sent: Room,
    pub(super) room: Room,
}

impl Stream {
    pub(super) fn new((items, bytes): (u32, u32)) -> Self {
        Self { sent: Room::default(), room: Room { items: items.into(), bytes: bytes.into() } }
    }
}

impl Run {
    /// The first note: after a while that matters to somebody with this much time.
    pub(super) fn first_note(now: Time, left: Duration) -> Time {
        now + CALL_STATUS_FIRST.min(left / 4).max(Duration::from_millis(1))
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    pub(super) const fn is_stopped(&self) -> bool {
        matches!(self.state, State::Running { stopped: Some(_), .. })
    }

    /// Bytes of payload that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        match &self.state {
            State::Waiting { payload, .. } => payload.len(),
            State::Running { .. } => 0,
        }
    }

    /// When something is due.
    pub(super) fn next_due(&self) -> Time {
        match self.state {
            State::Running { stopped: Some(stopped), .. } => stopped + HANDLER_STOP,
            State::Running { stopped: None, .. } | State::Waiting { .. } if self.waiters.is_empty() => self.deadline,
            State::Running { stopped: None, .. } | State::Waiting { .. } => self.deadline.min(self.note),
        }
    }

    /// Tells everybody who waits how far it is.
    pub(super) fn tell(&mut self, env: &mut Env<'_>, behind: u32) {
        let stage = match self.state {
            State::Waiting { .. } => CallStage::Queued { behind },
            State::Running { since, .. } => {
                CallStage::Running { for_us: u64::try_from((env.now - since).as_micros()).unwrap_or(u64::MAX) }
            }
        };
        self.told_queued = self.is_waiting();
        self.note = env.now + CALL_STATUS_EVERY;
        for waiter in &self.waiters {
            env.answer(*waiter, Answer::Progress { stage });
        }
    }
}
