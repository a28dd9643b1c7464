//! Services on the command line: `request`, `reply`, `rpc`, `why service`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{BufRead as _, BufReader},
    process::Child,
    thread,
    time::Duration,
};

use common::{Running, World, exit_code, peer::Peer};
use io_tokio::ServeOptions;
use serde_json::Value;

fn node(world: &World) -> Running {
    world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"))
}

/// A `reply` that has begun. Ends with the test.
struct Service(Child);

impl Service {
    fn begin(world: &World, args: &[&str]) -> Self {
        let mut child = world.spawn(&[&["reply"], args].concat());
        let mut line = String::new();
        BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("serving "), "{line}");
        Self(child)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_call_is_answered_by_a_command() {
    let world = World::new();
    let _a = node(&world);
    let _echo = Service::begin(&world, &["echo", "--echo", "--note", "says it again"]);
    let _upper = Service::begin(&world, &["upper", "--exec", "tr a-z A-Z; printf %s \"$FIRELINK_FROM\""]);
    let _fail = Service::begin(&world, &["fail", "--exec", "echo no such order >&2; exit 42"]);
    let echo = world.run(&["request", "echo", "hello"]);
    assert_eq!((echo.out.as_str(), echo.code), ("hello\n", 0), "{}", echo.err);
    let upper = world.run_with(&["request", "upper", "-", "--raw"], b"abc");
    assert_eq!((upper.out.as_str(), upper.code), ("ABCa", 0));
    let json = world.run(&["rpc", "call", "echo", "x", "--json"]).json("firelink.response/v1");
    assert_eq!((&json["node"], &json["body"]), (&"a".into(), &"x".into()));
    let failed = world.run(&["request", "fail", "--json"]);
    let problem = failed.problem();
    assert_eq!((failed.code, &problem["code"]), (1, &"E0505".into()));
    assert_eq!((&problem["handler"]["code"], &problem["handler"]["message"]), (&42.into(), &"no such order".into()));
    let list = world.run(&["rpc", "ls"]);
    assert!(list.out.contains("echo     a         0     0/64  up     says it again"), "{}", list.out);
    let one = world.run(&["rpc", "ls", "echo", "--json"]).json("firelink.service/v1");
    assert_eq!(one["providers"][0]["served"]["requests"], 2);
    let taken = world.run(&["reply", "echo", "--echo", "--json"]);
    assert_eq!((taken.code, taken.problem()["code"].as_str()), (10, Some("E0510")));
}

#[test]
fn a_call_that_nobody_answers_says_why() {
    let world = World::new();
    let _a = node(&world);
    let _slow = Service::begin(&world, &["slow", "--exec", "sleep 30", "--concurrency", "1"]);
    let nobody = world.run(&["request", "slo", "--json"]);
    assert_eq!((nobody.code, nobody.problem()["code"].as_str()), (8, Some("E0502")));
    assert_eq!(nobody.problem()["notes"][0], "did you mean `slow`?");
    let late = world.run(&["request", "slow", "--timeout", "700ms", "--json"]);
    assert_eq!((late.code, late.problem()["code"].as_str()), (9, Some("E0504")), "{}", late.err);
    assert!(late.err.contains("running"), "{}", late.err);
    let elsewhere = world.run(&["request", "slow", "--at", "a/till"]);
    assert_eq!(elsewhere.code, 8, "{}", elsewhere.err);
    let list = world.run(&["rpc", "ls", "nobody"]);
    assert_eq!(list.code, 8);
    let why = world.run(&["why", "service", "slo"]);
    assert!(
        why.out.starts_with("nobody serves `slo`\n") && why.out.contains("- slow: has a similar name"),
        "{}",
        why.out
    );
    let why = world.run(&["why", "service", "slow", "--json"]).json("firelink.why/v1");
    assert_eq!((&why["because"][0]["about"], &why["because"][0]["sign"]), (&"a".into(), &"yes".into()), "{why}");
}

#[test]
fn a_command_whose_caller_has_gone_is_ended() {
    let world = World::new();
    let _a = node(&world);
    let pid = world.path().join("pid");
    let _slow = Service::begin(&world, &["slow", "--exec", &format!("echo $$ > {}; exec sleep 60", pid.display())]);
    let mut caller = world.spawn(&["request", "slow"]);
    let begin = common::now();
    let read = || std::fs::read_to_string(&pid).unwrap_or_default().trim().to_owned();
    while read().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(10), "the command never ran");
        thread::sleep(Duration::from_millis(20));
    }
    caller.kill().unwrap();
    caller.wait().unwrap();
    let process = format!("/proc/{}", read());
    while std::path::Path::new(&process).exists() {
        assert!(begin.elapsed() < Duration::from_secs(10), "the command runs on");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_service_ends_with_its_command() {
    let world = World::new();
    let _a = node(&world);
    let mut child = Service::begin(&world, &["once", "--echo", "--count", "1"]);
    assert_eq!(world.run(&["request", "once", "x"]).code, 0);
    assert_eq!(exit_code(&mut child.0), 0);
    world.until(&["request", "once", "x"], |ran| ran.code == 8);
    let timed = world.run(&["reply", "timed", "--echo", "--timeout", "200ms"]);
    assert_eq!(timed.code, 0, "{}", timed.err);
}

#[test]
fn a_reply_in_items_is_printed_item_by_item() {
    let world = World::new();
    let a = node(&world);
    let peer = Peer::join("lib", a.addr());
    let _count = peer.serve("count", "count", ServeOptions::default());
    let text = world.run(&["request", "count", "3", "--stream"]);
    assert_eq!((text.out.as_str(), text.code), ("1\n2\n3\ndone\n", 0), "{}", text.err);
    let lines = world.run(&["request", "count", "2", "--stream", "-o", "jsonl", "--at", "lib"]);
    let documents: Vec<Value> = lines.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&documents[1]["item"], &documents[1]["body"]), (&true.into(), &"2".into()));
    assert_eq!((&documents[2]["item"], &documents[2]["node"]), (&false.into(), &"lib".into()));
}

#[test]
fn calls_are_measured() {
    let world = World::new();
    let _a = node(&world);
    let _echo = Service::begin(&world, &["echo", "--echo"]);
    let ran = world.run(&["bench", "rpc", "echo", "--count", "500", "--concurrency", "8", "--json"]);
    let report = ran.json("firelink.bench-rpc/v1");
    assert_eq!((ran.code, &report["failed"], &report["clean"]), (0, &0.into(), &true.into()), "{report}");
    assert!(report["p50_us"].as_f64().unwrap() > 0.0);
    let nobody = world.run(&["bench", "rpc", "nobody", "--count", "5", "--json"]);
    assert_eq!((nobody.code, &nobody.json("firelink.bench-rpc/v1")["failed"]), (1, &5.into()));
}
