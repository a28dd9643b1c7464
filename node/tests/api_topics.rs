//! Topics in `/api/v1` of running nodes, with real requests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{
    World,
    api::{Api, Stream},
    peer::Peer,
};
use serde_json::{Value, json};

const KEPT: &str = "messaging: { topics: [ { match: \"kept.>\", history: { size: 3 } }, { match: \">\", slow_consumer: drop_oldest } ] }";

/// The data of an event that must be of this kind.
fn data(event: Option<Value>, kind: &str) -> Value {
    let event = event.expect("the stream has ended");
    assert_eq!(event["event"], kind, "{event}");
    serde_json::from_str(event["data"].as_str().unwrap()).unwrap()
}

/// A stream that has begun.
fn subscribe<'a>(api: &'a Api, path: &str) -> Stream<'a> {
    let mut stream = api.stream(path, &[]);
    assert_eq!(data(stream.event(), "subscribed")["known"], true);
    stream
}

#[test]
fn what_is_published_comes_to_everybody_who_subscribed() {
    let world = World::new();
    let (a, b) = world.linked(KEPT, "");
    let (here, there) = (Api::new(a.api()), Api::new(b.api()));
    let mut all = subscribe(&here, "/api/v1/topics/orders.%3E/messages");
    let mut one = subscribe(&there, "/api/v1/topics/orders.*.created/messages?client=till");
    let path = "/api/v1/topics/orders.eu.created/messages";
    let headers = [("content-type", "application/json"), ("x-header-Trace", "7-8")];
    let published = here.request("POST", &format!("{path}?from_client=shop"), &headers, b"{\"n\": 1.50}");
    let expected =
        json!({"topic": "orders.eu.created", "subscribers": 2, "nodes": 2, "missing": [], "unserved": [], "id": null});
    assert_eq!((published.status, published.json()), (200, expected));
    for stream in [&mut all, &mut one] {
        let event = stream.event().unwrap();
        assert_eq!(event.get("id"), None, "nobody keeps it");
        let told = data(Some(event), "message");
        assert_eq!((&told["topic"], &told["from"]), (&"orders.eu.created".into(), &"a".into()));
        assert_eq!((&told["content"]["n"], &told["encoding"]), (&json!(1.5), &"json".into()));
        assert_eq!((&told["headers"], &told["from_client"]), (&json!({"trace": "7-8"}), &"shop".into()));
    }
    assert_eq!(here.post(path, b"\xff\x00").json()["subscribers"], 2);
    let told = data(one.event(), "message");
    assert_eq!((&told["content"], &told["encoding"]), (&"/wA=".into(), &"base64".into()));
    drop(one);
    world.until(&["topics", "--node", "a", "--json"], |ran| !ran.out.contains("orders.*.created"));
    let taken = here.request("POST", &format!("{path}?wait=false"), &[], b"fast");
    assert_eq!((taken.status, taken.json()), (202, json!({"topic": "orders.eu.created"})));
    assert_eq!(data(all.event(), "message")["encoding"], "base64");
    assert_eq!(data(all.event(), "message")["content"], "fast");
}

#[test]
fn nobody_need_have_subscribed() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let api = Api::new(a.api());
    let published = api.post("/api/v1/topics/nobody.cares/messages", b"x");
    assert_eq!((published.status, &published.json()["subscribers"]), (200, &0.into()));
    let key = [("idempotency-key", "k1"), ("x-header-a", "1")];
    let path = "/api/v1/topics/once/messages";
    let mut stream = subscribe(&api, path);
    assert_eq!(api.request("POST", path, &key, b"x").status, 200);
    assert_eq!(api.request("POST", path, &key, b"x").header("idempotency-replayed"), Some("true"));
    let other = [("idempotency-key", "k1"), ("x-header-a", "2")];
    assert_eq!(api.request("POST", path, &other, b"x").problem(), "E1509", "another header is another publication");
    api.post(path, b"last");
    assert_eq!(data(stream.event(), "message")["content"], "x");
    assert_eq!(data(stream.event(), "message")["content"], "last");
}

