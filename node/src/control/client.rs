//! The asking end: finds the running node and asks it.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use tokio::{net::UnixStream, time::timeout};

use super::{
    Document, Got, Lines, Op, PROTOCOL, Reply, Request,
    framing::{REPLY_MAX, Reader, Writer},
    runtime_dir,
};
use crate::errors::{Code, Exit, Problem};

/// Time in which a node must take a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Which node is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its socket.
    pub(crate) socket: Option<PathBuf>,
    /// Its name.
    pub(crate) node: Option<String>,
}

/// A connection to a running node, with one request under way.
#[derive(Debug)]
pub(crate) struct Client {
    replies: Replies,
    teller: Teller,
}

/// What the node answers.
#[derive(Debug)]
pub(crate) struct Replies {
    reader: Reader,
    /// How long to wait for each line.
    patience: Option<Duration>,
}

/// What the node is told while it answers.
#[derive(Debug)]
pub(crate) struct Teller {
    writer: Writer,
}

impl Client {
    /// Asks the node that `target` means. `patience`: how long to wait for each line of the answer.
    ///
    /// # Errors
    /// There is no such node, or it does not let us.
    pub(crate) async fn ask(target: &Target, op: Op, body: &[u8], patience: Option<Duration>) -> Result<Self, Problem> {
        let stream = connect(target).await?;
        let Lines { reader, writer } = Lines::new(stream, REPLY_MAX);
        let mut client = Self { replies: Replies { reader, patience }, teller: Teller { writer } };
        let request = Request { protocol: PROTOCOL.to_owned(), op, body: body.len() as u64 };
        // A node that refuses may close before it has read everything; what it says then is still to be read.
        match client.teller.writer.line(&request, body).await {
            Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(broken(&why)),
            Ok(()) | Err(_) => Ok(client),
        }
    }

    /// The next line of the answer, with what follows it.
    ///
    /// # Errors
    /// As [`Replies::next`].
    pub(crate) async fn next(&mut self) -> Result<(Reply, Bytes), Problem> {
        self.replies.next().await
    }

    /// The one document of an answer that does not stream.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) async fn document<T: Document>(&mut self) -> Result<T, Problem> {
        match self.next().await? {
            (Reply::Done { data } | Reply::Item { data, .. }, _) => read_document(data),
            (Reply::Problem { problem }, _) => Err(problem),
        }
    }

    /// Says how many messages were dealt with.
    ///
    /// # Errors
    /// The node is gone.
    pub(crate) async fn got(&mut self, got: u64) -> Result<(), Problem> {
        self.teller.tell(&Got { got }, b"").await
    }

    /// Both directions, to be used at the same time.
    pub(crate) fn split(self) -> (Replies, Teller) {
        (self.replies, self.teller)
    }
}

impl Replies {
    /// The next line of the answer, with what follows it.
    ///
    /// # Errors
    /// The node says that it did not work out, says nothing in time, or says nothing that can be understood.
    pub(crate) async fn next(&mut self) -> Result<(Reply, Bytes), Problem> {
        let reader = &mut self.reader;
        let read = async {
            let Some(reply) = reader.line::<Reply>().await? else {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the node closed the connection"));
            };
            let body = match reply {
                Reply::Item { body, .. } if body > 0 => reader.body(body).await?,
                Reply::Item { .. } | Reply::Done { .. } | Reply::Problem { .. } => Bytes::new(),
            };
            Ok((reply, body))
        };
        let read = match self.patience {
            Some(patience) => timeout(patience, read).await.map_err(|_| too_late(patience))?,
            None => read.await,
        };
        match read {
            Ok((Reply::Problem { problem }, _)) => Err(problem),
            Ok(reply) => Ok(reply),
            Err(why) => Err(broken(&why)),
        }
    }
}

impl Teller {
    /// Says something, with so many bytes behind it.
    ///
    /// # Errors
    /// The node is gone.
    pub(crate) async fn tell(&mut self, line: &impl Serialize, body: &[u8]) -> Result<(), Problem> {
        self.writer.line(line, body).await.map_err(|why| broken(&why))
    }
}

