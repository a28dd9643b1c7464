//! How often a call allocates once the tables have grown: never. Payloads are shared, numbers and words are inline.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../benches/support/calls.rs"]
mod calls;

mod counting;

use calls::Pair;
use counting::COUNT;

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
