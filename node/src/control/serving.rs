//! Serving for commands: calls go out over the socket, answers come in. When the caller leaves, the service ends, and calls
//! without an answer fail.
//!
//! Both directions go on beside each other, and so do the calls: neither a caller that writes a long answer before it reads
//! on, nor an item that waits for room, holds up anything else.
//!
//! Bounds: as many calls as the service runs at once; [`LINES`] lines that the caller has not read, then no call is taken;
//! [`ANSWERS`] answers that were read; the items of [`Given`], and a call with more fails.

use std::future::{pending, poll_fn};

use bytes::Bytes;
use io_tokio::{AppError, HANDLER_GONE, OpenRequest, Requests, ServeOptions};
use proto_core::rpc::Meta;
use tokio::sync::mpsc;

use super::{
    Answer, AnswerKind, CallDoc, Document as _, Given, ItemRefused, Lines, Reply, Session,
    framing::Reader,
    refusal,
    session::{Answered, address, item},
    views,
};
use crate::errors::{Code, Exit, Problem};

/// Lines for the caller that it has not read.
const LINES: usize = 64;
/// Answers that were read and wait for their turn.
const ANSWERS: usize = 16;

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
        let Lines { reader, writer } = lines;
        let (out, mut waiting) = mpsc::channel::<(Reply, Bytes)>(LINES);
        let (read, answers) = mpsc::channel(ANSWERS);
        // Not dropped halfway through an answer.
        let reading = async {
            loop {
                let answer = answer(reader).await;
                let over = !matches!(answer, Ok(Some(_)));
                if read.send(answer).await.is_err() || over {
                    return pending::<Answered>().await;
                }
            }
        };
        let writing = async {
            while let Some((reply, body)) = waiting.recv().await {
                if writer.line(&reply, &body).await.is_err() {
                    return Ok(None);
                }
            }
            pending().await
        };
        tokio::select! {
            answered = self.attend(requests, &out, answers) => answered,
            answered = writing => answered,
            never = reading => never,
        }
    }

    async fn attend(
        &self,
        requests: &mut Requests,
        out: &mpsc::Sender<(Reply, Bytes)>,
        mut answers: mpsc::Receiver<Result<Option<(Answer, Bytes)>, Problem>>,
    ) -> Answered {
        let mut given = Given::default();
        loop {
            tokio::select! {
                (room, request) = async { (out.reserve().await, requests.recv().await) } => {
                    let (Ok(room), Some(request)) = (room, request) else { return Err(refusal::stopped()) };
                    let (mut document, payload) = (self.call_document(&request), request.payload().clone());
                    document.call = wire(given.add(request));
                    room.send((Reply::Item { data: document.json(), body: document.bytes }, payload));
                }
                (room, (number, _)) = async { (out.reserve().await, poll_fn(|cx| given.poll_stopped(cx)).await) } => {
                    let Ok(room) = room else { return Err(refusal::stopped()) };
                    let document = CallDoc { call: wire(number), stopped: true, ..CallDoc::default() };
                    room.send((item(document.json()), Bytes::new()));
                }
                answer = answers.recv() => match answer {
                    Some(Ok(Some((answer, body)))) => take(&mut given, answer, body),
                    Some(Ok(None)) | None => return Ok(None),
                    Some(Err(problem)) => return Err(problem),
                },
            }
        }
    }

    fn call_document(&self, request: &OpenRequest) -> CallDoc {
        let caller = request.caller();
        let from = self.mesh.name_of(caller.node);
        CallDoc {
            call: 0,
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

/// The number of a call for the caller: that the service has begun is told under 0.
const fn wire(number: u64) -> u64 {
    number.wrapping_add(1)
}

/// The next answer of the caller; `None` if it has left. Must not be dropped halfway.
async fn answer(reader: &mut Reader) -> Result<Option<(Answer, Bytes)>, Problem> {
    let read = async {
        let Some(answer) = reader.line::<Answer>().await? else { return Ok(None) };
        let body = reader.body(answer.body).await?;
        Ok(Some((answer, body)))
    };
    read.await.map_err(|why| nonsense(&why))
}

/// Hands an answer on. One to a call that is over is for nobody.
fn take(given: &mut Given, answer: Answer, body: Bytes) {
    let number = answer.call.wrapping_sub(1);
    let result = match answer.kind {
        AnswerKind::Item => match given.item(number, body) {
            Err(ItemRefused::Full) => Err(AppError::new(HANDLER_GONE, "too many items wait for room")),
            // A caller of one answer has no use for items, and nobody asks when they went.
            Err(ItemRefused::Unknown | ItemRefused::NotStreaming) | Ok(_) => return,
        },
        AnswerKind::Done => Ok(body),
        AnswerKind::Error { code, message } => Err(AppError { payload: body, ..AppError::new(code, &message) }),
    };
    let _ = given.answer(number, result);
}

fn nonsense(why: &std::io::Error) -> Problem {
    Problem::new(Code::E0306, Exit::Failed, format!("the answer makes no sense: {why}"))
}
