//! The native WebSocket protocol of running nodes, with real sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, thread, time::Duration};

use common::{
    World,
    api::{Api, PLAIN, TOKEN},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

fn kind(message: &Value) -> &str {
    message["message_type"].as_str().unwrap()
}

#[test]
fn a_client_is_greeted_and_answered() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let api = Api::new(a.api());
    let mut socket = api.socket("/ws?client=till");
    let hello = socket.read();
    assert_eq!(
        (kind(&hello), &hello["data"]["node"], &hello["data"]["client_id"]),
        ("hello", &"a".into(), &"till".into())
    );
    assert_eq!((&hello["data"]["ping_interval_ms"], &hello["data"]["max_message"]), (&25_000.into(), &65_536.into()));
    socket.send(&json!({"message_id": 7, "message_type": "ping", "data": {"ts": 5}}));
    let pong = socket.read();
    assert_eq!((kind(&pong), &pong["request_id"], &pong["data"]["ts"]), ("pong", &7.into(), &5.into()));
    assert!(pong["data"]["server_ts"].is_u64() && pong["timestamp"].is_u64() && pong["message_id"] == 0, "{pong}");
    // Nobody else may be the same client.
    assert_eq!(api.try_socket("/ws?client=till", &[("sec-websocket-protocol", "mesh.v1.json")]).err(), Some(409));
    drop(socket);
    let begin = common::now();
    while api.get("/api/v1/clients/till").status != 404 {
        assert!(begin.elapsed() < Duration::from_secs(5), "a client that left is still there");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_makes_no_sense_is_said_and_nothing_is_dropped_silently() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let api = Api::new(a.api());
    let mut socket = api.greeted("/ws");
    let mut error = |text: &str| {
        socket.send_text(text);
        let answer = socket.read();
        assert_eq!(kind(&answer), "error", "{text}: {answer}");
        let data = &answer["data"];
        assert_eq!(data["request_id"], answer["request_id"], "{answer}");
        (data["code"].as_u64().unwrap(), data["details"]["error"].as_str().unwrap().to_owned())
    };
    for (text, code, own) in [
        ("{", 1001, "E1501"),
        ("[]", 1001, "E1501"),
        ("{\"message_id\":1.5,\"message_type\":\"ping\"}", 1001, "E1502"),
        ("{\"message_id\":1,\"message_type\":\"dance\"}", 1001, "E1502"),
        ("{\"message_id\":\"x\",\"message_type\":\"direct_message\",\"data\":{}}", 1001, "E1502"),
        ("{\"message_type\":\"direct_message\",\"data\":{\"target_id\":\"b d/x\",\"content\":1}}", 1001, "E0411"),
        ("{\"message_type\":\"direct_message\",\"data\":{\"target_id\":\"nobody\",\"content\":1}}", 4000, "E0402"),
        ("{\"message_type\":\"subscribe\",\"data\":{\"topic\":\"a..b\"}}", 1001, "E0415"),
        ("{\"message_type\":\"request\",\"data\":{\"service\":\"a\",\"method\":\"b\"}}", 4000, "E0502"),
        ("{\"message_type\":\"join_room\",\"data\":{\"room_id\":\"r\"}}", 1003, "E1512"),
    ] {
        assert_eq!(error(text), (code, own.to_owned()), "{text}");
    }
    socket.send_message(Message::binary(vec![1, 2, 3]));
    assert_eq!(socket.read()["data"]["code"], 1001);
}

#[test]
fn clients_of_two_nodes_write_to_each_other() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut alice = at_a.greeted("/ws?client=alice");
    let mut bob = at_b.greeted("/ws?client=bob");
    let content = "{\"n\": 12345678901234567890, \"text\":\"\u{4f60}\u{597d}\"}";
    alice.send_text(&format!(
        "{{\"message_id\":\"m1\",\"message_type\":\"direct_message\",\"data\":{{\"target_id\":\"b/bob\",\"content\":{content}}}}}"
    ));
    let ack = alice.read();
    assert_eq!((kind(&ack), &ack["request_id"], &ack["data"]["outcome"]), ("ack", &"m1".into(), &"delivered".into()));
    let told = bob.read();
    assert_eq!((kind(&told), &told["data"]["sender_id"]), ("direct_message", &"a/alice".into()));
    assert_eq!(told["data"]["from"], json!({"node": "a", "client": "alice"}));
    assert_eq!(told["data"]["content"], serde_json::from_str::<Value>(content).unwrap());
    // The way back, by node and client, as text and as bytes.
    for (content, encoding) in [("plain text", "text"), ("/wA=", "base64")] {
        let data = json!({"node": "a", "client": "alice", "content": content, "encoding": encoding});
        bob.send(&json!({"message_id": 2, "message_type": "direct_message", "data": data}));
        assert_eq!(kind(&bob.read()), "ack");
        let told = alice.read();
        assert_eq!((&told["data"]["content"], &told["data"]["encoding"]), (&content.into(), &encoding.into()));
    }
    // A client of the same node, and one of HTTP.
    let mut carol = at_a.greeted("/ws?client=carol");
    alice.send(&json!({"message_type": "direct_message", "data": {"target_id": "carol", "content": "here"}}));
    assert_eq!(carol.read()["data"]["content"], "here");
    let sent = at_a.post_json("/api/v1/nodes/b/messages?client=bob&from_client=shop", &json!({"price": 5}));
    assert_eq!(sent.status, 200, "{sent:?}");
    let told = bob.read();
    assert_eq!((&told["data"]["content"]["price"], &told["data"]["sender_id"]), (&5.into(), &"a/shop".into()));
}

