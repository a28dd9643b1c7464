//! Serving for commands: calls go out over the socket, answers come in. When the caller leaves, the service ends, and calls
//! without an answer fail.
//!
//! Bounds: as many calls as the service runs at once; answers are taken one at a time, and an item waits for room.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use io_tokio::{AppError, OpenRequest, Requests, ServeOptions};
use proto_core::rpc::Meta;

use super::{
    Answer, AnswerKind, CallDoc, Document as _, Lines, Reply, Session, refusal,
    session::{Answered, address, item},
    views,
};
use crate::errors::{Code, Exit, Problem};

/// What a caller offers.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    /// The client that serves.
    pub(super) client: Option<String>,
    /// How many calls run at once.
    pub(super) concurrency: Option<u32>,
    /// What it does.
    pub(super) note: String,
}

impl Session {
    /// Serves a service with the answers of the caller, until it leaves.
    pub(super) async fn serve_for(&self, service: &str, offer: Offer, lines: &mut Lines) -> Answered {
        let mut options = ServeOptions::default().meta(Meta { note: offer.note, ..Meta::default() });
        if let Some(client) = offer.client {
            options = options.client(client);
        }
        if let Some(calls) = offer.concurrency {
            options = options.concurrency(calls);
        }
        let mut requests = self.mesh.requests(service, options).await.map_err(|why| refusal::serve(why, service))?;
        // That it has begun is told by a call without a number.
        let begin = CallDoc { service: service.to_owned(), ..CallDoc::default() };
        if lines.writer.line(&item(begin.json()), b"").await.is_err() {
            return Ok(None);
        }
        self.hand_over(&mut requests, lines).await
    }

    async fn hand_over(&self, requests: &mut Requests, lines: &mut Lines) -> Answered {
        let mut open: BTreeMap<u64, OpenRequest> = BTreeMap::new();
        let mut stops = FuturesUnordered::new();
        let mut last = 0;
        loop {
            tokio::select! {
                request = requests.recv() => {
                    let Some(request) = request else { return Err(refusal::stopped()) };
                    last += 1;
                    let document = self.call_document(last, &request);
                    let reply = Reply::Item { data: document.json(), body: document.bytes };
                    if lines.writer.line(&reply, request.payload()).await.is_err() {
                        return Ok(None);
                    }
                    let (number, stopped) = (last, request.stopped());
                    stops.push(async move {
                        stopped.await;
                        number
                    });
                    open.insert(last, request);
                }
                Some(number) = stops.next() => {
                    // Of one that was answered there is nothing to stop.
                    if let Some(request) = open.remove(&number) {
                        let document = CallDoc { stopped: true, ..self.call_document(number, &request) };
                        if lines.writer.line(&item(document.json()), b"").await.is_err() {
                            return Ok(None);
                        }
                    }
                }
                answer = lines.reader.line::<Answer>() => match answer {
                    Ok(Some(answer)) => reply(&mut open, answer, lines).await?,
                    Ok(None) => return Ok(None),
                    Err(why) => return Err(nonsense(&why)),
                },
            }
        }
    }

    fn call_document(&self, call: u64, request: &OpenRequest) -> CallDoc {
        let caller = request.caller();
        let from = self.mesh.name_of(caller.node);
        CallDoc {
            call,
            service: request.service().to_string(),
            from: from.map_or_else(|| address(caller.node), |name| name.to_string()),
            from_client: caller.client.as_deref().map(str::to_owned),
            left_ms: views::millis(request.left()),
            streaming: request.is_streaming(),
            stopped: false,
            bytes: request.payload().len() as u64,
        }
    }
}

/// Hands an answer on. One to a call that is over is for nobody.
async fn reply(open: &mut BTreeMap<u64, OpenRequest>, answer: Answer, lines: &mut Lines) -> Result<(), Problem> {
    let body = lines.reader.body(answer.body).await.map_err(|why| nonsense(&why))?;
    match answer.kind {
        AnswerKind::Item => {
            if let Some(request) = open.get(&answer.call) {
                // What cannot be sent is for a caller that has gone, and the answer fails likewise.
                let _ = request.item(body).await;
            }
        }
        AnswerKind::Done => {
            if let Some(request) = open.remove(&answer.call) {
                request.reply(body);
            }
        }
        AnswerKind::Error { code, message } => {
            if let Some(request) = open.remove(&answer.call) {
                request.error(AppError { payload: body, ..AppError::new(code, &message) });
            }
        }
    }
    Ok(())
}

fn nonsense(why: &std::io::Error) -> Problem {
    Problem::new(Code::E0306, Exit::Failed, format!("the answer makes no sense: {why}"))
}
