//! How often a node allocates once its tables have grown: a few times per record, never per frame or message.
//!
//! A record allocates its own buffer and the count of who shares it, at the node that seals it and again at the node
//! that opens it, where the frames are slices of it. Everything in between moves through queues that keep their room.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../benches/support/mod.rs"]
mod support;

mod counting;

use counting::COUNT;
use proto_core::probe::Counter;
use support::{Line, PUBLISHER, RELAY, SUBSCRIBER, Security, Step, Work};

/// Most allocations of a step that handles one record, however many frames are in it.
const PER_RECORD: u64 = 4;
/// Most allocations for the headers of [`MANY`] parcels, which share a block.
const PER_BLOCK: u64 = 2;
/// Rounds in which a step is counted.
const ROUNDS: u64 = 100;
/// Messages that fill a good part of one record.
const MANY: u64 = 64;

/// Sealed where the fast provider is built in; the other takes too long without optimisation.
fn security() -> Security {
    #[cfg(feature = "aws-lc")]
    return Security::Noise(proto_core::secure::AWS_LC);
    #[cfg(not(feature = "aws-lc"))]
    return Security::Channel(proto_core::secure::SOFTWARE);
}

/// A line whose tables have grown to what rounds of up to [`MANY`] messages need.
fn warm(work: Work) -> Line {
    let mut line = Line::new(security(), 128, work);
    for _ in 0..ROUNDS {
        line.round(MANY, || ());
    }
    line
}

/// The most allocations that a step makes in any of many rounds.
fn most(line: &mut Line, step: Step, messages: u64) -> u64 {
    let counts = (0..ROUNDS).map(|_| {
        let (before, after) = line.round(messages, || COUNT.get())[step as usize];
        after - before
    });
    counts.max().unwrap()
}

#[test]
fn the_counter_counts() {
    let before = COUNT.get();
    let mut bytes = std::hint::black_box(Vec::<u8>::with_capacity(10));
    assert_eq!(COUNT.get() - before, 1);
    bytes.reserve_exact(100);
    assert_eq!(COUNT.get() - before, 2);
}

#[test]
fn a_relay_allocates_per_record_and_never_per_frame() {
    let mut line = warm(Work::Messages { report: false });
    let before = line.node(RELAY).probe().get(Counter::Forwarded);
    for messages in [1, MANY] {
        let count = most(&mut line, Step::Forward, messages);
        assert!(count <= PER_RECORD, "{count} allocations for {messages} frames");
    }
    let count = most(&mut line, Step::Return, MANY);
    assert!(count <= PER_RECORD, "{count} allocations for an acknowledgement");
    assert!(line.node(RELAY).probe().get(Counter::Forwarded) - before >= ROUNDS * (1 + 2 * MANY));
}

#[test]
fn a_publisher_allocates_per_record_and_never_per_message() {
    let mut line = warm(Work::Messages { report: false });
    for messages in [1, MANY] {
        let count = most(&mut line, Step::Publish, messages);
        assert!(count <= PER_RECORD, "{count} allocations to send {messages} messages");
        let count = most(&mut line, Step::Settle, messages);
        assert!(count <= PER_RECORD, "{count} allocations to settle {messages} messages");
    }
    assert_eq!(line.node(PUBLISHER).messages().unanswered(), 0);
}

#[test]
fn a_subscriber_allocates_per_record_and_never_per_message() {
    let mut line = warm(Work::Messages { report: false });
    let before = line.delivered();
    for messages in [1, MANY] {
        let count = most(&mut line, Step::Deliver, messages);
        assert!(count <= PER_RECORD, "{count} allocations to deliver {messages} messages");
    }
    assert_eq!(line.delivered() - before, ROUNDS * (1 + MANY));
    assert_eq!(line.node(SUBSCRIBER).probe().get(Counter::MessagesDelivered), line.delivered());
}

#[test]
fn an_outcome_that_is_asked_for_costs_one_allocation() {
    let mut line = warm(Work::Messages { report: true });
    let count = most(&mut line, Step::Settle, MANY);
    assert!((MANY..=MANY + PER_RECORD).contains(&count), "{count} allocations for {MANY} outcomes");
    assert_eq!(line.answered(), 2 * ROUNDS * MANY);
}

#[test]
fn publishing_and_settling_allocate_per_record_and_never_per_publication() {
    let mut line = warm(Work::Publications);
    for messages in [1, MANY] {
        for step in [Step::Publish, Step::Settle] {
            let count = most(&mut line, step, messages);
            assert!(count <= PER_RECORD + PER_BLOCK, "{step:?}: {count} allocations for {messages} publications");
        }
    }
}

#[test]
fn a_publication_that_is_handed_over_costs_one_allocation() {
    let mut line = warm(Work::Publications);
    let count = most(&mut line, Step::Deliver, MANY);
    assert!((MANY..=MANY + PER_RECORD).contains(&count), "{count} allocations for {MANY} publications");
    assert_eq!(line.delivered(), 2 * ROUNDS * MANY);
}

#[test]
fn a_call_costs_its_provider_one_allocation_and_its_caller_none() {
    let mut line = Line::new(security(), 128, Work::Calls);
    for _ in 0..ROUNDS {
        line.calls(MANY, || ());
    }
    for _ in 0..ROUNDS {
        let [calling, invoking, answering] = line.calls(MANY, || COUNT.get()).map(|(before, after)| after - before);
        assert!(calling <= PER_RECORD + PER_BLOCK, "{calling} allocations to make {MANY} calls");
        assert!(invoking <= MANY + PER_RECORD, "{invoking} allocations to have {MANY} calls run");
        assert!(answering <= PER_RECORD + PER_BLOCK, "{answering} allocations to answer {MANY} calls");
    }
    assert_eq!(line.answered(), 2 * ROUNDS * MANY);
}
