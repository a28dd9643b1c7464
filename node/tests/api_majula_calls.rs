//! Topics and calls on the paths of Majula, used as its own clients use them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{
    World,
    api::{Api, PLAIN, Socket, TOKEN},
};
use serde_json::{Value, json};

/// Sends a package under a number, and reads its answer.
fn done(socket: &mut Socket<'_>, mut package: Value, answer: &str) -> Value {
    package["invokeid"] = 77.into();
    socket.send(&package);
    let mut got = socket.read();
    assert_eq!((&got["method"], &got["invokeid"]), (&answer.into(), &77.into()), "{package}: {got}");
    got["result"].take()
}

fn subscribe(socket: &mut Socket<'_>, topic: &str) {
    done(socket, json!({"method": "SUBSCRIBE", "topic": topic}), "SUBSCRIBE_RESULT");
}

fn publish(topic: &str, args: &Value) -> Value {
    json!({"method": "PUBLISH", "topic": topic, "args": args})
}

fn rpc(node: &str, provider: &str, fun: &str, args: &Value) -> Value {
    let mut all = json!({"_target_node": node, "_provider": provider});
    all.as_object_mut().unwrap().extend(args.as_object().unwrap().clone());
    json!({"method": "RPC", "fun": fun, "args": all, "invokeid": 5})
}

/// Registers a function as Majula's client does, with what it says of itself.
fn register(socket: &mut Socket<'_>, fun: &str) {
    let args = json!({
        "note": "adds",
        "parameters": [{"name": "x", "type": "int", "note": "one"}],
        "results": [{"name": "sum", "type": "int"}],
    });
    let package = json!({"method": "REGISTER_RPC", "fun": fun, "args": args});
    assert_eq!(done(socket, package, "REGISTER_RPC_RESULT"), json!({"fun": fun}));
}

/// Answers the next call of a client as Majula's client does: without a method.
fn serve(socket: &mut Socket<'_>, fun: &str, args: &Value, result: &Value) {
    let call = socket.read();
    assert_eq!((&call["method"], &call["fun"]), (&"RPC_CALL_FROM_REMOTE".into(), &fun.into()));
    assert_eq!(call["args"], *args);
    socket.send(&json!({"method": "", "fun": fun, "invokeid": call["invokeid"], "result": result}));
}

#[test]
fn a_topic_of_any_text_arrives_as_it_was_written() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut alice = at_a.majula("alice");
    let mut bob = at_b.majula("bob");
    for topic in ["news", "site.7.door", "a b", "a|b", "x..y.", "*", "a.>", "传火 祭祀场", "50%20"] {
        for socket in [&mut alice, &mut bob] {
            subscribe(socket, topic);
            // A client that comes back subscribes again; it gets everything once.
            subscribe(socket, topic);
        }
        alice.send(&publish(topic, &json!({"n": 1})));
        let expected = json!({"method": "SUB_RESULT", "topic": topic, "args": {"n": 1}});
        assert_eq!((alice.read(), bob.read()), (expected.clone(), expected), "{topic}");
        // Whoever gives a number is told who got it.
        let mut numbered = publish(topic, &json!({"n": 2}));
        numbered["invokeid"] = 9.into();
        bob.send(&numbered);
        let mut got = [bob.read(), bob.read()];
        got.sort_by_key(|package| package["method"].to_string());
        assert_eq!((&got[0]["method"], &got[0]["result"]["subscribers"]), (&"PUBLISH_RESULT".into(), &2.into()));
        assert_eq!((&got[1]["args"]["n"], &alice.read()["args"]["n"]), (&2.into(), &2.into()));
    }
}

