//! The end that calls, with the providers' words given by hand.

use super::*;
use crate::node::Outcome;

/// A node that reaches `a`.
fn calling() -> Bench<Rpc> {
    let mut me = bench();
    me.handle(at(0), reachable("a", 1));
    me
}

fn outcome(me: &mut Bench<Rpc>, now: Time, id: u64, outcome: Outcome) -> Vec<Effect> {
    me.handle(now, Event::Sent { id, outcome })
}

#[test]
fn a_request_says_what_the_provider_needs() {
    let mut me = calling();
    let (id, effects) = call(&mut me, at(0), 1, to_node("a", 1_000));
    let request = v1::Request { call: id.0, ..request(0, 1_000) };
    assert_eq!(sent(&effects), [(addr("a"), v1::Call::Request(request), String::from("1+1"))]);
    let client = Provider { node: addr("a"), client: Some(Arc::from("ui")) };
    let from_cli = Call { from_client: Some(Arc::from("cli")), ..call_to(Target::Provider(client), 1_000) };
    let (_, effects) = call(&mut me, at(0), 2, from_cli);
    let v1::Call::Request(request) = sent(&effects)[0].1.clone() else { panic!("{effects:?}") };
    assert_eq!((request.to, request.from_client), (Some("ui"), "cli"));
}

#[test]
fn the_first_answer_ends_a_call_and_a_second_is_late() {
    let mut me = calling();
    let (id, _) = call(&mut me, at(0), 1, to_node("a", 1_000));
    let done = v1::Call::Done { call: id.0, items: 0, load: 0 };
    assert_eq!(ended(&me.handle(at(1), received("a", done.clone(), "2"))), [(1, Completion::Ok(bytes("2")))]);
    assert_eq!(me.handle(at(2), received("a", done, "2")), []);
    assert_eq!(me.probe.get(Counter::CallsLate), 1);
    assert_eq!(me.machine.poll_timeout(), None);
}

#[test]
fn an_answer_counts_only_from_the_node_and_life_that_was_asked() {
    let mut me = calling();
    let (id, _) = call(&mut me, at(0), 1, to_node("a", 1_000));
    let done = v1::Call::Done { call: id.0, items: 0, load: 0 };
    assert_eq!(me.handle(at(1), received("b", done.clone(), "2")), []);
    let old = Event::Received { from: addr("a"), incarnation: Incarnation(19), header: done, body: Bytes::new() };
    assert_eq!(me.handle(at(1), old), []);
    assert_eq!((me.machine.pending(), me.probe.get(Counter::CallsLate)), (1, 2));
}

#[test]
fn a_timeout_says_how_far_the_call_got() {
    let stages = |stage: Option<v1::CallStage>, delivered: bool| {
        let mut me = calling();
        let (id, effects) = call(&mut me, at(0), 1, to_node("a", 1_000));
        if delivered {
            outcome(&mut me, at(10), reports(&effects)[0], Outcome::Delivered);
        }
        if let Some(stage) = stage {
            me.handle(at(100), received("a", v1::Call::Progress { call: id.0, stage }, ""));
        }
        let told = me.run_until(at(1_000));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, at(1_000));
        ended([&told[0].1]).remove(0).1
    };
    let told = ms(900);
    assert_eq!(stages(None, false), Completion::Timeout(Progress::Sent));
    assert_eq!(stages(None, true), Completion::Timeout(Progress::Delivered));
    let queued = v1::CallStage::Queued { behind: 34 };
    assert_eq!(stages(Some(queued), true), Completion::Timeout(Progress::Queued { behind: 34, told }));
    let running = v1::CallStage::Running { for_us: 50_000 };
    assert_eq!(stages(Some(running), false), Completion::Timeout(Progress::Running { time: ms(950), told }));
}

#[test]
fn a_request_that_never_left_is_a_definite_failure() {
    for (now, why, completion) in [
        (500, Rejected::NoRoute, Completion::Unreachable { sent: false }),
        (1_000, Rejected::NoRoute, Completion::Timeout(Progress::NotSent)),
        (500, Rejected::Busy, Completion::Overloaded(Overload::Transport)),
        (500, Rejected::ShuttingDown, Completion::Overloaded(Overload::ShuttingDown)),
        (500, Rejected::Forbidden, Completion::Rejected(Rejected::Forbidden)),
    ] {
        let mut me = calling();
        let (_, effects) = call(&mut me, at(0), 1, to_node("a", 1_000));
        let effects = outcome(&mut me, at(now), reports(&effects)[0], Outcome::Rejected(why));
        assert!(!completion.may_have_run());
        assert_eq!(ended(&effects), [(1, completion)]);
    }
}

#[test]
fn an_unknown_outcome_before_the_deadline_means_that_the_node_restarted() {
    let mut me = calling();
    let (_, effects) = call(&mut me, at(0), 1, to_node("a", 1_000));
    let effects = outcome(&mut me, at(500), reports(&effects)[0], Outcome::Unknown);
    assert_eq!(ended(&effects), [(1, Completion::PeerRestarted)]);
}

#[test]
fn an_unknown_outcome_of_a_request_that_was_answered_changes_nothing() {
    let mut me = calling();
    let (id, effects) = call(&mut me, at(0), 1, to_node("a", 1_000));
    let running = v1::Call::Progress { call: id.0, stage: v1::CallStage::Running { for_us: 1 } };
    me.handle(at(100), received("a", running, ""));
    assert_eq!(outcome(&mut me, at(500), reports(&effects)[0], Outcome::Unknown), []);
}

