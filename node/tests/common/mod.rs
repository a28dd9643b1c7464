//! Runs the built binary with a world of its own: folder, runtime directory, environment.

#![allow(dead_code, clippy::unwrap_used, reason = "every test file uses its part, and a test may panic")]

pub(crate) mod api;
pub(crate) mod peer;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// A folder with everything of one test in it.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

/// A running node. Killed if the test ends before it.
pub(crate) struct Running {
    child: Option<Child>,
    /// What it said when it was up.
    pub(crate) announcement: Value,
}

/// What a command did.
pub(crate) struct Ran {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

impl World {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        Self { folder }
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and answers with its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A configuration that keeps everything in this world, with more lines for `mesh`.
    pub(crate) fn config(&self, id: &str, mesh: &str) -> PathBuf {
        let data = self.path().join(id);
        let text = format!(
            "version: 1
node: {{ id: {id}, data_dir: {data:?} }}
admin: {{ listen: 127.0.0.1:0 }}
mesh:
  auth: {{ tokens: [ {{ env: TEST_TOKEN }} ] }}
  link: {{ heartbeat: 200ms, dead_after: 2s, reconnect: {{ initial: 50ms, max: 500ms }} }}
{mesh}
"
        );
        self.file(&format!("{id}.yaml"), &text)
    }

    /// As [`World::config`], with whole sections behind it.
    pub(crate) fn config_with(&self, id: &str, mesh: &str, sections: &str) -> PathBuf {
        let path = self.config(id, mesh);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{sections}\n")).unwrap();
        path
    }

    /// A command, ready to be changed.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("TMPDIR", self.path())
            .env("HOME", self.path())
            .env("TEST_TOKEN", "a-token-of-many-characters")
            // Several nodes of a test cannot share the usual port.
            .env("FIRELINK__API__LISTEN", "127.0.0.1:0")
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs a command with something on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }

    /// Starts a command that runs on.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a node, and waits until it is up.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(&["run", "--json"]);
        let log = fs::File::create(self.path().join(format!("log-{}", args.join("_").replace('/', "_")))).unwrap();
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(announcement) = serde_json::from_str(&line) else {
            let status = child.wait().unwrap();
            panic!("the node did not start: {status}, {line:?}, see {}", self.logs());
        };
        Running { child: Some(child), announcement }
    }

    /// Starts the node of a configuration.
    pub(crate) fn start_config(&self, config: &Path) -> Running {
        self.start(&[config.to_str().unwrap()])
    }

    /// A configuration with lines for `api`, and perhaps more sections behind them.
    pub(crate) fn config_api(&self, id: &str, mesh: &str, api: &str) -> PathBuf {
        self.config_with(id, mesh, &format!("api:\n{api}"))
    }

    /// One node, with lines for `api`.
    pub(crate) fn single(&self, api: &str) -> Running {
        self.start_config(&self.config_api("a", "  listen: [tcp://127.0.0.1:0]", api))
    }

    /// Two nodes that are linked, `a` and `b`, with lines for `api`.
    pub(crate) fn pair(&self, api: &str) -> (Running, Running) {
        let sections = format!("api:\n{api}");
        self.linked(&sections, &sections)
    }

    /// Two nodes that are linked, `a` and `b`, each with sections of its own.
    pub(crate) fn linked(&self, of_a: &str, of_b: &str) -> (Running, Running) {
        let a = self.start_config(&self.config_with("a", "  listen: [tcp://127.0.0.1:0]", of_a));
        let connect = format!("  connect: [ {{ id: a, url: \"tcp://{}\" }} ]", a.addr());
        let b = self.start_config(&self.config_with("b", &connect, of_b));
        // What is sent before the other knows the way back is not answered.
        for [from, to] in [["a", "b"], ["b", "a"]] {
            self.until(&["ping", to, "--node", from, "--timeout", "500ms"], |ran| ran.code == 0);
        }
        (a, b)
    }

    /// Everything that nodes logged.
    pub(crate) fn logs(&self) -> String {
        let mut all = String::new();
        for entry in fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("log-") {
                all.push_str(&format!("--- {}\n{}", path.display(), fs::read_to_string(&path).unwrap()));
            }
        }
        all
    }

    /// Repeats a command until its output is as wanted, for ten seconds.
    pub(crate) fn until(&self, args: &[&str], wanted: impl Fn(&Ran) -> bool) -> Ran {
        let begin = now();
        loop {
            let ran = self.run(args);
            if wanted(&ran) {
                return ran;
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "{args:?}: {}{}\n{}", ran.out, ran.err, self.logs());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Running {
    /// Its name.
    pub(crate) fn id(&self) -> &str {
        self.announcement["id"].as_str().unwrap()
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn addr(&self) -> &str {
        self.announcement["listen"][0].as_str().unwrap().split_once("://").unwrap().1
    }

    /// Where its API is, as `host:port`.
    pub(crate) fn api(&self) -> &str {
        self.announcement["api"][0].as_str().unwrap()
    }

    /// Where its metrics are, as `host:port`.
    pub(crate) fn admin(&self) -> &str {
        self.announcement["admin"].as_str().unwrap()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Has it stand still, and waits until it does.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
        let begin = now();
        let threads = format!("/proc/{}/task", self.pid());
        let stands = |thread: fs::DirEntry| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        while !fs::read_dir(&threads).unwrap().all(|thread| stands(thread.unwrap())) {
            assert!(begin.elapsed() < Duration::from_secs(10), "it does not stand still");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end, for ten seconds, and answers with the exit code.
    pub(crate) fn wait(mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        exit_code(&mut child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Ran {
    /// Reads what a process left.
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one document on standard output, whose schema is `schema`.
    pub(crate) fn json(&self, schema: &str) -> Value {
        let value: Value =
            serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {}{}", self.out, self.err));
        assert_eq!(value["schema"], schema, "{}", self.out);
        value
    }

    /// The problem on standard error.
    pub(crate) fn problem(&self) -> Value {
        let line = self.err.lines().last().unwrap_or_default();
        let value: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {}{}", self.out, self.err));
        assert_eq!(value["schema"], "firelink.problem/v1", "{}", self.err);
        value
    }
}

/// Waits for the end of a process, for ten seconds, and answers with the exit code.
pub(crate) fn exit_code(child: &mut Child) -> i32 {
    let begin = now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "the process does not end");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "a test that waits for other processes has no clock of its own")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
