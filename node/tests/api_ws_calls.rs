//! Calls over the native WebSocket protocol of running nodes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{
    World,
    api::{Api, PLAIN, Socket, TOKEN},
};
use serde_json::{Value, json};

/// A client with a service `geo` of one method.
fn geo<'a>(api: &'a Api, name: &str) -> Socket<'a> {
    let mut socket = api.greeted(&format!("/ws?client={name}"));
    let methods = json!([{"name": "lookup", "note": "where it is"}]);
    socket.done("register_service", &json!({"service": "geo", "methods": methods}));
    socket
}

/// A call of it.
fn lookup(args: &Value) -> Value {
    json!({"service": "geo", "method": "lookup", "args": args})
}

/// The data of an answer that must be a response.
fn response(socket: &mut Socket<'_>, number: u64) -> Value {
    let mut answer = socket.answer(number);
    assert_eq!(answer["message_type"], "response", "{answer}");
    answer["data"].take()
}

/// The details of an answer that must be an error.
fn failure(socket: &mut Socket<'_>, number: u64) -> Value {
    let mut answer = socket.answer(number);
    assert_eq!(answer["message_type"], "error", "{answer}");
    answer["data"]["details"].take()
}

#[test]
fn a_service_of_a_client_is_called_from_every_node() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut provider = geo(&at_b, "atlas");
    let mut near = at_b.greeted("/ws?client=near");
    let mut far = at_a.greeted("/ws?client=far");
    let wishes = [
        json!({}),
        json!({"node": "b"}),
        json!({"node": "b", "provider": "atlas"}),
        json!({"balance": "round_robin", "timeout_ms": 5000}),
        json!({"key": "once"}),
    ];
    for (node, caller) in [("b", &mut near), ("a", &mut far)] {
        for more in &wishes {
            let mut wish = lookup(&json!({"ip": "::1"}));
            wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let number = caller.begin("request", &wish);
            let call = provider.pushed("call");
            assert_eq!(
                (&call["service"], &call["method"], &call["stream"]),
                (&"geo".into(), &"lookup".into(), &false.into())
            );
            assert_eq!((&call["args"], &call["caller"]["node"]), (&json!({"ip": "::1"}), &node.into()));
            assert!((1..=10_000).contains(&call["deadline_ms"].as_u64().unwrap()), "{call}");
            let result = json!({"call_id": call["call_id"], "result": {"city": "\u{5e7f}\u{5dde}"}});
            assert_eq!(provider.done("call_result", &result), json!({"call_id": call["call_id"]}));
            let response = response(caller, number);
            assert_eq!(
                (&response["result"]["city"], &response["encoding"]),
                (&"\u{5e7f}\u{5dde}".into(), &"json".into())
            );
            // Whoever leaves it to a node does not learn which client of it was chosen.
            let client = if more == &json!({"node": "b"}) { Value::Null } else { "atlas".into() };
            assert_eq!(response["provider"], json!({"node": "b", "client": client}));
        }
    }
    // Without a number, nobody is answered but the caller; texts and bytes go as they are.
    let mut wish = lookup(&json!("plain"));
    wish["encoding"] = "text".into();
    let number = far.begin("request", &wish);
    let call = provider.pushed("call");
    assert_eq!((&call["args"], &call["encoding"]), (&"plain".into(), &"text".into()));
    let data = json!({"call_id": call["call_id"], "result": "/wA=", "encoding": "base64"});
    provider.send(&json!({"message_type": "call_result", "data": data}));
    let response = response(&mut far, number);
    assert_eq!((&response["result"], &response["encoding"]), (&"/wA=".into(), &"base64".into()));
    assert!(provider.is_silent());
}

#[test]
fn a_service_may_have_no_methods_and_a_call_no_arguments() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut provider = api.greeted("/ws");
    provider.done("register_service", &json!({"service": "clock", "note": "what time it is"}));
    let mut caller = api.greeted("/ws");
    let number = caller.begin("request", &json!({"service": "clock"}));
    let call = provider.pushed("call");
    assert_eq!((&call["service"], &call["method"], &call["args"]), (&"clock".into(), &"".into(), &"".into()));
    provider.done("call_result", &json!({"call_id": call["call_id"]}));
    assert_eq!(response(&mut caller, number)["result"], Value::Null);
    // The name of a method is a part of the name in the mesh.
    provider.done("register_service", &json!({"service": "clock.utc", "methods": [{"name": "now"}, {"name": "zone"}]}));
    for (service, method) in [("clock.utc", "now"), ("clock", "utc.now"), ("clock.utc.now", "")] {
        let number = caller.begin("request", &json!({"service": service, "method": method}));
        let call = provider.pushed("call");
        assert_eq!((&call["service"], &call["method"]), (&"clock.utc".into(), &"now".into()));
        provider.done("call_result", &json!({"call_id": call["call_id"], "result": 1}));
        response(&mut caller, number);
    }
}