/// Reads a document of an answer.
///
/// # Errors
/// It is another one.
pub(crate) fn read_document<T: Document>(data: serde_json::Value) -> Result<T, Problem> {
    serde_json::from_value(data).map_err(|why| broken(&why.into()))
}

async fn connect(target: &Target) -> Result<UnixStream, Problem> {
    if let Some(path) = &target.socket {
        return open(path, true).await.map_err(|why| unreachable(path, &why));
    }
    let mut found: Vec<(String, UnixStream)> = Vec::new();
    let mut refused = None;
    for (name, path) in sockets() {
        if target.node.as_ref().is_some_and(|wanted| *wanted != name) {
            continue;
        }
        match open(&path, false).await {
            Ok(stream) => found.push((name, stream)),
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied => refused = Some(unreachable(&path, &why)),
            // What is left of a node that was killed.
            Err(_) => {}
        }
    }
    match (found.len(), &target.node) {
        (0, _) => Err(refused.unwrap_or_else(|| nobody(target))),
        (1, _) => found.pop().map(|(_, stream)| stream).ok_or_else(|| nobody(target)),
        (_, _) => {
            let names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
            let what = format!("{} nodes run here: {}", names.len(), names.join(", "));
            let example = format!("the same command with --node {}", names.first().map_or("ID", String::as_str));
            Err(Problem::new(Code::E0305, Exit::Usage, what).try_this(example))
        }
    }
}

/// The names of the nodes of this user that seem to run here.
pub(crate) fn local_nodes() -> Vec<String> {
    sockets().into_iter().map(|(name, _)| name).collect()
}

/// The names and sockets of everything that may be a running node, in order of name.
fn sockets() -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    for dir in runtime_dir::candidates().into_iter().filter(|dir| runtime_dir::is_trusted(dir)) {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let name = path.file_stem().and_then(OsStr::to_str).map(str::to_owned);
            if let Some(name) = name.filter(|_| path.extension() == Some(OsStr::new("sock"))) {
                all.push((name, path));
            }
        }
    }
    all.sort();
    all
}

/// Connects to a node of this user or of root. Root may name the socket of anybody's node, but none is found for it.
async fn open(path: &Path, named: bool) -> io::Result<UnixStream> {
    let connected = timeout(CONNECT, UnixStream::connect(path)).await;
    let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    let named_by_root = named && rustix::process::geteuid().is_root();
    if !named_by_root && !runtime_dir::is_us(stream.peer_cred()?.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(stream)
}

fn nobody(target: &Target) -> Problem {
    let what = match &target.node {
        Some(node) => format!("no node `{node}` of this user runs here"),
        None => "no node of this user runs here".to_owned(),
    };
    let others = local_nodes();
    if target.node.is_some() && !others.is_empty() {
        return Problem::new(Code::E0304, Exit::NoNode, what)
            .note(format!("sockets are here of: {}", others.join(", ")));
    }
    Problem::new(Code::E0304, Exit::NoNode, what).try_this("node run cfg.yaml").try_this("node run --dev")
}

fn unreachable(path: &Path, why: &io::Error) -> Problem {
    if why.kind() == io::ErrorKind::PermissionDenied {
        let what = format!("not permitted to use {}", path.display());
        return Problem::new(Code::E0205, Exit::NotAuthorised, what).try_this("the same command as the node's user");
    }
    let what = format!("nobody answers on {}: {why}", path.display());
    Problem::new(Code::E0304, Exit::NoNode, what).try_this("node run cfg.yaml")
}

fn broken(why: &io::Error) -> Problem {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    if matches!(why.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) {
        return Problem::new(Code::E0304, Exit::NoNode, "the node went away before it had answered");
    }
    Problem::new(Code::E0306, Exit::Failed, format!("the node's answer makes no sense: {why}"))
}

fn too_late(patience: Duration) -> Problem {
    Problem::new(Code::E0308, Exit::Unknown, format!("no answer within {patience:?}")).try_this("a longer --timeout")
}
