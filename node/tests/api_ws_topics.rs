//! Topics over the native WebSocket protocol of running nodes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{collections::BTreeSet, thread, time::Duration};

use common::{
    World,
    api::{Api, PLAIN, TOKEN},
};
use serde_json::{Value, json};

#[test]
fn publications_reach_the_subscribers_of_every_node() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut alice = at_a.greeted("/ws?client=alice");
    let mut bob = at_b.greeted("/ws?client=bob");
    let mut carol = at_a.greeted("/ws?client=carol");
    assert_eq!(bob.done("subscribe", &json!({"topic": "orders.>"}))["known"], true);
    carol.done("subscribe", &json!({"topic": "orders.*.new"}));
    let data = json!({"n": 12_345_678_901_234_567_u64, "text": "\u{4f60}"});
    let headers = json!({"trace": "7"});
    let published = alice.done("publish", &json!({"topic": "orders.eu.new", "data": data, "headers": headers}));
    let expected = json!({"topic": "orders.eu.new", "subscribers": 2, "nodes": 2, "missing": [], "unserved": []});
    for field in ["topic", "subscribers", "nodes", "missing", "unserved"] {
        assert_eq!(published[field], expected[field], "{published}");
    }
    for (socket, subscription) in [(&mut bob, "orders.>"), (&mut carol, "orders.*.new")] {
        let message = socket.pushed("message");
        assert_eq!((&message["topic"], &message["subscription"]), (&"orders.eu.new".into(), &subscription.into()));
        assert_eq!((&message["data"], &message["encoding"], &message["headers"]), (&data, &"json".into(), &headers));
        assert_eq!(message["from"], json!({"node": "a", "client": "alice"}));
        assert_eq!(message["sender_id"], "a/alice");
    }
    // Text and bytes; the numbers of one publisher grow.
    let mut seqs = vec![];
    for (content, encoding) in [("plain text", "text"), ("/wA=", "base64")] {
        let wish = json!({"topic": "orders.eu", "data": content, "encoding": encoding});
        assert_eq!(alice.done("publish", &wish)["subscribers"], 1);
        let message = bob.pushed("message");
        assert_eq!((&message["data"], &message["encoding"]), (&content.into(), &encoding.into()));
        seqs.push(message["seq"].as_u64().unwrap());
    }
    assert!(seqs[0] < seqs[1]);
    // Whoever has left gets nothing.
    bob.done("unsubscribe", &json!({"topic": "orders.>"}));
    let published = alice.done("publish", &json!({"topic": "orders.eu", "data": 1}));
    assert_eq!((&published["subscribers"], &published["nodes"]), (&0.into(), &0.into()));
    drop(carol);
    let begin = common::now();
    while alice.done("publish", &json!({"topic": "orders.eu.new", "data": 1}))["subscribers"] != 0 {
        assert!(begin.elapsed() < Duration::from_secs(5), "a subscription outlives its client");
    }
    assert!(bob.is_silent());
}

#[test]
fn of_a_queue_group_one_member_gets_each_publication() {
    let world = World::new();
    let (a, b) = world.pair(PLAIN);
    let (at_a, at_b) = (Api::new(a.api()), Api::new(b.api()));
    let mut members = [at_a.greeted("/ws"), at_a.greeted("/ws"), at_b.greeted("/ws")];
    for member in &mut members {
        member.done("subscribe", &json!({"topic": "jobs", "queue": "workers"}));
    }
    let mut alice = at_a.greeted("/ws");
    for number in 0..30 {
        assert_eq!(alice.done("publish", &json!({"topic": "jobs", "data": number}))["subscribers"], 1);
    }
    let mut got = BTreeSet::new();
    let mut share = vec![];
    for member in &mut members {
        let mut count = 0;
        while !member.is_silent_or(|message| {
            assert_eq!(message["data"]["queue"], "workers");
            assert!(got.insert(message["data"]["data"].as_u64().unwrap()), "twice: {message}");
        }) {
            count += 1;
        }
        share.push(count);
    }
    assert_eq!(got.len(), 30, "{share:?}");
    members[0].done("unsubscribe", &json!({"topic": "jobs", "queue": "workers"}));
    assert_eq!(members[0].fails("unsubscribe", &json!({"topic": "jobs", "queue": "workers"})), "E1502");
}

