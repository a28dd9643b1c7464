//! The engine's side of the outlets: takes turns among receivers, as far as the node has room for each.

use std::{collections::VecDeque, sync::Arc, task::Context, time::Duration};

use proto_core::{
    id::{NodeAddr, Token},
    limits::{FLOW_QUEUE_BYTES, FLOW_QUEUE_MESSAGES, FLOW_WINDOW},
    message::Backlog,
    node::{Answer, Command, Input, Send},
};
use tokio::sync::oneshot;

use crate::{
    outlet::{Outlet, Posted},
    ready::ReadyList,
};

/// Messages that the node is given ahead for one receiver: as many as can be in flight, and as many again to go on with.
const AHEAD_MESSAGES: usize = FLOW_WINDOW * 2;
/// Payload bytes that the node is given ahead for one receiver. A single larger payload goes when nothing else waits.
const AHEAD_BYTES: usize = FLOW_QUEUE_BYTES / 2;

const _: () = {
    assert!(AHEAD_MESSAGES < FLOW_QUEUE_MESSAGES, "what is given ahead is never refused as busy");
    assert!(AHEAD_BYTES < FLOW_QUEUE_BYTES, "what is given ahead is never refused as busy");
};

/// Outlets with something in them.
#[derive(Debug)]
pub(crate) struct Egress {
    ready: Arc<ReadyList<Arc<Outlet>>>,
    active: VecDeque<Active>,
    fresh: Vec<Arc<Outlet>>,
    /// Queues to use again.
    spare: Vec<VecDeque<Posted>>,
    deadline: Duration,
}

#[derive(Debug)]
struct Active {
    outlet: Arc<Outlet>,
    queue: VecDeque<Posted>,
    /// What the node has of this receiver's, and what it was given since; `None` until it was asked.
    backlog: Option<Backlog>,
}

impl Active {
    /// Whether the node may be given the next message.
    fn may_go(&self) -> bool {
        let Some(Backlog { messages, bytes }) = self.backlog else { return false };
        let fits = |posted: &Posted| messages == 0 || bytes.saturating_add(posted.payload.len()) <= AHEAD_BYTES;
        messages < AHEAD_MESSAGES && self.queue.front().is_none_or(fits)
    }
}

impl Egress {
    /// Takes from the outlets that list themselves at `ready`; a message without a deadline of its own gets `deadline`.
    pub(crate) const fn new(ready: Arc<ReadyList<Arc<Outlet>>>, deadline: Duration) -> Self {
        Self { ready, active: VecDeque::new(), fresh: Vec::new(), spare: Vec::new(), deadline }
    }

    /// Asks the node what it has for each receiver with something waiting.
    pub(crate) fn refresh(&mut self, backlog: impl Fn(NodeAddr) -> Backlog) {
        for active in &mut self.active {
            active.backlog = Some(backlog(active.outlet.to));
        }
    }

    /// Appends at most `max` messages as inputs. `track` names those whose outcome somebody waits for.
    pub(crate) fn poll(
        &mut self,
        cx: &Context<'_>,
        max: usize,
        into: &mut Vec<Input>,
        mut track: impl FnMut(Option<oneshot::Sender<Answer>>) -> Token,
    ) {
        self.ready.take(cx, &mut self.fresh);
        for outlet in self.fresh.drain(..) {
            let queue = self.spare.pop().unwrap_or_default();
            self.active.push_back(Active { outlet, queue, backlog: None });
        }
        let mut left = max;
        for _ in 0..self.active.len() {
            let Some(mut active) = self.active.pop_front() else { return };
            if active.queue.is_empty() && !active.outlet.take(&mut active.queue) {
                self.spare.push(active.queue);
                continue;
            }
            while left > 0 && active.may_go() {
                let Some(posted) = active.queue.pop_front() else { break };
                if let Some(backlog) = &mut active.backlog {
                    backlog.messages += 1;
                    backlog.bytes += posted.payload.len();
                }
                into.push(command(active.outlet.to, posted, self.deadline, &mut track));
                left -= 1;
            }
            self.active.push_back(active);
        }
    }

    /// Whether the node must be asked before [`Egress::poll`] can go on.
    pub(crate) fn must_ask(&self) -> bool {
        self.active.iter().any(|active| active.backlog.is_none())
    }

    /// Whether [`Egress::poll`] has something to do without being woken.
    pub(crate) fn is_busy(&self) -> bool {
        self.active.iter().any(Active::may_go)
    }

    /// How many messages the node was not told of yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.active.iter().map(|active| active.queue.len() as u64).sum()
    }
}

fn command(
    to: NodeAddr,
    posted: Posted,
    deadline: Duration,
    track: &mut impl FnMut(Option<oneshot::Sender<Answer>>) -> Token,
) -> Input {
    let (to_client, from_client, own_deadline, report) = match posted.extra {
        Some(extra) => (extra.to_client, extra.from_client, extra.deadline, extra.report),
        None => (None, None, None, None),
    };
    let send = Send {
        to,
        to_client,
        from_client,
        payload: posted.payload,
        deadline: own_deadline.unwrap_or(deadline),
        report: report.is_some(),
    };
    Input::Command { token: track(report), command: Command::Send(send) }
}
