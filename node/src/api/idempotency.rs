//! `Idempotency-Key`: a request that is repeated is carried out once, and answered every time.
//!
//! Life of a key: the first request with it runs, to its end even if its caller leaves. Meanwhile others with the key get
//! 409. Afterwards they get the stored answer, for [`KEPT`]; one that differs in method, path or body gets 422. Where
//! nothing was done and a repetition may work, the key is free again at once.
//!
//! Bounds: [`ENTRIES_MAX`] keys and [`BYTES_MAX`] bytes of answers. At either bound the oldest answers are forgotten; if
//! all requests still run, new ones with a key get 503.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Api,
    auth::{Caller, Who},
    extract::{self, HEADER_PREFIX},
    problem::{ApiError, Effect},
};
use crate::errors::Code;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(600);
/// Longest key, in bytes.
const KEY_MAX: usize = 255;
/// Keys that are remembered.
const ENTRIES_MAX: usize = 10_000;
/// Bytes of answers that are kept.
const BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// Every key with its answer.
#[derive(Debug, Default)]
pub(super) struct Store {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<(Who, String), Entry>,
    /// Keys with an answer, the oldest first. May name some that are gone.
    order: VecDeque<((Who, String), u64)>,
    bytes: usize,
    last: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    print: [u8; 32],
    /// `None` while the first request runs.
    answer: Option<Answer>,
}

#[derive(Clone, Debug)]
struct Answer {
    at: Instant,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    error: Option<ApiError>,
}

/// What a key says about a request.
#[derive(Debug)]
enum Claim {
    /// It is the first.
    First(u64),
    /// It was answered.
    Answered(Box<Answer>),
    /// It cannot be carried out.
    Refused(ApiError),
}

/// Reads the body of a POST, and answers repetitions.
pub(super) async fn post(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    match try_post(api, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn try_post(api: Arc<Api>, request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let key = parts.headers.get(KEY).map(key).transpose()?;
    let body = extract::body(body, api.config.limits.body).await?;
    let again = |parts, body: Bytes| Request::from_parts(parts, Body::from(body));
    let (Some(key), Some(caller)) = (key, parts.extensions.get::<Caller>()) else {
        return Ok(next.run(again(parts, body)).await);
    };
    let name = (caller.who.clone(), key);
    let number = match api.replies.claim(&name, print(&parts, &body), Instant::now()) {
        Claim::First(number) => number,
        Claim::Answered(answer) => return Ok(answer.response()),
        Claim::Refused(error) => return Err(error),
    };
    // On its own, so that a caller who leaves does not leave it half done.
    let running = tokio::spawn(async move {
        let unanswered = Unanswered { api: &api, name: &name, number };
        let response = next.run(again(parts, body)).await;
        let answer = Answer::of(response).await;
        api.replies.finish(&name, number, answer.clone());
        std::mem::forget(unanswered);
        answer
    });
    let answer = running.await.map_err(|_| ApiError::new(Code::E0310, "the request failed in the middle"))?;
    let mut response = answer.response();
    response.headers_mut().remove(REPLAYED);
    Ok(response)
}

/// Frees the key of a request that never came to an answer.
struct Unanswered<'a> {
    api: &'a Api,
    name: &'a (Who, String),
    number: u64,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.api.replies.forget(self.name, self.number);
    }
}

fn key(value: &HeaderValue) -> Result<String, ApiError> {
    let text = value.to_str().unwrap_or("").trim().trim_matches('"');
    if text.is_empty() || text.len() > KEY_MAX {
        return Err(extract::wrong(format!("an `Idempotency-Key` has 1 to {KEY_MAX} visible characters")));
    }
    Ok(text.to_owned())
}

/// What makes two requests the same one.
fn print(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    let kind = parts.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    for part in [parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), kind] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    for (name, value) in parts.headers.iter().filter(|(name, _)| name.as_str().starts_with(HEADER_PREFIX)) {
        context.update(&(name.as_str().len() as u64).to_be_bytes());
        context.update(name.as_str().as_bytes());
        context.update(&(value.len() as u64).to_be_bytes());
        context.update(value.as_bytes());
    }
    context.update(body);
    let mut print = [0; 32];
    print.copy_from_slice(context.finish().as_ref());
    print
}

impl Store {
    fn claim(&self, name: &(Who, String), print: [u8; 32], now: Instant) -> Claim {
        let mut inner = self.lock();
        inner.expire(now);
        if let Some(entry) = inner.entries.get(name) {
            return match &entry.answer {
                _ if entry.print != print => {
                    Claim::Refused(ApiError::new(Code::E1509, "this key came before with another request"))
                }
                Some(answer) => Claim::Answered(Box::new(answer.clone())),
                None => Claim::Refused(ApiError::new(Code::E1510, "the first request with this key still runs")),
            };
        }
        if inner.entries.len() >= ENTRIES_MAX && !inner.forget_oldest() {
            return Claim::Refused(ApiError::new(Code::E1513, "too many requests with a key are under way"));
        }
        inner.last += 1;
        let number = inner.last;
        inner.entries.insert(name.clone(), Entry { number, print, answer: None });
        Claim::First(number)
    }

