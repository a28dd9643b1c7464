//! `/api/v1` of running nodes, with real requests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, path::PathBuf, thread, time::Duration};

use common::{Running, World, api::Api};
use serde_json::{Value, json};

const READER: &str = "the-token-of-the-reader";
const SENDER: &str = "the-token-of-the-sender";
const ADMIN: &str = "the-token-of-the-admin!";

/// A configuration with more lines for `api`.
fn config(world: &World, id: &str, mesh: &str, api: &str) -> PathBuf {
    world.config_with(id, mesh, &format!("api:\n{api}"))
}

/// Three tokens that may do different things.
fn tokens(world: &World) -> String {
    let file = |name: &str, secret: &str| {
        let path = world.file(name, secret);
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let (reader, sender, admin) = (file("reader", READER), file("sender", SENDER), file("admin", ADMIN));
    format!(
        "  tokens:
    - {{ name: reader, secret: {{ file: {reader:?} }}, allow: [read] }}
    - {{ name: sender, secret: {{ file: {sender:?} }}, allow: [\"send:b\", \"send:b/till-*\"] }}
    - {{ name: admin, secret: {{ file: {admin:?} }}, allow: [\"*\"] }}"
    )
}

/// Two linked nodes, `a` with more lines for `api`.
fn pair(world: &World, api: &str) -> (Running, Running) {
    let a = world.start_config(&config(world, "a", "  listen: [tcp://127.0.0.1:0]", api));
    let connect = format!("  connect: [ {{ id: a, url: \"tcp://{}\" }} ]", a.addr());
    let b = world.start_config(&world.config("b", &connect));
    world.until(&["ping", "b", "--node", "a"], |ran| ran.code == 0);
    (a, b)
}

const PLAIN: &str = "  majula: { enabled: true }";

#[test]
fn the_node_and_the_mesh_are_resources() {
    let world = World::new();
    let (a, _b) = pair(&world, PLAIN);
    let api = Api::new(a.api());
    let status = api.get("/api/v1/status").json();
    assert_eq!((&status["id"], &status["links_up"], &status["api"][0]), (&"a".into(), &1.into(), &a.api().into()));
    assert_eq!(api.get("/api/v1/version").json()["version"], env!("CARGO_PKG_VERSION"));
    let peers = api.get("/api/v1/peers").json();
    assert_eq!(
        (&peers["items"][0]["id"], &peers["total"], &peers["next_cursor"]),
        (&"b".into(), &1.into(), &Value::Null)
    );
    assert_eq!(api.get("/api/v1/peers/b").json()["state"], "up");
    assert_eq!(api.get("/api/v1/peers/c").problem(), "E1506");
    assert_eq!(api.get("/api/v1/routes").json()["items"][0]["id"], "b");
    let topology = api.get("/api/v1/topology").json();
    assert_eq!((&topology["nodes"][0]["id"], &topology["nodes"][0]["links"][0]["to"]), (&"a".into(), &"b".into()));
    assert_eq!(api.get("/api/v1/nodes/b").json()["hops"], 1);
    assert_eq!(api.get("/api/v1/nodes/b/ping").json()["id"], "b");
    assert_eq!(api.get("/api/v1/nodes/b/trace").json()["reached"], true);
    assert_eq!(api.get("/api/v1/clients").json()["items"], json!([]));
    let absent = api.get("/api/v1/nodes/nobody?timeout_ms=200");
    assert_eq!((absent.status, absent.problem().as_str()), (404, "E0410"));
    let silent = api.get("/api/v1/nodes/nobody/ping?timeout_ms=200");
    assert_eq!((silent.status, silent.problem().as_str()), (503, "E0401"));
}

#[test]
fn a_message_is_sent_and_its_outcome_told() {
    let world = World::new();
    let (a, _b) = pair(&world, PLAIN);
    let api = Api::new(a.api());
    let path = "/api/v1/nodes/b/messages";
    let sent = api.post(path, b"\xff\x00raw");
    assert_eq!((sent.status, &sent.json()["outcome"]), (200, &"delivered".into()), "{sent:?}");
    assert_eq!(api.post_json(path, &json!({"a": 1})).status, 200);
    let received = world.run(&["recv", "--count", "2", "--node", "b", "-o", "jsonl", "--timeout", "5s"]);
    let bodies: Vec<Value> = received.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&bodies[0]["body_hex"], &bodies[1]["body"]), (&"ff00726177".into(), &"{\"a\":1}".into()));

    let client = api.post(&format!("{path}?client=till&timeout_ms=1000"), b"x");
    assert_eq!((client.status, client.problem().as_str()), (404, "E0402"));
    let nobody = api.post("/api/v1/nodes/nobody/messages?timeout_ms=300", b"x");
    assert_eq!((nobody.status, nobody.problem().as_str()), (503, "E0401"));
    assert_eq!((&nobody.json()["outcome"], nobody.header("retry-after")), (&"not_applied".into(), Some("1")));
    // To this node itself, too.
    assert_eq!(api.post("/api/v1/nodes/a/messages", b"me").status, 200);
}

#[test]
fn a_broadcast_tells_each_outcome() {
    let world = World::new();
    let (a, b) = pair(&world, PLAIN);
    let api = Api::new(a.api());
    let all = api.post("/api/v1/broadcast", b"all");
    assert_eq!((all.status, &all.json()["delivered"], &all.json()["total"]), (200, &1.into(), &1.into()));
    b.pause();
    let some = api.post("/api/v1/broadcast?timeout_ms=500", b"all");
    b.signal("-CONT");
    assert_eq!((some.status, &some.json()["receipts"][0]["outcome"]), (207, &"unknown".into()));
    drop(b);
    world.until(&["routes", "--node", "a", "--json"], |ran| ran.out.contains("[]"));
    let none = api.post("/api/v1/broadcast", b"all");
    assert_eq!((none.status, none.problem().as_str()), (503, "E0412"));
}

#[test]
fn every_refusal_is_a_problem_with_its_own_code() {
    let world = World::new();
    let limits = "  limits: { body: 1KiB }";
    let (a, _b) = pair(&world, limits);
    let api = Api::new(a.api());
    let path = "/api/v1/nodes/b/messages";
    let json = [("content-type", "application/json")];
    /// Status, code, method, path, headers, body.
    type Case<'a> = (u16, &'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);
    let cases: &[Case<'_>] = &[
        (400, "E1501", "POST", path, &json, b"{\"a\":"),
        (400, "E1501", "POST", path, &[("content-type", "text/plain")], b"\xff"),
        (415, "E1503", "POST", path, &[("content-type", "image/png")], b"x"),
        (413, "E1507", "POST", path, &[], &[0; 1_025]),
        (406, "E1504", "GET", "/api/v1/status", &[("accept", "text/html")], b""),
        (406, "E1504", "GET", "/api/v1/events", &[("accept", "application/json")], b""),
        (405, "E1505", "DELETE", "/api/v1/status", &[], b""),
        (404, "E1506", "GET", "/api/v1/nothing", &[], b""),
        (404, "E1506", "GET", "/elsewhere", &[], b""),
        (400, "E0411", "GET", "/api/v1/nodes/b%20d/ping", &[], b""),
        (400, "E1502", "GET", "/api/v1/peers?limit=0", &[], b""),
        (400, "E1502", "GET", "/api/v1/peers?limit=x", &[], b""),
        (400, "E1502", "GET", "/api/v1/peers?colour=red", &[], b""),
        (400, "E1502", "POST", "/api/v1/broadcast?timeout_ms=300001", &[], b""),
        (400, "E1502", "POST", "/api/v1/nodes/b/messages?client=", &[], b"x"),
        (501, "E1512", "GET", "/api/v1/kv/config/keys/a", &[], b""),
        (501, "E1512", "POST", "/api/v1/tunnels", &json, b"{}"),
        (400, "E0415", "POST", "/api/v1/topics/a.*/messages", &[], b"x"),
        (400, "E0415", "GET", "/api/v1/topics/a..b/messages", &[], b""),
        (400, "E0415", "GET", "/api/v1/topics/a/messages?group=", &[], b""),
        (400, "E0415", "GET", "/api/v1/topics?who=a.*", &[], b""),
        (400, "E1502", "GET", "/api/v1/topics?who=a&limit=1", &[], b""),
        (400, "E1502", "GET", "/api/v1/topics/a/messages?last=0", &[], b""),
        (406, "E1504", "GET", "/api/v1/topics/a/messages", &[("accept", "application/json")], b""),
        (415, "E1503", "POST", "/api/v1/topics/a/messages", &[("content-type", "image/png")], b"x"),
        (404, "E0502", "GET", "/api/v1/services/nobody", &[], b""),
        (503, "E0502", "POST", "/api/v1/services/nobody", &[], b"x"),
        (503, "E0502", "POST", "/api/v1/services/no/body?node=b", &[], b"x"),
        (400, "E0508", "POST", "/api/v1/services/no%20body", &[], b"x"),
        (400, "E1502", "POST", "/api/v1/services/s?provider=p", &[], b"x"),
        (400, "E1502", "POST", "/api/v1/services/s?node=b&balance=nearest", &[], b"x"),
        (400, "E1502", "POST", "/api/v1/services/s?balance=sideways", &[], b"x"),
        (406, "E1504", "POST", "/api/v1/services/s", &[("accept", "text/html")], b"x"),
        (400, "E1502", "POST", path, &[("idempotency-key", "")], b"x"),
    ];
    for (status, code, method, path, headers, body) in cases {
        let reply = api.request(method, path, headers, body);
        assert_eq!((reply.status, reply.problem().as_str()), (*status, *code), "{method} {path}: {reply:?}");
    }
    let not_allowed = api.request("DELETE", "/api/v1/status", &[], b"");
    assert!(not_allowed.header("allow").is_some_and(|allow| allow.contains("GET")), "{not_allowed:?}");
}

#[test]
fn problems_speak_the_language_of_the_caller_and_carry_the_number_of_the_request() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let api = Api::new(a.api());
    let chinese = api.request("GET", "/api/v1/nothing", &[("accept-language", "zh-CN,zh;q=0.9")], b"");
    assert_eq!(
        (&chinese.json()["title"], chinese.header("content-language")),
        (&"该路径下没有内容".into(), Some("zh-CN"))
    );
    let english = api.request("GET", "/api/v1/nothing", &[("x-request-id", "mine-1")], b"");
    assert_eq!(
        (&english.json()["request_id"], &english.json()["instance"]),
        (&"mine-1".into(), &"/api/v1/nothing".into())
    );
    let first = api.get("/api/v1/status").header("x-request-id").unwrap().to_owned();
    assert_ne!(Some(first.as_str()), api.get("/api/v1/status").header("x-request-id"));
    let explained = api.get(english.json()["type"].as_str().unwrap());
    assert!(
        explained.status == 200 && String::from_utf8_lossy(&explained.body).starts_with("E1506: "),
        "{explained:?}"
    );
    assert_eq!(api.get("/docs/errors/E9999").problem(), "E1506");
    assert_eq!(api.get("/livez").status, 200);
    assert_eq!(api.get("/readyz").status, 200);
}

#[test]
fn a_token_allows_what_it_allows_and_nothing_else() {
    let world = World::new();
    let (a, _b) = pair(&world, &tokens(&world));
    let [reader, sender, admin] = [READER, SENDER, ADMIN].map(|token| Api::new(a.api()).token(token));
    let nobody = Api::new(a.api());
    let denied = nobody.get("/api/v1/status");
    assert_eq!((denied.status, denied.problem().as_str()), (401, "E1515"));
    assert!(denied.header("www-authenticate").unwrap().starts_with("Bearer"));
    let guessed = Api::new(a.api()).token("the-token-of-the-readeR").get("/api/v1/status");
    assert_eq!((guessed.status, guessed.problem().as_str()), (401, "E1515"));
    assert_eq!(nobody.get("/api/v1/openapi.json").status, 401);
    assert_eq!(nobody.get("/majula/node").status, 401);
    assert_eq!(nobody.get("/livez").status, 200);

    assert_eq!(reader.get("/api/v1/status").status, 200);
    let refused = reader.post("/api/v1/nodes/b/messages", b"x");
    assert_eq!((refused.status, refused.problem().as_str()), (403, "E1516"));
    assert_eq!(sender.get("/api/v1/status").status, 403);
    assert_eq!(sender.post("/api/v1/nodes/b/messages", b"x").status, 200);
    assert_eq!(sender.post("/api/v1/nodes/b/messages?client=till-1", b"x").status, 404);
    assert_eq!(sender.post("/api/v1/nodes/b/messages?client=safe", b"x").status, 403);
    assert_eq!(sender.post("/api/v1/nodes/b/messages?from_client=boss", b"x").status, 403, "nobody speaks for another");
    assert_eq!(sender.post("/api/v1/nodes/a/messages", b"x").status, 403);
    assert_eq!(sender.post("/api/v1/broadcast", b"x").status, 403);
    assert_eq!(admin.post("/api/v1/broadcast", b"x").status, 200);
    assert!(!world.logs().contains(SENDER) && !world.logs().contains("readeR"), "no token is logged");
}

#[test]
fn who_comes_too_often_waits() {
    let world = World::new();
    let api = format!("{}\n  limits: {{ requests_per_sec: 1 }}", tokens(&world));
    let a = world.start_config(&config(&world, "a", "  listen: [tcp://127.0.0.1:0]", &api));
    let admin = Api::new(a.api()).token(ADMIN);
    let replies: Vec<_> = (0..5).map(|_| admin.get("/api/v1/version")).collect();
    assert_eq!(replies[0].header("ratelimit"), Some("\"caller\";r=1;t=1"));
    assert_eq!(replies[0].header("ratelimit-policy"), Some("\"caller\";q=1;w=1"));
    let limited = replies.iter().find(|reply| reply.status == 429).expect("nobody was made to wait");
    assert_eq!((limited.problem().as_str(), limited.header("retry-after")), ("E1508", Some("1")));
    assert_eq!(limited.header("ratelimit"), Some("\"caller\";r=0;t=1"));
    assert_eq!(Api::new(a.api()).token(READER).get("/api/v1/version").status, 200, "another caller has its own share");
    // Guessing tokens is limited by address.
    let guesses: Vec<_> = (0..5).map(|_| Api::new(a.api()).token("guess").get("/api/v1/version").status).collect();
    assert!(guesses.contains(&401) && guesses.contains(&429), "{guesses:?}");
}

#[test]
fn a_repeated_request_is_carried_out_once() {
    let world = World::new();
    let (a, b) = pair(&world, PLAIN);
    let api = Api::new(a.api());
    let path = "/api/v1/nodes/b/messages";
    let post = |key: &str, path: &str, body: &[u8]| api.request("POST", path, &[("idempotency-key", key)], body);
    let first = post("k1", path, b"once");
    let again = post("k1", path, b"once");
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None));
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, Some("true")));
    assert_eq!(first.body, again.body);
    let other = post("k1", path, b"twice");
    assert_eq!((other.status, other.problem().as_str()), (422, "E1509"));
    assert_eq!(post("k1", "/api/v1/nodes/b/messages?timeout_ms=1", b"once").status, 422);
    assert_eq!(post("k2", path, b"last").status, 200);
    let received = world.run(&["recv", "--count", "2", "--node", "b", "--timeout", "5s"]);
    assert_eq!(received.out, "a: once\na: last\n");

    // One that still runs, and then has an unknown outcome, is not tried again either.
    b.pause();
    let slow = format!("{path}?timeout_ms=1500");
    thread::scope(|scope| {
        let running = scope.spawn(|| Api::new(a.api()).request("POST", &slow, &[("idempotency-key", "k3")], b"slow"));
        thread::sleep(Duration::from_millis(500));
        let busy = post("k3", &slow, b"slow");
        assert_eq!((busy.status, busy.problem().as_str()), (409, "E1510"));
        let unknown = running.join().unwrap();
        assert_eq!((unknown.status, unknown.problem().as_str()), (504, "E0403"));
        assert_eq!(unknown.json()["outcome"], "unknown");
    });
    let replayed = post("k3", &slow, b"slow");
    b.signal("-CONT");
    assert_eq!((replayed.status, replayed.header("idempotency-replayed")), (504, Some("true")));

    // What was not done may be tried again under the same key.
    let nobody = "/api/v1/nodes/nobody/messages?timeout_ms=200";
    assert_eq!(post("k4", nobody, b"x").status, 503);
    assert_eq!(post("k4", nobody, b"x").header("idempotency-replayed"), None);
}

