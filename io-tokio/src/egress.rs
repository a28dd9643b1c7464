//! The engine's side of the outlets: takes turns among receivers, as far as the node has room for each.

use std::{collections::VecDeque, sync::Arc, task::Context, time::Duration};

use proto_core::{
    id::{NodeAddr, Token},
    node::{Answer, Command, Input, Send},
};
use tokio::sync::oneshot;

use crate::{
    outlet::{Outlet, Posted},
    ready::ReadyList,
};

/// Room that is assumed for a receiver before the node was asked.
const ROOM_UNASKED: usize = 64;

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
    room: usize,
}

impl Egress {
    /// Takes from the outlets that list themselves at `ready`; a message without a deadline of its own gets `deadline`.
    pub(crate) const fn new(ready: Arc<ReadyList<Arc<Outlet>>>, deadline: Duration) -> Self {
        Self { ready, active: VecDeque::new(), fresh: Vec::new(), spare: Vec::new(), deadline }
    }

    /// Asks the node how many more messages it takes for each receiver with something waiting.
    pub(crate) fn refresh(&mut self, room: impl Fn(NodeAddr) -> usize) {
        for active in &mut self.active {
            active.room = room(active.outlet.to);
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
            self.active.push_back(Active { outlet, queue, room: ROOM_UNASKED });
        }
        let mut left = max;
        for _ in 0..self.active.len() {
            let Some(mut active) = self.active.pop_front() else { return };
            if active.queue.is_empty() && !active.outlet.take(&mut active.queue) {
                self.spare.push(active.queue);
                continue;
            }
            let count = left.min(active.room).min(active.queue.len());
            for posted in active.queue.drain(..count) {
                into.push(command(active.outlet.to, posted, self.deadline, &mut track));
            }
            active.room -= count;
            left -= count;
            self.active.push_back(active);
        }
    }

    /// Whether [`Egress::poll`] has something to do without being woken.
    pub(crate) fn is_busy(&self) -> bool {
        self.active.iter().any(|active| active.room > 0)
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