#[test]
fn one_who_publishes_need_not_hear_it() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let api = Api::new(a.api());
    let path = "/api/v1/topics/room/messages";
    let mut own = subscribe(&api, &format!("{path}?client=me"));
    let mut other = subscribe(&api, &format!("{path}?client=you"));
    assert_eq!(api.post(&format!("{path}?from_client=me&echo=false"), b"quiet").json()["subscribers"], 1);
    assert_eq!(api.post(&format!("{path}?from_client=me"), b"loud").json()["subscribers"], 2);
    assert_eq!(data(own.event(), "message")["content"], "loud");
    assert_eq!(data(other.event(), "message")["content"], "quiet");
}

#[test]
fn of_a_group_one_gets_it() {
    let world = World::new();
    let (a, b) = world.linked(KEPT, "");
    let (here, there) = (Api::new(a.api()), Api::new(b.api()));
    let path = "/api/v1/topics/jobs/messages";
    let _one = subscribe(&here, &format!("{path}?group=workers"));
    let _two = subscribe(&there, &format!("{path}?group=workers"));
    for _ in 0..4 {
        assert_eq!(here.post(path, b"x").json()["subscribers"], 1);
    }
    let who = here.get("/api/v1/topics?who=jobs").json();
    assert_eq!((&who["here"], &who["groups"][0]["group"]), (&0.into(), &"workers".into()));
    assert_eq!(who["groups"][0]["nodes"][0], json!({"id": "a", "members": 1, "cost": 0}));
    assert_eq!(who["groups"][0]["nodes"][1]["id"], "b");
}

#[test]
fn a_reader_that_comes_back_misses_nothing_that_is_kept() {
    let world = World::new();
    let (a, b) = world.linked(KEPT, "");
    let (api, other) = (Api::new(a.api()), Api::new(b.api()));
    for pattern in ["kept.one", "kept.%3E", "kept.*"] {
        let path = format!("/api/v1/topics/{pattern}/messages");
        let topic = "/api/v1/topics/kept.one/messages";
        let mut stream = api.stream(&path, &[]);
        let begin = stream.event().unwrap();
        drop(stream);
        other.post(topic, b"1");
        let from = |id: &Value| [("last-event-id".to_owned(), id.as_str().unwrap().to_owned())];
        let again = |id: &Value| {
            let headers = from(id);
            api.stream(&path, &[(headers[0].0.as_str(), headers[0].1.as_str())])
        };
        let mut stream = again(&begin["id"]);
        assert_eq!(data(stream.event(), "subscribed")["replayed"], 1, "{pattern}");
        let first = stream.event().unwrap();
        assert_eq!(data(Some(first.clone()), "message")["content"], json!(1));
        drop(stream);
        other.post(topic, b"2");
        other.post(topic, b"3");
        let mut stream = again(&first["id"]);
        assert_eq!(data(stream.event(), "subscribed")["replayed"], 2, "{pattern}");
        assert_eq!(data(stream.event(), "message")["content"], json!(2));
        assert_eq!(data(stream.event(), "message")["content"], json!(3));
        // Three are kept: of four, one is gone.
        for number in 4..=5 {
            other.post(topic, number.to_string().as_bytes());
        }
        let mut stream = again(&first["id"]);
        assert_eq!(data(stream.event(), "reset")["missing"], 1, "{pattern}");
        assert_eq!(data(stream.event(), "subscribed")["replayed"], 3);
        for number in 3..=5 {
            assert_eq!(data(stream.event(), "message")["content"], json!(number));
        }
        let mut stream = again(&json!("1-99"));
        assert_eq!(data(stream.event(), "reset")["reason"], "what was read before is not known here", "{pattern}");
        drop(stream);
        let mut last = api.stream(&format!("{path}?last=1"), &[]);
        assert_eq!(data(last.event(), "subscribed")["replayed"], 1);
        assert_eq!(data(last.event(), "message")["content"], json!(5));
    }
    // What nobody keeps, nobody can go on with.
    let mut stream = api.stream("/api/v1/topics/other/messages", &[("last-event-id", "1-1")]);
    assert_eq!(data(stream.event(), "reset")["missing"], Value::Null);
    assert_eq!(data(stream.event(), "subscribed").get("id"), None);
}