    fn finish(&self, name: &(Who, String), number: u64, answer: Answer) {
        if answer.error.as_ref().is_some_and(|error| error.retryable && error.effect == Effect::NotApplied) {
            return self.forget(name, number);
        }
        let mut inner = self.lock();
        let size = answer.body.len();
        let Some(entry) = inner.entries.get_mut(name).filter(|entry| entry.number == number) else { return };
        entry.answer = Some(answer);
        inner.bytes += size;
        inner.order.push_back((name.clone(), number));
        while inner.bytes > BYTES_MAX && inner.forget_oldest() {}
    }

    fn forget(&self, name: &(Who, String), number: u64) {
        let mut inner = self.lock();
        if inner.entries.get(name).is_some_and(|entry| entry.number == number && entry.answer.is_none()) {
            inner.entries.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn expire(&mut self, now: Instant) {
        while let Some((name, number)) = self.order.front() {
            let entry = self.entries.get(name).filter(|entry| entry.number == *number);
            let answer = entry.and_then(|entry| entry.answer.as_ref());
            if answer.is_some_and(|answer| now.saturating_duration_since(answer.at) < KEPT) {
                return;
            }
            self.forget_oldest();
        }
    }

    /// Forgets the oldest answer; `false` if there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some((name, number)) = self.order.pop_front() else { return false };
        if self.entries.get(&name).is_some_and(|entry| entry.number == number)
            && let Some(answer) = self.entries.remove(&name).and_then(|entry| entry.answer)
        {
            self.bytes -= answer.body.len();
        }
        true
    }
}

impl Answer {
    /// Takes a response apart. Answers to POST with a key are documents, never streams.
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let error = parts.extensions.get::<ApiError>().cloned();
        let body = to_bytes(body, BYTES_MAX).await.unwrap_or_default();
        Self { at: Instant::now(), status: parts.status, headers: parts.headers, body, error }
    }

    fn response(&self) -> Response {
        let mut response = (self.status, self.headers.clone(), self.body.clone()).into_response();
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        if let Some(error) = &self.error {
            response.extensions_mut().insert(error.clone());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str) -> (Who, String) {
        (Who::Token("app".into()), key.to_owned())
    }

    fn answer(body: &str, error: Option<ApiError>) -> Answer {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Answer { at: Instant::now(), status: StatusCode::OK, headers: HeaderMap::new(), body, error }
    }

    fn first(store: &Store, key: &str) -> u64 {
        match store.claim(&name(key), [0; 32], Instant::now()) {
            Claim::First(number) => number,
            other @ (Claim::Answered(_) | Claim::Refused(_)) => panic!("{key} is not free: {other:?}"),
        }
    }

    fn code(store: &Store, key: &str, print: u8) -> Option<Code> {
        match store.claim(&name(key), [print; 32], Instant::now()) {
            Claim::Refused(error) => Some(error.code),
            Claim::Answered(_) => None,
            Claim::First(_) => panic!("{key} is free"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_goes_through_its_life() {
        let store = Store::default();
        let number = first(&store, "k");
        assert_eq!(code(&store, "k", 0), Some(Code::E1510));
        assert_eq!(code(&store, "k", 1), Some(Code::E1509));
        store.finish(&name("k"), number, answer("done", None));
        assert_eq!(code(&store, "k", 0), None);
        assert_eq!(code(&store, "k", 1), Some(Code::E1509));
        tokio::time::advance(KEPT - Duration::from_secs(1)).await;
        assert_eq!(code(&store, "k", 0), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        first(&store, "k");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_done_and_may_work_later_may_be_tried_again() {
        let store = Store::default();
        let number = first(&store, "k");
        store.finish(&name("k"), number, answer("", Some(ApiError::new(Code::E0401, "no route"))));
        let number = first(&store, "k");
        store.finish(&name("k"), number, answer("", Some(ApiError::new(Code::E0403, "unknown"))));
        assert_eq!(code(&store, "k", 0), None, "what may have been done is not done again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_answers_make_room() {
        let store = Store::default();
        for key in 0..ENTRIES_MAX {
            let number = first(&store, &key.to_string());
            store.finish(&name(&key.to_string()), number, answer("x", None));
        }
        let number = first(&store, "new");
        assert_eq!(code(&store, "1", 0), None);
        store.finish(&name("new"), number, answer(&"y".repeat(BYTES_MAX), None));
        let kept = {
            let inner = store.lock();
            (inner.bytes, inner.entries.len())
        };
        assert_eq!(kept, (BYTES_MAX, 1));
        first(&store, "1");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_all_still_run_leave_no_room() {
        let store = Store::default();
        for key in 0..ENTRIES_MAX {
            first(&store, &key.to_string());
        }
        assert_eq!(code(&store, "new", 0), Some(Code::E1513));
        store.forget(&name("0"), 1);
        first(&store, "new");
    }
}
