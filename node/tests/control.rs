//! The control socket and other users of the machine. Needs root, which alone can act as somebody else; skipped without.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says loudly that it was skipped")]

mod common;

use std::{
    fs,
    io::Read as _,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use common::{Ran, World, exit_code};

/// Two users that are neither root nor each other.
const SOMEBODY: u32 = 65_533;
const ANOTHER: u32 = 65_534;

/// A world that every user may enter, with a program in it that every user may run. `None` if this is not root.
fn open_world() -> Option<(World, PathBuf)> {
    let world = World::new();
    if fs::metadata(world.path()).unwrap().uid() != 0 {
        eprintln!("SKIPPED: NOT ROOT. The control socket was not tried as another user.");
        return None;
    }
    open(world.path(), 0o777);
    // The build's own folder may be closed to others.
    let program = world.path().join("node");
    fs::copy(env!("CARGO_BIN_EXE_node"), &program).unwrap();
    open(&program, 0o755);
    Some((world, program))
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A command of another user, ready to be changed.
fn command_as(world: &World, program: &Path, uid: u32, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(world.path()).env_clear().env("TMPDIR", world.path()).env("HOME", world.path());
    command.env("TEST_TOKEN", "a-token-of-many-characters").stdin(Stdio::null()).uid(uid).gid(uid);
    command
}

fn run_as(world: &World, program: &Path, uid: u32, args: &[&str]) -> Ran {
    Ran::of(command_as(world, program, uid, args).output().unwrap())
}

#[test]
fn another_user_is_refused_even_if_the_socket_is_open_to_all() {
    let Some((world, program)) = open_world() else { return };
    let node = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let socket = Path::new(node.announcement["control"].as_str().unwrap());
    // Nothing but the check of the caller's user is left in the way.
    open(&world.path().join("run"), 0o755);
    open(socket.parent().unwrap(), 0o755);
    open(socket, 0o666);
    let socket = socket.to_str().unwrap();
    for args in [&["status"][..], &["stop"], &["send", "a", "x"], &["recv"], &["events", "-f"]] {
        let ran = run_as(&world, &program, SOMEBODY, &[args, &["--socket", socket, "--json"]].concat());
        let problem = ran.problem();
        assert_eq!((ran.code, problem["code"].as_str()), (6, Some("E0205")), "{args:?}: {}{}", ran.out, ran.err);
        let said = problem["detail"].as_str().unwrap();
        assert!(said.starts_with("the control socket is for the user that runs the node"), "the node said it: {said}");
        assert_eq!(ran.out, "", "{args:?}");
    }
    assert_eq!(world.run(&["status", "--json"]).json("firelink.status/v1")["messages_sent"], 0);
}

#[test]
fn a_node_is_for_its_user_and_root_and_nobody_is_led_to_that_of_another() {
    let Some((world, program)) = open_world() else { return };
    let home = world.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(ANOTHER), Some(ANOTHER)).unwrap();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    let (data, socket) = (home.join("data"), home.join("node.sock"));
    let set = [format!("node.data_dir={}", data.display()), format!("control.socket={}", socket.display())];
    let args = ["run", config.to_str().unwrap(), "--json", "--set", &set[0], "--set", &set[1]];
    let mut node = command_as(&world, &program, ANOTHER, &args).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = node.stdout.take().unwrap();
    assert_eq!(out.read(&mut [0; 1]).unwrap(), 1, "it runs");
    open(&home, 0o755);
    open(&socket, 0o666);

    let status = ["status", "--socket", socket.to_str().unwrap(), "--json"];
    assert_eq!(run_as(&world, &program, ANOTHER, &status).json("firelink.status/v1")["id"], "a");
    assert_eq!(run_as(&world, &program, 0, &status).json("firelink.status/v1")["id"], "a");
    let stranger = run_as(&world, &program, SOMEBODY, &status);
    assert_eq!((stranger.code, stranger.problem()["code"].as_str()), (6, Some("E0205")), "{}", stranger.err);
    // What somebody sends must not end up with a node that another user has put in its way.
    let said = stranger.problem()["detail"].as_str().unwrap().to_owned();
    assert!(said.starts_with("not permitted to use"), "the command said it, before it spoke: {said}");
    // Without a name, nobody finds it: not even root, whose own nodes are meant.
    assert_eq!(run_as(&world, &program, SOMEBODY, &["status"]).code, 5);

    let stop = ["stop", "--socket", socket.to_str().unwrap()];
    assert_eq!(run_as(&world, &program, ANOTHER, &stop).code, 0);
    assert_eq!(exit_code(&mut node), 0);
}
