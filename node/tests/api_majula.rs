//! The paths of Majula, used as its own clients use them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{
    World,
    api::{Api, PLAIN, TOKEN},
};
use serde_json::{Value, json};

/// A private message as Majula's own client sends it: wrapped, and encoded twice.
fn private(node: &str, client: &str, payload: &Value) -> Value {
    let content = json!({"payload": payload}).to_string();
    json!({"method": "SEND", "args": {"target_node": node, "target_client": client, "content": content}})
}

#[test]
fn clients_of_both_nodes_and_of_the_same_node_write_to_each_other() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut alice = at_a.majula("alice");
    let mut bob = at_b.majula("bob");
    let mut carol = at_a.majula("carol");
    alice.send(&private("b", "bob", &json!({"text": "over there"})));
    let package = bob.read();
    assert_eq!((&package["method"], &package["args"]["source_node"]), (&"PRIVATE_MESSAGE".into(), &"a".into()));
    assert_eq!(package["args"]["source_client"], "alice");
    let message: Value = serde_json::from_str(package["args"]["message"].as_str().unwrap()).unwrap();
    assert_eq!(message, json!({"payload": {"text": "over there"}}));
    bob.send(&private("a", "alice", &json!("back")));
    assert_eq!(alice.read()["args"]["source_node"], "b");
    // Same node: what the original never delivers.
    alice.send(&private("a", "carol", &json!("next door")));
    assert_eq!(carol.read()["args"]["message"], "{\"payload\":\"next door\"}");
    assert!(alice.is_silent(), "without a number, no answer");

    // To and from the native surface.
    let mut native = at_b.socket("/ws?client=native");
    native.read();
    alice.send(&private("b", "native", &json!(1)));
    assert_eq!(native.read()["data"]["content"]["payload"], 1);
    native.send(&json!({"message_type": "direct_message", "data": {"target_id": "a/alice", "content": "hi", "encoding": "text"}}));
    assert_eq!(alice.read()["args"]["message"], "hi");
}

#[test]
fn what_fails_is_answered_under_the_same_number() {
    let world = World::new();
    let (a, _b) = world.pair(PLAIN);
    let api = Api::new(a.api());
    let mut alice = api.majula("alice");
    let _bob = api.majula("bob");
    let send = |node: &str, client: &str| {
        let args = json!({"target_node": node, "target_client": client, "content": "x"});
        json!({"method": "SEND", "args": args})
    };
    let rpc = json!({"method": "RPC", "fun": "f", "args": {"_target_node": "b", "_provider": "p"}});
    for (number, (mut package, method, code)) in [
        (send("b", "nobody"), "ERROR", Some("E0402")),
        (send("b d", "nobody"), "ERROR", Some("E0411")),
        (json!({"method": "SEND", "args": {"target_node": "b"}}), "ERROR", Some("E1502")),
        (json!({"method": "QUIZ"}), "ERROR", Some("E1502")),
        (rpc, "RPC_RESULT", Some("E0502")),
        (json!({"method": "RPC", "fun": "f"}), "RPC_RESULT", Some("E1502")),
        (json!({"fun": "f", "result": 1}), "ERROR", Some("E1502")),
        (json!({"method": "GET_FROM_GROUP", "args": {"group": "g"}}), "GET_FROM_GROUP_RESPONSE", Some("E1512")),
        (json!({"method": "GET_ELECTION_STATUS"}), "ELECTION_STATUS_RESULT", Some("E1512")),
        (json!({"method": "SUBSCRIBE", "topic": "t".repeat(256)}), "ERROR", Some("E0415")),
        (json!({"method": "REGISTER_RPC"}), "ERROR", Some("E1502")),
        (json!({"method": "REGISTER_RPC", "fun": "f".repeat(128)}), "ERROR", Some("E0508")),
        (json!({"method": "RPC", "args": {"_target_node": "b", "_provider": "p"}}), "RPC_RESULT", Some("E1502")),
        (json!({"method": "RETURN_RESULT", "fun": "f", "result": 1}), "ERROR", Some("E1502")),
        (json!({"method": "SUBSCRIBE"}), "ERROR", Some("E1502")),
        (json!({"method": "REGISTER_FRP_TWO_SIDE"}), "ERROR", Some("E1512")),
        // What works is answered, too, to whoever gives a number.
        (send("a", "bob"), "SEND_RESULT", None),
        (json!({"method": "HEARTBEAT", "args": {"client_id": "alice", "time_stamp": 1}}), "HEARTBEAT_RESULT", None),
    ]
    .into_iter()
    .enumerate()
    {
        package["invokeid"] = (number + 1).into();
        alice.send(&package);
        let answer = alice.read();
        assert_eq!((&answer["method"], &answer["invokeid"]), (&method.into(), &(number + 1).into()), "{package}");
        assert_eq!(answer["result"]["code"].as_str(), code, "{package}: {answer}");
    }
    alice.send_text("{nonsense");
    assert_eq!(alice.read()["result"]["code"], "E1501");
    alice.send(&json!({"method": "QUIT", "args": {"client_id": "alice"}}));
    assert_eq!(alice.end(), (vec![], Some(1000)));
}

