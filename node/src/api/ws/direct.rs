//! Messages from client to client, through any nodes.

use std::time::Duration;

use io_tokio::{Mesh, Message, SendOptions};
use proto_core::limits::MESSAGE_DEADLINE_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{envelope, native};
use crate::{
    api::{
        extract,
        payload::{self, Encoding},
        problem::ApiError,
        talk::{Outcome, Party, Said},
    },
    config::Verb,
    control::address,
};

/// What a client wants sent.
#[derive(Debug, Deserialize)]
struct Wish {
    /// `node/client`, or a client of this node.
    target_id: Option<String>,
    /// The node, in place of `target_id`.
    node: Option<String>,
    /// The client there.
    client: Option<String>,
    /// The payload.
    content: Box<RawValue>,
    /// How `content` stands for it.
    #[serde(default)]
    encoding: Encoding,
    /// How long it may take.
    timeout_ms: Option<u64>,
}

/// What a client is told of a message for it.
#[derive(Debug, Serialize)]
struct Told<'a> {
    content: &'a RawValue,
    encoding: Encoding,
    sender_id: &'a str,
    from: From<'a>,
    seq: u64,
}

/// A node, or a client of it.
#[derive(Debug, Serialize)]
pub(super) struct From<'a> {
    /// The node.
    pub(super) node: &'a str,
    /// Its client; `None`: the node itself.
    pub(super) client: Option<&'a str>,
}

/// Sends.
pub(super) fn send(
    party: &Party,
    id: &str,
    request: &envelope::Request<'_>,
    number: Option<Box<RawValue>>,
) -> Result<Said, ApiError> {
    let wish: Wish = native::data(request)?;
    let (node, client) = wish.receiver(party.api.session.mesh.name().as_str())?;
    let receiver = client.as_ref().map_or_else(|| node.clone(), |client| format!("{node}/{client}"));
    party.caller.may(Verb::Send, &receiver)?;
    let deadline: Option<Duration> = extract::millis(wish.timeout_ms, MESSAGE_DEADLINE_MAX)?;
    let payload = payload::encode(&wish.content, wish.encoding)?;
    let options = SendOptions { client: client.map(Into::into), from_client: Some(id.into()), deadline };
    let session = std::sync::Arc::clone(&party.api.session);
    Ok(Said::Later(Box::pin(async move {
        let sent = session.send(&node, payload, options).await;
        Outcome::from(match sent {
            Ok(receipt) => {
                let data = json!({ "target_id": receipt.id, "outcome": receipt.outcome });
                envelope::message("ack", number.as_deref(), data)
            }
            Err(problem) => envelope::error(&problem.into(), number.as_deref()),
        })
    })))
}

/// A message for the client.
pub(super) fn told(mesh: &Mesh, message: &Message) -> String {
    let node = mesh.name_of(message.from).map_or_else(|| address(message.from), |name| name.to_string());
    let client = message.from_client.as_deref();
    let sender = client.map_or_else(|| node.clone(), |client| format!("{node}/{client}"));
    let (content, encoding) = payload::decode(&message.payload);
    let from = From { node: &node, client };
    let told = Told { content: &content, encoding, sender_id: &sender, from, seq: message.seq.0 };
    envelope::message("direct_message", None, told)
}

impl Wish {
    /// The node and the client that it is for.
    fn receiver(&self, here: &str) -> Result<(String, Option<String>), ApiError> {
        match (&self.target_id, &self.node) {
            (Some(target), None) if self.client.is_none() => Ok(match target.split_once('/') {
                Some((node, client)) => (node.to_owned(), Some(client.to_owned())),
                None => (here.to_owned(), Some(target.clone())),
            }),
            (None, Some(node)) => Ok((node.clone(), self.client.clone())),
            (Some(_) | None, Some(_) | None) => {
                Err(extract::wrong("the receiver is either `target_id`, or `node` and perhaps `client`"))
            }
        }
    }
}
