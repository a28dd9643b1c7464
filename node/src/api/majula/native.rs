//! What each package of a client means.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use futures_util::future::BoxFuture;
use io_tokio::{Mesh, Message, OpenRequest, Publication, SendOptions, Stop};
use serde_json::{Map, Value, json};

use super::{later, package::Package, rpc, services, topics};
use crate::{
    api::{
        auth::Caller,
        clients::{Client, Present},
        extract,
        held::Held,
        payload,
        problem::ApiError,
        talk::{Farewell, Language, Party, Said},
        texts::Tongue,
    },
    config::Verb,
    control::address,
    errors::Code,
};

/// A client of Majula's protocol.
#[derive(Debug)]
pub(super) struct Native {
    party: Party,
    id: String,
}

impl Native {
    /// A client that is present under a name.
    pub(super) const fn new(party: Party, id: String) -> Self {
        Self { party, id }
    }

    fn dispatch(&self, held: &mut Held, package: &Package) -> Said {
        let (party, id) = (&self.party, self.id.as_str());
        let result = match package.method.as_str() {
            // The name in the address of the socket is what counts.
            "REGISTER_CLIENT" => Ok(package.done(json!({ "client_id": id })).into()),
            "HEARTBEAT" => Ok(package.done(json!({ "status": "ok" })).into()),
            "QUIT" => Ok(Said::Leave(Farewell::Quit)),
            "SEND" => self.send(package),
            "SUBSCRIBE" => topics::subscribe(party, id, held, package),
            "UNSUBSCRIBE" => topics::unsubscribe(held, package),
            "PUBLISH" => topics::publish(party, id, package),
            "REGISTER_RPC" => services::register(party, id, held, package),
            "UNREGISTER_RPC" => services::unregister(held, package),
            "RPC" => rpc::call(party, id, held, package),
            "RETURN_RESULT" | "" => services::result(held, package),
            method => Err(match later::METHODS.iter().find(|(known, ..)| *known == method) {
                Some((.., what)) => later::not_yet(what),
                None => extract::wrong(format!("there is no method `{method}`")),
            }),
        };
        result.unwrap_or_else(|error| Said::Reply(package.failed(&error).text()))
    }

    fn send(&self, package: &Package) -> Result<Said, ApiError> {
        let [node, client] = package.required(["target_node", "target_client"])?;
        // An empty message is one, too.
        let content = package.args.as_ref().and_then(|args| args.get("content"));
        let content = content.ok_or_else(|| extract::wrong("missing args: content"))?;
        let content = super::params::text(content).unwrap_or_default();
        extract::node_name(&node)?;
        self.party.caller.may(Verb::Send, &format!("{node}/{client}"))?;
        let options = SendOptions {
            client: Some(client.as_str().into()),
            from_client: Some(self.id.as_str().into()),
            deadline: None,
        };
        let (session, asked) = (Arc::clone(&self.party.api.session), package.clone());
        Ok(Said::Later(Box::pin(async move {
            let say = match session.send(&node, content.into(), options).await {
                Ok(_) => {
                    let result = json!({ "status": "sent", "target_node": node, "target_client": client });
                    asked.done(result).map(|answer| answer.text())
                }
                Err(problem) => Some(asked.failed(&problem.into()).text()),
            };
            say.into()
        })))
    }
}

impl Language for Native {
    fn heard(&mut self, held: &mut Held, text: &str) -> Said {
        match serde_json::from_str::<Package>(text) {
            Ok(package) => self.dispatch(held, &package),
            Err(why) => {
                let error = ApiError::new(Code::E1501, format!("the package makes no sense: {why}"));
                Said::Reply(Package::default().failed(&error).text())
            }
        }
    }

    fn binary(&mut self) -> Said {
        let error = ApiError::new(Code::E1501, "packages are text");
        Said::Reply(Package::default().failed(&error).text())
    }

    fn message(&mut self, message: &Message) -> String {
        private_message(&self.party.api.session.mesh, message).text()
    }

    fn missed(&mut self, _messages: u64) -> Option<String> {
        // Its clients know no such package.
        None
    }

    fn publication(&mut self, subscription: &str, publication: &Arc<Publication>) -> Utf8Bytes {
        let write = || topics::told("SUB_RESULT", subscription, publication);
        self.party.api.texts.get(Tongue::Majula, subscription, publication, write)
    }

    fn call(&mut self, service: &str, call: &OpenRequest) -> String {
        services::call(service, call)
    }

    fn stopped(&mut self, _number: u64, _why: Stop) -> Option<String> {
        // Its clients know nothing of that; what they answer is too late.
        None
    }

    fn enter(&mut self, _caller: Caller) -> BoxFuture<'static, Result<Present, ApiError>> {
        // Its clients show their token before there is a socket.
        Box::pin(async { Err(extract::wrong("the token belongs into the address")) })
    }

    fn entered(&mut self, _result: Result<&Client, ApiError>) -> String {
        Package::default().failed(&extract::wrong("the token belongs into the address")).text()
    }

    fn farewell(&mut self, why: Farewell) -> (Option<String>, u16, &'static str) {
        let (code, reason, error) = match why {
            Farewell::Quit => return (None, 1000, "goodbye"),
            Farewell::Silent => return (None, 4001, "no answer to a ping"),
            Farewell::Draining => (1001, "the node is draining", Code::E0407),
            Farewell::Slow => (4008, "too slow", Code::E1514),
            Farewell::TooFast => (4029, "too many messages", Code::E1508),
            Farewell::TooLarge => (4413, "the message is too large", Code::E1507),
            Farewell::Unknown => (4401, "no valid token", Code::E1515),
            Farewell::Replaced => (4409, "another client of this name has come", Code::E0413),
        };
        let last = Package { method: "DISCONNECT".to_owned(), ..Package::default() };
        (Some(last.failed(&ApiError::new(error, reason)).text()), code, reason)
    }
}

/// A message for a client.
pub(super) fn private_message(mesh: &Mesh, message: &Message) -> Package {
    let node = mesh.name_of(message.from).map_or_else(|| address(message.from), |name| name.to_string());
    let mut args = Map::new();
    args.insert("source_node".to_owned(), node.into());
    if let Some(client) = &message.from_client {
        args.insert("source_client".to_owned(), Value::from(&**client));
    }
    args.insert("message".to_owned(), payload::text(&message.payload).into());
    Package { method: "PRIVATE_MESSAGE".to_owned(), args: Some(args), ..Package::default() }
}
