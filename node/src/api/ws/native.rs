//! What each message of a client means.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use futures_util::future::BoxFuture;
use io_tokio::{Message, OpenRequest, Publication, Stop};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{direct, envelope, rpc, services, topics};
use crate::{
    api::{
        auth::Caller,
        clients::{Client, Kind, Present},
        extract, gate,
        held::Held,
        problem::ApiError,
        socket::PING,
        talk::{Farewell, Language, Party, Said},
        texts::Tongue,
    },
    clock,
    config::Verb,
    errors::Code,
};

/// How long a client that is sent away waits before it comes back, in milliseconds.
const AFTER_MS: u64 = 1_000;

/// A client of the native protocol.
#[derive(Debug)]
pub(super) struct Native {
    party: Party,
    id: String,
    /// The number of the request that showed a token.
    entering: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct Token {
    token: String,
}

impl Native {
    /// A client that is, or wants to be, present under a name.
    pub(super) const fn new(party: Party, id: String) -> Self {
        Self { party, id, entering: None }
    }

    /// The first message to it.
    pub(super) fn hello(&self) -> String {
        let session = &self.party.api.session;
        let data = json!({
            "node": session.mesh.name(),
            "client_id": self.id,
            "authenticated": !self.party.caller.is_stranger(),
            "ping_interval_ms": u64::try_from(PING.as_millis()).unwrap_or(u64::MAX),
            "max_message": self.party.api.config.limits.message,
            "server_time": clock::rfc3339(clock::wall()),
        });
        envelope::message("hello", None, data)
    }

    fn dispatch(
        &mut self,
        held: &mut Held,
        request: &envelope::Request<'_>,
        number: Option<Box<RawValue>>,
    ) -> Result<Said, ApiError> {
        let (party, id) = (&self.party, self.id.as_str());
        let kind = request.message_type.as_str();
        match kind {
            "ping" => Ok(Said::Reply(pong(request, number.as_deref()))),
            "authenticate" | "refresh_token" => self.authenticate(request, number),
            _ if self.party.caller.is_stranger() => Err(gate::unknown(None)),
            "direct_message" => direct::send(party, id, request, number),
            "subscribe" => topics::subscribe(party, id, held, request, number),
            "unsubscribe" => topics::unsubscribe(held, request, number.as_deref()),
            "publish" => topics::publish(party, id, request, number),
            "request" => rpc::call(party, id, held, request, number),
            "cancel" => rpc::cancel(held, request, number.as_deref()),
            "register_service" => services::register(party, id, held, request, number),
            "unregister_service" => services::unregister(held, request, number.as_deref()),
            "call_result" => services::result(held, request, number.as_deref()),
            "call_item" => services::item(held, request, number),
            "resume" => Err(not_yet("resuming")),
            "join_room" | "leave_room" | "create_room" | "delete_room" | "room_message" | "room_members"
            | "room_history" => Err(not_yet("the hub")),
            _ => Err(extract::wrong(format!("there is no `{kind}`"))),
        }
    }

    fn authenticate(
        &mut self,
        request: &envelope::Request<'_>,
        number: Option<Box<RawValue>>,
    ) -> Result<Said, ApiError> {
        let Token { token } = data(request)?;
        let Some(caller) = self.party.api.tokens.bearer(&token) else {
            // One guess for each connection.
            return Ok(Said::Leave(Farewell::Unknown));
        };
        caller.may(Verb::Receive, &self.id)?;
        self.entering = number;
        self.party.caller = caller.clone();
        Ok(Said::Enter(caller))
    }
}

impl Language for Native {
    fn heard(&mut self, held: &mut Held, text: &str) -> Said {
        let request = match serde_json::from_str::<envelope::Request<'_>>(text) {
            Ok(request) => request,
            Err(why) => {
                let error = ApiError::new(Code::E1501, format!("the message makes no sense: {why}"));
                return Said::Reply(envelope::error(&error, None));
            }
        };
        let number = match request.number() {
            Ok(number) => number,
            Err(error) => return Said::Reply(envelope::error(&error, None)),
        };
        let echo = number.clone();
        self.dispatch(held, &request, number)
            .unwrap_or_else(|error| Said::Reply(envelope::error(&error, echo.as_deref())))
    }

