//! Two nodes that know only the server reach each other through it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use io_tokio::{Mesh, MeshOptions, NodeName, Outcome, Psk};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

const TOKEN: &str = "a-token-of-many-characters";

fn token_file(folder: &Path, mode: u32) -> std::path::PathBuf {
    let path = folder.join("mesh.token");
    fs::write(&path, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn server(token: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signal"));
    command.args(["run", "--listen", "tcp://127.0.0.1:0", "--token-file"]).arg(token);
    command
}

async fn node(name: &str, door: &str) -> Mesh {
    let options = MeshOptions::new(Psk::from_token(TOKEN.as_bytes())).name(NodeName::new(name).unwrap());
    Mesh::start(options.connect(door)).await.unwrap()
}

/// Starts a server on a free port, and answers with where it listens.
fn start(token: &Path, log: Stdio) -> (Server, String) {
    let mut command = server(token);
    let mut child = command.args(["--log", "info"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Server(child), line.trim().strip_prefix("listening on ").unwrap().to_owned())
}

fn terminate(server: &Server) {
    assert!(Command::new("kill").arg(server.0.id().to_string()).status().unwrap().success());
}

#[tokio::test]
async fn two_nodes_reach_each_other_through_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, addr) = start(&token_file(folder.path(), 0o600), Stdio::inherit());
    let door = format!("tcp://{addr}");

    let alice = node("alice", &door).await;
    let bob = node("bob", &door).await;
    let mut incoming = alice.incoming().unwrap();
    assert_eq!(timeout(PATIENCE, bob.send("alice", "hello")).await.unwrap().unwrap(), Outcome::Delivered);
    assert_eq!(timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap().payload, "hello");
}

#[test]
fn a_token_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = server(&token_file(folder.path(), 0o644)).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("chmod 600"), "{output:?}");
}

#[test]
fn a_token_that_can_be_guessed_is_refused_unless_it_is_meant_so() {
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(folder.path(), 0o600);
    for weak in ["fifteen-letters", "default_token"] {
        fs::write(&token, weak).unwrap();
        let output = server(&token).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3));
        assert!(said.contains("node token create") && !said.contains(weak), "{said}");
    }
    let mut running = server(&token).arg("--allow-weak-token").stdout(Stdio::piped()).spawn().unwrap();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let running = Server(running);
    terminate(&running);
    drop(running);
}

#[test]
fn the_exit_code_tells_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(folder.path(), 0o600);
    let code = |command: &mut Command| command.output().unwrap().status.code();
    assert_eq!(code(&mut Command::new(env!("CARGO_BIN_EXE_signal"))), Some(2));
    assert_eq!(code(&mut server(&folder.path().join("nothing"))), Some(3));
    let (mut running, addr) = start(&token, Stdio::null());
    assert_eq!(code(server(&token).args(["--listen", &format!("tcp://{addr}")])), Some(4), "the port is taken");
    terminate(&running);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, addr) = start(&token_file(folder.path(), 0o600), Stdio::piped());
    // A connection that never closes holds the end up for a moment.
    let _guest = std::net::TcpStream::connect(addr).unwrap();
    let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    log.find(|line| line.contains("ready")).unwrap();
    terminate(&running);
    log.find(|line| line.contains("stopping")).unwrap();
    terminate(&running);
    assert_eq!(running.0.wait().unwrap().code(), Some(143));
}
