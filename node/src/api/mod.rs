//! The API for programs in any language: HTTP and WebSocket on the listeners of `api.listen`.
//!
//! Surfaces, each in a folder of its own: `v1` (`/api/v1`, resources), `ws` (`/ws`, the native protocol), `majula`
//! (`/majula`, for clients of that system). Beside them `/livez`, `/readyz` and `/docs/errors`. Every surface has a file
//! per subject; what this version does not have yet answers 501, and says so.
//!
//! The way of a request: the connection (`server`, limits of its own) marks it with its peer; `envelope` gives it a number
//! and writes errors; `gate` asks whether the node drains, whose page it is, who calls, and how often; `idempotency`
//! answers repetitions; then comes the handler, which asks the node through [`Mesh`](io_tokio::Mesh) with a deadline. No
//! handler holds the engine up: all they share with it are its bounded queues.
//!
//! Bounds: connections, sizes and rates of `api.limits`; what waits for one client, of `api.slow_client`; the stores of
//! `idempotency` and `limits` have bounds of their own.

mod auth;
mod clients;
mod envelope;
mod errors_doc;
mod extract;
mod gate;
mod held;
mod idempotency;
mod limits;
mod majula;
mod negotiate;
mod origin;
mod outbox;
mod payload;
mod problem;
mod refusals;
mod router;
mod server;
mod socket;
mod talk;
mod texts;
mod v1;
mod ws;

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, time::timeout};

use crate::{
    config,
    control::Session,
    errors::{Code, Exit, Problem},
    run::random_hex,
};
use auth::Tokens;
use clients::Clients;
use idempotency::Store;
use limits::Limiter;
use problem::ApiError;
use texts::Texts;

/// How long the node may take for an answer that needs nobody else.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Everything that the handlers share.
#[derive(Debug)]
pub(crate) struct Api {
    session: Arc<Session>,
    config: config::Api,
    tokens: Tokens,
    limiter: Limiter,
    replies: Store,
    clients: Clients,
    texts: Texts,
    /// Tells this run of the node from others.
    epoch: String,
    requests: AtomicU64,
    draining: watch::Sender<bool>,
    running: watch::Sender<usize>,
}

/// One request under way, while it lives.
#[derive(Clone, Debug)]
struct UnderWay(#[expect(dead_code, reason = "its end is what counts")] Arc<Counted>);

#[derive(Debug)]
struct Counted(Arc<Api>);

impl Api {
    /// The API of a node.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub(crate) fn new(session: Arc<Session>, config: config::Api) -> Result<Arc<Self>, Problem> {
        let epoch = random_hex(4);
        let epoch = epoch.map_err(|why| Problem::new(Code::E0310, Exit::Failed, format!("no random bytes: {why}")))?;
        Ok(Arc::new(Self {
            session,
            tokens: Tokens::new(&config.tokens),
            limiter: Limiter::new(config.limits.requests_per_sec),
            replies: Store::default(),
            clients: Clients::default(),
            texts: Texts::default(),
            epoch,
            requests: AtomicU64::new(0),
            draining: watch::channel(false).0,
            running: watch::channel(0).0,
            config,
        }))
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self: Arc<Self>, listeners: Vec<TcpListener>) {
        server::serve(self, listeners).await;
    }

    /// Takes nothing new, says goodbye to every client, and waits until what is under way is answered, for `longest`.
    pub(crate) async fn drain(&self, longest: Duration) {
        self.draining.send_replace(true);
        let mut running = self.running.subscribe();
        // What is still under way after that is answered by nobody.
        let _ = timeout(longest, running.wait_for(|running| *running == 0)).await;
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    fn begin(self: &Arc<Self>) -> UnderWay {
        self.running.send_modify(|running| *running += 1);
        UnderWay(Arc::new(Counted(Arc::clone(self))))
    }

    /// A number that no other request of this node has.
    fn fresh_id(&self) -> String {
        format!("{}-{:08x}", self.epoch, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits for an answer of the node itself that says why there is none.
    async fn answer<T>(&self, answer: impl Future<Output = Result<T, Problem>>) -> Result<T, ApiError> {
        match timeout(ANSWER_TIME, answer).await {
            Ok(answer) => answer.map_err(ApiError::from),
            Err(_) => Err(ApiError::new(Code::E0308, "the node did not answer in time")),
        }
    }

    /// Waits for an answer of the node itself.
    async fn ask<T, E>(&self, answer: impl Future<Output = Result<T, E>>) -> Result<T, ApiError> {
        match timeout(ANSWER_TIME, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(ApiError::new(Code::E0407, "the node is shutting down")),
            Err(_) => Err(ApiError::new(Code::E0308, "the node did not answer in time")),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

/// Binds the listeners. `dev`: where a port is taken, any free one.
pub(crate) async fn bind(config: &config::Api, dev: bool) -> Result<Vec<TcpListener>, Problem> {
    let mut listeners = Vec::new();
    for addr in &config.listen {
        let bound = match TcpListener::bind(addr).await {
            Err(why) if dev && why.kind() == std::io::ErrorKind::AddrInUse => {
                TcpListener::bind(SocketAddr::new(addr.ip(), 0)).await
            }
            bound => bound,
        };
        listeners.push(bound.map_err(|why| {
            Problem::new(Code::E0301, Exit::CannotStart, format!("cannot listen at {addr} (api.listen): {why}"))
                .try_this("--set api.listen=127.0.0.1:0")
        })?);
    }
    Ok(listeners)
}
