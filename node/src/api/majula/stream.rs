//! `/h`: all packages for a client, as a stream of server-sent events. It is a client like any other, and makes room for
//! one of the same name. A task of its own takes the messages, so that a reader who does not keep up holds nobody else up.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use tokio::sync::{Notify, oneshot};

use super::{native::private_message, params::Params};
use crate::{
    api::{
        Api,
        clients::{Kind, Present},
        outbox::Outbox,
        problem::ApiError,
    },
    config::{SlowClient, Verb},
};

/// Silence after which a comment is sent.
const PING: Duration = Duration::from_secs(15);

/// What waits for the reader.
#[derive(Debug)]
struct Shelf {
    state: Mutex<Contents>,
    changed: Notify,
}

#[derive(Debug)]
struct Contents {
    outbox: Outbox,
    over: bool,
}

/// The reader's end.
struct Reader {
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
    let (here, left) = oneshot::channel();
    tokio::spawn(fill(api, present, Arc::clone(&shelf), left));
    let reader = Reader { shelf, _here: here };
    let packages = stream::unfold(reader, |reader| async {
        let text = reader.shelf.take().await?;
        Some((Ok(Event::default().data(text)), reader))
    });
    Ok(Sse::new(packages).keep_alive(KeepAlive::new().interval(PING).text("ping")))
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
        match shelf.put(package) {
            Some(missed) => present.missed(missed),
            None => break,
        }
    }
    shelf.end();
}

impl Shelf {
    fn new(bounds: SlowClient) -> Self {
        let state = Contents { outbox: Outbox::new(bounds), over: false };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Appends a package, and tells how many were dropped; `None`: the reader does not keep up.
    fn put(&self, text: String) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let put = state.outbox.push(text.into());
        let missed = state.outbox.take_missed();
        drop(state);
        self.changed.notify_one();
        put.ok().map(|()| missed)
    }

    /// Nothing more comes.
    fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.changed.notify_one();
    }

    /// The next package; `None` at the end.
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