    fn binary(&mut self) -> Said {
        Said::Reply(envelope::error(&ApiError::new(Code::E1501, "messages are text"), None))
    }

    fn message(&mut self, message: &Message) -> String {
        direct::told(&self.party.api.session.mesh, message)
    }

    fn missed(&mut self, messages: u64) -> Option<String> {
        Some(envelope::message("missed", None, json!({ "messages": messages })))
    }

    fn publication(&mut self, subscription: &str, publication: &Arc<Publication>) -> Utf8Bytes {
        let api = &self.party.api;
        let write = || topics::told(&api.session.mesh, subscription, publication);
        api.texts.get(Tongue::Native, subscription, publication, write)
    }

    fn call(&mut self, service: &str, call: &OpenRequest) -> String {
        services::call(&self.party.api.session.mesh, service, call)
    }

    fn stopped(&mut self, number: u64, why: Stop) -> Option<String> {
        Some(services::stopped(number, why))
    }

    fn enter(&mut self, caller: Caller) -> BoxFuture<'static, Result<Present, ApiError>> {
        let (api, id, peer) = (Arc::clone(&self.party.api), self.id.clone(), self.party.peer);
        Box::pin(async move { Present::new(&api, &id, Kind::Native, peer, &caller).await })
    }

    fn entered(&mut self, result: Result<&Client, ApiError>) -> String {
        let number = self.entering.take();
        match result {
            Ok(client) => {
                let who = self.party.caller.name();
                let permissions: Vec<_> = self.party.caller.permissions().collect();
                let data = json!({
                    "user_id": who,
                    "username": who,
                    "client_id": client.id,
                    "permissions": permissions,
                    "expires_at": null,
                });
                envelope::message("authenticated", number.as_deref(), data)
            }
            Err(why) => {
                self.party.caller = Caller::stranger(self.party.peer.ip());
                envelope::error(&why, number.as_deref())
            }
        }
    }

    fn farewell(&mut self, why: Farewell) -> (Option<String>, u16, &'static str) {
        let (code, reason, error) = match why {
            Farewell::Quit => return (None, 1000, "goodbye"),
            Farewell::Draining => (4000, "the node is draining", Code::E0407),
            Farewell::Silent => return (None, 4001, "no answer to a ping"),
            Farewell::Slow => (4008, "too slow", Code::E1514),
            Farewell::TooFast => (4029, "too many messages", Code::E1508),
            Farewell::TooLarge => (4413, "the message is too large", Code::E1507),
            Farewell::Unknown => (4401, "no valid token", Code::E1515),
            Farewell::Replaced => (4409, "another client of this name has come", Code::E0413),
        };
        let reconnect = code < 4_400;
        let data = json!({
            "code": code,
            "reason": reason,
            "error": error,
            "reconnect": reconnect,
            "after_ms": reconnect.then_some(AFTER_MS),
            "to": [],
        });
        (Some(envelope::message("disconnect", None, data)), code, reason)
    }
}

/// The data of a request.
pub(super) fn data<'a, T: Deserialize<'a>>(request: &envelope::Request<'a>) -> Result<T, ApiError> {
    let text = request.data.map_or("{}", RawValue::get);
    serde_json::from_str(text).map_err(|why| extract::wrong(format!("`data` of `{}`: {why}", request.message_type)))
}

/// The refusal of what this version does not have yet.
pub(super) fn not_yet(what: &str) -> ApiError {
    ApiError::new(Code::E1512, format!("{what} is not available in this version"))
}

fn pong(request: &envelope::Request<'_>, number: Option<&RawValue>) -> String {
    let ts = data::<serde_json::Value>(request).ok().and_then(|data| data.get("ts").cloned());
    let now = u64::try_from(clock::wall().as_millis()).unwrap_or(u64::MAX);
    envelope::message("pong", number, json!({ "ts": ts, "server_ts": now }))
}