#[test]
fn what_the_handler_refuses_is_told_in_its_words() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut provider = geo(&at_b, "atlas");
    let mut caller = at_a.greeted("/ws");
    let errors = [
        (json!("no such place"), json!({"code": 1, "message": "no such place"})),
        (
            json!({"code": 42, "message": "bad ip", "data": {"ip": 7}}),
            json!({"code": 42, "message": "bad ip", "payload": "{\"ip\":7}"}),
        ),
    ];
    for (error, told) in errors {
        let number = caller.begin("request", &lookup(&json!(1)));
        let call = provider.pushed("call");
        provider.done("call_result", &json!({"call_id": call["call_id"], "error": error}));
        let details = failure(&mut caller, number);
        assert_eq!((&details["error"], &details["handler"]), (&"E0505".into(), &told));
        assert_eq!((&details["outcome"], &details["retryable"]), (&"unknown".into(), &false.into()));
    }
}

#[test]
fn a_call_that_cannot_be_made_says_why() {
    let world = World::new();
    let allow = "[\"receive\", \"call:geo.*\", \"serve:geo\"]";
    let a = world.single(&format!("  tokens: [ {{ name: app, secret: {TOKEN}, allow: {allow} }} ]"));
    let api = Api::new(a.api()).token(TOKEN);
    let mut socket = api.greeted("/ws");
    for (kind, data, code) in [
        ("request", json!({"service": "pay", "method": "out"}), "E1516"),
        ("request", json!({"service": "geo"}), "E1516"),
        ("register_service", json!({"service": "pay"}), "E1516"),
        ("register_service", json!({"service": "geo.other"}), "E1516"),
        ("request", lookup(&json!(1)), "E0502"),
        ("request", json!({"service": "geo", "method": "a b"}), "E0508"),
        ("request", json!({"service": "geo", "method": "x", "node": "b d"}), "E0411"),
        ("request", json!({"service": "geo", "method": "x", "node": "nowhere"}), "E0401"),
        ("request", json!({"service": "geo", "method": "x", "provider": "p"}), "E1502"),
        ("request", json!({"service": "geo", "method": "x", "node": "a", "balance": "nearest"}), "E1502"),
        ("request", json!({"service": "geo", "method": "x", "stream": true, "key": "k"}), "E1502"),
        ("request", json!({"service": "geo", "method": "x", "key": ""}), "E0411"),
        ("request", json!({"service": "geo", "method": "x", "timeout_ms": 0}), "E1502"),
        ("request", json!({"method": "x"}), "E1502"),
        ("register_service", json!({"service": "geo", "methods": [{"name": "a.b"}]}), "E1502"),
        ("register_service", json!({"service": "geo", "methods": [{"name": ""}]}), "E1502"),
        ("register_service", json!({"service": "geo", "methods": [{"name": "a b"}]}), "E0508"),
        ("register_service", json!({"service": "geo", "methods": [{"name": "x"}, {"name": "x"}]}), "E0510"),
        ("register_service", json!({"service": "geo", "concurrency": 0}), "E1502"),
        ("register_service", json!({"service": "geo", "note": "x".repeat(9_000)}), "E0404"),
        ("unregister_service", json!({"service": "geo"}), "E1502"),
        ("call_result", json!({"call_id": 1, "result": 1}), "E1502"),
        ("call_item", json!({"call_id": 1, "item": 1}), "E1502"),
    ] {
        assert_eq!(socket.fails(kind, &data), code, "{kind} {data}");
    }
    let details = socket.ask("request", &lookup(&json!(1)))["data"].take();
    assert_eq!((&details["code"], &details["details"]["outcome"]), (&4000.into(), &"not_applied".into()));
    // What failed has left nothing behind.
    socket.done("register_service", &json!({"service": "geo", "methods": [{"name": "x"}]}));
}

#[test]
fn a_timeout_says_how_far_the_call_got() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut provider = geo(&at_b, "atlas");
    let mut caller = at_a.greeted("/ws");
    let mut wish = lookup(&json!(1));
    wish["timeout_ms"] = 1_000.into();
    let number = caller.begin("request", &wish);
    let call = provider.pushed("call");
    let details = failure(&mut caller, number);
    assert_eq!((&details["error"], &details["outcome"]), (&"E0504".into(), &"unknown".into()));
    assert_eq!(details["progress"]["stage"], "running", "{details}");
    assert!(details["progress"]["ran_ms"].is_u64(), "{details}");
    // Its handler is told, and can answer no more.
    let stopped = provider.pushed("call_cancelled");
    assert_eq!((&stopped["call_id"], &stopped["reason"]), (&call["call_id"], &"deadline_passed".into()));
    assert_eq!(provider.fails("call_result", &json!({"call_id": call["call_id"], "result": 1})), "E1502");
}