#[test]
fn a_publisher_says_whether_it_gets_its_own_and_whether_it_waits() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut alice = api.greeted("/ws?client=alice");
    alice.done("subscribe", &json!({"topic": "t"}));
    assert_eq!(alice.done("publish", &json!({"topic": "t", "data": 1}))["subscribers"], 1);
    assert_eq!(alice.pushed("message")["data"], 1);
    assert_eq!(alice.done("publish", &json!({"topic": "t", "data": 2, "echo": false}))["subscribers"], 0);
    assert!(alice.is_silent());
    // Without waiting: an answer only if there is a number, and everything in order.
    assert_eq!(alice.done("publish", &json!({"topic": "t", "data": 3, "ack": false})), json!({"topic": "t"}));
    for number in 4..500 {
        alice.send(&json!({"message_type": "publish", "data": {"topic": "t", "data": number, "ack": false}}));
    }
    for number in 3..500 {
        assert_eq!(alice.pushed("message")["data"], number);
    }
    assert!(alice.is_silent());
    alice.send(&json!({"message_type": "publish", "data": {"topic": "t.*", "data": 1, "ack": false}}));
    assert_eq!(alice.pushed("error")["details"]["error"], "E0415");
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed() {
    let world = World::new();
    let a =
        world.single(&format!("{PLAIN}\nmessaging:\n  topics: [ {{ match: \"kept.>\", history: {{ size: 100 }} }} ]"));
    let api = Api::new(a.api());
    let mut alice = api.greeted("/ws?client=alice");
    let mut bob = api.greeted("/ws?client=bob");
    bob.done("subscribe", &json!({"topic": "kept.t"}));
    alice.done("publish", &json!({"topic": "kept.t", "data": 0}));
    let position = bob.pushed("message")["position"].clone();
    drop(bob);
    for number in 1..=3 {
        alice.done("publish", &json!({"topic": "kept.t", "data": number}));
    }
    let mut bob = api.greeted("/ws?client=bob-again");
    let ack = bob.done("subscribe", &json!({"topic": "kept.t", "since": position}));
    assert_eq!(ack["recovery"], json!({"recovered": true, "replayed": 3, "missing": 0}));
    for number in 1..=3 {
        assert_eq!(bob.pushed("message")["data"], number);
    }
    let mut carol = api.greeted("/ws");
    carol.done("subscribe", &json!({"topic": "kept.*", "last": 1}));
    assert_eq!(carol.pushed("message")["data"], 3);
    // A position of another life, and one of several topics.
    let ack = alice.done("subscribe", &json!({"topic": "kept.t", "since": {"epoch": 1, "seq": 1}}));
    assert_eq!(ack["recovery"]["recovered"], false);
    assert_eq!(carol.fails("subscribe", &json!({"topic": "kept.>", "since": position})), "E0415");
    assert_eq!(carol.fails("subscribe", &json!({"topic": "kept.t", "since": position, "last": 1})), "E1502");
}

#[test]
fn what_may_not_be_or_makes_no_sense_is_refused() {
    let world = World::new();
    let allow = "[\"receive\", \"subscribe:shop.>\", \"publish:shop.*\"]";
    let a = world.single(&format!("  tokens: [ {{ name: app, secret: {TOKEN}, allow: {allow} }} ]"));
    let api = Api::new(a.api()).token(TOKEN);
    let mut socket = api.greeted("/ws");
    for (kind, data, code) in [
        ("subscribe", json!({"topic": "shop"}), "E1516"),
        ("subscribe", json!({"topic": "*.x"}), "E1516"),
        ("subscribe", json!({"topic": ">"}), "E1516"),
        ("publish", json!({"topic": "shop.a.b", "data": 1}), "E1516"),
        ("publish", json!({"topic": "other", "data": 1}), "E1516"),
        ("subscribe", json!({"topic": "shop.a b"}), "E0415"),
        ("subscribe", json!({"topic": "shop.a", "queue": "x y"}), "E0415"),
        ("subscribe", json!({"topic": "shop.a", "slow_consumer": "wait"}), "E1502"),
        ("subscribe", json!({}), "E1502"),
        ("publish", json!({"topic": "shop.a"}), "E1502"),
        ("publish", json!({"topic": "shop.a", "data": 1, "encoding": "text"}), "E1502"),
        ("publish", json!({"topic": "shop.a", "data": 1, "headers": {"n": 1}}), "E1502"),
        ("publish", json!({"topic": "shop.a", "data": 1, "timeout_ms": 0}), "E1502"),
        ("unsubscribe", json!({"topic": "shop.a"}), "E1502"),
    ] {
        assert_eq!(socket.fails(kind, &data), code, "{kind} {data}");
    }
    socket.done("subscribe", &json!({"topic": "shop.*"}));
    assert_eq!(socket.fails("subscribe", &json!({"topic": "shop.*"})), "E1502");
    // After a refusal, the same may be asked for again.
    socket.done("subscribe", &json!({"topic": "shop.a"}));
    socket.done("publish", &json!({"topic": "shop.a", "data": 1}));
    let mut subscriptions = [socket.pushed("message"), socket.pushed("message")].map(|it| it["subscription"].clone());
    subscriptions.sort_by_key(Value::to_string);
    assert_eq!(subscriptions, ["shop.*", "shop.a"]);
}