#[test]
fn lists_come_in_pages() {
    let world = World::new();
    let (a, _b) = pair(&world, PLAIN);
    let api = Api::new(a.api());
    let sockets: Vec<_> = (0..5).map(|number| api.socket(&format!("/ws?client=c{number}"))).collect();
    let mut names = Vec::new();
    let mut path = "/api/v1/clients?limit=2".to_owned();
    loop {
        let page = api.get(&path).json();
        assert_eq!(page["total"], 5);
        names.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/clients?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["c0", "c1", "c2", "c3", "c4"]);
    assert_eq!(api.get("/api/v1/clients/c3").json()["kind"], "native");
    drop(sockets);
}

#[test]
fn pages_of_other_sites_are_kept_out() {
    let world = World::new();
    let a =
        world.start_config(&config(&world, "a", "  listen: [tcp://127.0.0.1:0]", "  cors: [\"https://app.example\"]"));
    let api = Api::new(a.api());
    let with = |headers: &[(&str, &str)]| api.request("GET", "/api/v1/status", headers, b"");
    let evil = with(&[("origin", "https://evil.example")]);
    assert_eq!((evil.status, evil.problem().as_str()), (403, "E1511"));
    assert_eq!(evil.header("access-control-allow-origin"), None);
    assert_eq!(with(&[("sec-fetch-site", "cross-site")]).status, 403);
    assert_eq!(with(&[("host", "evil.example")]).status, 403, "a name that somebody pointed here");
    let own = format!("http://{}", a.api());
    assert_eq!(with(&[("origin", &own)]).status, 200);
    let app = with(&[("origin", "https://app.example")]);
    assert_eq!((app.status, app.header("access-control-allow-origin")), (200, Some("https://app.example")));
    let ask = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "idempotency-key, x-header-trace"),
    ];
    let preflight = api.request("OPTIONS", "/api/v1/broadcast", &ask, b"");
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (200, Some("https://app.example")));
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("x-header-trace"));
}

