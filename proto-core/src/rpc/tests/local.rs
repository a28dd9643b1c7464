//! Calls within one node.

use super::*;

#[test]
fn a_call_to_a_provider_of_the_same_node_crosses_no_network() {
    let mut me = bench();
    assert_eq!(
        register(&mut me, at(0), entry(None, 1, 1)),
        [Effect::Announce { entry: entry(None, 1, 1), present: true }]
    );
    let (id, effects) = call(&mut me, at(5), 7, balanced(1_000));
    let invocation = invoked(&effects).remove(0);
    assert_eq!((effects.len(), &invocation.payload, invocation.left), (1, &bytes("1+1"), ms(1_000)));
    assert_eq!(
        done(&mut me, at(6), invocation.id, "2"),
        [Effect::Completed {
            token: Token(7),
            call: id,
            at: Some(provider("me")),
            completion: Completion::Ok(bytes("2"))
        }]
    );
    assert!(me.machine.is_idle());
    assert_eq!(me.machine.poll_timeout(), None);
}

#[test]
fn a_service_that_nobody_serves_ends_at_once() {
    let mut me = bench();
    assert_eq!(ended(&call(&mut me, at(0), 1, balanced(1_000)).1), [(1, Completion::NoResponder)]);
    assert_eq!(ended(&call(&mut me, at(0), 2, to_node("me", 1_000)).1), [(2, Completion::NoResponder)]);
}

#[test]
fn a_client_that_goes_away_takes_its_handlers_and_its_calls_along() {
    let mut me = bench();
    register(&mut me, at(0), entry(Some("ui"), 1, 1));
    let from_ui = Call { from_client: Some(Arc::from("ui")), ..balanced(1_000) };
    let running = invocation(&call(&mut me, at(1), 1, balanced(1_000)).1);
    call(&mut me, at(2), 2, balanced(1_000));
    register(&mut me, at(3), entry(None, 1, 0));
    let own = invocation(&call(&mut me, at(4), 3, from_ui).1);
    let effects = me.handle(at(5), Event::ClientGone { client: Arc::from("ui") });
    assert_eq!(stopped(&effects), [(own, Stop::Cancelled)]);
    assert_eq!(
        ended(&effects),
        [
            (3, Completion::Cancelled(Progress::Delivered)),
            (1, Completion::Lost(Loss::HandlerGone)),
            (2, Completion::Overloaded(Overload::QueueFull)),
        ]
    );
    assert!(effects.contains(&Effect::Announce { entry: entry(Some("ui"), 1, 1), present: false }));
    assert_eq!(reply(&mut me, at(6), running, Reply::Done(bytes("late"))).0, Err(NotTaken::Over));
}

#[test]
fn what_breaks_a_bound_is_rejected_and_has_no_completion() {
    let mut me = bench();
    let mut try_call = |call: Call| {
        let mut result = None;
        let effects = me.with(at(0), |rpc, cx, fx| result = Some(rpc.call(cx, Token(1), call, fx)));
        assert_eq!(effects, []);
        result.unwrap()
    };
    let large = Call { payload: Bytes::from(std::vec![0; 1_048_577]), ..balanced(1) };
    assert_eq!(try_call(large), Err(Rejected::TooLarge { len: 1_048_577, limit: 1_048_576 }));
    assert_eq!(try_call(balanced(0)), Err(Rejected::DeadlinePassed));
    let nobody = Call { from_client: Some(Arc::from("x".repeat(65))), ..balanced(1) };
    assert_eq!(try_call(nobody), Err(Rejected::NoSuchClient));
}

#[test]
fn a_node_that_drains_finishes_what_runs_and_takes_nothing_new() {
    let mut me = bench();
    register(&mut me, at(0), entry(None, 1, 5));
    let running = invocation(&call(&mut me, at(1), 1, to_node("me", 1_000)).1);
    call(&mut me, at(1), 2, to_node("me", 1_000));
    let effects = me.handle(at(2), Event::Drain);
    assert_eq!(ended(&effects), [(2, Completion::Overloaded(Overload::ShuttingDown))]);
    assert!(effects.contains(&Effect::Announce { entry: entry(None, 1, 5), present: false }));
    me.with(at(3), |rpc, cx, fx| assert_eq!(rpc.call(cx, Token(3), balanced(1), fx), Err(Rejected::ShuttingDown)));
    assert!(!me.machine.is_idle());
    assert_eq!(ended(&done(&mut me, at(4), running, "2")), [(1, Completion::Ok(bytes("2")))]);
    assert!(me.machine.is_idle());
}

#[test]
fn views_show_providers_and_calls() {
    let mut me = bench();
    register(&mut me, at(0), entry(Some("ui"), 1, 5));
    let first = invocation(&call(&mut me, at(0), 1, balanced(1_000)).1);
    let (second, _) = call(&mut me, at(0), 2, balanced(1_000));
    done(&mut me, at(30), first, "2");
    let (third, _) = call(&mut me, at(30), 3, balanced(1_000));
    me.run_until(at(140));
    let served: Vec<_> = me.machine.served().collect();
    let [served] = &served[..] else { panic!("{served:?}") };
    assert_eq!((served.running, served.queued, served.requests, served.errors), (1, 1, 2, 0));
    assert_eq!(served.average, Some(ms(30)));
    let known: Vec<_> = me.machine.providers(at(140)).map(|known| (known.cost, known.pending)).collect();
    assert_eq!(known, [(Some(0), 2)]);
    let calls: Vec<_> = me.machine.calls(at(140)).map(|call| (call.id, call.progress, call.left)).collect();
    assert_eq!(calls.len(), 2);
    assert!(calls.contains(&(second, Progress::Running { time: ms(110), told: ms(40) }, ms(860))), "{calls:?}");
    assert!(calls.contains(&(third, Progress::Queued { behind: 0, told: ms(10) }, ms(890))), "{calls:?}");
}
