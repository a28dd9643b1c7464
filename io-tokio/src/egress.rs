//! The engine's side of the outlets: takes turns among receivers, as far as the node has room for each.
//!
//! Requests that send to several receivers come another way. They wait here until everything that was posted to those
//! receivers before is with the node, so that an application's messages arrive in the order in which it sent them.

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

/// Most requests that wait for posted messages. More are refused.
const HELD_MAX: usize = 1_024;

/// Outlets with something in them, and the requests that wait for some of it.
#[derive(Debug)]
pub(crate) struct Egress {
    ready: Arc<ReadyList<Arc<Outlet>>>,
    active: VecDeque<Active>,
    fresh: Vec<Arc<Outlet>>,
    /// Queues to use again.
    spare: Vec<VecDeque<Posted>>,
    deadline: Duration,
    held: VecDeque<Held>,
    last_active: u64,
}

/// A request to several receivers.
#[derive(Debug)]
struct Held {
    token: Token,
    command: Command,
    /// By which outlets, and until how many of their messages are with the node.
    behind: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Active {
    /// No other ever has the same.
    id: u64,
    outlet: Arc<Outlet>,
    queue: VecDeque<Posted>,
    /// Messages that the node was given.
    given: u64,
    /// What the node has of this receiver's, and what it was given since; `None` until it was asked.
    backlog: Option<Backlog>,
}

impl Active {
    /// How many messages the node will have been given when it has all that wait now.
    fn all(&self) -> u64 {
        self.given + (self.queue.len() + self.outlet.len()) as u64
    }

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
        Self {
            ready,
            active: VecDeque::new(),
            fresh: Vec::new(),
            spare: Vec::new(),
            deadline,
            held: VecDeque::new(),
            last_active: 0,
        }
    }

    /// Takes a request to several receivers, to be released by [`Egress::release`]. `false`: there are too many already.
    pub(crate) fn hold(&mut self, cx: &Context<'_>, token: Token, command: Command) -> bool {
        if self.held.len() >= HELD_MAX {
            return false;
        }
        self.admit(cx);
        let concerns =
            |to: NodeAddr| if let Command::SendMany { to: all, .. } = &command { all.contains(&to) } else { true };
        let concerned = self.active.iter().filter(|active| concerns(active.outlet.to));
        let behind = concerned.map(|active| (active.id, active.all())).collect();
        self.held.push_back(Held { token, command, behind });
        true
    }

    /// Appends at most `max` requests whose turn has come.
    pub(crate) fn release(&mut self, max: usize, into: &mut Vec<Input>) {
        for _ in 0..max {
            let Some(held) = self.held.pop_front() else { return };
            // An outlet that is not listed any more has been emptied.
            let waits = |active: &Active| held.behind.iter().any(|(id, upto)| active.id == *id && active.given < *upto);
            if self.active.iter().any(waits) {
                return self.held.push_front(held);
            }
            into.push(Input::Command { token: held.token, command: held.command });
        }
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
        self.admit(cx);
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
                active.given += 1;
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

    /// How many messages and requests the node was not told of yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.active.iter().map(|active| active.queue.len() as u64).sum::<u64>() + self.held.len() as u64
    }

    /// Lists the outlets that have listed themselves as ready.
    fn admit(&mut self, cx: &Context<'_>) {
        self.ready.take(cx, &mut self.fresh);
        for outlet in self.fresh.drain(..) {
            self.last_active += 1;
            let queue = self.spare.pop().unwrap_or_default();
            self.active.push_back(Active { id: self.last_active, outlet, queue, given: 0, backlog: None });
        }
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