#[test]
fn a_client_of_the_same_name_takes_the_place_of_the_earlier_and_keeps_it() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut first = api.majula("same");
    let mut second = api.majula("same");
    let (before, code) = first.end();
    assert_eq!((code, &before[0]["result"]["code"]), (Some(4409), &"E0413".into()));
    drop(first);
    // Neither the end of the first nor a call under the name ends the second.
    let sent = api.get("/majula/send/same?target_node=a&target_client=same&msg=still+here");
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(second.read()["args"], json!({"source_node": "a", "source_client": "same", "message": "still here"}));
    // A native client of the name is not sent away.
    let _native = api.socket("/ws?client=other");
    assert_eq!(api.try_socket("/majula/ws/other", &[]).err(), Some(409));
}

#[test]
fn messages_are_sent_over_http_in_every_way_that_parameters_come() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut bob = at_b.majula("bob");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let replies = [
        at_a.get("/majula/send/shop?target_node=b&target_client=bob&msg=one"),
        at_a.post_json("/majula/send/shop", &json!({"target_node": "b", "target_client": "bob", "msg": "two"})),
        at_a.request("POST", "/majula/send/shop", &form, b"target_node=b&target_client=bob&msg=three"),
        at_a.post_json(
            "/majula/send/shop?target_client=bob&msg=fo&msg=ur",
            &json!({"target_node": "b", "msg": "lost"}),
        ),
        at_a.post("/majula/send/shop", br#"{"target_node":"b","target_client":"bob","msg":{"n":5}}"#),
    ];
    for (reply, message) in replies.iter().zip(["one", "two", "three", "fo ur", "{\"n\":5}"]) {
        assert_eq!(reply.status, 200, "{reply:?}");
        let expected = json!({"status": "sent", "source_client": "shop", "target_node": "b", "target_client": "bob", "message": message});
        assert_eq!(reply.json(), expected);
        assert_eq!(bob.read()["args"]["message"], message);
    }
    let without_name = at_a.get("/majula/send?target_node=b&target_client=bob&msg=x").json();
    assert!(without_name["source_client"].as_str().unwrap().starts_with("client-"), "{without_name}");
}

#[test]
fn what_cannot_be_done_over_http_says_so() {
    let world = World::new();
    let (a, _b) = world.pair(PLAIN);
    let api = Api::new(a.api());
    for (path, status, code) in [
        ("/majula/send?target_node=b", 400, "E1502"),
        ("/majula/send?target_node=b&target_client=nobody&msg=x", 404, "E0402"),
        ("/majula/send?target_node=b%20d&target_client=nobody&msg=x", 400, "E0411"),
        ("/majula/pub?topic=t", 400, "E1502"),
        ("/majula/sub", 400, "E1502"),
        ("/majula/rpc?fun=f&target_node=b", 400, "E1502"),
        ("/majula/rpc?fun=f&target_node=b&provider=p&args={", 400, "E1502"),
        ("/majula/list_rpc?target_node=b", 400, "E1502"),
        ("/majula/list_rpc?target_node=nowhere&provider=init", 503, "E0401"),
        ("/majula/map/list", 501, "E1512"),
        ("/majula/frp", 501, "E1512"),
        ("/majula/upload", 501, "E1512"),
        ("/majula/raft/get?group=g&key=k", 501, "E1512"),
        ("/majula/elect/status", 501, "E1512"),
        ("/majula/connect_to_node?target_node_id=b", 501, "E1512"),
        ("/majula/nothing", 404, "E1506"),
    ] {
        let reply = api.get(path);
        let body = reply.json();
        assert_eq!((reply.status, body["code"].as_str()), (status, Some(code)), "{path}: {body}");
        assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{path}: {body}");
    }
    let bad = api.post_json("/majula/send", &json!([1]));
    assert_eq!((bad.status, &bad.json()["code"]), (400, &"E1501".into()));
    let missing = api.get("/majula/send").json();
    assert_eq!(missing["error"], "missing required fields: target_node, target_client, msg");
}

