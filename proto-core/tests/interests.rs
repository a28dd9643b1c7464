//! What a subscription takes in the table of interests, and what a publication to a topic that is remembered allocates.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../benches/patterns/mod.rs"]
mod patterns;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use patterns::{MANY, node, pattern, topic};
use proto_core::pubsub::{Interests, Pattern};

/// Most bytes for one subscription, with the text of its pattern.
const BYTES_MAX: usize = 100;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Counts what the present thread asks the system for, and what it holds of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing, since the counters need
// neither initialisation nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        BYTES.set(BYTES.get().wrapping_add(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get().wrapping_sub(layout.size()));
        // SAFETY: `memory` came from `System` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        BYTES.set(BYTES.get().wrapping_add(size).wrapping_sub(layout.size()));
        // SAFETY: `memory` came from `System` with this layout; the caller answers for `size`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// The bytes that each of so many subscriptions takes. Hash tables grow by doubling: an eighth of a million fills them as
/// badly as a million does.
fn bytes_each(many: u32, pattern: impl Fn(u32) -> Pattern) -> (Interests, usize) {
    let before = BYTES.get();
    let mut table = Interests::new(7);
    for number in 0..many {
        table.set(node(number), &pattern(number), None, 1).unwrap();
    }
    assert_eq!(table.len(), many as usize);
    let each = (BYTES.get() - before) / many as usize;
    (table, each)
}

#[test]
fn a_million_subscriptions_take_less_than_100_bytes_each_and_nothing_once_they_are_gone() {
    let before = BYTES.get();
    let (mut table, each) = bytes_each(MANY, pattern);
    assert!(each < BYTES_MAX, "{each} bytes");
    assert_eq!(table.count(&topic(77_777)), 2);
    for number in 0..MANY {
        assert!(table.unset(node(number), &pattern(number), None));
    }
    let left = BYTES.get() - before;
    assert!(left < 16_384, "{left} bytes are left");
}

#[test]
fn patterns_that_share_little_take_less_than_100_bytes_each() {
    let kinds: [fn(u32) -> String; 4] = [
        |number| format!("a.{}.b.{}.*", number % 350, number / 350),
        |number| format!("unit.{}", number + MANY),
        |number| format!("unit.{}.>", number + MANY),
        |number| format!("unit.{}.door.*.state", number + MANY),
    ];
    for kind in kinds {
        let (_, each) = bytes_each(MANY / 8, |number| Pattern::new(&kind(number)).unwrap());
        assert!(each < BYTES_MAX, "{each} bytes for patterns like {}", kind(MANY - 1));
    }
}

#[test]
fn a_look_up_allocates_nothing() {
    let mut table = Interests::new(7);
    for number in 0..10_000 {
        table.set(node(number), &pattern(number), None, 1).unwrap();
    }
    let topic = topic(3);
    let before = COUNT.get();
    assert_eq!(table.count(&topic), 2);
    assert_eq!(COUNT.get() - before, 0);
}