#[test]
fn topics_are_shared_with_native_clients() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut old = at_a.majula("old");
    subscribe(&mut old, "site.7.door");
    let mut native = at_b.greeted("/ws?client=native");
    native.done("subscribe", &json!({"topic": "site.>"}));
    old.send(&publish("site.7.door", &json!({"open": true})));
    let message = native.pushed("message");
    assert_eq!((&message["data"], &message["sender_id"]), (&json!({"open": true}), &"a/old".into()));
    assert_eq!(old.read()["args"], json!({"open": true}));
    // What is no object is an argument.
    for (data, encoding, args) in [
        (json!([1, 2]), "json", json!({"message": [1, 2]})),
        (json!("hello"), "text", json!({"message": "hello"})),
        (json!("/wA="), "base64", json!({"message": "/wA=", "encoding": "base64"})),
    ] {
        native.done("publish", &json!({"topic": "site.7.door", "data": data, "encoding": encoding}));
        assert_eq!(old.read(), json!({"method": "SUB_RESULT", "topic": "site.7.door", "args": args}));
        native.pushed("message");
    }
    // Over HTTP, texts too, and it says who got it.
    let path = "/majula/pub/shop?topic=site.7.door&msg=knock";
    let expected = json!({
        "status": "published", "topic": "site.7.door", "client": "shop", "message": "knock",
        "subscribers": 2, "nodes": 2, "missing": [],
    });
    assert_eq!(at_b.get(path).json(), expected);
    assert_eq!(old.read()["args"], json!({"message": "knock"}));
    assert_eq!(native.pushed("message")["sender_id"], "b/shop");
    let posted = at_b.post_json("/majula/pub", &json!({"topic": "site.7.door", "msg": {"n": 1}}));
    assert_eq!((posted.status, old.read()["args"].take()), (200, json!({"n": 1})));
    // As a stream, until its reader leaves.
    let mut stream = at_a.stream("/majula/sub/reader?topic=site.7.door", &[]);
    at_b.get(path);
    let event: Value = serde_json::from_str(stream.event().unwrap()["data"].as_str().unwrap()).unwrap();
    assert_eq!(event, json!({"method": "PUBLISH", "topic": "site.7.door", "args": {"message": "knock"}}));
    assert_eq!(old.read()["args"], json!({"message": "knock"}));
    drop(stream);
    done(&mut old, json!({"method": "UNSUBSCRIBE", "topic": "never"}), "UNSUBSCRIBE_RESULT");
}

#[test]
fn a_subscription_ends_when_it_should() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut old = api.majula("old");
    subscribe(&mut old, "t");
    let count = || api.get("/majula/pub?topic=t&msg={}").json()["subscribers"].as_u64().unwrap();
    assert_eq!(count(), 1);
    old.read();
    done(&mut old, json!({"method": "UNSUBSCRIBE", "topic": "t"}), "UNSUBSCRIBE_RESULT");
    assert_eq!(count(), 0);
    let stream = api.stream("/majula/sub?topic=t", &[]);
    subscribe(&mut old, "t");
    assert_eq!(count(), 2);
    old.send(&json!({"method": "QUIT"}));
    drop(stream);
    let begin = common::now();
    while count() != 0 {
        assert!(begin.elapsed() < Duration::from_secs(5), "a subscription outlives its client");
    }
}