#[test]
fn a_call_can_be_cancelled_and_its_handler_is_told() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut provider = geo(&at_b, "atlas");
    let mut caller = at_a.greeted("/ws");
    let number = caller.begin("request", &lookup(&json!(1)));
    let call = provider.pushed("call");
    let cancel = json!({"request_id": number});
    assert_eq!(caller.done("cancel", &cancel), json!({"request_id": number, "cancelled": true}));
    assert_eq!(caller.answer(number)["message_type"], "cancelled");
    let stopped = provider.pushed("call_cancelled");
    assert_eq!((&stopped["call_id"], &stopped["reason"]), (&call["call_id"], &"cancelled".into()));
    assert_eq!(caller.done("cancel", &cancel)["cancelled"], false);
    // A caller that leaves cancels, too.
    caller.begin("request", &lookup(&json!(2)));
    let call = provider.pushed("call");
    drop(caller);
    assert_eq!(provider.pushed("call_cancelled")["call_id"], call["call_id"]);
}

#[test]
fn a_client_that_goes_leaves_no_caller_waiting() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut provider = geo(&at_b, "atlas");
    let mut caller = at_a.greeted("/ws");
    let mut wish = lookup(&json!(1));
    wish["timeout_ms"] = 60_000.into();
    let unary = caller.begin("request", &wish);
    wish["stream"] = true.into();
    let streaming = caller.begin("request", &wish);
    provider.pushed("call");
    provider.pushed("call");
    let begin = common::now();
    drop(provider);
    for number in [unary, streaming] {
        let details = failure(&mut caller, number);
        // Either is right: it was lost with its client, or ended by its end.
        assert!(["E0506", "E0509"].contains(&details["error"].as_str().unwrap()), "{details}");
        assert_eq!(details["outcome"], "unknown");
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "the callers waited {:?}", begin.elapsed());
    while caller.ask("request", &lookup(&json!(1)))["data"]["details"]["error"] != "E0502" {
        assert!(begin.elapsed() < Duration::from_secs(5), "a service outlives its client");
    }
}

#[test]
fn only_the_client_that_was_called_can_answer() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut provider = geo(&api, "atlas");
    let mut other = api.greeted("/ws");
    other.done("register_service", &json!({"service": "other"}));
    let mut caller = api.greeted("/ws");
    let number = caller.begin("request", &lookup(&json!(1)));
    let call = provider.pushed("call");
    for thief in [&mut other, &mut caller] {
        assert_eq!(thief.fails("call_result", &json!({"call_id": call["call_id"], "result": "forged"})), "E1502");
        assert_eq!(thief.fails("call_item", &json!({"call_id": call["call_id"], "item": "forged"})), "E1502");
    }
    for both in [json!("x"), json!({"code": 1}), json!(5)] {
        let both = json!({"call_id": call["call_id"], "result": 1, "error": both});
        assert_eq!(provider.fails("call_result", &both), "E1502");
    }
    assert_eq!(provider.fails("call_result", &json!({"call_id": call["call_id"], "error": {"code": 1}})), "E1502");
    assert_eq!(provider.fails("call_item", &json!({"call_id": call["call_id"], "item": 1})), "E1502");
    provider.done("call_result", &json!({"call_id": call["call_id"], "result": "true"}));
    assert_eq!(response(&mut caller, number)["result"], "true");
    // Not twice.
    assert_eq!(provider.fails("call_result", &json!({"call_id": call["call_id"], "result": 2})), "E1502");
}

#[test]
fn a_service_that_ends_lets_running_calls_finish() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut provider = geo(&api, "atlas");
    assert_eq!(provider.fails("register_service", &json!({"service": "geo"})), "E1502");
    // Another client may serve the same.
    let mut second = geo(&api, "globe");
    let mut caller = api.greeted("/ws");
    let mut wish = lookup(&json!(1));
    (wish["node"], wish["provider"]) = ("a".into(), "atlas".into());
    let number = caller.begin("request", &wish);
    let call = provider.pushed("call");
    provider.done("unregister_service", &json!({"service": "geo"}));
    assert_eq!(caller.fails("request", &wish), "E0502");
    provider.done("call_result", &json!({"call_id": call["call_id"], "result": "late"}));
    assert_eq!(response(&mut caller, number)["result"], "late");
    let number = caller.begin("request", &lookup(&json!(1)));
    let call = second.pushed("call");
    second.done("call_result", &json!({"call_id": call["call_id"], "result": "second"}));
    assert_eq!(response(&mut caller, number)["provider"]["client"], "globe");
    // Given up before it came, and begun again.
    let begun = provider.begin("register_service", &json!({"service": "geo"}));
    let gone = provider.begin("unregister_service", &json!({"service": "geo"}));
    provider.done("register_service", &json!({"service": "geo"}));
    for number in [begun, gone] {
        assert_eq!(provider.answer(number)["message_type"], "ack");
    }
}

