//! Streaming replies, at both ends.

use super::*;

fn streaming(to: Target) -> Call {
    Call { mode: Mode::Streaming, ..call_to(to, 10_000) }
}

fn serving() -> (Bench<Rpc>, InvocationId) {
    let mut me = bench();
    register(&mut me, at(0), entry(None, 1, 5));
    let header = v1::Call::Request(v1::Request { window: Some((2, 100)), ..request(1, 1_000) });
    let effects = me.handle(at(0), received("a", header, ""));
    assert_eq!(invoked(&effects)[0].room, Some(Room { items: 2, bytes: 100 }));
    (me, invocation(&effects))
}

fn item(me: &mut Bench<Rpc>, now: Time, id: InvocationId, payload: &str) -> (Result<(), NotTaken>, Vec<Effect>) {
    reply(me, now, id, Reply::Item(bytes(payload)))
}

#[test]
fn items_are_numbered_and_the_last_answer_counts_them() {
    let (mut me, id) = serving();
    let (_, effects) = item(&mut me, at(1), id, "x");
    assert_eq!(sent(&effects), [(addr("a"), v1::Call::Item { call: 1, seq: 0 }, String::from("x"))]);
    let (_, effects) = item(&mut me, at(2), id, "y");
    assert_eq!(sent(&effects)[0].1, v1::Call::Item { call: 1, seq: 1 });
    assert_eq!(sent(&done(&mut me, at(3), id, ""))[0].1, v1::Call::Done { call: 1, items: 2, load: 0 });
}

#[test]
fn a_handler_waits_for_room_and_is_told_how_much_there_is() {
    let (mut me, id) = serving();
    item(&mut me, at(1), id, "x").0.unwrap();
    item(&mut me, at(1), id, "y").0.unwrap();
    assert_eq!(item(&mut me, at(1), id, "z"), (Err(NotTaken::NoCredit), std::vec![]));
    let credit = |items, bytes| received("a", v1::Call::Credit { call: 1, items, bytes }, "");
    assert_eq!(me.handle(at(2), credit(1, 1)), [], "credit never shrinks");
    let told = |items| Effect::Writable { invocation: id, room: Room { items, bytes: 100 } };
    assert_eq!(me.handle(at(3), credit(3, 100)), [told(3)]);
    assert_eq!(me.handle(at(4), credit(3, 100)), []);
    assert_eq!(me.handle(at(4), credit(4, 90)), [told(4)]);
    assert_eq!(item(&mut me, at(5), id, &"z".repeat(200)).0, Ok(()), "one item may exceed the bytes");
    assert_eq!(item(&mut me, at(5), id, "!").0, Err(NotTaken::NoCredit));
}

#[test]
fn who_wants_one_answer_gets_no_items() {
    let mut me = bench();
    register(&mut me, at(0), entry(None, 1, 5));
    let id = invocation(&me.handle(at(0), received("a", v1::Call::Request(request(1, 1_000)), "")));
    assert_eq!(item(&mut me, at(1), id, "x").0, Err(NotTaken::NotStreaming));
}

#[test]
fn a_cancelled_stream_takes_no_items() {
    let (mut me, id) = serving();
    me.handle(at(1), received("a", v1::Call::Cancel { call: 1 }, ""));
    assert_eq!(item(&mut me, at(2), id, "x").0, Err(NotTaken::Over));
    assert_eq!(done(&mut me, at(3), id, ""), []);
    assert!(me.machine.is_idle());
}

/// A caller whose call is at `a`.
fn calling() -> (Bench<Rpc>, CallId) {
    let mut me = bench();
    me.handle(at(0), reachable("a", 1));
    let (id, effects) = call(&mut me, at(0), 1, streaming(Target::Node(addr("a"))));
    let v1::Call::Request(request) = sent(&effects)[0].1.clone() else { panic!("{effects:?}") };
    assert_eq!(request.window, Some((64, 1_048_576)));
    (me, id)
}

#[test]
fn items_reach_the_application_in_order_and_credit_goes_back() {
    let (mut me, id) = calling();
    for seq in 0..32 {
        let effects = me.handle(at(1), received("a", v1::Call::Item { call: id.0, seq }, "x"));
        assert_eq!(effects, [Effect::Item { token: Token(1), call: id, payload: bytes("x") }]);
    }
    let effects = me.with(at(2), |rpc, cx, fx| rpc.consumed(cx, id, 31, 31, fx));
    assert_eq!(effects, []);
    let effects = me.with(at(2), |rpc, cx, fx| rpc.consumed(cx, id, 1, 1, fx));
    assert_eq!(sent(&effects)[0].1, v1::Call::Credit { call: id.0, items: 96, bytes: 1_048_608 });
    let done = v1::Call::Done { call: id.0, items: 32, load: 0 };
    assert_eq!(ended(&me.handle(at(3), received("a", done, "end"))), [(1, Completion::Ok(bytes("end")))]);
}

#[test]
fn a_gap_ends_the_call_as_lost_and_stops_the_handler() {
    let (mut me, id) = calling();
    let effects = me.handle(at(1), received("a", v1::Call::Item { call: id.0, seq: 1 }, "x"));
    assert_eq!(ended(&effects), [(1, Completion::Lost(Loss::ItemsMissing))]);
    assert_eq!(sent(&effects)[0].1, v1::Call::Cancel { call: id.0 });
}

#[test]
fn a_last_answer_that_counts_more_items_than_came_is_a_loss() {
    let (mut me, id) = calling();
    me.handle(at(1), received("a", v1::Call::Item { call: id.0, seq: 0 }, "x"));
    let done = v1::Call::Done { call: id.0, items: 2, load: 0 };
    let effects = me.handle(at(2), received("a", done, ""));
    assert_eq!(ended(&effects), [(1, Completion::Lost(Loss::ItemsMissing))]);
}

#[test]
fn a_timeout_says_how_many_items_came() {
    let (mut me, id) = calling();
    me.handle(at(1), received("a", v1::Call::Item { call: id.0, seq: 0 }, "x"));
    let told = untimed(me.run_until(at(10_000)));
    assert_eq!(ended(&told), [(1, Completion::Timeout(Progress::Streaming { items: 1 }))]);
}

#[test]
fn a_stream_within_one_node_has_the_same_window() {
    let mut me = bench();
    register(&mut me, at(0), entry(None, 1, 5));
    let (call, effects) = call(&mut me, at(0), 1, streaming(Target::Balanced(Balance::Nearest)));
    let id = invocation(&effects);
    for _ in 0..64 {
        let (taken, effects) = item(&mut me, at(1), id, "x");
        assert_eq!((taken, effects.len()), (Ok(()), 1));
    }
    assert_eq!(item(&mut me, at(1), id, "x").0, Err(NotTaken::NoCredit));
    let effects = me.with(at(2), |rpc, cx, fx| rpc.consumed(cx, call, 64, 64, fx));
    let room = Room { items: 128, bytes: 1_048_640 };
    assert_eq!(effects, [Effect::Writable { invocation: id, room }]);
    assert_eq!(item(&mut me, at(3), id, "x").0, Ok(()));
    assert_eq!(ended(&done(&mut me, at(4), id, "end")), [(1, Completion::Ok(bytes("end")))]);
}
