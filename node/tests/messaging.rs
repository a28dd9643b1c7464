//! Topics on the command line: `pub`, `sub`, `topics`, `why`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    process::{Child, Stdio},
};

use common::{World, exit_code};
use serde_json::Value;

const KEPT: &str = "messaging: { topics: [ { match: \"kept.>\", history: { size: 3 } } ] }";

/// A `sub` that every node knows of by now.
struct Sub(Child);

impl Sub {
    fn begin(world: &World, args: &[&str]) -> Self {
        let mut child = world.spawn(&[&["sub"], args].concat());
        let mut line = String::new();
        BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("subscribed to"), "{line}");
        Self(child)
    }

    /// What it printed, once it has ended, and its exit code.
    fn end(mut self) -> (String, i32) {
        let code = exit_code(&mut self.0);
        let mut out = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (out, code)
    }
}

#[test]
fn what_is_published_is_printed_where_it_is_wanted() {
    let world = World::new();
    let (_a, _b) = world.linked(KEPT, "");
    let text = Sub::begin(&world, &["orders.>", "--count", "2", "--node", "b"]);
    let json = Sub::begin(&world, &["orders.*.created", "other", "--count", "1", "--node", "a", "-o", "jsonl"]);
    let published =
        world.run(&["pub", "orders.eu.created", "seven", "-H", "trace: 1-2", "--as", "shop", "--node", "a", "--json"]);
    let report = published.json("firelink.published/v1");
    assert_eq!((published.code, &report["subscribers"], &report["nodes"]), (0, &2.into(), &2.into()));
    let raw = world.run_with(&["pub", "orders.raw", "-", "--node", "a"], b"\x1b[31m");
    assert_eq!((raw.code, raw.out.as_str()), (0, "orders.raw: 1 subscription on 1 node\n"));
    let (out, code) = text.end();
    assert_eq!(code, 0);
    assert_eq!(out, "orders.eu.created  a/shop: seven\n  trace: 1-2\norders.raw  a: \u{fffd}[31m\n");
    let (out, code) = json.end();
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["schema"], &told["body"]), (0, &"firelink.publication/v1".into(), &"seven".into()));
    assert_eq!((&told["headers"]["trace"], &told["from"]), (&"1-2".into(), &"a".into()));
}