#[test]
fn a_provider_gets_no_more_calls_than_it_takes() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut provider = api.greeted("/ws");
    provider.done("register_service", &json!({"service": "one", "concurrency": 1, "queue": 1}));
    let mut caller = api.greeted("/ws");
    let numbers = [1, 2, 3].map(|args| caller.begin("request", &json!({"service": "one", "args": args})));
    let details = failure(&mut caller, numbers[2]);
    assert_eq!(
        (&details["error"], &details["retryable"], &details["outcome"]),
        (&"E0503".into(), &true.into(), &"not_applied".into())
    );
    for (number, args) in [(numbers[0], 1), (numbers[1], 2)] {
        let call = provider.pushed("call");
        assert_eq!(call["args"], args);
        assert!(provider.is_silent(), "a call beyond its cap");
        provider.done("call_result", &json!({"call_id": call["call_id"], "result": args}));
        assert_eq!(response(&mut caller, number)["result"], args);
    }
}

#[test]
fn an_answer_may_come_in_items() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut provider = geo(&at_b, "atlas");
    let mut caller = at_a.greeted("/ws");
    let mut wish = lookup(&json!(1));
    wish["stream"] = true.into();
    let number = caller.begin("request", &wish);
    let call = provider.pushed("call");
    assert_eq!(call["stream"], true);
    let id = &call["call_id"];
    for item in 0..200 {
        provider.done("call_item", &json!({"call_id": id, "item": {"n": item}}));
        let answer = caller.answer(number);
        assert_eq!((&answer["message_type"], &answer["data"]["index"]), (&"response_item".into(), &item.into()));
        assert_eq!(answer["data"]["item"]["n"], item);
    }
    // Without waiting for anything, and the end right behind.
    for item in 0..20 {
        provider.send(&json!({"message_type": "call_item", "data": {"call_id": id, "item": item}}));
    }
    provider.done("call_result", &json!({"call_id": id, "result": "done"}));
    for item in 0..20 {
        assert_eq!(caller.answer(number)["data"]["item"], item);
    }
    assert_eq!(response(&mut caller, number)["result"], "done");
    // One who wants no more says so.
    let number = caller.begin("request", &wish);
    let call = provider.pushed("call");
    provider.done("call_item", &json!({"call_id": call["call_id"], "item": 1}));
    assert_eq!(caller.answer(number)["data"]["item"], 1);
    caller.done("cancel", &json!({"request_id": number}));
    assert_eq!(provider.pushed("call_cancelled")["call_id"], call["call_id"]);
    assert_eq!(provider.fails("call_item", &json!({"call_id": call["call_id"], "item": 2})), "E1502");
    // An error may end it, too.
    let number = caller.begin("request", &wish);
    let call = provider.pushed("call");
    provider.done("call_result", &json!({"call_id": call["call_id"], "error": "enough"}));
    assert_eq!(failure(&mut caller, number)["handler"]["message"], "enough");
}

#[test]
fn calls_that_take_long_hold_up_nothing_else() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut provider = api.greeted("/ws");
    provider.done("register_service", &json!({"service": "slow", "concurrency": 200}));
    let mut caller = api.greeted("/ws");
    let numbers: Vec<_> =
        (0..150).map(|args| caller.begin("request", &json!({"service": "slow", "args": args}))).collect();
    assert_eq!(caller.ask("ping", &json!({}))["message_type"], "pong");
    let calls: Vec<_> = numbers.iter().map(|_| provider.pushed("call")).collect();
    for call in calls.iter().rev() {
        provider.done("call_result", &json!({"call_id": call["call_id"], "result": call["args"]}));
    }
    for (args, number) in numbers.into_iter().enumerate() {
        assert_eq!(response(&mut caller, number)["result"], args);
    }
    // The same number cannot be used twice at the same time, and there is an end to how many.
    let same = json!({"message_id": "x", "message_type": "request", "data": {"service": "slow"}});
    caller.send(&same);
    caller.send(&same);
    assert_eq!(caller.pushed("error")["details"]["error"], "E1502");
    for _ in 0..1_024 {
        caller.send(&json!({"message_type": "request", "data": {"service": "slow"}}));
    }
    let busy = caller.pushed("error");
    assert!(["E0405", "E0503"].contains(&busy["details"]["error"].as_str().unwrap()), "{busy}");
}
