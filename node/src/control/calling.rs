//! Calls for commands: one, whose caller may leave, or many.
//!
//! Bounds: [`MANY`] of many calls are under way at once.

use std::future::pending;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use io_tokio::{CallError, Response};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    CallEnd, CallWish, Document as _, Lines, Piece, Reply, ResponseDoc, Session,
    publishing::piece,
    refusal,
    session::{Answered, item},
};

/// Of many calls, so many are under way.
const MANY: usize = 1_024;
/// Pieces that were read and wait to be called with.
const PIECES: usize = 16;

impl Session {
    /// Calls, and hands on the answer: item by item if `stream`. A caller that leaves cancels the call.
    pub(super) async fn answer_call(
        &self,
        service: &str,
        body: Bytes,
        how: CallWish,
        stream: bool,
        lines: &mut Lines,
    ) -> Answered {
        let call = self.call(service, body, how);
        if stream {
            return self.answer_items(service, call, lines).await;
        }
        let answer = tokio::select! {
            answer = call => answer,
            _ = lines.reader.line::<Value>() => return Ok(None),
        };
        match answer {
            Ok(response) => Ok(self.send_response(service, &response, lines).await),
            Err(why) => Err(self.call_failed(why, service).await),
        }
    }

    async fn answer_items(&self, service: &str, call: io_tokio::CallBuilder, lines: &mut Lines) -> Answered {
        let mut items = match call.stream() {
            Ok(items) => items,
            Err(why) => return Err(self.call_failed(why, service).await),
        };
        loop {
            let next = tokio::select! {
                next = items.recv() => next,
                _ = lines.reader.line::<Value>() => return Ok(None),
            };
            match next {
                Some(Ok(payload)) => {
                    let bytes = payload.len() as u64;
                    let document =
                        ResponseDoc { service: service.to_owned(), item: true, bytes, ..ResponseDoc::default() };
                    let reply = Reply::Item { data: document.json(), body: bytes };
                    if lines.writer.line(&reply, &payload).await.is_err() {
                        return Ok(None);
                    }
                }
                Some(Err(why)) => return Err(self.call_failed(why, service).await),
                None => {
                    let response = items.response().cloned();
                    return match response {
                        Some(response) => Ok(self.send_response(service, &response, lines).await),
                        None => Err(refusal::stopped()),
                    };
                }
            }
        }
    }

    async fn send_response(&self, service: &str, response: &Response, lines: &mut Lines) -> Option<Value> {
        let document = self.response(service, response);
        let reply = Reply::Item { data: document.json(), body: document.bytes };
        lines.writer.line(&reply, &response.payload).await.ok().map(|()| Value::Null)
    }

    /// Calls for each piece that the caller sends, and tells how each ended.
    pub(super) async fn call_many(&self, service: &str, how: CallWish, lines: &mut Lines) -> Answered {
        let Lines { reader, writer } = lines;
        let (sender, mut pieces) = mpsc::channel(PIECES);
        // Beside the calls, and not dropped halfway through a piece.
        let read = async {
            loop {
                let piece = piece(reader).await;
                let over = !matches!(piece, Ok(Some((Piece { last: false, .. }, _))));
                if sender.send(piece).await.is_err() || over {
                    return pending::<Answered>().await;
                }
            }
        };
        let work = async {
            let mut running = FuturesUnordered::new();
            let (mut number, mut more) = (0, true);
            while more || !running.is_empty() {
                tokio::select! {
                    read = pieces.recv(), if more && running.len() < MANY => {
                        let Some((piece, body)) = read.unwrap_or(Ok(None))? else { return Ok(None) };
                        more = !piece.last;
                        if piece.only_end {
                            continue;
                        }
                        let call = self.call(service, body, how.clone());
                        running.push(async move { (number, call.await) });
                        number += 1;
                    }
                    Some((number, answer)) = running.next() => {
                        let end = end(number, answer, service);
                        if writer.line(&item(end.json()), b"").await.is_err() {
                            return Ok(None);
                        }
                    }
                }
            }
            Ok(Some(Value::Null))
        };
        tokio::select! {
            answered = work => answered,
            never = read => never,
        }
    }
}

fn end(number: u64, answer: Result<Response, CallError>, service: &str) -> CallEnd {
    match answer {
        Ok(response) => CallEnd { number, bytes: response.payload.len() as u64, ..CallEnd::default() },
        Err(why) => {
            let problem = refusal::call(why, service);
            CallEnd { number, code: Some(problem.code), detail: Some(problem.what), bytes: 0 }
        }
    }
}
