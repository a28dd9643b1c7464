//! The calls that a program was given, a client of the API or a command, until it answers or nobody waits for its answer any
//! more. Only what is in here can be answered: a client cannot answer what another was asked.
//!
//! A call that takes items has a pump of its own, which hands them on as fast as the caller takes them; [`ITEMS_MAX`] wait
//! for it. Dropping all of this answers every call.

use std::{
    collections::BTreeMap,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{AbortHandle, BoxFuture, abortable},
    stream::FuturesUnordered,
};
use io_tokio::{AppError, ItemError, OpenRequest, Stop};
use tokio::sync::{mpsc, oneshot};

/// Items of one call that its caller has no room for yet.
const ITEMS_MAX: usize = 64;

/// The calls.
#[derive(Debug, Default)]
pub(crate) struct Given {
    open: BTreeMap<u64, Call>,
    /// What waits for the end of each.
    waiting: FuturesUnordered<BoxFuture<'static, Option<(u64, Stop)>>>,
}

#[derive(Debug)]
struct Call {
    answer: Way,
    watch: AbortHandle,
}

/// Where an answer goes.
#[derive(Debug)]
enum Way {
    /// To a caller who wants one answer.
    Plain(Box<OpenRequest>),
    /// To the pump of a caller who takes items.
    Items(mpsc::Sender<Piece>),
}

#[derive(Debug)]
enum Piece {
    Item(Bytes, oneshot::Sender<Result<(), ItemError>>),
    End(Result<Bytes, AppError>),
}

/// The client was given no call of this number, or it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unknown;

/// Why an item is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemRefused {
    /// There is no such call.
    Unknown,
    /// Its caller wants one answer.
    NotStreaming,
    /// Too many items wait.
    Full,
}

impl Given {
    /// Notes a call; answers its number.
    pub(crate) fn add(&mut self, call: OpenRequest) -> u64 {
        let number = call.id().0;
        let (stopped, watch) = abortable(call.stopped());
        self.waiting.push(stopped.map(move |why| why.ok().map(|why| (number, why))).boxed());
        let answer = if call.is_streaming() {
            let (pieces, taken) = mpsc::channel(ITEMS_MAX);
            self.waiting.push(pump(call, taken).map(|()| None).boxed());
            Way::Items(pieces)
        } else {
            Way::Plain(Box::new(call))
        };
        self.open.insert(number, Call { answer, watch });
        number
    }

    /// Answers a call.
    ///
    /// # Errors
    /// [`Unknown`].
    pub(crate) fn answer(&mut self, number: u64, result: Result<Bytes, AppError>) -> Result<(), Unknown> {
        let Call { answer, watch } = self.open.remove(&number).ok_or(Unknown)?;
        watch.abort();
        match (answer, result) {
            (Way::Plain(call), Ok(payload)) => call.reply(payload),
            (Way::Plain(call), Err(error)) => call.error(error),
            (Way::Items(pieces), result) => {
                // Behind the items that still wait.
                self.waiting.push(async move { pieces.send(Piece::End(result)).await.ok() }.map(|_| None).boxed());
            }
        }
        Ok(())
    }

    /// Sends an item; what it gives tells when the item is on its way.
    ///
    /// # Errors
    /// [`ItemRefused`].
    pub(crate) fn item(
        &self,
        number: u64,
        item: Bytes,
    ) -> Result<oneshot::Receiver<Result<(), ItemError>>, ItemRefused> {
        match &self.open.get(&number).ok_or(ItemRefused::Unknown)?.answer {
            Way::Plain(_) => Err(ItemRefused::NotStreaming),
            Way::Items(pieces) => {
                let (sent, when) = oneshot::channel();
                pieces.try_send(Piece::Item(item, sent)).map_err(|_| ItemRefused::Full)?;
                Ok(when)
            }
        }
    }

    /// The next call that need not be answered any more. It is over.
    pub(crate) fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<(u64, Stop)> {
        while let Poll::Ready(Some(end)) = self.waiting.poll_next_unpin(cx) {
            if let Some((number, why)) = end
                && self.open.remove(&number).is_some()
            {
                return Poll::Ready((number, why));
            }
        }
        Poll::Pending
    }
}

/// Hands items to a caller until the answer, or until the client is gone.
async fn pump(call: OpenRequest, mut pieces: mpsc::Receiver<Piece>) {
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Item(item, sent) => {
                // A client that does not ask is not told.
                let _ = sent.send(call.item(item).await);
            }
            Piece::End(Ok(payload)) => return call.reply(payload),
            Piece::End(Err(error)) => return call.error(error),
        }
    }
}
