//! Services in `/api/v1` of running nodes, with real requests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{thread, time::Duration};

use common::{Running, World, api::Api, peer::Peer};
use io_tokio::{Meta, ServeOptions};
use serde_json::{Value, json};

/// A node, and a program in the mesh.
fn pair(world: &World) -> (Running, Peer) {
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let peer = Peer::join("lib", a.addr());
    (a, peer)
}

fn plain() -> ServeOptions {
    ServeOptions::default()
}

#[test]
fn a_call_is_answered_by_whoever_serves_it() {
    let world = World::new();
    let (a, peer) = pair(&world);
    let api = Api::new(a.api());
    let _services = [
        peer.serve("shop.price", "echo", plain()),
        peer.serve("plain", "echo", plain()),
        peer.serve("plain", "echo", plain().client("门/1")),
    ];
    let price = api.post_json("/api/v1/services/shop/price", &json!({"sku": 7}));
    assert_eq!((price.status, price.json()), (200, json!({"sku": 7})));
    assert_eq!(
        (price.header("content-type"), price.header("x-mesh-answered-by")),
        (Some("application/json"), Some("lib"))
    );
    let same = api.post("/api/v1/services/shop.price", b"hello");
    assert_eq!((same.header("content-type"), &same.body[..]), (Some("text/plain; charset=utf-8"), &b"hello"[..]));
    let raw = api.post("/api/v1/services/plain?node=lib&balance=nearest", b"\xff");
    assert_eq!(raw.problem(), "E1502");
    let raw = api.post("/api/v1/services/plain?node=lib&provider=%E9%97%A8%2F1", b"\xff");
    assert_eq!((raw.header("content-type"), &raw.body[..]), (Some("application/octet-stream"), &b"\xff"[..]));
    assert_eq!(raw.header("x-mesh-answered-by"), Some("lib/%E9%97%A8/1"));
    for balance in ["nearest", "round_robin", "least_pending"] {
        assert_eq!(api.post(&format!("/api/v1/services/plain?balance={balance}"), b"x").status, 200);
    }
    let once = |body: &[u8]| api.request("POST", "/api/v1/services/plain", &[("idempotency-key", "k")], body);
    assert_eq!((once(b"1").status, once(b"1").header("idempotency-replayed")), (200, Some("true")));
    assert_eq!(once(b"2").problem(), "E1509");
}

#[test]
fn what_went_wrong_is_told_with_what_is_known_of_it() {
    let world = World::new();
    let (a, peer) = pair(&world);
    let api = Api::new(a.api());
    let _services = [
        peer.serve("fail", "fail", plain()),
        peer.serve("sleep", "sleep", plain().concurrency(1).queue(0)),
        peer.serve("crash", "crash", plain()),
    ];
    let failed = api.post("/api/v1/services/fail", b"x");
    assert_eq!(
        (failed.status, failed.problem().as_str(), &failed.json()["outcome"]),
        (422, "E0505", &"unknown".into())
    );
    assert_eq!(failed.json()["handler"], json!({"code": 42, "message": "no such order"}));
    let crashed = api.post("/api/v1/services/crash", b"x");
    assert_eq!((crashed.status, crashed.problem().as_str()), (502, "E0509"));
    let nobody = api.post("/api/v1/services/fial", b"x");
    assert_eq!((nobody.status, nobody.problem().as_str()), (503, "E0502"));
    assert_eq!((&nobody.json()["outcome"], nobody.header("retry-after")), (&"not_applied".into(), Some("1")));
    assert_eq!(nobody.json()["hint"], "did you mean `fail`?");
    thread::scope(|scope| {
        let addr = a.api().to_owned();
        let running = scope.spawn(move || Api::new(&addr).post("/api/v1/services/sleep?timeout_ms=1500", b"x"));
        thread::sleep(Duration::from_millis(500));
        let busy = api.post("/api/v1/services/sleep?timeout_ms=1000", b"x");
        assert_eq!((busy.status, busy.problem().as_str()), (503, "E0503"), "{busy:?}");
        assert!(busy.header("retry-after").is_some());
        let late = running.join().unwrap();
        assert_eq!((late.status, late.problem().as_str(), &late.json()["outcome"]), (504, "E0504", &"unknown".into()));
        assert!(late.json()["detail"].as_str().unwrap().contains("running"), "{late:?}");
    });
}