#[test]
fn a_node_in_another_life_ends_the_calls_that_it_had() {
    let mut me = calling();
    let (_, delivered) = call(&mut me, at(0), 1, to_node("a", 1_000));
    outcome(&mut me, at(1), reports(&delivered)[0], Outcome::Delivered);
    call(&mut me, at(2), 2, to_node("a", 1_000));
    let effects = me.handle(at(3), Event::Reachable { node: addr("a"), incarnation: Incarnation(21), cost: 1 });
    assert_eq!(ended(&effects), [(1, Completion::PeerRestarted)]);
    assert_eq!(me.machine.pending(), 1, "the transport will tell of the one on its way");
}

#[test]
fn a_node_out_of_reach_ends_a_call_before_it_is_sent() {
    let mut me = calling();
    let unreachable = [(1, Completion::Unreachable { sent: false })];
    assert_eq!(ended(&call(&mut me, at(0), 1, to_node("b", 1_000)).1), unreachable);
    me.handle(at(1), announced("b", None));
    assert_eq!(ended(&call(&mut me, at(1), 1, balanced(1_000)).1), unreachable);
}

#[test]
fn calls_outlast_a_short_break_and_not_a_long_one() {
    let mut me = calling();
    call(&mut me, at(0), 1, to_node("a", 60_000));
    me.handle(at(0), Event::Unreachable { node: addr("a") });
    assert_eq!(me.run_until(at(4_999)), []);
    me.handle(at(4_999), reachable("a", 1));
    assert_eq!(me.run_until(at(10_000)), []);
    me.handle(at(10_000), Event::Unreachable { node: addr("a") });
    let told = me.run_until(at(15_000));
    assert_eq!(told.first().map(|(when, _)| *when), Some(at(15_000)));
    let effects = untimed(told);
    assert_eq!(ended(&effects), [(1, Completion::Unreachable { sent: true })]);
    assert_eq!(sent(&effects).len(), 1, "the handler shall stop, should it hear of it");
}

#[test]
fn a_cancelled_call_ends_at_once_and_its_provider_is_told() {
    let mut me = calling();
    let (id, _) = call(&mut me, at(0), 1, to_node("a", 1_000));
    let effects = me.with(at(1), |rpc, cx, fx| assert!(rpc.cancel(cx, id, fx)));
    assert_eq!(sent(&effects), [(addr("a"), v1::Call::Cancel { call: id.0 }, String::new())]);
    assert_eq!(ended(&effects), [(1, Completion::Cancelled(Progress::Sent))]);
    let effects = me.with(at(2), |rpc, cx, fx| assert!(!rpc.cancel(cx, id, fx)));
    assert_eq!(effects, []);
}

#[test]
fn every_failure_of_a_provider_has_its_completion() {
    for (answer, completion) in [
        (
            v1::Call::Failed { call: 0, items: 0, load: 0, code: 4, message: "no" },
            Completion::AppError(AppError { code: 4, message: Arc::from("no"), payload: bytes("x") }),
        ),
        (v1::Call::Refused { call: 0, why: v1::CallRefusal::NoSuchService, load: 0 }, Completion::NoResponder),
        (
            v1::Call::Refused { call: 0, why: v1::CallRefusal::TooManyKeys, load: 0 },
            Completion::Overloaded(Overload::TooManyKeys),
        ),
        (v1::Call::Lost { call: 0, why: v1::CallLoss::HandlerGone }, Completion::Lost(Loss::HandlerGone)),
        (v1::Call::Lost { call: 0, why: v1::CallLoss::ResultForgotten }, Completion::Lost(Loss::ResultForgotten)),
    ] {
        let mut me = calling();
        let (id, _) = call(&mut me, at(0), 1, to_node("a", 1_000));
        let answer = match answer {
            v1::Call::Failed { items, load, code, message, .. } => {
                v1::Call::Failed { call: id.0, items, load, code, message }
            }
            v1::Call::Refused { why, load, .. } => v1::Call::Refused { call: id.0, why, load },
            v1::Call::Lost { why, .. } => v1::Call::Lost { call: id.0, why },
            other => panic!("{other:?}"),
        };
        assert_eq!(ended(&me.handle(at(1), received("a", answer, "x"))), [(1, completion)]);
    }
}

#[test]
fn calls_to_one_node_are_bounded() {
    let mut me = calling();
    for token in 0..16_384 {
        assert_eq!(ended(&call(&mut me, at(0), token, to_node("a", 1_000)).1), []);
    }
    let full = Completion::Overloaded(Overload::Transport);
    assert_eq!(ended(&call(&mut me, at(0), 1, to_node("a", 1_000)).1), [(1, full)]);
    me.handle(at(0), reachable("b", 1));
    assert_eq!(ended(&call(&mut me, at(0), 2, to_node("b", 1_000)).1), []);
}

#[test]
fn a_caller_learns_that_its_answer_was_lost() {
    let mut bench = bench();
    bench.handle(at(0), reachable("b", 1));
    let (id, _) = call(&mut bench, at(0), 1, to_node("b", 10_000));
    let lost = v1::Call::Lost { call: id.0, why: v1::CallLoss::AnswerLost };
    let effects = bench.handle(at(10), received("b", lost, ""));
    assert_eq!(ended(&effects), [(1, Completion::Lost(Loss::AnswerLost))]);
}

#[test]
fn the_numbers_of_a_life_are_not_those_of_the_life_before() {
    let first = |incarnation| {
        let mut bench = Bench::new(machine("me", incarnation));
        bench.handle(at(0), reachable("b", 1));
        call(&mut bench, at(0), 1, to_node("b", 10_000)).0
    };
    assert_ne!(first(Incarnation(10)), first(Incarnation(11)));
}