#[test]
fn events_are_streamed_and_resumed() {
    let world = World::new();
    let (a, b) = pair(&world, PLAIN);
    let api = Api::new(a.api());
    let mut stream = api.stream("/api/v1/events", &[]);
    let first = stream.event().unwrap();
    assert_eq!(first["event"], "link_up");
    let data: Value = serde_json::from_str(first["data"].as_str().unwrap()).unwrap();
    assert_eq!((&data["id"], &data["kind"]), (&"b".into(), &"link_up".into()));
    drop(b);
    let mut seen = vec![first];
    while seen.last().unwrap()["event"] != "unreachable" {
        seen.push(stream.event().unwrap());
    }
    drop(stream);
    // Coming back, nothing is told twice and nothing is left out.
    let last_read = seen[0]["id"].as_str().unwrap();
    let mut again = api.stream("/api/v1/events", &[("last-event-id", last_read)]);
    for event in &seen[1..] {
        assert_eq!(again.event().as_ref(), Some(event));
    }
    for stale in ["other-run.3", "nonsense", &format!("{}9999", last_read)] {
        let mut reset = api.stream("/api/v1/events", &[("last-event-id", stale)]);
        assert_eq!(reset.event().unwrap()["event"], "reset", "{stale}");
        assert_eq!(reset.event().as_ref(), Some(&seen[0]), "{stale}");
    }
}

