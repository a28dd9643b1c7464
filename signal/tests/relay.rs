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

fn token_file(folder: &Path, mode: u32) -> std::path::PathBuf {
    let path = folder.join("mesh.token");
    fs::write(&path, "secret\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn server(token: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signal"));
    command.args(["run", "--listen", "tcp://127.0.0.1:0", "--log", "error", "--token-file"]).arg(token);
    command
}

async fn node(name: &str, door: &str) -> Mesh {
    let options = MeshOptions::new(Psk::from_token(b"secret")).name(NodeName::new(name).unwrap());
    Mesh::start(options.connect(door)).await.unwrap()
}

#[tokio::test]
async fn two_nodes_reach_each_other_through_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = server(&token_file(folder.path(), 0o600)).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let _server = Server(child);
    let door = format!("tcp://{}", line.trim().strip_prefix("listening on ").unwrap());

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