#[test]
fn all_packages_of_a_client_come_as_a_stream() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut stream = at_a.stream("/majula/h/reader", &[]);
    let sent = at_b.get("/majula/send/writer?target_node=a&target_client=reader&msg=hello");
    assert_eq!(sent.status, 200, "{sent:?}");
    let package: Value = serde_json::from_str(stream.event().unwrap()["data"].as_str().unwrap()).unwrap();
    let args = json!({"source_node": "b", "source_client": "writer", "message": "hello"});
    assert_eq!(package, json!({"method": "PRIVATE_MESSAGE", "args": args}));
    let node = at_a.get("/majula/node").json();
    assert_eq!((&node["node_id"], &node["clients"], &node["nodes"]), (&"a".into(), &json!(["reader"]), &json!(["b"])));
    // Another of the same name takes over.
    let mut second = at_a.stream("/majula/h/reader", &[]);
    assert!(stream.event().is_none());
    assert_eq!(at_a.get("/majula/send?target_node=a&target_client=reader&msg=two").status, 200);
    assert!(second.event().unwrap()["data"].as_str().unwrap().contains("two"));
}

#[test]
fn a_token_is_needed_unless_it_is_optional() {
    let world = World::new();
    let token = |majula: &str| {
        format!(
            "  tokens: [ {{ name: app, secret: {TOKEN}, allow: [\"send:a/*\", \"receive\", read] }} ]\n  majula: {{ {majula} }}"
        )
    };
    let a = world.single(&token("token: required"));
    let api = Api::new(a.api());
    assert_eq!(api.get("/majula/node").status, 401);
    assert_eq!(api.try_socket("/majula/ws/x", &[]).err(), Some(401));
    assert_eq!(api.get(&format!("/majula/node?token={TOKEN}")).status, 200);
    assert_eq!(api.request("GET", "/majula/node", &[("token", TOKEN)], b"").status, 200);
    assert_eq!(api.try_socket(&format!("/majula/ws/x?token={TOKEN}"), &[]).err(), None);
    assert_eq!(api.get("/majula/node?token=guess").status, 401);
    // GET changes nothing unless it may.
    let path = format!("/majula/send?token={TOKEN}&target_node=a&target_client=nobody&msg=x");
    let get = api.get(&path);
    assert_eq!((get.status, get.header("allow"), &get.json()["code"]), (405, Some("POST"), &"E1505".into()));
    assert_eq!(api.post(&path, b"").status, 404);
    let other = path.replace("target_node=a", "target_node=b");
    assert_eq!(api.post(&other, b"").status, 403);

    let b = world.start_config(&world.config_api("b", "  listen: [tcp://127.0.0.1:0]", &token("token: optional")));
    let api = Api::new(b.api());
    assert_eq!(api.get("/majula/node").status, 200);
    assert_eq!(api.try_socket("/majula/ws/x", &[]).err(), None);
    assert_eq!(api.get("/majula/node?token=guess").status, 401, "a wrong token is worse than none");
    assert_eq!(api.get("/api/v1/status").status, 401, "only the paths of Majula are open");
}

#[test]
fn the_paths_may_be_switched_off() {
    let world = World::new();
    let a = world.single("  majula: { enabled: false }");
    let api = Api::new(a.api());
    assert_eq!(api.get("/majula/node").status, 404);
    assert_eq!(api.try_socket("/majula/ws/x", &[]).err(), Some(404));
}

#[test]
fn the_servers_of_a_majula_file_are_served() {
    let world = World::new();
    let text = "node_id: ash\ntoken: default_token\nmajula_servers: [ { port: 0 } ]\nchannels:\n  - type: server\n    listen_addr: 127.0.0.1:0\n";
    let file = world.file("ash.yaml", text);
    let data = format!("node.data_dir={}", world.path().join("ash").display());
    let ash = world.start(&[file.to_str().unwrap(), "--set", &data, "--set", "admin.listen=127.0.0.1:0"]);
    let api = Api::new(ash.api());
    let mut old = api.majula("old");
    assert_eq!(api.get("/majula/send?target_node=ash&target_client=old&msg=friend").status, 200);
    assert_eq!(old.read()["args"]["message"], "friend");
}
