//! Idempotency keys, at both ends.

use super::*;

fn serving() -> Bench<Rpc> {
    let mut me = bench();
    register(&mut me, at(0), entry(None, 1, 5));
    me.handle(at(0), reachable("a", 1));
    me
}

fn ask(me: &mut Bench<Rpc>, now: Time, call: u64, life: u64, left: u64) -> Vec<Effect> {
    let header = v1::Call::Request(v1::Request { key: b"k", ..request(call, left) });
    me.handle(now, Event::Received { from: addr("a"), incarnation: Incarnation(life), header, body: Bytes::new() })
}

fn answers(effects: &[Effect]) -> Vec<(v1::Call<'_>, String)> {
    sent(effects).into_iter().map(|(_, call, body)| (call, body)).collect()
}

fn done_call(call: u64) -> v1::Call<'static> {
    v1::Call::Done { call, items: 0, load: 0 }
}

#[test]
fn calls_with_one_key_share_one_run_and_later_ones_get_its_result() {
    let mut me = serving();
    let id = invocation(&ask(&mut me, at(0), 1, 20, 1_000));
    assert_eq!(ask(&mut me, at(1), 2, 20, 1_000), []);
    let effects = done(&mut me, at(2), id, "2");
    let two = String::from("2");
    assert_eq!(answers(&effects), [(done_call(1), two.clone()), (done_call(2), two.clone())]);
    let effects = ask(&mut me, at(599_000), 3, 20, 1_000);
    assert_eq!(answers(&effects), [(done_call(3), two)]);
    me.run_until(at(600_002));
    assert_eq!(invoked(&ask(&mut me, at(600_002), 4, 20, 1_000)).len(), 1, "forgotten after its time");
}

#[test]
fn a_caller_that_restarted_joins_the_run_of_its_earlier_life() {
    let mut me = serving();
    let id = invocation(&ask(&mut me, at(0), 1, 20, 1_000));
    let effects = me.handle(at(1), Event::Reachable { node: addr("a"), incarnation: Incarnation(21), cost: 1 });
    assert_eq!(effects, [], "the handler goes on");
    assert_eq!(ask(&mut me, at(2), 1, 21, 1_000), []);
    assert_eq!(answers(&done(&mut me, at(3), id, "2")), [(done_call(1), String::from("2"))]);
}

#[test]
fn a_call_that_never_began_leaves_no_key_behind() {
    let mut me = serving();
    let header = v1::Call::Request(request(9, 10_000));
    let first = invocation(&me.handle(at(0), received("a", header, "")));
    ask(&mut me, at(0), 1, 20, 50);
    me.run_until(at(60));
    done(&mut me, at(61), first, "");
    assert_eq!(invoked(&ask(&mut me, at(62), 2, 20, 1_000)).len(), 1);
}

#[test]
fn a_run_that_lost_its_handler_does_not_run_again() {
    let mut me = bench();
    register(&mut me, at(0), entry(Some("ui"), 1, 1));
    invocation(&ask(&mut me, at(0), 1, 20, 1_000));
    me.handle(at(1), Event::ClientGone { client: Arc::from("ui") });
    register(&mut me, at(2), entry(None, 1, 1));
    let lost = v1::Call::Lost { call: 2, why: v1::CallLoss::HandlerGone };
    assert_eq!(answers(&ask(&mut me, at(3), 2, 20, 1_000)), [(lost, String::new())]);
}

#[test]
fn a_handler_goes_on_while_anybody_waits() {
    let mut me = serving();
    let id = invocation(&ask(&mut me, at(0), 1, 20, 1_000));
    ask(&mut me, at(0), 2, 20, 2_000);
    assert_eq!(me.handle(at(1), received("a", v1::Call::Cancel { call: 1 }, "")), []);
    assert_eq!(stopped(&untimed(me.run_until(at(1_500)))), [], "the later deadline counts");
    let effects = me.handle(at(1_501), received("a", v1::Call::Cancel { call: 2 }, ""));
    assert_eq!(stopped(&effects), [(id, Stop::Cancelled)]);
}

#[test]
fn a_key_belongs_to_its_caller() {
    let mut me = serving();
    ask(&mut me, at(0), 1, 20, 1_000);
    let other = v1::Call::Request(v1::Request { key: b"k", from_client: "ui", ..request(2, 1_000) });
    assert_eq!(me.handle(at(0), received("a", other, "")), [], "it waits for a run of its own");
    let served: Vec<_> = me.machine.served().map(|served| (served.running, served.queued)).collect();
    assert_eq!(served, [(1, 1)]);
}

#[test]
fn one_run_has_a_bounded_number_of_callers() {
    let mut me = serving();
    for call in 1..=64 {
        ask(&mut me, at(0), call, 20, 1_000);
    }
    let refused = v1::Call::Refused { call: 65, why: v1::CallRefusal::TooManyCalls, load: 0 };
    assert_eq!(answers(&ask(&mut me, at(0), 65, 20, 1_000)), [(refused, String::new())]);
}

#[test]
fn a_key_on_a_streaming_call_makes_no_sense() {
    let mut me = serving();
    let both = v1::Request { key: b"k", window: Some((1, 1)), ..request(1, 1_000) };
    let effects = me.handle(at(0), received("a", v1::Call::Request(both), ""));
    let refused = v1::Call::Refused { call: 1, why: v1::CallRefusal::Malformed, load: 0 };
    assert_eq!(answers(&effects), [(refused, String::new())]);
}

#[test]
fn a_balanced_call_with_a_key_is_tried_once() {
    let mut me = bench();
    for node in ["a", "b"] {
        me.handle(at(0), reachable(node, 1));
        me.handle(at(0), announced(node, None));
    }
    let keyed = Call { mode: Mode::Unary { key: Key::new(bytes("k")) }, ..balanced(1_000) };
    let mut receivers = Vec::new();
    for token in 0..3 {
        let (id, effects) = call(&mut me, at(token), token, keyed.clone());
        let [(to, v1::Call::Request(v1::Request { key: b"k", .. }), _)] = sent(&effects)[..] else {
            panic!("{effects:?}")
        };
        receivers.push(to);
        let refused = v1::Call::Refused { call: id.0, why: v1::CallRefusal::QueueFull, load: 0 };
        let header = Event::Received { from: to, incarnation: THEIRS, header: refused, body: Bytes::new() };
        let full = Completion::Overloaded(Overload::QueueFull);
        assert_eq!(ended(&me.handle(at(token), header)), [(token, full)]);
    }
    assert!(receivers.iter().all(|to| *to == receivers[0]), "each time at the same provider");
}
