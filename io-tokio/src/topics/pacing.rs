//! The engine's side of the publications: gives the node as many as the ways to other nodes have room for.
//!
//! A publication goes to many nodes at once, and the slowest would have it wait. So a way that is full holds publishers
//! up only while it moves: one that did not move for [`PATIENCE`], or did not empty by half within [`PATIENCE_MOVING`], is
//! left behind until it has emptied. What it has no room for meanwhile it does not get, and the node says so.
//!
//! Bounds: one queue as in [`Press`]; one entry per node that is full or left behind.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use proto_core::{
    id::NodeAddr,
    limits::{FLOW_QUEUE_BYTES, FLOW_QUEUE_MESSAGES, FLOW_WINDOW},
    message::OutflowView,
    node::{Command, Input, TopicCommand},
    time::Time,
};

use super::press::{Press, Printed};

/// Publications that the node is given ahead for one receiver: as many as can be in flight, and as many again.
const AHEAD_MESSAGES: usize = FLOW_WINDOW * 2;
/// Bytes that the node is given ahead for one receiver.
const AHEAD_BYTES: usize = FLOW_QUEUE_BYTES / 4;
/// Most of either that is given between two looks at the node.
const STEP: usize = AHEAD_MESSAGES / 2;
/// Least that is given between two looks, while there is room at all: a look takes longer the more ways there are.
const STEP_MIN: usize = 256;
/// How long a way that does not move at all holds publishers up.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a way that moves, but does not become half empty, holds publishers up.
const PATIENCE_MOVING: Duration = Duration::from_secs(2);

const _: () = {
    assert!(AHEAD_MESSAGES + STEP < FLOW_QUEUE_MESSAGES, "what is given ahead is never refused as busy");
    assert!(AHEAD_BYTES < FLOW_QUEUE_BYTES / 2, "what is given ahead is never refused as busy");
};

/// Publications that the engine took and the node was not given. See the module's first lines.
#[derive(Debug, Default)]
pub(crate) struct Pacing {
    queue: VecDeque<Printed>,
    room: Room,
    /// The node was looked at, and there was no room.
    blocked: bool,
    full: BTreeMap<NodeAddr, Full>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Room {
    messages: usize,
    bytes: usize,
}

/// A way without room.
#[derive(Clone, Copy, Debug)]
struct Full {
    since: Time,
    moved: Time,
    backlog: usize,
    left_behind: bool,
}

impl Full {
    /// When it holds nobody up any more.
    fn patience_ends(&self) -> Option<Time> {
        (!self.left_behind).then(|| (self.since + PATIENCE_MOVING).min(self.moved + PATIENCE))
    }
}

impl Pacing {
    /// Appends at most `max` publications as inputs. `name` makes the token of each.
    pub(crate) fn poll(
        &mut self,
        press: &Press,
        max: usize,
        into: &mut Vec<Input>,
        mut name: impl FnMut(Option<tokio::sync::oneshot::Sender<proto_core::node::Answer>>) -> proto_core::id::Token,
    ) {
        if self.queue.is_empty() {
            press.take(&mut self.queue);
        }
        for _ in 0..max {
            if self.room.messages == 0 || (self.room.bytes == 0 && !self.queue.is_empty()) {
                self.room = Room::default();
                return;
            }
            let Some(printed) = self.queue.pop_front() else { return };
            self.room.messages -= 1;
            self.room.bytes = self.room.bytes.saturating_sub(printed.len());
            let Printed { publish, receipt } = printed;
            let token = name(receipt);
            into.push(Input::Command { token, command: Command::Topic(TopicCommand::Publish(publish)) });
        }
    }

    /// Whether the node must be looked at before [`Pacing::poll`] can go on.
    pub(crate) fn must_look(&self) -> bool {
        !self.queue.is_empty() && self.room.messages == 0
    }

    /// Whether that look must be now: the last one found room, which was used up.
    pub(crate) fn must_ask(&self) -> bool {
        self.must_look() && !self.blocked
    }

    /// Whether [`Pacing::poll`] has something to do without being woken.
    pub(crate) fn is_busy(&self) -> bool {
        !self.queue.is_empty() && self.room.messages > 0
    }

    /// Looks at what waits on every way.
    pub(crate) fn look(&mut self, now: Time, flows: impl Iterator<Item = OutflowView>) {
        let mut room = Room { messages: STEP, bytes: AHEAD_BYTES };
        let mut full = std::mem::take(&mut self.full);
        for flow in flows {
            let backlog = flow.waiting + flow.in_flight;
            let before = full.remove(&flow.to);
            if let Some(state) = judge(now, before, backlog, flow.bytes) {
                self.full.insert(flow.to, state);
                if !state.left_behind {
                    room = Room::default();
                }
            } else {
                room.messages = room.messages.min(AHEAD_MESSAGES.saturating_sub(backlog).max(STEP_MIN));
                room.bytes = room.bytes.min(AHEAD_BYTES.saturating_sub(flow.bytes));
            }
        }
        self.blocked = room.messages == 0 || room.bytes == 0;
        self.room = if self.blocked { Room::default() } else { room };
    }

    /// When a way that is full holds nobody up any more.
    pub(crate) fn deadline(&self) -> Option<Time> {
        if !self.must_look() {
            return None;
        }
        self.full.values().filter_map(Full::patience_ends).min()
    }

    /// How many publications the node was not told of yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.queue.len() as u64
    }
}

/// How a way stands that had this backlog before: `None` if it has room.
fn judge(now: Time, before: Option<Full>, messages: usize, bytes: usize) -> Option<Full> {
    let Some(mut state) = before else {
        let is_full = messages >= AHEAD_MESSAGES || bytes >= AHEAD_BYTES;
        return is_full.then_some(Full { since: now, moved: now, backlog: messages, left_behind: false });
    };
    if messages < AHEAD_MESSAGES / 2 && bytes < AHEAD_BYTES / 2 {
        return None;
    }
    if messages < state.backlog {
        state.moved = now;
    }
    state.backlog = messages;
    state.left_behind |= state.patience_ends().is_some_and(|due| due <= now);
    Some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn judged(states: &[(u64, usize)]) -> Option<bool> {
        let judge = |before, &(at, messages): &(u64, usize)| judge(ms(at), before, messages, 0);
        states.iter().fold(None, judge).map(|full| full.left_behind)
    }

    #[test]
    fn a_full_way_has_room_again_once_it_is_half_empty() {
        assert_eq!(judged(&[(0, AHEAD_MESSAGES - 1)]), None);
        assert_eq!(judged(&[(0, AHEAD_MESSAGES)]), Some(false));
        assert_eq!(judged(&[(0, AHEAD_MESSAGES), (100, AHEAD_MESSAGES / 2)]), Some(false));
        assert_eq!(judged(&[(0, AHEAD_MESSAGES), (100, AHEAD_MESSAGES / 2 - 1)]), None);
    }

    #[test]
    fn a_way_that_does_not_move_is_left_behind_soon_and_one_that_crawls_later() {
        let full = AHEAD_MESSAGES;
        assert_eq!(judged(&[(0, full), (249, full)]), Some(false));
        assert_eq!(judged(&[(0, full), (250, full)]), Some(true));
        assert_eq!(judged(&[(0, full), (200, full - 1), (400, full - 2)]), Some(false));
        let crawling: Vec<(u64, usize)> = (0..=10).map(|n| (n * 200, full - n as usize)).collect();
        assert_eq!(judged(&crawling), Some(true));
        assert_eq!(judged(&[(0, full), (250, full), (9_000, full / 2)]), Some(true), "until it is half empty");
    }
}