#[test]
fn a_function_is_called_and_listed_from_every_node() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut provider = at_b.majula("calc");
    register(&mut provider, "add");
    // A client that comes back registers again, without saying anything of the function.
    provider.send(&json!({"method": "REGISTER_RPC", "fun": "add"}));
    let mut far = at_a.majula("far");
    let mut near = at_b.majula("near");
    let args = json!({"x": 1, "y": [2]});
    for caller in [&mut far, &mut near] {
        caller.send(&rpc("b", "calc", "add", &args));
        serve(&mut provider, "add", &args, &json!({"sum": 3}));
        let expected = json!({"method": "RPC_RESULT", "fun": "add", "invokeid": 5, "result": {"sum": 3}});
        assert_eq!(caller.read(), expected);
    }
    // Natively.
    let mut native = at_a.greeted("/ws");
    let number = native.begin("request", &json!({"service": "calc", "method": "add", "args": args}));
    serve(&mut provider, "add", &args, &json!(null));
    let response = native.answer(number);
    assert_eq!((&response["message_type"], &response["data"]["result"]), (&"response".into(), &Value::Null));
    assert_eq!(response["data"]["provider"], json!({"node": "b", "client": "calc"}));
    // The list, over HTTP and as a call.
    let rpcs = json!([{
        "name": "add",
        "note": "adds",
        "parameters": [{"name": "x", "type": "int", "note": "one"}],
        "results": [{"name": "sum", "type": "int", "note": ""}],
    }]);
    for api in [&at_a, &at_b] {
        let list = api.get("/majula/list_rpc?target_node=b&provider=calc").json();
        assert_eq!(list, json!({"target_node": "b", "provider": "calc", "rpcs": rpcs}));
        let none = api.get("/majula/list_rpc?target_node=a&provider=calc").json();
        assert_eq!(none["rpcs"], json!([]));
        let built_in = api.get("/majula/list_rpc?target_node=a&provider=init").json();
        assert_eq!(built_in["rpcs"][0]["name"], "allrpcs");
    }
    far.send(&rpc("b", "init", "allrpcs", &json!({"rpc_provider": "calc"})));
    assert_eq!(far.read()["result"], rpcs);
    // Said anew, several times at once; the last counts.
    for note in ["one", "two", "three"] {
        provider.send(&json!({"method": "REGISTER_RPC", "fun": "add", "args": {"note": note}}));
    }
    let args_of = |note: &str| json!({"method": "REGISTER_RPC", "fun": "add", "args": {"note": note}});
    done(&mut provider, args_of("four"), "REGISTER_RPC_RESULT");
    let list = at_b.get("/majula/list_rpc?target_node=b&provider=calc").json();
    assert_eq!(list["rpcs"][0]["note"], "four");
    // Gone.
    assert_eq!(
        done(&mut provider, json!({"method": "UNREGISTER_RPC", "fun": "add"}), "UNREGISTER_RPC_RESULT"),
        json!({"fun": "add"})
    );
    near.send(&rpc("b", "calc", "add", &args));
    assert_eq!(near.read()["result"]["code"], "E0502");
}

#[test]
fn a_function_is_called_over_http_and_answers_at_once() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let at_b = Api::new(b.api());
    let mut provider = at_b.majula("calc%20node");
    register(&mut provider, "add up");
    let called = |path: &'static str, body: Option<Value>| {
        let addr = a.api().to_owned();
        std::thread::spawn(move || {
            let api = Api::new(&addr);
            let begin = common::now();
            let reply = body.map_or_else(|| api.get(path), |body| api.post_json(path, &body));
            assert!(begin.elapsed() < Duration::from_secs(2), "it took {:?}", begin.elapsed());
            (reply.status, reply.json())
        })
    };
    let path = "/majula/rpc/shop?fun=add+up&target_node=b&provider=calc+node";
    for (more, body, args) in [
        ("&args=%7B%22x%22:1%7D", None, json!({"x": 1})),
        ("&x=1&y=2", None, json!({"x": "1", "y": "2"})),
        ("", Some(json!({"args": {"x": 1}})), json!({"x": 1})),
        ("", Some(json!({"x": 1})), json!({"x": 1})),
    ] {
        let path: &'static str = Box::leak(format!("{path}{more}").into_boxed_str());
        let reply = called(path, body);
        serve(&mut provider, "add up", &args, &json!({"sum": 3}));
        let expected = json!({
            "fun": "add up", "args": args, "client": "shop", "provider": "calc node", "target_node": "b",
            "result": {"sum": 3}, "success": true,
        });
        assert_eq!(reply.join().unwrap(), (200, expected));
    }
    let (status, failed) = called("/majula/rpc?fun=none&target_node=b&provider=calc", None).join().unwrap();
    assert_eq!((status, &failed["success"], &failed["code"]), (200, &false.into(), &"E0502".into()));
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("calc.none")), "{failed}");
    // The provider goes in the middle of a call.
    let reply = called("/majula/rpc?fun=add+up&target_node=b&provider=calc+node", None);
    assert_eq!(provider.read()["method"], "RPC_CALL_FROM_REMOTE");
    drop(provider);
    let (_, lost) = reply.join().unwrap();
    assert!(["E0506", "E0509"].contains(&lost["code"].as_str().unwrap()), "{lost}");
}

