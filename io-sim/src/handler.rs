//! A handler of a host's application: it gives back what it is given. To a caller that takes items it sends some first,
//! which say what they belong to, as many at once as the caller has room for.

use bytes::{BufMut as _, Bytes, BytesMut};
use proto_core::rpc::{Invocation, InvocationId, Reply, Room};

/// Bytes of the call's payload that an item repeats.
const ITEM_KEY: usize = 16;
/// One more than the most items of one call: a few windows.
const ITEMS: u64 = 200;

/// How many items come before the answer to a call with this payload that takes items.
#[must_use]
pub const fn items_of(payload: &Bytes) -> u64 {
    payload.len() as u64 % ITEMS
}

/// One of them, counted from 0.
#[must_use]
pub fn item_of(payload: &Bytes, number: u64) -> Bytes {
    let mut item = BytesMut::with_capacity(8 + ITEM_KEY);
    item.put_u64_le(number);
    item.extend_from_slice(&payload[..payload.len().min(ITEM_KEY)]);
    item.freeze()
}

/// A call that a handler runs.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) id: InvocationId,
    payload: Bytes,
    room: Option<Room>,
    sent: Room,
    stopped: bool,
}

impl Handler {
    /// It begins.
    pub(crate) fn new(invocation: &Invocation) -> Self {
        let payload = invocation.payload.clone();
        Self { id: invocation.id, payload, room: invocation.room, sent: Room::default(), stopped: false }
    }

    /// The caller has more room.
    pub(crate) fn has_room(&mut self, room: Room) {
        self.room = Some(room);
    }

    /// It shall stop: it answers at once.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// What it says next; `None` while the caller has no room.
    pub(crate) fn next(&mut self) -> Option<Reply> {
        let items = if self.stopped { 0 } else { self.room.map_or(0, |_| items_of(&self.payload)) };
        if self.sent.items >= items {
            return Some(Reply::Done(self.payload.clone()));
        }
        self.room.filter(|room| room.takes_more(self.sent))?;
        let item = item_of(&self.payload, self.sent.items);
        self.sent.items += 1;
        self.sent.bytes += item.len() as u64;
        Some(Reply::Item(item))
    }
}
