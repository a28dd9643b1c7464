//! The clients of this node that came through the API: who they are, and how to have one leave.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use io_tokio::{Incoming, IncomingError};
use serde::Serialize;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use utoipa::ToSchema;

use super::{Api, auth::Caller, problem::ApiError};
use crate::{control::refusal, errors::Code};

/// How long a client may take to make room for one of the same name.
const REPLACE_TIME: Duration = Duration::from_secs(2);
/// Pause between looks whether it has.
const REPLACE_PAUSE: Duration = Duration::from_millis(10);

/// Every client by its name.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: Mutex<BTreeMap<Arc<str>, Arc<Client>>>,
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    /// Its name.
    pub(super) id: Arc<str>,
    kind: Kind,
    peer: SocketAddr,
    who: String,
    since: Instant,
    missed: AtomicU64,
    /// Told when another client of this name comes.
    pub(super) replaced: Notify,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The native WebSocket protocol.
    Native,
    /// Majula's WebSocket protocol.
    Majula,
    /// Majula's stream of server-sent events.
    MajulaStream,
}

/// A client as others see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ClientDoc {
    /// Its name: others reach it as `node/name`.
    id: String,
    /// What it speaks.
    kind: Kind,
    /// Where it comes from.
    remote: String,
    /// Whose token it showed, or its address.
    caller: String,
    /// How long it has been here.
    up_ms: u64,
    /// Messages that were dropped because it did not keep up.
    missed: u64,
}

/// A client while it is here, with its messages.
#[derive(Debug)]
pub(super) struct Present {
    api: Arc<Api>,
    /// Who it is.
    pub(super) client: Arc<Client>,
    /// The messages for it.
    pub(super) incoming: Incoming,
}

impl Present {
    /// Makes a client present under a name that must be free.
    ///
    /// # Errors
    /// It is not, or the node refuses.
    pub(super) async fn new(
        api: &Arc<Api>,
        id: &str,
        kind: Kind,
        peer: SocketAddr,
        caller: &Caller,
    ) -> Result<Self, ApiError> {
        let incoming = api.session.mesh.client(id).await.map_err(|why| ApiError::from(refusal::incoming(why, id)))?;
        Ok(Self::with(api, id, kind, peer, caller, incoming))
    }

    /// Makes a client present under a name, in place of an earlier one that came through Majula's surface.
    ///
    /// # Errors
    /// The earlier one is of another kind or does not leave, or the node refuses.
    pub(super) async fn replace(
        api: &Arc<Api>,
        id: &str,
        kind: Kind,
        peer: SocketAddr,
        caller: &Caller,
    ) -> Result<Self, ApiError> {
        let begin = Instant::now();
        loop {
            match api.session.mesh.client(id).await {
                Ok(incoming) => return Ok(Self::with(api, id, kind, peer, caller, incoming)),
                Err(IncomingError::Taken) if begin.elapsed() < REPLACE_TIME && api.clients.have_leave(id) => {
                    sleep(REPLACE_PAUSE).await;
                }
                Err(why) => return Err(refusal::incoming(why, id).into()),
            }
        }
    }

    fn with(api: &Arc<Api>, id: &str, kind: Kind, peer: SocketAddr, caller: &Caller, incoming: Incoming) -> Self {
        let client = Arc::new(Client {
            id: id.into(),
            kind,
            peer,
            who: caller.name(),
            since: Instant::now(),
            missed: AtomicU64::new(0),
            replaced: Notify::new(),
        });
        api.clients.lock().insert(Arc::clone(&client.id), Arc::clone(&client));
        Self { api: Arc::clone(api), client, incoming }
    }

    /// Counts messages that were dropped because the client did not keep up.
    pub(super) fn missed(&self, messages: u64) {
        self.client.missed.fetch_add(messages, Ordering::Relaxed);
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut all = self.api.clients.lock();
        // One of the same name may have come already.
        if all.get(&self.client.id).is_some_and(|other| Arc::ptr_eq(other, &self.client)) {
            all.remove(&self.client.id);
        }
    }
}

impl Clients {
    /// Every client, in order of name.
    pub(super) fn list(&self) -> Vec<ClientDoc> {
        self.lock().values().map(|client| client.document()).collect()
    }

    /// One client.
    pub(super) fn get(&self, id: &str) -> Result<ClientDoc, ApiError> {
        let missing = || ApiError::new(Code::E0402, format!("no program is here as `{id}`"));
        self.lock().get(id).map(|client| client.document()).ok_or_else(missing)
    }

    /// Tells a client of Majula's surface to leave; `false` if somebody else has the name.
    fn have_leave(&self, id: &str) -> bool {
        let all = self.lock();
        match all.get(id) {
            Some(client) if client.kind == Kind::Native => false,
            Some(client) => {
                client.replaced.notify_one();
                true
            }
            // It is leaving, or a program that is not of the API has the name: time tells.
            None => true,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Client>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    fn document(&self) -> ClientDoc {
        ClientDoc {
            id: self.id.to_string(),
            kind: self.kind,
            remote: self.peer.to_string(),
            caller: self.who.clone(),
            up_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            missed: self.missed.load(Ordering::Relaxed),
        }
    }
}

impl ClientDoc {
    /// What it is listed by.
    pub(super) fn key(&self) -> String {
        self.id.clone()
    }
}