#[test]
fn a_reply_in_items_is_a_stream() {
    let world = World::new();
    let (a, peer) = pair(&world);
    let api = Api::new(a.api());
    let _services = [peer.serve("count", "count", plain()), peer.serve("fail", "fail", plain())];
    let stream = [("accept", "text/event-stream")];
    let counted = api.request("POST", "/api/v1/services/count", &stream, b"100");
    assert_eq!((counted.status, counted.header("content-type")), (200, Some("text/event-stream")));
    let text = String::from_utf8(counted.body.to_vec()).unwrap();
    let events: Vec<(&str, Value)> = text
        .split("\n\n")
        .filter(|event| event.starts_with("event:"))
        .map(|event| {
            let (kind, data) = event.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            (kind.strip_prefix("event: ").unwrap(), serde_json::from_str(data).unwrap())
        })
        .collect();
    assert_eq!(events.len(), 101);
    assert_eq!(events[99], ("item", json!({"content": 100, "encoding": "json"})));
    assert_eq!(events[100], ("done", json!({"content": "done", "encoding": "text", "node": "lib"})));
    let failed = api.request("POST", "/api/v1/services/fail", &stream, b"x");
    let text = String::from_utf8(failed.body.to_vec()).unwrap();
    assert!(text.starts_with("event: error\n") && text.contains("\"code\":\"E0505\""), "{text}");
    let key = [stream[0], ("idempotency-key", "k")];
    assert_eq!(api.request("POST", "/api/v1/services/count", &key, b"1").problem(), "E1502");
}

#[test]
fn services_are_listed_with_their_providers() {
    let world = World::new();
    let (a, peer) = pair(&world);
    let api = Api::new(a.api());
    let meta = Meta { note: "says it again".to_owned(), ..Meta::default() };
    let _services = [
        peer.serve("echo", "echo", plain().meta(meta).concurrency(3)),
        peer.serve("echo", "echo", plain().client("till")),
        peer.serve("other", "echo", plain()),
    ];
    let page = api.get("/api/v1/services?limit=1").json();
    assert_eq!((&page["total"], &page["items"][0]["service"]), (&2.into(), &"echo".into()));
    let echo = api.get("/api/v1/services/echo").json();
    let providers = echo["providers"].as_array().unwrap();
    let first = &providers[0];
    assert_eq!((providers.len(), &first["node"], &first["client"]), (2, &"lib".into(), &Value::Null));
    assert_eq!((&first["note"], &first["concurrency"]), (&"says it again".into(), &3.into()));
    assert_eq!(providers[1]["client"], "till");
    let nobody = api.get("/api/v1/services/nobody");
    assert_eq!((nobody.status, nobody.problem().as_str()), (404, "E0502"));
}

#[test]
fn a_caller_that_leaves_cancels_its_call() {
    let world = World::new();
    let (a, peer) = pair(&world);
    let _service = peer.serve("sleep", "sleep", plain());
    let running = || peer.wait(peer.mesh.services()).unwrap()[0].served.unwrap().running;
    let head = "POST /api/v1/services/sleep HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\n\r\nx";
    let mut socket = std::net::TcpStream::connect(a.api()).unwrap();
    std::io::Write::write_all(&mut socket, head.as_bytes()).unwrap();
    let begin = common::now();
    while running() == 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "the call never ran");
        thread::sleep(Duration::from_millis(20));
    }
    drop(socket);
    while running() == 1 {
        assert!(begin.elapsed() < Duration::from_secs(10), "the call was not cancelled");
        thread::sleep(Duration::from_millis(20));
    }
}
