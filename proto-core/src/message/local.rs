//! Messages from this node to itself: the same inbox, in order, without a wire.
//!
//! A message is settled at once while the inbox has room, and waits for it otherwise, up to its deadline and as long as
//! messages are taken out; since nothing can be lost, its outcome is never unknown. Bounds: `FLOW_QUEUE_MESSAGES`, `FLOW_QUEUE_BYTES`.

use super::{
    env::{Counted, Env, Parcel, refused},
    inbox::{Admission, Inbox},
    inflow::Served,
    line::Line,
    view::Backlog,
};
use crate::{
    error::Rejected,
    id::Seq,
    limits::{FLOW_QUEUE_BYTES, FLOW_QUEUE_MESSAGES},
    node::Outcome,
    time::Time,
};

/// The flow of a node to itself.
#[derive(Debug)]
pub(super) struct Local {
    waiting: Line<Parcel>,
    bytes: usize,
    next: Seq,
    /// It has its turn for room in the inbox.
    pub(super) queued: bool,
}

impl Local {
    /// Nothing waits.
    pub(super) fn new() -> Self {
        Self { waiting: Line::new(0), bytes: 0, next: Seq(1), queued: false }
    }

    /// Takes a message. `Ok(true)`: it waits for room in the inbox.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if too much waits already.
    pub(super) fn send(&mut self, env: &mut Env<'_>, inbox: &mut Inbox, parcel: Parcel) -> Result<bool, Rejected> {
        let len = parcel.payload.len();
        if self.waiting.is_empty() && self.try_settle(env, inbox, &parcel) == Served::Yes {
            return Ok(false);
        }
        let too_large = self.bytes > 0 && len > FLOW_QUEUE_BYTES.saturating_sub(self.bytes);
        if self.waiting.len() >= FLOW_QUEUE_MESSAGES || too_large {
            return Err(Rejected::Busy);
        }
        self.bytes += len;
        self.waiting.push(parcel.deadline, parcel);
        Ok(true)
    }

    /// What waits.
    pub(super) fn backlog(&self) -> Backlog {
        Backlog { messages: self.waiting.len(), bytes: self.bytes }
    }

    /// Settles the first message that waits, if there is room.
    pub(super) fn serve(&mut self, env: &mut Env<'_>, inbox: &mut Inbox) -> Served {
        let Some(parcel) = self.waiting.front().cloned() else { return Served::Missing };
        let served = self.try_settle(env, inbox, &parcel);
        if served == Served::Yes {
            self.bytes -= parcel.payload.len();
            self.waiting.pop();
        }
        served
    }

    /// Gives up what is past its deadline.
    pub(super) fn expire(&mut self, env: &mut Env<'_>) {
        while let Some(parcel) = self.waiting.take_due(env.now) {
            self.bytes -= parcel.payload.len();
            env.settle(parcel.report, env.me.addr, Outcome::Rejected(Rejected::ReceiverBusy));
        }
        self.waiting.close_gaps(|parcel| parcel.deadline);
    }

    /// The next deadline.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.waiting.next_due()
    }

    fn try_settle(&mut self, env: &mut Env<'_>, inbox: &mut Inbox, parcel: &Parcel) -> Served {
        match inbox.admit(env.now, &parcel.label.heading(), parcel.payload.len()) {
            Admission::Full => return Served::Full,
            Admission::Refused(code) => {
                env.settle(parcel.report, env.me.addr, Outcome::Rejected(refused(code, parcel.payload.len())))
            }
            Admission::Taken(to_client) => {
                env.count(Counted::Delivered);
                let (me, payload) = (env.me, parcel.payload.clone());
                env.deliver(me.addr, me.incarnation, self.next, to_client, parcel.label.heading(), payload);
                self.next = self.next.next();
                env.settle(parcel.report, env.me.addr, Outcome::Delivered);
            }
        }
        Served::Yes
    }
}
