//! The end that serves, with the callers' words given by hand.

use super::*;

/// A node with one provider that a caller knows.
fn serving(concurrency: u32, queue: u32) -> Bench<Rpc> {
    let mut me = bench();
    register(&mut me, at(0), entry(None, concurrency, queue));
    me.handle(at(0), reachable("a", 1));
    me
}

fn ask(me: &mut Bench<Rpc>, now: Time, call: u64, left: u64) -> Vec<Effect> {
    me.handle(now, received("a", v1::Call::Request(request(call, left)), "1+1"))
}

#[test]
fn a_request_reaches_the_handler_and_its_answer_goes_back() {
    let mut me = serving(1, 1);
    let effects = ask(&mut me, at(1), 5, 1_000);
    let caller = Caller { node: addr("a"), incarnation: THEIRS, client: None };
    let [Invocation { id, caller: told, left, .. }] = &invoked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((told, *left), (&caller, ms(1_000)));
    let effects = done(&mut me, at(2), *id, "2");
    assert_eq!(sent(&effects), [(addr("a"), v1::Call::Done { call: 5, items: 0, load: 0 }, String::from("2"))]);
    let [Effect::Send { id: None, deadline, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(deadline, ms(999), "an answer has the time that is left");
    assert_eq!(reply(&mut me, at(3), *id, Reply::Done(bytes("again"))).0, Err(NotTaken::Over));
}

#[test]
fn beyond_the_cap_calls_wait_and_beyond_the_queue_they_are_refused() {
    let mut me = serving(1, 1);
    let first = invocation(&ask(&mut me, at(1), 1, 1_000));
    assert_eq!(ask(&mut me, at(2), 2, 1_000), []);
    let effects = ask(&mut me, at(3), 3, 1_000);
    let refused = v1::Call::Refused { call: 3, why: v1::CallRefusal::QueueFull, load: 2 };
    assert_eq!(sent(&effects), [(addr("a"), refused, String::new())]);
    let effects = done(&mut me, at(4), first, "2");
    assert_eq!(sent(&effects)[0].1, v1::Call::Done { call: 1, items: 0, load: 1 });
    assert_eq!(invoked(&effects).len(), 1);
}

#[test]
fn a_call_that_waits_past_its_deadline_never_begins() {
    let mut me = serving(1, 5);
    let first = invocation(&ask(&mut me, at(0), 1, 10_000));
    ask(&mut me, at(0), 2, 50);
    let told = me.run_until(at(50));
    assert!(told.iter().all(|(_, effect)| invoked([effect]).is_empty()));
    let effects = done(&mut me, at(51), first, "2");
    assert_eq!(invoked(&effects), []);
    assert_eq!(me.probe.get(Counter::InvocationsExpired), 1);
    assert!(me.machine.is_idle());
}

#[test]
fn a_place_that_comes_free_at_the_deadline_comes_too_late() {
    let mut me = serving(1, 5);
    let first = invocation(&ask(&mut me, at(0), 1, 10_000));
    ask(&mut me, at(0), 2, 50);
    // The deadline of the second has come, and nobody has looked at it yet.
    assert_eq!(invoked(&done(&mut me, at(50), first, "2")), []);
    assert!(me.machine.is_idle());
}

#[test]
fn a_request_without_time_left_is_dropped() {
    let mut me = serving(1, 1);
    assert_eq!(ask(&mut me, at(1), 1, 0), []);
    assert!(me.machine.is_idle());
}

#[test]
fn a_handler_is_told_to_stop_at_the_deadline_and_keeps_its_place_until_it_answers() {
    let mut me = serving(1, 1);
    let id = invocation(&ask(&mut me, at(0), 1, 40));
    ask(&mut me, at(0), 2, 10_000);
    let told = me.run_until(at(90));
    let stops: Vec<_> =
        told.iter().map(|(when, effect)| (*when, stopped([effect]))).filter(|s| !s.1.is_empty()).collect();
    assert_eq!(stops, [(at(40), std::vec![(id, Stop::DeadlinePassed)])]);
    assert!(told.iter().all(|(_, effect)| invoked([effect]).is_empty()), "the place is not free yet");
    let effects = done(&mut me, at(91), id, "2");
    assert_eq!((sent(&effects), invoked(&effects).len()), (std::vec![], 1), "nothing is sent after the deadline");
}

#[test]
fn a_handler_that_does_not_stop_loses_its_place_after_half_a_minute() {
    let mut me = serving(1, 1);
    let id = invocation(&ask(&mut me, at(0), 1, 40));
    me.run_until(at(30_039));
    assert!(!me.machine.is_idle());
    me.run_until(at(30_040));
    assert!(me.machine.is_idle());
    assert_eq!(me.probe.get(Counter::InvocationsAbandoned), 1);
    assert_eq!(reply(&mut me, at(30_041), id, Reply::Done(bytes("2"))).0, Err(NotTaken::Over));
}

#[test]
fn a_cancelled_call_stops_its_handler_or_leaves_the_queue() {
    let mut me = serving(1, 5);
    let id = invocation(&ask(&mut me, at(0), 1, 1_000));
    ask(&mut me, at(0), 2, 1_000);
    ask(&mut me, at(0), 3, 1_000);
    assert_eq!(me.handle(at(1), received("a", v1::Call::Cancel { call: 2 }, "")), []);
    let effects = me.handle(at(2), received("a", v1::Call::Cancel { call: 1 }, ""));
    assert_eq!(effects, [Effect::CancelInvocation { invocation: id, why: Stop::Cancelled }]);
    assert_eq!(me.handle(at(3), received("a", v1::Call::Cancel { call: 1 }, "")), [], "once");
    let effects = done(&mut me, at(4), id, "2");
    assert_eq!((sent(&effects), invoked(&effects).len()), (std::vec![], 1));
}

#[test]
fn nobody_cancels_for_another_life_or_node() {
    let mut me = serving(1, 5);
    ask(&mut me, at(0), 1, 1_000);
    assert_eq!(me.handle(at(1), received("b", v1::Call::Cancel { call: 1 }, "")), []);
    let cancel = v1::Call::Cancel { call: 1 };
    let other = Event::Received { from: addr("a"), incarnation: Incarnation(21), header: cancel, body: Bytes::new() };
    assert_eq!(me.handle(at(1), other), []);
}

#[test]
fn what_a_caller_asked_in_an_earlier_life_is_stopped() {
    let mut me = serving(1, 5);
    let id = invocation(&ask(&mut me, at(0), 1, 1_000));
    ask(&mut me, at(0), 2, 1_000);
    let effects = me.handle(at(1), Event::Reachable { node: addr("a"), incarnation: Incarnation(21), cost: 1 });
    assert_eq!(effects, [Effect::CancelInvocation { invocation: id, why: Stop::CallerRestarted }]);
    assert_eq!(done(&mut me, at(2), id, "2"), []);
    assert!(me.machine.is_idle());
}

#[test]
fn a_call_that_takes_long_is_told_about() {
    let mut me = serving(1, 5);
    let id = invocation(&ask(&mut me, at(0), 1, 3_000));
    ask(&mut me, at(0), 2, 200);
    ask(&mut me, at(0), 3, 4_000);
    let told = me.run_until(at(1_150));
    let notes: Vec<_> =
        told.iter().flat_map(|(when, effect)| sent([effect]).into_iter().map(|(_, call, _)| (*when, call))).collect();
    let queued = |call, behind| v1::Call::Progress { call, stage: v1::CallStage::Queued { behind } };
    let running = |call, for_us| v1::Call::Progress { call, stage: v1::CallStage::Running { for_us } };
    assert_eq!(
        notes,
        [
            (at(50), queued(2, 0)),
            (at(100), running(1, 100_000)),
            (at(100), queued(3, 1)),
            (at(1_100), running(1, 1_100_000)),
            (at(1_100), queued(3, 0)),
        ]
    );
    let effects = done(&mut me, at(1_200), id, "2");
    assert_eq!(sent(&effects)[1].1, running(3, 0), "who was told that it waits is told that it runs");
}

#[test]
fn a_provider_that_is_taken_back_refuses_what_waits_and_finishes_what_runs() {
    let mut me = serving(1, 5);
    let id = invocation(&ask(&mut me, at(0), 1, 1_000));
    ask(&mut me, at(0), 2, 1_000);
    let effects = me.with(at(1), |rpc, cx, fx| assert!(rpc.unregister(cx, &service(), None, fx)));
    let refused = v1::Call::Refused { call: 2, why: v1::CallRefusal::NoSuchService, load: 0 };
    assert_eq!(sent(&effects), [(addr("a"), refused, String::new())]);
    assert_eq!(sent(&done(&mut me, at(2), id, "2"))[0].1, v1::Call::Done { call: 1, items: 0, load: 0 });
    assert_eq!(sent(&ask(&mut me, at(3), 3, 1_000)).len(), 1, "refused");
    me.with(at(4), |rpc, cx, fx| assert!(!rpc.unregister(cx, &service(), None, fx)));
}

#[test]
fn a_handler_that_goes_away_while_it_runs_leaves_an_indefinite_answer() {
    let mut me = bench();
    register(&mut me, at(0), entry(Some("ui"), 1, 5));
    invocation(&ask(&mut me, at(0), 1, 1_000));
    ask(&mut me, at(0), 2, 1_000);
    let effects = me.handle(at(1), Event::ClientGone { client: Arc::from("ui") });
    let words: Vec<_> = sent(&effects).into_iter().map(|(_, call, _)| call).collect();
    assert_eq!(
        words,
        [
            v1::Call::Refused { call: 2, why: v1::CallRefusal::NoSuchService, load: 0 },
            v1::Call::Lost { call: 1, why: v1::CallLoss::HandlerGone },
        ]
    );
}

#[test]
fn a_larger_cap_lets_more_begin() {
    let mut me = serving(1, 5);
    ask(&mut me, at(0), 1, 1_000);
    ask(&mut me, at(0), 2, 1_000);
    assert_eq!(invoked(&register(&mut me, at(1), entry(None, 2, 5))).len(), 1);
}

#[test]
fn a_named_client_serves_what_is_for_it_and_no_other() {
    let mut me = serving(1, 5);
    register(&mut me, at(0), entry(Some("ui"), 1, 5));
    let named = v1::Request { to: Some("ui"), from_client: "cli", ..request(1, 1_000) };
    let effects = me.handle(at(0), received("a", v1::Call::Request(named), ""));
    let invocation = invoked(&effects).remove(0);
    assert_eq!((invocation.client.as_deref(), invocation.caller.client.as_deref()), (Some("ui"), Some("cli")));
    assert_eq!(me.machine.handler_of(invocation.id), Some(Some(&Arc::from("ui"))));
    let nobody = v1::Request { to: Some("tv"), ..request(2, 1_000) };
    let effects = me.handle(at(0), received("a", v1::Call::Request(nobody), ""));
    assert_eq!(sent(&effects)[0].1, v1::Call::Refused { call: 2, why: v1::CallRefusal::NoSuchService, load: 0 });
}

#[test]
fn whoever_has_the_least_to_do_serves_what_is_for_the_node() {
    let mut me = serving(5, 5);
    register(&mut me, at(0), entry(Some("ui"), 5, 5));
    let clients: Vec<_> =
        (1..=4).map(|call| invoked(&ask(&mut me, at(0), call, 1_000)).remove(0).client.is_some()).collect();
    assert_eq!(clients, [false, true, false, true]);
}

#[test]
fn one_caller_cannot_take_every_place() {
    let mut me = serving(16_384, 4_096);
    let mut last = None;
    for call in 1..=16_384 {
        last = Some(invocation(&ask(&mut me, at(0), call, 1_000)));
    }
    let effects = ask(&mut me, at(0), 16_385, 1_000);
    assert_eq!(sent(&effects)[0].1, v1::Call::Refused { call: 16_385, why: v1::CallRefusal::TooManyCalls, load: 0 });
    let other = me.handle(at(0), received("b", v1::Call::Request(request(1, 1_000)), ""));
    assert_eq!(other, [], "another's waits its turn");
    done(&mut me, at(1), last.unwrap(), "2");
    assert_eq!(ask(&mut me, at(1), 16_386, 1_000), [], "one was answered, so one more may wait");
}

#[test]
fn bytes_that_wait_are_bounded() {
    let mut me = serving(1, 4_096);
    ask(&mut me, at(0), 1, 1_000);
    let large = "x".repeat(1_048_576);
    for call in 2..=65 {
        assert_eq!(me.handle(at(0), received("a", v1::Call::Request(request(call, 1_000)), &large)), []);
    }
    let effects = me.handle(at(0), received("a", v1::Call::Request(request(66, 1_000)), "x"));
    assert_eq!(sent(&effects)[0].1, v1::Call::Refused { call: 66, why: v1::CallRefusal::QueueFull, load: 65 });
}

#[test]
fn a_number_in_use_names_no_second_call() {
    let mut me = serving(5, 5);
    ask(&mut me, at(0), 1, 1_000);
    assert_eq!(ask(&mut me, at(0), 1, 1_000), []);
    assert_eq!(me.probe.get(Counter::CallsMalformed), 1);
}

#[test]
fn a_long_error_message_is_cut_and_a_large_result_comes_back() {
    let mut me = serving(5, 5);
    let id = invocation(&ask(&mut me, at(0), 1, 1_000));
    let large = Reply::Done(Bytes::from(std::vec![0; 1_048_577]));
    assert_eq!(reply(&mut me, at(1), id, large).0, Err(NotTaken::TooLarge { len: 1_048_577, limit: 1_048_576 }));
    let error = AppError { code: 7, message: Arc::from("é".repeat(300)), payload: bytes("why") };
    let (taken, effects) = reply(&mut me, at(2), id, Reply::Error(error));
    assert_eq!(taken, Ok(()));
    let message = "é".repeat(256);
    let failed = v1::Call::Failed { call: 1, items: 0, load: 0, code: 7, message: &message };
    assert_eq!(sent(&effects), [(addr("a"), failed, String::from("why"))]);
}
