//! The answering end: accepts connections, checks who is calling, hands requests to the [`Session`].
//!
//! Bounds: [`CONNECTIONS_MAX`] connections at a time (more wait in the socket's backlog), [`LASTING_MAX`] of them for as long
//! as their callers like (more are refused), [`REQUEST_TIME`] for the request itself.

use std::{
    io,
    os::unix::{fs::PermissionsExt as _, net::UnixStream as BlockingStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use super::{Lines, PROTOCOL, Reply, Request, Session, framing::REQUEST_MAX, remove_socket, session::Answered};
use crate::errors::{Code, Exit, Problem};

/// Most connections at a time.
const CONNECTIONS_MAX: usize = 256;
/// Most of them that last as long as their callers like. The rest are for those that ask something, or have the node stop.
const LASTING_MAX: usize = 240;
/// Time in which a caller must have said what it wants.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Pause after an error of the listening socket, such as having no file descriptors left.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// A bound control socket. The file goes away with it.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds the socket, for its owner alone. What a killed node left there is replaced; a running node is not.
    ///
    /// # Errors
    /// Another node answers there, or the path cannot be used.
    pub(crate) fn bind(path: &Path) -> Result<Self, Problem> {
        let failed = |why: io::Error| {
            Problem::new(Code::E0307, Exit::CannotStart, format!("cannot open {}: {why}", path.display()))
        };
        if BlockingStream::connect(path).is_ok() {
            let what = format!("another node answers on {}", path.display());
            return Err(Problem::new(Code::E0307, Exit::CannotStart, what).try_this("node status"));
        }
        remove_socket(path);
        let listener = UnixListener::bind(path).map_err(failed)?;
        // Nobody is let in before this: a caller's user is checked on every connection.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until it is dropped.
    pub(crate) async fn run(self, session: Arc<Session>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let lasting = Arc::new(Semaphore::new(LASTING_MAX));
        let mut calls = JoinSet::new();
        loop {
            while calls.try_join_next().is_some() {}
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (session, lasting) = (Arc::clone(&session), Arc::clone(&lasting));
                    calls.spawn(async move {
                        if let Err(why) = serve(stream, &session, &lasting).await {
                            tracing::debug!(%why, "a control connection ended");
                        }
                        drop(permit);
                    });
                }
                Err(why) => {
                    tracing::warn!(%why, "cannot accept on the control socket");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        remove_socket(&self.path);
    }
}

async fn serve(stream: UnixStream, session: &Session, lasting: &Semaphore) -> io::Result<()> {
    let caller = stream.peer_cred()?.uid();
    let mut lines = Lines::new(stream, REQUEST_MAX);
    let result = if caller == 0 || caller == rustix::process::geteuid().as_raw() {
        match timeout(REQUEST_TIME, request(&mut lines)).await {
            Ok(Ok((request, body))) => answer(request, body, session, lasting, &mut lines).await,
            Ok(Err(why)) => Err(Problem::new(Code::E0306, Exit::Failed, format!("the request makes no sense: {why}"))),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    } else {
        Err(Problem::new(Code::E0205, Exit::NotAuthorised, "the control socket is for the user that runs the node"))
    };
    let last = match result {
        Ok(Some(data)) => Reply::Done { data },
        // The caller has left.
        Ok(None) => return Ok(()),
        Err(problem) => Reply::Problem { problem },
    };
    lines.writer.line(&last, b"").await
}

async fn answer(request: Request, body: Bytes, session: &Session, lasting: &Semaphore, lines: &mut Lines) -> Answered {
    if !request.op.lasts() {
        return session.answer(request.op, body, lines).await;
    }
    let Ok(_permit) = lasting.try_acquire() else {
        let what = format!("{LASTING_MAX} commands that last are connected to this node already");
        return Err(Problem::new(Code::E0405, Exit::Failed, what));
    };
    session.answer(request.op, body, lines).await
}

async fn request(lines: &mut Lines) -> io::Result<(Request, Bytes)> {
    let Some(request) = lines.reader.line::<Request>().await? else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    if request.protocol != PROTOCOL {
        let what = format!("this node speaks {PROTOCOL}, the caller {}", request.protocol);
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let body = lines.reader.body(request.body).await?;
    Ok((request, body))
}