#[test]
fn a_reader_that_is_too_slow_is_told_what_it_missed_or_cut_off() {
    for (policy, end) in [("drop_oldest", "missed"), ("disconnect", "disconnect")] {
        let world = World::new();
        let sections = format!("api: {{ slow_client: {{ messages: 4, bytes: 4KiB, policy: {policy} }} }}");
        let a = world.start_config(&world.config_with("a", "  listen: [tcp://127.0.0.1:0]", &sections));
        let peer = Peer::join("lib", a.addr());
        let api = Api::new(a.api());
        let mut stream = subscribe(&api, "/api/v1/topics/flood/messages");
        let publisher = peer.mesh.publisher("flood").unwrap();
        // More than sockets hold.
        let payload = vec![b'x'; 60_000];
        for _ in 0..400 {
            peer.wait(publisher.publish(payload.clone())).unwrap();
        }
        peer.wait(publisher.publish_acked("end")).unwrap();
        let mut kinds = Vec::new();
        while let Some(event) = stream.event() {
            let kind = event["event"].as_str().unwrap().to_owned();
            let told: Value = serde_json::from_str(event["data"].as_str().unwrap()).unwrap();
            match kind.as_str() {
                "missed" => assert!(told["count"].as_u64().unwrap() > 0, "{told}"),
                "disconnect" => assert_eq!(told["code"], "E1514"),
                _ => {}
            }
            let last = told["content"] == "end";
            kinds.push(kind);
            if last {
                break;
            }
        }
        assert!(kinds.iter().any(|kind| kind == end), "{policy}: {} events, no {end}", kinds.len());
    }
}

#[test]
fn patterns_are_listed_with_their_nodes() {
    let world = World::new();
    let (a, b) = world.linked(KEPT, "");
    let (here, there) = (Api::new(a.api()), Api::new(b.api()));
    let streams = [
        subscribe(&here, "/api/v1/topics/t.1/messages"),
        subscribe(&here, "/api/v1/topics/t.1/messages?client=x"),
        subscribe(&there, "/api/v1/topics/t.1/messages"),
        subscribe(&there, "/api/v1/topics/t.2/messages?group=g"),
    ];
    let page = here.get("/api/v1/topics?limit=2").json();
    assert_eq!(page["total"], 3, "one is that of the rule: {page}");
    assert_eq!(page["items"][0]["pattern"], "kept.>");
    let one = &page["items"][1];
    assert_eq!((&one["pattern"], &one["here"], one["nodes"].as_array().unwrap().len()), (&"t.1".into(), &2.into(), 2));
    let path = format!("/api/v1/topics?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let two = &here.get(&path).json()["items"][0];
    assert_eq!((&two["group"], &two["nodes"]), (&"g".into(), &json!([{"id": "b", "members": 1}])));
    let who = here.get("/api/v1/topics?who=t.1").json();
    assert_eq!((&who["here"], &who["nodes"][0]["id"], &who["kept"]), (&2.into(), &"b".into(), &false.into()));
    assert_eq!(here.get("/api/v1/topics?who=kept.x").json()["kept"], true);
    drop(streams);
}

#[test]
fn a_stream_ends_when_the_node_drains() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let api = Api::new(a.api());
    let mut stream = subscribe(&api, "/api/v1/topics/x/messages");
    a.signal("-TERM");
    while stream.event().is_some() {}
    assert_eq!(a.wait(), 0);
}
