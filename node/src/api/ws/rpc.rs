//! Calling services: `request` and `cancel`, and the `response` or `response_item`s that come of it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use io_tokio::{Balance, CallBuilder, CallError, Mesh, Provider, ReplyStream, Response};
use proto_core::limits::CALL_DEADLINE_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{direct::From, envelope, native};
use crate::{
    api::{
        Api, extract,
        held::{Held, mesh_name},
        payload::{self, Encoding},
        problem::ApiError,
        refusals::{self, CallFailed},
        talk::{Party, Said},
    },
    config::Verb,
    control::{CallWish, address},
};

/// A call that a client wants to make.
#[derive(Debug, Deserialize)]
struct Request {
    service: String,
    #[serde(default)]
    method: String,
    args: Option<Box<RawValue>>,
    /// How `args` stands for the payload.
    #[serde(default)]
    encoding: Encoding,
    /// The node that shall answer.
    node: Option<String>,
    /// Its client that shall answer.
    provider: Option<String>,
    balance: Option<Chosen>,
    timeout_ms: Option<u64>,
    /// Whether the answer may come in items.
    #[serde(default)]
    stream: bool,
    /// Calls of the same key run once.
    key: Option<String>,
}

/// How one of several providers is chosen.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Chosen {
    Nearest,
    RoundRobin,
    LeastPending,
}

/// A call that a client has made.
#[derive(Debug, Deserialize)]
struct Cancel<'a> {
    #[serde(borrow)]
    request_id: &'a RawValue,
}

/// Who has to say something about a call, and to whom.
#[derive(Debug)]
struct Caller {
    api: Arc<Api>,
    service: String,
    number: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct Answered<'a> {
    result: &'a RawValue,
    encoding: Encoding,
    provider: Option<From<'a>>,
}

/// Calls.
pub(super) fn call(
    party: &Party,
    id: &str,
    held: &mut Held,
    request: &envelope::Request<'_>,
    number: Option<Box<RawValue>>,
) -> Result<Said, ApiError> {
    let wish: Request = native::data(request)?;
    let service = mesh_name(&wish.service, &wish.method);
    party.caller.may(Verb::Call, &service)?;
    let call = wish.call(party, id, &service)?;
    let key = number.as_ref().map(|number| number.get().to_owned());
    let caller = Caller { api: Arc::clone(&party.api), service, number };
    let answers = if wish.stream { caller.items(call) } else { caller.one(call) };
    held.call(key.as_deref(), answers).map_err(|why| refusals::held(why, "a call of this number"))?;
    Ok(Said::Nothing)
}

/// Cancels a call that the client has made: it is answered with `cancelled`.
pub(super) fn cancel(
    held: &mut Held,
    request: &envelope::Request<'_>,
    number: Option<&RawValue>,
) -> Result<Said, ApiError> {
    let Cancel { request_id } = native::data(request)?;
    let found = held.cancel(request_id.get());
    let ack = envelope::message("ack", number, json!({ "request_id": request_id, "cancelled": found }));
    let mut say = vec![ack];
    if found {
        say.insert(0, envelope::message("cancelled", Some(request_id), json!({})));
    }
    Ok(Said::Replies(say))
}

impl Request {
    fn call(&self, party: &Party, id: &str, service: &str) -> Result<CallBuilder, ApiError> {
        if self.provider.is_some() && self.node.is_none() {
            return Err(extract::wrong("`provider` is a client of `node`, which is missing"));
        }
        if self.balance.is_some() && self.node.is_some() {
            return Err(extract::wrong("`balance` chooses one of several; leave it or `node` out"));
        }
        if self.stream && self.key.is_some() {
            return Err(extract::wrong("`key` is for calls with one answer"));
        }
        let payload = match &self.args {
            Some(args) => payload::encode(args, self.encoding)?,
            None => Bytes::new(),
        };
        let wish = CallWish {
            node: self.node.clone(),
            provider: self.provider.clone(),
            from_client: Some(id.to_owned()),
            ..CallWish::default()
        };
        let mut call = party.api.session.call(service, payload, wish);
        if let Some(deadline) = extract::millis(self.timeout_ms, CALL_DEADLINE_MAX)? {
            call = call.deadline(deadline);
        }
        if let Some(balance) = self.balance {
            call = call.balance(balance.balance());
        }
        if let Some(key) = &self.key {
            call = call.idempotency_key(key.clone());
        }
        Ok(call)
    }
}

impl Caller {
    /// One answer.
    fn one(self, call: CallBuilder) -> BoxStream<'static, String> {
        let answer = async move {
            match call.await {
                Ok(response) => self.response(&response),
                Err(why) => self.failed(why).await,
            }
        };
        stream::once(answer).boxed()
    }

    /// Items, then an answer. Nothing is taken of the reply that is not asked for here, and the handler waits.
    fn items(self, call: CallBuilder) -> BoxStream<'static, String> {
        let begin = State::Begin(Box::new(call));
        stream::unfold((self, begin, 0_u64), |(caller, state, index)| async move {
            let mut reply = match state {
                State::Begin(call) => match call.stream() {
                    Ok(reply) => Box::new(reply),
                    Err(why) => return Some((caller.failed(why).await, (caller, State::Over, index))),
                },
                State::Under(reply) => reply,
                State::Over => return None,
            };
            match reply.recv().await {
                Some(Ok(item)) => {
                    let text = caller.item(&item, index);
                    Some((text, (caller, State::Under(reply), index + 1)))
                }
                Some(Err(why)) => Some((caller.failed(why).await, (caller, State::Over, index))),
                None => {
                    let text = reply.response().map(|response| caller.response(response))?;
                    Some((text, (caller, State::Over, index)))
                }
            }
        })
        .boxed()
    }

    fn response(&self, response: &Response) -> String {
        let (result, encoding) = payload::decode(&response.payload);
        let node = response.provider.as_ref().map(|provider| node_of(&self.api.session.mesh, provider));
        let client = response.provider.as_ref().and_then(|provider| provider.client.as_deref());
        let provider = node.as_deref().map(|node| From { node, client });
        let data = Answered { result: &result, encoding, provider };
        envelope::message("response", self.number.as_deref(), data)
    }

    fn item(&self, item: &[u8], index: u64) -> String {
        let (item, encoding) = payload::decode(item);
        let data = json!({ "item": item, "encoding": encoding, "index": index });
        envelope::message("response_item", self.number.as_deref(), data)
    }

    async fn failed(&self, why: CallError) -> String {
        let failed = CallFailed::new(&self.api.session, why, &self.service).await;
        envelope::call_error(&failed, self.number.as_deref())
    }
}

/// Where a reply in items is.
enum State {
    Begin(Box<CallBuilder>),
    Under(Box<ReplyStream>),
    Over,
}

impl Chosen {
    const fn balance(self) -> Balance {
        match self {
            Self::Nearest => Balance::Nearest,
            Self::RoundRobin => Balance::RoundRobin,
            Self::LeastPending => Balance::LeastPending,
        }
    }
}

fn node_of(mesh: &Mesh, provider: &Provider) -> String {
    mesh.name_of(provider.node).map_or_else(|| address(provider.node), |name| name.to_string())
}