#[test]
fn messages_arrive_in_the_order_in_which_they_were_sent() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut alice = at_a.greeted("/ws?client=alice");
    let mut bob = at_b.greeted("/ws?client=bob");
    for number in 0..500 {
        let data = json!({"target_id": "b/bob", "content": number});
        alice.send(&json!({"message_id": number, "message_type": "direct_message", "data": data}));
    }
    for number in 0..500 {
        assert_eq!(bob.read()["data"]["content"], number);
    }
    for _ in 0..500 {
        assert_eq!(kind(&alice.read()), "ack");
    }
    assert!(bob.is_silent());
}

#[test]
fn a_token_may_come_in_every_place_that_a_browser_has() {
    let world = World::new();
    let api = format!("  tokens: [ {{ name: app, secret: {TOKEN}, allow: [\"receive:app-*\", \"send:b\"] }} ]");
    let a = world.single(&api);
    let api = Api::new(a.api());
    let protocol = ("sec-websocket-protocol", "mesh.v1.json");
    let status = |path: &str, headers: &[(&str, &str)]| api.try_socket(path, headers).err();
    assert_eq!(status("/ws?client=app-1", &[protocol, ("authorization", &format!("Bearer {TOKEN}"))]), None);
    assert_eq!(status(&format!("/ws?client=app-2&token={TOKEN}"), &[protocol]), None);
    let both = format!("mesh.v1.json, bearer.{TOKEN}");
    assert_eq!(status("/ws?client=app-3", &[("sec-websocket-protocol", &both)]), None);
    assert_eq!(status("/ws?client=app-4&token=wrong", &[protocol]), Some(401));
    assert_eq!(status(&format!("/ws?client=boss&token={TOKEN}"), &[protocol]), Some(403));

    let mut late = api.socket("/ws?client=app-5");
    assert_eq!(late.read()["data"]["authenticated"], false);
    late.send(&json!({"message_id": 1, "message_type": "direct_message", "data": {"target_id": "b/x", "content": 1}}));
    assert_eq!(late.read()["data"]["code"], 2003);
    late.send(&json!({"message_id": 2, "message_type": "authenticate", "data": {"token": TOKEN}}));
    let authenticated = late.read();
    assert_eq!((kind(&authenticated), &authenticated["data"]["user_id"]), ("authenticated", &"app".into()));
    assert_eq!(authenticated["data"]["permissions"], json!(["receive:app-*", "send:b"]));
    late.send(&json!({"message_id": 3, "message_type": "direct_message", "data": {"target_id": "c/x", "content": 1}}));
    assert_eq!(late.read()["data"]["code"], 2001);

    let mut wrong = api.socket("/ws?client=app-6");
    wrong.read();
    wrong.send(&json!({"message_type": "authenticate", "data": {"token": "a wrong guess"}}));
    let (before, code) = wrong.end();
    assert_eq!((kind(before.last().unwrap()), code), ("disconnect", Some(4401)));
    assert!(!world.logs().contains(TOKEN), "no token is logged");
}

#[test]
fn sockets_of_other_sites_and_other_protocols_are_refused() {
    let world = World::new();
    let a = world.single("  origins: [\"https://app.example\"]");
    let api = Api::new(a.api());
    let protocol = ("sec-websocket-protocol", "mesh.v1.json");
    let own = format!("http://{}", a.api());
    assert_eq!(api.try_socket("/ws", &[protocol, ("origin", "https://evil.example")]).err(), Some(403));
    assert_eq!(api.try_socket("/ws", &[protocol, ("origin", "https://app.example")]).err(), None);
    assert_eq!(api.try_socket("/ws", &[protocol, ("origin", &own)]).err(), None);
    assert_eq!(api.try_socket("/majula/ws/x", &[("origin", "https://evil.example")]).err(), Some(403));
    assert_eq!(api.try_socket("/ws", &[]).err(), Some(501));
    assert_eq!(api.try_socket("/ws?client=", &[protocol]).err(), Some(400));
    let plain = api.get("/ws");
    assert_eq!((plain.status, plain.problem().as_str()), (400, "E1502"));
}