#[test]
fn services_of_native_clients_are_functions_of_their_service() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut native = at_b.greeted("/ws?client=atlas");
    let methods = json!([{"name": "lookup", "note": "where"}]);
    native.done("register_service", &json!({"service": "geo", "methods": methods}));
    let mut old = at_a.majula("old");
    old.send(&rpc("b", "geo", "lookup", &json!({"ip": 1})));
    let call = native.pushed("call");
    assert_eq!((&call["args"], &call["caller"]), (&json!({"ip": 1}), &json!({"node": "a", "client": "old"})));
    native.done("call_result", &json!({"call_id": call["call_id"], "error": "nowhere"}));
    let result = old.read()["result"].take();
    assert_eq!(result["code"], "E0505");
    assert!(result["error"].as_str().unwrap().contains("nowhere"), "{result}");
    let list = at_a.get("/majula/list_rpc?target_node=b&provider=geo").json();
    assert_eq!((&list["rpcs"][0]["name"], &list["rpcs"][0]["note"]), (&"lookup".into(), &"where".into()));
}

#[test]
fn nobody_answers_for_another_or_without_leave() {
    let world = World::new();
    let allow = "[\"receive\", \"subscribe:shop.>\", \"publish:shop.*\", \"call:calc.*\", \"serve:calc\", \"read\"]";
    let api = format!("{PLAIN}\n  tokens: [ {{ name: app, secret: {TOKEN}, allow: {allow} }} ]");
    let a = world.single(&api);
    let api = Api::new(a.api()).token(TOKEN);
    let mut calc = api.majula("calc");
    let mut other = api.majula("other");
    for (package, answer) in [
        (json!({"method": "SUBSCRIBE", "topic": "other"}), "ERROR"),
        (json!({"method": "PUBLISH", "topic": "shop.a.b"}), "ERROR"),
        (json!({"method": "REGISTER_RPC", "fun": "add"}), "ERROR"),
        (rpc("a", "other", "add", &json!({})), "RPC_RESULT"),
    ] {
        assert_eq!(done(&mut other, package, answer)["code"], "E1516");
    }
    assert_eq!(api.get("/majula/sub?topic=other").status, 403);
    assert_eq!(api.get("/majula/pub?topic=other&msg=x").status, 403);
    assert_eq!(api.get("/majula/rpc?fun=f&target_node=a&provider=other").status, 403);
    register(&mut calc, "add");
    other.send(&rpc("a", "calc", "add", &json!({})));
    let call = calc.read();
    let forged = json!({"method": "RETURN_RESULT", "fun": "add", "invokeid": call["invokeid"], "result": "forged"});
    other.send(&forged);
    assert_eq!(other.read()["result"]["code"], "E1502");
    calc.send(&json!({"method": "RETURN_RESULT", "fun": "add", "invokeid": call["invokeid"], "result": "true"}));
    assert_eq!(other.read()["result"], "true");
}

#[test]
fn nobody_speaks_over_http_as_a_client_that_it_may_not_be() {
    let world = World::new();
    let allow = "[\"receive:till-*\", \"subscribe:t\", \"publish:t\", \"send:a/*\", \"call:*\"]";
    let api = format!("{PLAIN}\n  tokens: [ {{ name: app, secret: {TOKEN}, allow: {allow} }} ]");
    let a = world.single(&api);
    let api = Api::new(a.api()).token(TOKEN);
    let _till = api.majula("till-1");
    let sent = "target_node=a&target_client=till-1&msg=x";
    for (path, query) in
        [("sub", "topic=t"), ("pub", "topic=t&msg=x"), ("send", sent), ("rpc", "fun=f&target_node=a&provider=p")]
    {
        let other = api.get(&format!("/majula/{path}/other?{query}"));
        assert_eq!((other.status, other.json()["code"].clone()), (403, "E1516".into()), "{path}");
        // A name that was made up for the request is nobody else's.
        if path != "sub" {
            for name in ["", "/till-2"] {
                assert_eq!(api.get(&format!("/majula/{path}{name}?{query}")).status, 200, "{path}{name}");
            }
        }
    }
}
