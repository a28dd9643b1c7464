//! A service of one client: its methods, each a service of the mesh.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream as _, future::try_join_all};
use io_tokio::{Mesh, Meta, Requests, ServeError, ServeOptions};

use tokio::time::sleep;

use super::News;

/// How often, and with which pause, a method is tried again that is served already.
const ENDING_TRIES: u32 = 20;
const ENDING_PAUSE: Duration = Duration::from_millis(10);

/// A method to serve.
#[derive(Debug)]
pub(in crate::api) struct Method {
    /// What the mesh calls it.
    pub(in crate::api) name: String,
    /// What it says of itself.
    pub(in crate::api) meta: Meta,
}

/// The service. Dropping it ends it.
#[derive(Debug)]
pub(in crate::api) struct Offer {
    methods: Vec<Requests>,
    turn: usize,
}

/// What the mesh calls a method of a service; a service without methods has the empty one.
pub(in crate::api) fn mesh_name(service: &str, method: &str) -> String {
    if method.is_empty() { service.to_owned() } else { format!("{service}.{method}") }
}

impl Offer {
    /// Serves all methods, or none.
    ///
    /// # Errors
    /// [`ServeError`].
    pub(in crate::api) async fn make(
        mesh: &Mesh,
        client: &Arc<str>,
        methods: Vec<Method>,
        options: ServeOptions,
    ) -> Result<Self, ServeError> {
        let all = methods.into_iter().map(|Method { name, meta }| {
            let options = options.clone().client(Arc::clone(client)).meta(meta);
            async move { serve(mesh, &name, options).await }
        });
        Ok(Self { methods: try_join_all(all).await?, turn: 0 })
    }

    /// How many methods there are.
    pub(super) fn methods(&self) -> usize {
        self.methods.len()
    }

    /// The next call. A node that is over has none.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, name: &str) -> Poll<News> {
        let count = self.methods.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            if let Poll::Ready(Some(call)) = Pin::new(&mut self.methods[at]).poll_next(cx) {
                self.turn = at + 1;
                return Poll::Ready(News::Call(name.to_owned(), Box::new(call)));
            }
        }
        Poll::Pending
    }
}

/// Serves a method. One that the client has just given up may still be on its way.
async fn serve(mesh: &Mesh, name: &str, options: ServeOptions) -> Result<Requests, ServeError> {
    for _ in 0..ENDING_TRIES {
        match mesh.requests(name, options.clone()).await {
            Err(ServeError::Taken) => sleep(ENDING_PAUSE).await,
            served => return served,
        }
    }
    mesh.requests(name, options).await
}
