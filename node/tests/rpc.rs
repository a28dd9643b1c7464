//! Services on the command line: `request`, `reply`, `rpc`, `why service`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use common::{Running, World, exit_code, peer::Peer};
use io_tokio::ServeOptions;
use serde_json::{Value, json};

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

/// Waits until a file says the number of a process.
fn pid_in(file: &Path) -> String {
    let begin = common::now();
    loop {
        let pid = std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        if !pid.is_empty() {
            return pid;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "the command never ran");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a process is over; one that nobody has waited for is.
fn is_over(pid: &str) {
    let begin = common::now();
    let stat = format!("/proc/{pid}/stat");
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(begin.elapsed() < Duration::from_secs(10), "the command runs on");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A command that starts another, which writes its number into a file and would take its time.
fn starts_another(file: &Path) -> String {
    format!("sh -c 'echo $$ > {}; exec sleep 60' | cat; true", file.display())
}

#[test]
fn a_command_whose_caller_has_gone_is_ended_with_all_that_it_started() {
    let world = World::new();
    let _a = node(&world);
    let file = world.path().join("pid");
    let _slow = Service::begin(&world, &["slow", "--exec", &starts_another(&file)]);
    let mut caller = world.spawn(&["request", "slow"]);
    let pid = pid_in(&file);
    caller.kill().unwrap();
    caller.wait().unwrap();
    is_over(&pid);
}

#[test]
fn a_service_that_is_interrupted_ends_what_it_runs() {
    let world = World::new();
    let _a = node(&world);
    let file = world.path().join("pid");
    let mut slow = Service::begin(&world, &["slow", "--exec", &starts_another(&file)]);
    let mut caller = world.spawn(&["request", "slow"]);
    let pid = pid_in(&file);
    assert!(std::process::Command::new("kill").args(["-INT", &slow.0.id().to_string()]).status().unwrap().success());
    assert_eq!(exit_code(&mut slow.0), 130);
    is_over(&pid);
    assert_eq!(exit_code(&mut caller), 1, "the handler went away");
}

#[test]
fn a_command_may_say_much_and_still_succeed() {
    let world = World::new();
    let _a = node(&world);
    let loud = "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; echo fine";
    let _loud = Service::begin(&world, &["loud", "--exec", loud]);
    let ran = world.run(&["request", "loud", "--timeout", "20s"]);
    assert_eq!((ran.out.as_str(), ran.code), ("fine\n", 0), "{}", ran.err);
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

/// A program that serves through the control socket, as slowly or hastily as a test wants.
struct Handler(UnixStream);

impl Handler {
    fn begin(node: &Running, service: &str) -> Self {
        let stream = UnixStream::connect(node.announcement["control"].as_str().unwrap()).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut handler = Self(stream);
        let request =
            json!({"protocol": "firelink.control/v1", "op": "serve", "service": service, "note": "", "body": 0});
        handler.write(&request, b"");
        assert_eq!(handler.call(), 0, "it has begun");
        handler
    }

    fn write(&mut self, line: &Value, body: &[u8]) {
        self.0.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.0.write_all(body).unwrap();
    }

    /// Answers a call with `kind` of the control socket.
    fn answer(&mut self, call: u64, kind: &Value, body: &[u8]) {
        self.write(&json!({"call": call, "kind": kind, "body": body.len()}), body);
    }

    /// Reads the next call with its payload; tells its number.
    fn call(&mut self) -> u64 {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        let reply: Value = serde_json::from_slice(&line).unwrap();
        let mut body = vec![0; usize::try_from(reply["body"].as_u64().unwrap()).unwrap()];
        self.0.read_exact(&mut body).unwrap();
        reply["data"]["call"].as_u64().unwrap()
    }
}

#[test]
fn a_handler_that_writes_before_it_reads_on_is_not_waited_for() {
    let world = World::new();
    let a = node(&world);
    let mut handler = Handler::begin(&a, "slow");
    let long = vec![b'x'; 1 << 20];
    let file = world.path().join("long");
    std::fs::write(&file, &long).unwrap();
    let call = || {
        let mut command = world.command(&["request", "slow", "-"]);
        command.stdin(File::open(&file).unwrap()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut callers = [call(), call(), call(), call()];
    let first = handler.call();
    // The other calls are being written by now, and nobody reads them.
    thread::sleep(Duration::from_millis(300));
    handler.answer(first, &json!("done"), &long);
    handler.answer(first, &json!("done"), &long);
    for _ in 1..callers.len() {
        let call = handler.call();
        handler.answer(call, &json!({"error": {"code": 1, "message": "no"}}), b"");
    }
    let mut codes = callers.each_mut().map(exit_code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 1, 1, 1]);
}

#[test]
fn a_caller_that_takes_no_items_holds_up_no_other() {
    let world = World::new();
    let a = node(&world);
    let mut handler = Handler::begin(&a, "slow");
    let stuck = Service(world.spawn(&["request", "slow", "x", "--stream"]));
    let call = handler.call();
    let stop = std::process::Command::new("kill").args(["-STOP", &stuck.0.id().to_string()]).status();
    assert!(stop.unwrap().success());
    let item = vec![b'x'; 1 << 20];
    for _ in 0..30 {
        handler.answer(call, &json!("item"), &item);
    }
    let mut quick = world.spawn(&["request", "slow", "y", "--timeout", "8s"]);
    let call = handler.call();
    handler.answer(call, &json!("done"), b"z");
    assert_eq!(exit_code(&mut quick), 0);
}

#[test]
fn a_command_that_does_many_things_ends_in_the_time_that_it_was_given() {
    let world = World::new();
    let _a = node(&world);
    let _slow = Service::begin(&world, &["slow", "--exec", "sleep 60"]);
    let begin = common::now();
    for args in [&["bench", "rpc", "slow"][..], &["pub", "t", "x", "--count", "600", "--rate", "10"]] {
        let ran = world.run(&[args, &["--timeout", "700ms", "--json"]].concat());
        assert_eq!((ran.code, &ran.problem()["code"]), (9, &"E0308".into()), "{args:?}: {}{}", ran.out, ran.err);
    }
    assert!(begin.elapsed() < Duration::from_secs(20));
}
