//! Server-sent events for clients that read them: packages of a client (`/h`), publications (`/sub`). A task of its own takes
//! what there is, so that a reader who does not keep up holds nobody else up. The client of `/h` is one like any other, and
//! makes room for one of the same name.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, KeepAliveStream, Sse},
};
use futures_util::{Stream, stream};
use tokio::sync::{Notify, oneshot};

use super::{native::private_message, params::Params};
use crate::{
    api::{
        Api,
        clients::{Kind, Present},
        outbox::{Care, Outbox},
        problem::ApiError,
    },
    config::{SlowClient, SlowPolicy, Verb},
};

/// Silence after which a comment is sent.
const PING: Duration = Duration::from_secs(15);

/// What waits for the reader.
#[derive(Debug)]
pub(super) struct Shelf {
    state: Mutex<Contents>,
    changed: Notify,
}

#[derive(Debug)]
struct Contents {
    outbox: Outbox,
    over: bool,
}

/// The reader's end.
pub(super) struct Reader {
    shelf: Arc<Shelf>,
    /// Its end tells the task.
    _here: oneshot::Sender<()>,
}

/// Streams the packages for a client.
pub(super) async fn packages(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    params.may(Verb::Receive, &params.client)?;
    let present = Present::replace(&api, &params.client, Kind::MajulaStream, params.peer.addr, &params.caller).await?;
    let shelf = Arc::new(Shelf::new(api.config.slow_client));
    let (reader, left) = reader(&shelf);
    tokio::spawn(fill(api, present, shelf, left));
    Ok(events(reader))
}

/// The reader's end, and what tells when the reader is gone.
pub(super) fn reader(shelf: &Arc<Shelf>) -> (Reader, oneshot::Receiver<()>) {
    let (here, left) = oneshot::channel();
    (Reader { shelf: Arc::clone(shelf), _here: here }, left)
}

/// What the reader gets.
pub(super) fn events(reader: Reader) -> Sse<KeepAliveStream<impl Stream<Item = Result<Event, Infallible>>>> {
    let texts = stream::unfold(reader, |reader| async {
        let text = reader.shelf.take().await?;
        Some((Ok(Event::default().data(text)), reader))
    });
    Sse::new(texts).keep_alive(KeepAlive::new().interval(PING).text("ping"))
}

/// Takes the messages of a client until it leaves, is replaced, or does not keep up.
async fn fill(api: Arc<Api>, mut present: Present, shelf: Arc<Shelf>, mut left: oneshot::Receiver<()>) {
    let mut draining = api.draining.subscribe();
    let client = Arc::clone(&present.client);
    loop {
        let message = tokio::select! {
            message = present.incoming.recv() => message,
            () = client.replaced.notified() => None,
            _ = draining.wait_for(|draining| *draining) => None,
            _ = &mut left => None,
        };
        let Some(message) = message else { break };
        let package = private_message(&api.session.mesh, &message).text();
        match shelf.put(package, api.config.slow_client.policy) {
            Some(missed) => present.missed(missed),
            None => break,
        }
    }
    shelf.end();
}

impl Shelf {
    /// An empty one.
    pub(super) fn new(bounds: SlowClient) -> Self {
        let state = Contents { outbox: Outbox::new(bounds), over: false };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Appends a text, and tells how many were dropped; `None`: the reader does not keep up.
    pub(super) fn put(&self, text: String, policy: SlowPolicy) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let put = state.outbox.push(text.into(), Care::Lose(policy));
        let missed = state.outbox.take_missed();
        drop(state);
        self.changed.notify_one();
        put.ok().map(|()| missed)
    }

    /// Nothing more comes.
    pub(super) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.changed.notify_one();
    }

    /// The next text; `None` at the end.
    async fn take(&self) -> Option<String> {
        loop {
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(text) = state.outbox.pop() {
                    return Some(text.to_string());
                }
                if state.over {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}
