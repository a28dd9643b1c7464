//! Every exit code of `docs/CLI.md`, produced by the program. The two for a second signal are in `process.rs`, the one for
//! other users' nodes, as root, in `control.rs`.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says loudly that it was skipped")]

mod common;

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
};

use common::{Running, World, exit_code};

/// A world with a node `a`, and `b` that dials it.
fn two() -> (World, Running, Running) {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let b = start_b(&world, &a);
    (world, a, b)
}

fn start_b(world: &World, a: &Running) -> Running {
    let connect = format!("  connect: [ {{ id: a, url: \"tcp://{}\" }} ]", a.addr());
    world.start_config(&world.config("b", &connect))
}

/// Runs a command and looks at its exit code and the code of its problem.
fn expect(world: &World, args: &[&str], exit: i32, code: &str) {
    let ran = world.run(&[args, &["--json"]].concat());
    let problem = ran.problem();
    assert_eq!((ran.code, problem["code"].as_str()), (exit, Some(code)), "{args:?}: {}{}", ran.out, ran.err);
    assert_eq!(problem["exit"].as_i64(), Some(i64::from(exit)), "{args:?}");
}

fn reach(world: &World, from: &str, to: &str) {
    world.until(&["ping", to, "--node", from, "--timeout", "1s"], |ran| ran.code == 0);
}

#[test]
fn codes_that_need_no_mesh() {
    let world = World::new();
    assert_eq!(world.run(&["version"]).code, 0);
    assert_eq!(world.run(&["ping"]).code, 2);
    assert_eq!(world.run(&["check", "nothing.yaml"]).code, 3);
    expect(&world, &["status"], 5, "E0304");
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    let _a = world.start_config(&config);
    expect(&world, &["run", config.to_str().unwrap()], 4, "E0302");
    expect(&world, &["find", "nobody", "--timeout", "300ms"], 7, "E0410");
    expect(&world, &["ping", "nobody", "--timeout", "300ms"], 8, "E0401");
    expect(&world, &["recv", "--timeout", "300ms"], 9, "E0308");
    let first = world.spawn(&["recv", "--client", "till", "--timeout", "3s"]);
    world.until(&["send", "a/till", "coins"], |ran| ran.code == 0);
    expect(&world, &["recv", "--client", "till"], 10, "E0413");
    exit_code(&mut { first });
}

#[test]
fn a_message_that_is_too_large_has_failed() {
    let (world, _a, _b) = two();
    reach(&world, "a", "b");
    let large = world.run_with(&["send", "b", "-", "--node", "a"], &vec![0; 1024 * 1024 + 1]);
    assert_eq!(large.code, 1, "{}", large.err);
}

#[test]
fn a_socket_that_one_may_not_use_is_not_taken_for_an_absent_node() {
    let world = World::new();
    let path = world.path().join("closed.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        eprintln!("SKIPPED: this user may use every socket; see control.rs");
        return;
    }
    expect(&world, &["status", "--socket", path.to_str().unwrap()], 6, "E0205");
}

#[test]
fn what_only_some_acknowledge_is_partial() {
    let (world, a, b) = two();
    let c = world.start_config(&world.config("c", &format!("  connect: [ {{ url: \"tcp://{}\" }} ]", a.addr())));
    reach(&world, "a", "b");
    reach(&world, "a", "c");
    b.signal("-STOP");
    let ran = world.run(&["broadcast", "x", "--node", "a", "--timeout", "500ms", "--json"]);
    b.signal("-CONT");
    assert_eq!((ran.code, ran.problem()["code"].as_str()), (11, Some("E0408")), "{}{}", ran.out, ran.err);
    let receipts = ran.json("firelink.receipts/v1");
    assert_eq!((receipts["delivered"].as_u64(), receipts["total"].as_u64()), (Some(1), Some(2)), "{receipts}");
    drop(c);
}

#[test]
fn a_message_without_an_answer_may_have_arrived() {
    let (world, _a, b) = two();
    reach(&world, "a", "b");
    b.signal("-STOP");
    let ran = world.run(&["send", "b", "x", "--node", "a", "--timeout", "300ms", "--json"]);
    b.signal("-CONT");
    assert_eq!((ran.code, ran.problem()["code"].as_str()), (9, Some("E0403")), "{}", ran.err);
}

#[test]
fn a_node_that_lost_its_key_is_told_from_one_that_is_away() {
    let (world, a, b) = two();
    reach(&world, "a", "b");
    b.signal("-TERM");
    assert_eq!(b.wait(), 0, "{}", world.logs());
    let key = world.path().join("b/identity.key");
    let own = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let b = start_b(&world, &a);
    world.until(&["ping", "b", "--node", "a", "--timeout", "200ms"], |ran| ran.code == 12);
    for args in [&["ping", "b"][..], &["send", "b", "x"], &["trace", "b"]] {
        expect(&world, &[args, &["--node", "a", "--timeout", "200ms"]].concat(), 12, "E0203");
    }
    // With its own key it is let in again, and what was said of another one is forgotten.
    b.signal("-TERM");
    b.wait();
    fs::write(&key, own).unwrap();
    let b = start_b(&world, &a);
    reach(&world, "a", "b");
    b.signal("-KILL");
    b.wait();
    world.until(&["ping", "b", "--node", "a", "--timeout", "200ms"], |ran| ran.code == 8);
}