#[test]
fn many_are_published_from_a_template_or_line_by_line() {
    let world = World::new();
    let (_a, _b) = world.linked(KEPT, "");
    let raw = Sub::begin(&world, &["ticks", "--count", "3", "--raw", "--node", "b"]);
    let ticks = ["pub", "ticks", "--template", "n{{count}};", "--count", "3", "--rate", "1000", "--node", "a"];
    let many = world.run(&ticks);
    assert_eq!(many.out, "3 publications; the last one: ticks: 1 subscription on 1 node\n", "{}", many.err);
    assert_eq!(raw.end(), ("n1;n2;n3;".to_owned(), 0));

    // The time is that of the publication, not of the one before.
    let times = Sub::begin(&world, &["times", "--count", "2", "--raw", "--node", "b"]);
    let paced = ["pub", "times", "--template", "{{unix_ms}} ", "--count", "2", "--rate", "2", "--node", "a"];
    assert_eq!(world.run(&paced).code, 0);
    let (out, _) = times.end();
    let told: Vec<u64> = out.split_whitespace().map(|time| time.parse().unwrap()).collect();
    assert!(told[1] - told[0] >= 400, "{told:?}");

    // A line is published when it is there, not when the next one is.
    let sub = Sub::begin(&world, &["lines", "--count", "2", "--node", "b"]);
    let mut lines = world
        .command(&["pub", "lines", "--stdin", "--node", "a"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    lines.stdin.as_mut().unwrap().write_all(b"one\n\ntwo").unwrap();
    let Sub(mut child) = sub;
    assert_eq!(exit_code_after(&mut child), "lines  a: one\nlines  a: \n");
    drop(lines.stdin.take());
    assert_eq!(exit_code(&mut lines), 0);
    let whole = Sub::begin(&world, &["whole", "--count", "1", "--raw", "--node", "b"]);
    assert_eq!(world.run_with(&["pub", "whole", "--stdin", "--on", "eof", "--node", "a"], b"a\nb\n").code, 0);
    assert_eq!(whole.end().0, "a\nb\n");
}

/// Its output, once it has ended well.
fn exit_code_after(child: &mut Child) -> String {
    assert_eq!(exit_code(child), 0);
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    out
}

#[test]
fn a_group_shares_the_work_and_what_is_kept_comes_late() {
    let world = World::new();
    let (_a, _b) = world.linked(KEPT, "");
    let one = Sub::begin(&world, &["jobs", "--queue", "w", "--count", "1", "--node", "a"]);
    let two = Sub::begin(&world, &["jobs", "--queue", "w", "--count", "1", "--node", "b"]);
    let who = world.run(&["topics", "--who", "jobs", "--node", "a"]);
    assert!(who.out.contains("one of group w: a (1 members, cost 0), then b (1 members"), "{}", who.out);
    world.run(&["pub", "jobs", "1", "--node", "a"]);
    assert_eq!(one.end(), ("jobs  a: 1\n".to_owned(), 0));
    world.until(&["pub", "jobs", "2", "--node", "a"], |ran| ran.out.contains(": 1 "));
    assert_eq!(two.end().1, 0);

    for body in ["1", "2", "3", "4"] {
        world.run(&["pub", "kept.x", body, "--node", "b"]);
    }
    let late = world.run(&["sub", "kept.>", "--since-last", "2", "--count", "2", "--raw", "--node", "a"]);
    assert_eq!((late.out.as_str(), late.code), ("34", 0), "{}", late.err);
    let topics = world.run(&["topics", "--node", "a", "--json"]).json("firelink.topics/v1");
    assert_eq!((&topics["topics"][0]["pattern"], &topics["history"][0]["topic"]), (&"kept.>".into(), &"kept.x".into()));
    let table = world.run(&["topics", "--node", "a"]);
    assert!(table.out.starts_with("PATTERN") && table.out.contains("KEPT HERE"), "{}", table.out);
}

#[test]
fn a_subscription_that_gets_nothing_in_time_says_so() {
    let world = World::new();
    let (_a, _b) = world.linked(KEPT, "");
    let silent = world.run(&["sub", "nothing", "--timeout", "300ms", "--node", "a", "--json"]);
    assert_eq!((silent.code, silent.problem()["code"].as_str()), (9, Some("E0308")));
    let bad = world.run(&["sub", "a..b", "--node", "a"]);
    assert_eq!(bad.code, 2, "{}", bad.err);
    let wild = world.run(&["pub", "a.*", "x", "--node", "a"]);
    assert!(wild.code == 2 && wild.err.contains("wildcard"), "{}", wild.err);
    let nobody = world.run(&["pub", "nobody.cares", "x", "--node", "a"]);
    assert!(nobody.code == 0 && nobody.err.contains("nobody has subscribed"), "{}", nobody.err);
}

#[test]
fn one_who_is_not_reached_makes_a_publication_incomplete() {
    let world = World::new();
    let (_a, b) = world.linked(KEPT, "");
    let _sub = Sub::begin(&world, &["t", "--node", "b"]);
    b.pause();
    let some = world.run(&["pub", "t", "x", "--trace", "--timeout", "500ms", "--node", "a", "--json"]);
    b.signal("-CONT");
    let report = some.json("firelink.published/v1");
    assert_eq!((some.code, some.problem()["code"].as_str()), (11, Some("E0408")), "{report}");
    assert_eq!((&report["missing"][0]["id"], &report["missing"][0]["outcome"]), (&"b".into(), &"unknown".into()));
    let id = report["id"].as_str().unwrap();
    let why = world.run(&["why", "message", id, "--node", "a", "--json"]).json("firelink.why/v1");
    let because = why["because"].as_array().unwrap();
    assert_eq!((&because[0]["about"], &because[0]["sign"]), (&"b".into(), &"yes".into()), "{why}");
    assert_eq!((&because[1]["about"], &because[1]["sign"]), (&"b".into(), &"no".into()), "{why}");
    assert!(because[1]["at"].is_string());
    let unknown = world.run(&["why", "message", "nothing", "--node", "a", "--json"]);
    assert_eq!((unknown.code, unknown.problem()["code"].as_str()), (7, Some("E0416")));
}

#[test]
fn why_names_who_gets_it_and_who_nearly_would() {
    let world = World::new();
    let (_a, b) = world.linked(KEPT, "");
    let _exact = Sub::begin(&world, &["orders.eu.created", "--as", "till", "--node", "a"]);
    let _near = Sub::begin(&world, &["orders.us.created", "--node", "b"]);
    let _far = Sub::begin(&world, &["weather.>", "--node", "b"]);
    let why = world.run(&["why", "topic", "orders.eu.created", "--node", "a"]);
    assert!(why.out.contains("+ a: 1 subscription at this node: till"), "{}", why.out);
    let near = "- orders.us.created: does not match: it says `us` where the topic says `eu`; subscribed at b";
    assert!(why.out.contains(near) && !why.out.contains("weather"), "{}", why.out);
    let nobody = world.run(&["why", "topic", "orders.eu", "--node", "a"]);
    assert!(nobody.out.starts_with("nobody would get a publication to `orders.eu`"), "{}", nobody.out);
    assert!(nobody.out.contains("the topic lacks the token `created`"), "{}", nobody.out);
    let kept = world.run(&["why", "topic", "kept.x", "--node", "b"]);
    assert!(kept.out.contains("+ a: subscriptions at this node"), "{}", kept.out);
    drop(b);
    let gone = |ran: &common::Ran| ran.out.contains("b: out of reach, so it is not known what it subscribed to");
    world.until(&["why", "topic", "orders.us.created", "--node", "a"], gone);
}

#[test]
fn publishing_is_measured_from_end_to_end() {
    let world = World::new();
    let (_a, _b) = world.linked(KEPT, "");
    let mut sub = world.spawn(&["bench", "sub", "bench.t", "--count", "2000", "--node", "b", "--json"]);
    world.until(&["topics", "--node", "a", "--json"], |ran| ran.out.contains("bench.t"));
    let published =
        world.run(&["bench", "pub", "bench.t", "--count", "2000", "--rate", "20000", "--node", "a", "--json"]);
    let report = published.json("firelink.bench-pub/v1");
    assert_eq!((published.code, &report["subscribers"], &report["clean"]), (0, &1.into(), &true.into()), "{report}");
    assert_eq!(exit_code(&mut sub), 0);
    let arrived: Value = serde_json::from_reader(sub.stdout.take().unwrap()).unwrap();
    assert_eq!((&arrived["distinct"], &arrived["lost"], &arrived["clean"]), (&2000.into(), &0.into(), &true.into()));
    assert!(arrived["latency"]["p50_us"].as_f64().unwrap() > 0.0);
}

#[test]
fn commands_that_last_leave_room_for_those_that_ask_or_stop() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let request = "{\"protocol\":\"firelink.control/v1\",\"op\":\"subscribe\",\"patterns\":[\"t\"]}\n";
    let subscribe = |_| {
        let mut stream = UnixStream::connect(a.announcement["control"].as_str().unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let _all: Vec<UnixStream> = (0..300).map(subscribe).collect();
    assert_eq!(world.run(&["status", "--json"]).json("firelink.status/v1")["id"], "a");
    let refused = world.run(&["sub", "t", "--json"]);
    assert_eq!((refused.code, &refused.problem()["code"]), (1, &"E0405".into()));
    assert_eq!(world.run(&["stop"]).code, 0);
}
