//! Serving calls: `REGISTER_RPC`, `UNREGISTER_RPC`, `RPC_CALL_FROM_REMOTE`, and `RETURN_RESULT`, which may come without its
//! method.

use std::sync::Arc;

use io_tokio::{Meta, OpenRequest, ServeOptions};
use proto_core::rpc::Field;
use serde_json::{Map, Value, json};

use super::{names, package::Package, params, topics};
use crate::{
    api::{
        extract,
        held::{Gain, Held, Method, Offer, Unknown},
        problem::ApiError,
        refusals,
        talk::{Outcome, Party, Said},
    },
    config::Verb,
    control::refusal,
};

/// Serves a function. A second time changes what it says of itself, if that is said again.
pub(super) fn register(party: &Party, id: &str, held: &mut Held, package: &Package) -> Result<Said, ApiError> {
    party.caller.may(Verb::Serve, id)?;
    let fun = named(package)?;
    let mut ticket = held.serve(fun, 1);
    if ticket == Err(refusals::Refused::Double) {
        let Some(_) = package.args.as_ref().filter(|args| !args.is_empty()) else {
            return Ok(package.done(json!({ "fun": fun })).into());
        };
        held.withdraw(fun);
        ticket = held.serve(fun, 1);
    }
    let ticket = ticket.map_err(|why| refusals::held(why, "another function"))?;
    let method = Method { name: names::service(id, fun), meta: meta(package.args.as_ref()) };
    let (mesh, id, asked) = (party.api.session.mesh.clone(), Arc::from(id), package.clone());
    Ok(Said::Later(Box::pin(async move {
        let service = method.name.clone();
        match Offer::make(&mesh, &id, vec![method], ServeOptions::default()).await {
            Ok(offer) => {
                let say = asked.done(json!({ "fun": asked.fun })).map(|answer| answer.text());
                Outcome { say, gain: Gain::Service(ticket, Some(offer)) }
            }
            Err(why) => {
                let say = Some(asked.failed(&refusal::serve(why, &service).into()).text());
                Outcome { say, gain: Gain::Service(ticket, None) }
            }
        }
    })))
}

/// Ends a function; to end none is no mistake.
pub(super) fn unregister(held: &mut Held, package: &Package) -> Result<Said, ApiError> {
    let fun = named(package)?;
    held.withdraw(fun);
    Ok(package.done(json!({ "fun": fun })).into())
}

/// Answers a call.
pub(super) fn result(held: &mut Held, package: &Package) -> Result<Said, ApiError> {
    let unknown = || extract::wrong(format!("this client has no call {} to answer", package.invokeid));
    let number = u64::try_from(package.invokeid).map_err(|_| unknown())?;
    let result = package.result.clone().unwrap_or_default().to_string();
    let answered = held.given().and_then(|given| given.answer(number, Ok(result.into())));
    answered.map_err(|Unknown| unknown())?;
    Ok(Said::Nothing)
}

/// A call for the client.
pub(super) fn call(function: &str, call: &OpenRequest) -> String {
    let package = Package {
        method: "RPC_CALL_FROM_REMOTE".to_owned(),
        fun: function.to_owned(),
        args: Some(topics::args(call.payload())),
        invokeid: i64::try_from(call.id().0).unwrap_or(i64::MAX),
        ..Package::default()
    };
    package.text()
}

fn named(package: &Package) -> Result<&str, ApiError> {
    if package.fun.is_empty() { Err(extract::wrong("missing fun")) } else { Ok(&package.fun) }
}

/// What a function says of itself.
fn meta(args: Option<&Map<String, Value>>) -> Meta {
    let said = |map: &Map<String, Value>, name: &str| map.get(name).and_then(params::text).unwrap_or_default();
    let field = |value: &Value| {
        let map = value.as_object()?;
        Some(Field { name: said(map, "name"), kind: said(map, "type"), note: said(map, "note") })
    };
    let fields = |args: &Map<String, Value>, name: &str| {
        args.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(field).collect()
    };
    args.map_or_else(Meta::default, |args| Meta {
        note: said(args, "note"),
        parameters: fields(args, "parameters"),
        results: fields(args, "results"),
    })
}
