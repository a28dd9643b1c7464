//! All channels of a node: which of them are ready, what arrived, what must go out.
//!
//! The engine's task owns every socket and polls only those that are ready: a socket wakes its own channel, which puts
//! itself on a list. Reading goes round the ready ones, one read each, so a busy peer delays no other. Writing never
//! waits: [`Channels::flush`] writes what sockets take; small amounts are held back for a few turns while inputs keep
//! coming, so that many turns share one system call, and go out before the task parks.

use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use proto_core::{
    collections::DetMap,
    id::{ChannelId, DialId},
    limits::CLOSE_TIMEOUT,
    node::{ChannelEvent, Input},
    time::Time,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use crate::{
    channel::{Channel, Opened, Phase, Progress},
    counters::ShellCounters,
    ready::ReadyList,
};

/// Room that a read is offered; what was read is split off and the rest is used again.
const READ_ROOM: usize = 64 * 1024;
/// Less room than this is not worth a system call: a new buffer is begun.
const READ_ROOM_MIN: usize = 8 * 1024;
/// Bytes that are written at once, however busy the task is.
const WRITE_NOW: usize = 32 * 1024;
/// Most turns that a smaller amount is held back.
const HOLD_TURNS: u32 = 4;
/// How long a closed channel waits for the other end to close, too.
const LINGER: Duration = Duration::from_secs(1);

/// The table of channels.
pub(crate) struct Channels<S> {
    table: DetMap<ChannelId, Channel<S>>,
    next: ChannelId,
    ready: Arc<ReadyList<ChannelId>>,
    /// Ready ones that were not polled to their end yet, in turn.
    hot: VecDeque<ChannelId>,
    /// Those with something to write that are not blocked.
    dirty: Vec<ChannelId>,
    held_turns: u32,
    /// Those with bytes taken over that the node does not know of.
    credited: Vec<ChannelId>,
    /// Openings and endings to tell.
    events: VecDeque<Input>,
    /// When closing and lingering ones are given up. In order, since both waits are equally long.
    deadlines: VecDeque<(Time, ChannelId)>,
    buffer: BytesMut,
    counters: Arc<ShellCounters>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channels<S> {
    /// No channels.
    pub(crate) fn new(counters: Arc<ShellCounters>) -> Self {
        Self {
            table: DetMap::with_seed(0),
            next: ChannelId(1),
            ready: Arc::new(ReadyList::new()),
            hot: VecDeque::new(),
            dirty: Vec::new(),
            held_turns: 0,
            credited: Vec::new(),
            events: VecDeque::new(),
            deadlines: VecDeque::new(),
            buffer: BytesMut::new(),
            counters,
        }
    }

    /// Whether there are none, not even lingering ones.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Takes a new stream in.
    pub(crate) fn open(&mut self, dial: Option<DialId>, opened: Opened<S>) {
        let id = self.next;
        self.next = id.next();
        let event = ChannelEvent::Opened { dial, remote: Arc::clone(&opened.remote), exporter: opened.exporter };
        self.events.push_back(Input::Channel { channel: id, event });
        self.table.insert(id, Channel::new(id, opened, Arc::clone(&self.ready)));
        self.hot.push_back(id);
    }

    /// Queues bytes. For a channel that is gone: the node will hear of its end.
    pub(crate) fn write(&mut self, id: ChannelId, bytes: Bytes) {
        let Some(channel) = self.table.get_mut(&id).filter(|channel| channel.phase == Phase::Open) else { return };
        channel.enqueue(bytes);
        self.mark_dirty(id);
    }

    /// Closes a channel once everything queued is out.
    pub(crate) fn close(&mut self, id: ChannelId, now: Time) {
        let Some(channel) = self.table.get_mut(&id).filter(|channel| channel.phase == Phase::Open) else { return };
        channel.phase = Phase::Closing;
        channel.give_up_at = now + CLOSE_TIMEOUT;
        self.deadlines.push_back((channel.give_up_at, id));
        self.mark_dirty(id);
    }

    /// Writes what is worth a system call by now.
    pub(crate) fn flush(&mut self, now: Time) {
        if self.dirty.is_empty() {
            return;
        }
        self.held_turns += 1;
        let queued = |id: &ChannelId| self.table.get(id).map_or(0, Channel::queued);
        if self.held_turns >= HOLD_TURNS || self.dirty.iter().any(|id| queued(id) >= WRITE_NOW) {
            self.flush_all(now);
        }
    }

    /// Writes everything that sockets take. Whether that gave the node something to hear.
    pub(crate) fn flush_all(&mut self, now: Time) -> bool {
        self.held_turns = 0;
        let mut dirty = mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            self.flush_one(id, now);
        }
        self.dirty = dirty;
        !self.events.is_empty() || !self.credited.is_empty()
    }

    /// Appends at most `max` inputs: openings, endings, credits, and one read from each ready channel.
    pub(crate) fn poll(&mut self, cx: &Context<'_>, now: Time, max: usize, into: &mut Vec<Input>) {
        let end = into.len() + max;
        self.expire(now);
        self.ready.take(cx, &mut self.hot);
        self.report(end, into);
        for _ in 0..self.hot.len() {
            if into.len() >= end {
                break;
            }
            let Some(id) = self.hot.pop_front() else { break };
            self.attend(id, now, into);
        }
        self.report(end, into);
    }

    /// Whether [`Channels::poll`] has something to do without being woken.
    pub(crate) fn is_busy(&self) -> bool {
        !self.hot.is_empty() || !self.events.is_empty() || !self.credited.is_empty()
    }

    /// Whether something waits for [`Channels::flush_all`].
    pub(crate) const fn has_unwritten(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// When a closing channel must be given up.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.deadlines.front().map(|(at, _)| *at)
    }

    fn mark_dirty(&mut self, id: ChannelId) {
        if let Some(channel) = self.table.get_mut(&id).filter(|channel| !channel.dirty && !channel.blocked) {
            channel.dirty = true;
            self.dirty.push(id);
        }
    }

    fn report(&mut self, end: usize, into: &mut Vec<Input>) {
        while into.len() < end {
            if let Some(id) = self.credited.pop() {
                let taken = self.table.get_mut(&id).filter(|channel| channel.phase == Phase::Open);
                let bytes = taken.map_or(0, |channel| mem::take(&mut channel.taken));
                if bytes > 0 {
                    into.push(Input::Channel { channel: id, event: ChannelEvent::Written { bytes } });
                }
            } else if let Some(event) = self.events.pop_front() {
                into.push(event);
            } else {
                return;
            }
        }
    }

    /// Looks at a channel whose socket may be ready.
    fn attend(&mut self, id: ChannelId, now: Time, into: &mut Vec<Input>) {
        let Some(channel) = self.table.get_mut(&id) else { return };
        channel.wake.unlist();
        if mem::take(&mut channel.blocked) {
            self.flush_one(id, now);
        }
        let Some(channel) = self.table.get_mut(&id) else { return };
        if self.buffer.capacity() - self.buffer.len() < READ_ROOM_MIN {
            self.buffer.reserve(READ_ROOM);
        }
        match channel.read(&mut self.buffer) {
            Poll::Pending => {}
            Poll::Ready(Ok(0)) => self.end(id, None),
            Poll::Ready(Ok(_)) => {
                let bytes = self.buffer.split();
                if channel.phase == Phase::Open {
                    into.push(Input::Channel { channel: id, event: ChannelEvent::Received { bytes } });
                }
                self.hot.push_back(id);
            }
            Poll::Ready(Err(error)) => self.end(id, Some(&error)),
        }
    }

    fn flush_one(&mut self, id: ChannelId, now: Time) {
        let Some(channel) = self.table.get_mut(&id) else { return };
        channel.dirty = false;
        let before = channel.taken;
        let mut progress = channel.write();
        if matches!(progress, Ok(Progress::Done)) && channel.phase == Phase::Closing {
            progress = channel.finish();
            if matches!(progress, Ok(Progress::Done)) {
                channel.phase = Phase::Lingering;
                channel.give_up_at = now + LINGER;
                self.deadlines.push_back((channel.give_up_at, id));
                self.tell_closed(id);
                return;
            }
        }
        if before == 0 && channel.taken > 0 {
            self.credited.push(id);
        }
        if let Err(error) = progress {
            self.end(id, Some(&error));
        }
    }

    /// Removes a channel, and tells the node if it does not know yet.
    fn end(&mut self, id: ChannelId, error: Option<&std::io::Error>) {
        let Some(channel) = self.table.remove(&id) else { return };
        if channel.phase == Phase::Lingering {
            return;
        }
        if let Some(error) = error {
            self.counters.channels_failed.add(1);
            debug!(channel = id.0, remote = &*channel.remote, %error, "the socket failed");
        }
        self.tell_closed(id);
    }

    fn tell_closed(&mut self, id: ChannelId) {
        self.events.push_back(Input::Channel { channel: id, event: ChannelEvent::Closed });
    }

    fn expire(&mut self, now: Time) {
        while self.deadlines.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = self.deadlines.pop_front() else { return };
            // A channel that went from closing to lingering has a later entry of its own.
            let Some(channel) = self.table.get(&id).filter(|channel| channel.give_up_at <= now) else { continue };
            if channel.phase == Phase::Closing {
                debug!(channel = id.0, remote = &*channel.remote, "a closing channel was given up: it takes nothing");
            }
            self.end(id, None);
        }
    }
}
