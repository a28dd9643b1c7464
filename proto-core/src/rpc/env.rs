//! What every step of a call may use, and how the two ends of a call speak to each other: by the same words, encoded for
//! another node, handed over as they are within this one.

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

use bytes::Bytes;

use super::{AppError, Effect, Key, ServiceName, peers::Peers};
use crate::{
    collections::emplace,
    id::{Incarnation, NodeAddr},
    limits::MESSAGE_DEADLINE_MAX,
    probe::Probe,
    time::Time,
    wire::v1,
};

/// Who this node is. Lives as long as the node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Me {
    pub(super) addr: NodeAddr,
    pub(super) life: Incarnation,
    pub(super) max_payload: usize,
}

/// What every step may use. Lives for one call of the machine.
#[derive(Debug)]
pub(super) struct Env<'a> {
    pub(super) now: Time,
    pub(super) me: Me,
    pub(super) peers: &'a mut Peers,
    pub(super) local: &'a mut Local,
    pub(super) probe: &'a mut Probe,
    pub(super) fx: &'a mut Vec<Effect>,
}

/// What the two ends of calls within this node have said and not heard. Empty between two calls of the machine.
#[derive(Debug, Default)]
pub(super) struct Local {
    pub(super) asks: VecDeque<Ask>,
    pub(super) answers: VecDeque<(u64, Answer)>,
}

/// What a caller says to a provider of the same node.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Request {
        call: u64,
        service: ServiceName,
        /// `None`: whoever serves it.
        to: Option<Option<Arc<str>>>,
        from_client: Option<Arc<str>>,
        deadline: Time,
        key: Option<Key>,
        window: Option<(u32, u32)>,
        payload: Bytes,
    },
    Cancel {
        call: u64,
    },
    Credit {
        call: u64,
        items: u64,
        bytes: u64,
    },
}

/// What a provider says to a caller.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Item { seq: u64, payload: Bytes },
    Done { items: u64, load: u32, payload: Bytes },
    Failed { items: u64, load: u32, error: AppError },
    Refused { why: v1::CallRefusal, load: u32 },
    Lost { why: v1::CallLoss },
    Progress { stage: v1::CallStage },
}

/// Somebody who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) node: NodeAddr,
    pub(super) life: Incarnation,
    pub(super) call: u64,
    pub(super) deadline: Time,
}

impl Env<'_> {
    /// Answers a caller, unless its deadline has passed.
    pub(super) fn answer(&mut self, to: Waiter, answer: Answer) {
        if to.node == self.me.addr {
            self.local.answers.push_back((to.call, answer));
            return;
        }
        let call = to.call;
        match answer {
            Answer::Item { seq, payload } => self.say(to, &v1::Call::Item { call, seq }, payload),
            Answer::Done { items, load, payload } => self.say(to, &v1::Call::Done { call, items, load }, payload),
            Answer::Failed { items, load, error } => {
                let AppError { code, message, payload } = error;
                self.say(to, &v1::Call::Failed { call, items, load, code, message: &message }, payload);
            }
            Answer::Refused { why, load } => self.say(to, &v1::Call::Refused { call, why, load }, Bytes::new()),
            Answer::Lost { why } => self.say(to, &v1::Call::Lost { call, why }, Bytes::new()),
            Answer::Progress { stage } => self.say(to, &v1::Call::Progress { call, stage }, Bytes::new()),
        }
    }

    /// Sends to another node what concerns a call with this deadline; nothing once that has passed.
    pub(super) fn send(&mut self, to: NodeAddr, id: Option<u64>, call: &v1::Call<'_>, body: Bytes, deadline: Time) {
        let left = deadline - self.now;
        if !left.is_zero() {
            let header = call.encode();
            let deadline = left.min(MESSAGE_DEADLINE_MAX);
            emplace(self.fx, || Effect::Send { to, id, header, body, deadline });
        }
    }

    fn say(&mut self, to: Waiter, call: &v1::Call<'_>, body: Bytes) {
        self.send(to.node, None, call, body, to.deadline);
    }
}

/// The header of what is said instead of an answer whose payload is let go: that it was lost.
pub(crate) fn without_payload(header: &Bytes) -> Bytes {
    let Ok(v1::Call::Item { call, .. } | v1::Call::Done { call, .. } | v1::Call::Failed { call, .. }) =
        v1::Call::decode(header)
    else {
        return header.clone();
    };
    Bytes::copy_from_slice(&v1::Call::Lost { call, why: v1::CallLoss::AnswerLost }.encode())
}
