//! Balanced calls: where they go, and when they go on.

use super::*;
use crate::node::Outcome;

/// A node that reaches `a` at cost 1 and `b` at cost 2, which serve both.
fn two_providers() -> Bench<Rpc> {
    let mut me = bench();
    for (node, cost) in [("a", 1), ("b", 2)] {
        me.handle(at(0), reachable(node, cost));
        me.handle(at(0), announced(node, None));
    }
    me
}

fn refused(me: &mut Bench<Rpc>, now: Time, node: &str, id: CallId, why: v1::CallRefusal) -> Vec<Effect> {
    me.handle(now, received(node, v1::Call::Refused { call: id.0, why, load: 3 }, ""))
}

fn receivers(effects: &[Effect]) -> Vec<NodeAddr> {
    sent(effects).into_iter().map(|(to, ..)| to).collect()
}

#[test]
fn a_refused_call_goes_on_with_the_time_that_is_left() {
    let mut me = two_providers();
    let (id, effects) = call(&mut me, at(0), 1, balanced(1_000));
    assert_eq!(receivers(&effects), [addr("a")]);
    let effects = refused(&mut me, at(400), "a", id, v1::CallRefusal::QueueFull);
    let to_b = v1::Request { to: Some(""), call: id.0, ..request(0, 600) };
    assert_eq!(sent(&effects), [(addr("b"), v1::Call::Request(to_b), String::from("1+1"))]);
    let effects = refused(&mut me, at(500), "b", id, v1::CallRefusal::NoSuchService);
    assert_eq!(ended(&effects), [(1, Completion::NoResponder)], "there is no third");
}

#[test]
fn what_the_transport_refuses_goes_on() {
    let mut me = two_providers();
    let (_, effects) = call(&mut me, at(0), 1, balanced(1_000));
    let first = reports(&effects)[0];
    let effects = me.handle(at(1), Event::Sent { id: first, outcome: Outcome::Rejected(Rejected::ReceiverBusy) });
    assert_eq!(receivers(&effects), [addr("b")]);
    assert_eq!(me.handle(at(2), Event::Sent { id: first, outcome: Outcome::Unknown }), [], "that try is over");
    let second = reports(&effects)[0];
    me.handle(at(3), Event::Sent { id: second, outcome: Outcome::Delivered });
    let effects = untimed(me.run_until(at(1_000)));
    assert_eq!(ended(&effects), [(1, Completion::Timeout(Progress::Delivered))]);
}

#[test]
fn what_may_have_run_does_not_go_on() {
    let mut me = two_providers();
    let (_, effects) = call(&mut me, at(0), 1, balanced(1_000));
    let effects = me.handle(at(3), Event::Sent { id: reports(&effects)[0], outcome: Outcome::Unknown });
    assert_eq!((receivers(&effects), ended(&effects)), (std::vec![], std::vec![(1, Completion::PeerRestarted)]));
    let (id, _) = call(&mut me, at(4), 2, balanced(1_000));
    let lost = v1::Call::Lost { call: id.0, why: v1::CallLoss::HandlerGone };
    let effects = me.handle(at(5), received("a", lost, ""));
    assert_eq!(
        (receivers(&effects), ended(&effects)),
        (std::vec![], std::vec![(2, Completion::Lost(Loss::HandlerGone))])
    );
}

#[test]
fn a_provider_that_refused_is_left_alone_for_a_moment() {
    let mut me = two_providers();
    let (id, _) = call(&mut me, at(0), 1, balanced(1_000));
    refused(&mut me, at(1), "a", id, v1::CallRefusal::QueueFull);
    assert_eq!(receivers(&call(&mut me, at(100), 2, balanced(1_000)).1), [addr("b")]);
    assert_eq!(receivers(&call(&mut me, at(101), 3, balanced(1_000)).1), [addr("a")]);
}

#[test]
fn only_a_tenth_of_the_calls_is_tried_again() {
    let mut me = two_providers();
    for token in 0..1_000 {
        // Far enough apart that the nearest is asked again each time.
        let now = at(token * 200);
        let (id, _) = call(&mut me, now, token, balanced(100));
        let effects = refused(&mut me, now, "a", id, v1::CallRefusal::QueueFull);
        if let [(to, ..)] = sent(&effects)[..] {
            assert_eq!(to, addr("b"));
            me.handle(now, received("b", v1::Call::Done { call: id.0, items: 0, load: 0 }, "2"));
        }
    }
    assert_eq!(me.probe.get(Counter::CallsRetried), 110);
    assert_eq!(me.probe.get(Counter::CallsNotRetried), 890);
    assert_eq!(me.machine.pending(), 0);
}

#[test]
fn a_call_for_one_provider_stays_there() {
    let mut me = two_providers();
    let (id, _) = call(&mut me, at(0), 1, call_to(Target::Provider(provider("a")), 1_000));
    let effects = refused(&mut me, at(1), "a", id, v1::CallRefusal::QueueFull);
    assert_eq!(
        (receivers(&effects), ended(&effects)),
        (std::vec![], std::vec![(1, Completion::Overloaded(Overload::QueueFull))])
    );
}

#[test]
fn a_full_provider_of_this_node_lets_calls_go_elsewhere_without_end() {
    let mut me = two_providers();
    register(&mut me, at(0), entry(None, 1, 0));
    let (_, effects) = call(&mut me, at(0), 0, balanced(1_000_000));
    assert_eq!(invoked(&effects).len(), 1);
    for token in 1..1_000 {
        // Far enough apart that this node is asked again each time.
        let (_, effects) = call(&mut me, at(token * 200), token, balanced(1_000_000));
        assert_eq!(receivers(&effects).len(), 1);
    }
}

#[test]
fn providers_that_go_are_not_called() {
    let mut me = two_providers();
    me.handle(at(1), Event::Announced { node: addr("a"), entry: entry(None, 1, 1), present: false });
    assert_eq!(receivers(&call(&mut me, at(1), 1, balanced(1_000)).1), [addr("b")]);
    me.handle(at(2), Event::Forget { node: addr("b") });
    assert_eq!(ended(&call(&mut me, at(2), 2, balanced(1_000)).1), [(2, Completion::NoResponder)]);
}

#[test]
fn another_cost_moves_the_calls() {
    let mut me = two_providers();
    me.handle(at(1), reachable("b", 0));
    assert_eq!(receivers(&call(&mut me, at(1), 1, balanced(1_000)).1), [addr("b")]);
    me.handle(at(2), Event::Unreachable { node: addr("b") });
    assert_eq!(receivers(&call(&mut me, at(2), 2, balanced(1_000)).1), [addr("a")]);
}

#[test]
fn what_others_say_of_this_node_counts_for_nothing() {
    let mut me = bench();
    me.handle(at(0), Event::Announced { node: addr("me"), entry: entry(None, 1, 1), present: true });
    assert_eq!(me.machine.providers(at(0)).count(), 0);
}