#[test]
fn who_sends_too_much_or_too_large_is_sent_away() {
    let world = World::new();
    let limits = "  limits: { message: 1KiB, messages_per_sec: 5 }";
    let a = world.single(limits);
    let api = Api::new(a.api());
    let mut large = api.greeted("/ws");
    large.send_text(&"x".repeat(1_025));
    let (before, code) = large.end();
    assert_eq!(
        (code, &before[0]["data"]["reconnect"], &before[0]["data"]["error"]),
        (Some(4413), &false.into(), &"E1507".into())
    );
    let mut fast = api.greeted("/ws");
    for _ in 0..12 {
        fast.try_send_text("{\"message_type\":\"ping\"}");
    }
    let (before, code) = fast.end();
    let last = before.last().unwrap();
    assert_eq!((code, &last["data"]["reconnect"], &last["data"]["error"]), (Some(4029), &true.into(), &"E1508".into()));
}

#[test]
fn a_client_that_does_not_keep_up_is_told_and_cut_off_and_holds_nobody_up() {
    let world = World::new();
    let slow = "  slow_client: { messages: 16, bytes: 256KiB }";
    let a = world.single(slow);
    let api = Api::new(a.api());
    let mut slow = api.greeted("/ws?client=slow");
    let mut quick = api.greeted("/ws?client=quick");
    let payload = vec![b'x'; 256 * 1_024];
    let mut refused = false;
    // More than the sockets' own buffers take.
    for _ in 0..200 {
        let sent = api.post("/api/v1/nodes/a/messages?client=slow&timeout_ms=5000", &payload);
        if sent.status == 404 {
            refused = true;
            break;
        }
        assert_eq!(sent.status, 200, "{sent:?}");
        assert_eq!(api.post("/api/v1/nodes/a/messages?client=quick", b"\"tick\"").status, 200);
        assert_eq!(quick.read()["data"]["content"], "tick", "a slow client holds another up");
    }
    assert!(refused, "the slow client was never cut off");
    let (before, code) = slow.end();
    let last = before.last().unwrap();
    assert_eq!((kind(last), &last["data"]["error"], code), ("disconnect", &"E1514".into(), Some(4008)));
}

#[test]
fn a_slow_client_may_lose_the_oldest_instead() {
    let world = World::new();
    let slow = "  slow_client: { messages: 4, bytes: 1MiB, policy: drop_oldest }";
    let a = world.single(slow);
    let api = Api::new(a.api());
    let mut slow = api.greeted("/ws?client=slow");
    let padding = "x".repeat(200_000);
    for number in 0..100 {
        let sent = api.post_json("/api/v1/nodes/a/messages?client=slow", &json!({"n": number, "padding": padding}));
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    let (mut seen, mut told) = (Vec::new(), 0);
    while seen.last() != Some(&99) {
        let message = slow.read();
        match kind(&message) {
            "missed" => told += message["data"]["messages"].as_u64().unwrap(),
            _ => seen.push(message["data"]["content"]["n"].as_u64().unwrap()),
        }
    }
    assert!(seen.is_sorted(), "{seen:?}");
    let missed = api.get("/api/v1/clients/slow").json()["missed"].as_u64().unwrap();
    assert!(missed > 0, "nothing was missed");
    assert_eq!(seen.len() as u64 + missed, 100);
    // It is told, at the latest when it has read everything.
    while told < missed {
        told += slow.read()["data"]["messages"].as_u64().unwrap();
    }
    assert_eq!(told, missed);
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

#[test]
fn an_idle_client_costs_less_than_eight_kibibytes() {
    const CLIENTS: u64 = 1_500;
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let api = Api::new(a.api());
    // What the first ones cost is once for all.
    let mut sockets: Vec<_> = (0..500).map(|_| api.greeted("/ws")).collect();
    let before = resident(a.pid());
    sockets.extend((0..CLIENTS).map(|_| api.greeted("/ws")));
    assert_eq!(api.get("/api/v1/clients?limit=1").json()["total"], CLIENTS + 500);
    let each = resident(a.pid()).saturating_sub(before) / CLIENTS;
    assert!(each < 8 * 1_024, "{each} bytes each");
}

#[test]
fn there_are_no_more_connections_than_there_may_be() {
    let world = World::new();
    let a = world.single("  limits: { connections: 3 }");
    let api = Api::new(a.api());
    let sockets: Vec<_> = (0..3).map(|_| api.greeted("/ws")).collect();
    let addr = a.api().to_owned();
    // It waits for a place, which the end of a socket gives it.
    let waiting = thread::spawn(move || Api::new(&addr).get("/api/v1/version").status);
    thread::sleep(Duration::from_millis(500));
    assert!(!waiting.is_finished(), "one connection too many was served");
    drop(sockets);
    assert_eq!(waiting.join().unwrap(), 200);
}