#[test]
fn a_node_that_drains_finishes_what_it_began() {
    let world = World::new();
    let (a, b) = pair(&world, PLAIN);
    let addr = a.api().to_owned();
    let api = Api::new(&addr);
    let mut socket = api.socket("/ws?client=c1");
    assert_eq!(socket.read()["message_type"], "hello");
    let mut stream = api.stream("/api/v1/events", &[]);
    b.pause();
    thread::scope(|scope| {
        let slow = Api::new(&addr);
        let running = scope.spawn(move || slow.post("/api/v1/nodes/b/messages?timeout_ms=2000", b"x"));
        thread::sleep(Duration::from_millis(500));
        a.signal("-TERM");
        let (before, code) = socket.end();
        let last = before.last().unwrap();
        assert_eq!(
            (&last["message_type"], &last["data"]["code"], code),
            (&"disconnect".into(), &4000.into(), Some(4000))
        );
        assert_eq!(last["data"]["reconnect"], true);
        let ready = api.get("/readyz");
        assert_eq!(ready.status, 503);
        let refused = api.get("/api/v1/status");
        assert_eq!((refused.status, refused.problem().as_str()), (503, "E0407"));
        while stream.event().is_some() {}
        b.signal("-CONT");
        let finished = running.join().unwrap();
        assert!([200, 504].contains(&finished.status), "{finished:?}");
    });
    assert_eq!(a.wait(), 0, "{}", world.logs());
}

#[test]
fn the_openapi_document_describes_every_answer() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let document = Api::new(a.api()).document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "status",
        "version",
        "events",
        "peers",
        "peers/{id}",
        "routes",
        "topology",
        "clients",
        "broadcast",
        "topics",
        "services",
    ] {
        assert!(paths.contains_key(&format!("/api/v1/{path}")), "{path}");
    }
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(_, operation)| operation.is_object()) {
            let responses = operation["responses"].as_object().unwrap();
            let always = ["401", "403", "406", "429", "500", "503"];
            let body = ["400", "408", "409", "413", "422"];
            let wanted = always.iter().chain(if method == "post" { &body[..] } else { &[] });
            for status in wanted {
                let content = &responses[*status]["content"]["application/problem+json"];
                assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path} {status}");
            }
            assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{method} {path}");
        }
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.push(reference.clone());
            }
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