#[test]
fn a_subscriber_that_does_not_keep_up_holds_nobody_up() {
    let world = World::new();
    let a = world.single("  slow_client: { messages: 16, bytes: 256KiB }\n  limits: { message: 256KiB }");
    let api = Api::new(a.api());
    let mut alice = api.greeted("/ws");
    let mut cut = api.greeted("/ws?client=cut");
    let mut loses = api.greeted("/ws?client=loses");
    let mut quick = api.greeted("/ws?client=quick");
    cut.done("subscribe", &json!({"topic": "t.>"}));
    loses.done("subscribe", &json!({"topic": "t.>", "slow_consumer": "drop_oldest"}));
    quick.done("subscribe", &json!({"topic": "t.quick"}));
    let padding = "x".repeat(200_000);
    let mut is_cut = false;
    // More than the sockets' own buffers take.
    for number in 0..100 {
        let published = alice.done("publish", &json!({"topic": "t.large", "data": {"n": number, "padding": padding}}));
        alice.done("publish", &json!({"topic": "t.quick", "data": number}));
        assert_eq!(quick.pushed("message")["data"], number, "a slow client holds another up");
        is_cut |= published["subscribers"] == 1;
    }
    assert!(is_cut, "the slow client was never cut off");
    let (before, code) = cut.end();
    assert_eq!((&before.last().unwrap()["data"]["error"], code), (&"E1514".into(), Some(4008)));
    // The other has the newest, and knows how many it lost.
    let mut seen = 0;
    let mut last = 0;
    while last != 99 {
        let message = loses.read();
        if message["message_type"] == "missed" {
            continue;
        }
        let message = &message["data"];
        seen += 1;
        if message["topic"] == "t.quick" {
            last = message["data"].as_u64().unwrap();
        }
    }
    let missed = api.get("/api/v1/clients/loses").json()["missed"].as_u64().unwrap();
    assert_eq!(seen + missed, 200, "{missed} missed");
    assert!(missed > 0);
    assert_eq!(loses.ask("ping", &json!({}))["message_type"], "pong");
}

#[test]
fn of_several_subscribers_to_the_same_each_has_its_own_end() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut alice = api.greeted("/ws?client=alice");
    let mut stays = api.greeted("/ws?client=stays");
    let mut leaves = api.greeted("/ws?client=leaves");
    let mut gone = api.greeted("/ws?client=gone");
    for client in [&mut stays, &mut leaves, &mut gone] {
        client.done("subscribe", &json!({"topic": "t.>"}));
    }
    let mut publish =
        |number: u64| alice.done("publish", &json!({"topic": "t.a", "data": number}))["subscribers"].clone();
    assert_eq!(publish(0), 3);
    for client in [&mut stays, &mut leaves, &mut gone] {
        assert_eq!(client.pushed("message")["data"], 0);
    }
    leaves.done("unsubscribe", &json!({"topic": "t.>"}));
    drop(gone);
    let begin = common::now();
    let mut number = 1;
    while publish(number) != 1 {
        assert!(begin.elapsed() < Duration::from_secs(5), "a subscription outlives its client");
        number += 1;
    }
    for expected in 1..=number {
        assert_eq!(stays.pushed("message")["data"], expected);
    }
    assert!(leaves.is_silent());
    // Who comes again begins anew.
    leaves.done("subscribe", &json!({"topic": "t.>"}));
    assert_eq!(publish(number + 1), 2);
    for client in [&mut stays, &mut leaves] {
        assert_eq!(client.pushed("message")["data"], number + 1);
    }
}

#[test]
fn in_a_flood_of_publications_a_client_is_heard_and_gets_its_messages() {
    let world = World::new();
    let a = world.single("  slow_client: { messages: 65536, bytes: 64MiB }\n  limits: { messages_per_sec: 1000000 }");
    let api = Api::new(a.api());
    let mut alice = api.greeted("/ws?client=alice");
    let mut bob = api.greeted("/ws?client=bob");
    bob.done("subscribe", &json!({"topic": "t"}));
    const COUNT: u64 = 5_000;
    for number in 0..COUNT {
        alice.send(&json!({"message_type": "publish", "data": {"topic": "t", "data": number, "ack": false}}));
        if number == COUNT / 2 {
            alice.send(&json!({"message_type": "direct_message", "data": {"target_id": "a/bob", "content": "hello"}}));
            bob.send(&json!({"message_id": 7, "message_type": "ping", "data": {}}));
        }
    }
    let (mut next, mut others) = (0, BTreeSet::new());
    while next < COUNT || others.len() < 2 {
        let message = bob.read();
        match message["message_type"].as_str().unwrap() {
            "message" => {
                assert_eq!(message["data"]["data"], next, "out of order");
                next += 1;
            }
            kind => _ = others.insert(kind.to_owned()),
        }
    }
    assert_eq!(others, BTreeSet::from(["direct_message".to_owned(), "pong".to_owned()]));
}

#[test]
fn a_subscription_that_is_given_up_at_once_does_not_stay() {
    let world = World::new();
    let a = world.single(PLAIN);
    let api = Api::new(a.api());
    let mut socket = api.greeted("/ws");
    let subscribed = socket.begin("subscribe", &json!({"topic": "t"}));
    let gone = socket.begin("unsubscribe", &json!({"topic": "t"}));
    assert_eq!(socket.answer(subscribed)["message_type"], "ack");
    assert_eq!(socket.answer(gone)["message_type"], "ack");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(socket.done("publish", &json!({"topic": "t", "data": 1}))["subscribers"], 0);
}
