//! How often a call allocates once the tables have grown: never. Payloads are shared, numbers and words are inline.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../benches/support/calls.rs"]
mod calls;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use calls::Pair;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts what the present thread asks the system for.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing, since the counter needs
// neither initialisation nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `System` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: `memory` came from `System` with this layout; the caller answers for `size`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[test]
fn the_counter_counts() {
    let before = COUNT.get();
    drop(std::hint::black_box(Vec::<u8>::with_capacity(10)));
    assert_eq!(COUNT.get() - before, 1);
}

#[test]
fn a_unary_call_allocates_nothing() {
    for balanced in [false, true] {
        let mut pair = Pair::new(balanced);
        for _ in 0..1_000 {
            pair.round(64);
        }
        let before = COUNT.get();
        for calls in [1, 64] {
            for _ in 0..1_000 {
                pair.round(calls);
            }
        }
        assert_eq!((COUNT.get() - before, pair.completed()), (0, 129_000));
    }
}
