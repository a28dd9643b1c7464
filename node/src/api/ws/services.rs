//! Serving calls: `register_service` and `unregister_service`, the `call`s that come of it, and `call_result` and
//! `call_item`, which answer them.

use std::sync::Arc;

use io_tokio::{AppError, Capacity, ItemError, Mesh, Meta, OpenRequest, ServeOptions, Stop};
use proto_core::{limits::SERVICE_CONCURRENCY_MAX, rpc::Field};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{direct::From, envelope, native};
use crate::{
    api::{
        extract,
        held::{Gain, Held, ItemRefused, Method, Offer, Unknown, mesh_name},
        payload::{self, Encoding},
        problem::ApiError,
        refusals,
        talk::{Outcome, Party, Said},
    },
    config::Verb,
    control::{address, refusal},
    errors::Code,
};

/// The code of an error for which a client gives none.
const SOME_ERROR: u32 = 1;

/// A service that a client offers.
#[derive(Debug, Deserialize)]
struct Register {
    service: String,
    /// Its methods; without any, the service itself is called.
    #[serde(default)]
    methods: Vec<MethodDoc>,
    /// What it says of itself, if it has no methods.
    #[serde(flatten)]
    about: About,
    /// Calls of each method that it takes at once.
    concurrency: Option<u32>,
    /// Calls of each method that wait beyond that.
    queue: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct MethodDoc {
    name: String,
    #[serde(flatten)]
    about: About,
}

/// What a method says of itself.
#[derive(Debug, Default, Deserialize)]
struct About {
    #[serde(default)]
    note: String,
    #[serde(default)]
    parameters: Vec<FieldDoc>,
    #[serde(default)]
    results: Vec<FieldDoc>,
}

#[derive(Debug, Deserialize)]
struct FieldDoc {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type", alias = "kind")]
    kind: String,
    #[serde(default)]
    note: String,
}

#[derive(Debug, Deserialize)]
struct Unregister {
    service: String,
}

/// An answer to a call.
#[derive(Debug, Deserialize)]
struct CallResult {
    call_id: u64,
    result: Option<Box<RawValue>>,
    #[serde(default)]
    encoding: Encoding,
    /// What went wrong, in the words of the client: a text, or a document.
    error: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct ErrorDoc {
    code: Option<u32>,
    message: String,
    data: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct CallItem {
    call_id: u64,
    item: Box<RawValue>,
    #[serde(default)]
    encoding: Encoding,
}

/// A call as its client is told of it.
#[derive(Debug, Serialize)]
struct CallDoc<'a> {
    call_id: u64,
    service: &'a str,
    method: &'a str,
    args: &'a RawValue,
    encoding: Encoding,
    caller: From<'a>,
    deadline_ms: u64,
    stream: bool,
}

/// Serves.
pub(super) fn register(
    party: &Party,
    id: &str,
    held: &mut Held,
    request: &envelope::Request<'_>,
    number: Option<Box<RawValue>>,
) -> Result<Said, ApiError> {
    let wish: Register = native::data(request)?;
    party.caller.may(Verb::Serve, &wish.service)?;
    let (service, options) = (wish.service.clone(), wish.options()?);
    let methods = wish.methods()?;
    let count = methods.len();
    let ticket = held.serve(&service, count).map_err(|why| refusals::held(why, &format!("a service `{service}`")))?;
    let (mesh, id) = (party.api.session.mesh.clone(), Arc::from(id));
    Ok(Said::Later(Box::pin(async move {
        match Offer::make(&mesh, &id, methods, options).await {
            Ok(offer) => {
                let data = json!({ "service": service, "methods": count });
                let say = Some(envelope::message("ack", number.as_deref(), data));
                Outcome { say, gain: Gain::Service(ticket, Some(offer)) }
            }
            Err(why) => {
                let say = Some(envelope::error(&refusal::serve(why, &service).into(), number.as_deref()));
                Outcome { say, gain: Gain::Service(ticket, None) }
            }
        }
    })))
}

/// Ends a service.
pub(super) fn unregister(
    held: &mut Held,
    request: &envelope::Request<'_>,
    number: Option<&RawValue>,
) -> Result<Said, ApiError> {
    let Unregister { service } = native::data(request)?;
    if !held.withdraw(&service) {
        return Err(extract::wrong(format!("there is no service `{service}` of this client")));
    }
    Ok(Said::Reply(envelope::message("ack", number, json!({ "service": service }))))
}

/// Answers a call.
pub(super) fn result(
    held: &mut Held,
    request: &envelope::Request<'_>,
    number: Option<&RawValue>,
) -> Result<Said, ApiError> {
    let CallResult { call_id, result, encoding, error } = native::data(request)?;
    let result = match (result, error) {
        (Some(_), Some(_)) => return Err(extract::wrong("either `result` or `error`")),
        (_, Some(error)) => Err(app_error(&error)?),
        (result, None) => Ok(payload::encode(&result.unwrap_or_else(|| RawValue::NULL.to_owned()), encoding)?),
    };
    let answered = held.given().and_then(|given| given.answer(call_id, result));
    answered.map_err(|Unknown| unknown(call_id))?;
    // Whoever gave a number waits for something.
    let ack = number.map(|number| envelope::message("ack", Some(number), json!({ "call_id": call_id })));
    Ok(ack.map_or(Said::Nothing, Said::Reply))
}

/// Sends an item of an answer.
pub(super) fn item(
    held: &mut Held,
    request: &envelope::Request<'_>,
    number: Option<Box<RawValue>>,
) -> Result<Said, ApiError> {
    let CallItem { call_id, item, encoding } = native::data(request)?;
    let payload = payload::encode(&item, encoding)?;
    let sent = held.given().map_err(|Unknown| ItemRefused::Unknown).and_then(|given| given.item(call_id, payload));
    let sent = sent.map_err(|why| match why {
        ItemRefused::Unknown => unknown(call_id),
        ItemRefused::NotStreaming => extract::wrong(format!("the caller of {call_id} takes no items")),
        ItemRefused::Full => {
            ApiError::new(Code::E0405, format!("the caller of {call_id} does not keep up; wait for each `ack`"))
        }
    })?;
    let Some(number) = number else { return Ok(Said::Nothing) };
    let answer = async move {
        match sent.await {
            Ok(Ok(())) => envelope::message("ack", Some(&number), json!({ "call_id": call_id })),
            Ok(Err(ItemError::NotTaken(why))) => {
                envelope::error(&ApiError::new(Code::E1502, why.to_string()), Some(&number))
            }
            Ok(Err(ItemError::Stopped(_) | ItemError::NodeStopped)) | Err(_) => {
                envelope::error(&unknown(call_id), Some(&number))
            }
        }
    };
    // It waits as long as the caller pleases: it must not hold up what the client says besides.
    held.answer_later(answer);
    Ok(Said::Nothing)
}

/// A call for the client.
pub(super) fn call(mesh: &Mesh, service: &str, call: &OpenRequest) -> String {
    let caller = call.caller();
    let node = mesh.name_of(caller.node).map_or_else(|| address(caller.node), |name| name.to_string());
    let (args, encoding) = payload::decode(call.payload());
    let method = call.service().as_str().strip_prefix(service).unwrap_or_default();
    let call = CallDoc {
        call_id: call.id().0,
        service,
        method: method.strip_prefix('.').unwrap_or(method),
        args: &args,
        encoding,
        caller: From { node: &node, client: caller.client.as_deref() },
        deadline_ms: u64::try_from(call.left().as_millis()).unwrap_or(u64::MAX),
        stream: call.is_streaming(),
    };
    envelope::message("call", None, call)
}

/// A call that needs no answer any more.
pub(super) fn stopped(number: u64, why: Stop) -> String {
    let reason = match why {
        Stop::Cancelled => "cancelled",
        Stop::DeadlinePassed => "deadline_passed",
        Stop::CallerRestarted => "caller_restarted",
    };
    envelope::message("call_cancelled", None, json!({ "call_id": number, "reason": reason }))
}

fn unknown(number: u64) -> ApiError {
    extract::wrong(format!("this client has no call {number} to answer"))
}

impl Register {
    fn options(&self) -> Result<ServeOptions, ApiError> {
        let mut capacity = Capacity::default();
        if let Some(concurrency) = self.concurrency {
            if !(1..=SERVICE_CONCURRENCY_MAX).contains(&concurrency) {
                return Err(extract::wrong(format!("`concurrency` must be from 1 to {SERVICE_CONCURRENCY_MAX}")));
            }
            capacity.concurrency = concurrency;
        }
        capacity.queue = self.queue.unwrap_or(capacity.queue);
        Ok(ServeOptions { capacity, ..ServeOptions::default() })
    }

    fn methods(self) -> Result<Vec<Method>, ApiError> {
        let Self { service, methods, about, .. } = self;
        if methods.is_empty() {
            return Ok(vec![Method { name: service, meta: about.meta() }]);
        }
        let method = |MethodDoc { name, about }: MethodDoc| {
            if name.is_empty() || name.contains('.') {
                return Err(extract::wrong(format!("a method has a name without dots, not `{name}`")));
            }
            Ok(Method { name: mesh_name(&service, &name), meta: about.meta() })
        };
        methods.into_iter().map(method).collect()
    }
}

impl About {
    fn meta(self) -> Meta {
        let fields = |fields: Vec<FieldDoc>| {
            let field = |FieldDoc { name, kind, note }| Field { name, kind, note };
            fields.into_iter().map(field).collect()
        };
        Meta { note: self.note, parameters: fields(self.parameters), results: fields(self.results) }
    }
}

fn app_error(said: &RawValue) -> Result<AppError, ApiError> {
    if let Ok(message) = serde_json::from_str::<String>(said.get()) {
        return Ok(AppError::new(SOME_ERROR, &message));
    }
    let error: ErrorDoc = serde_json::from_str(said.get()).map_err(|why| extract::wrong(format!("`error`: {why}")))?;
    let mut app = AppError::new(error.code.unwrap_or(SOME_ERROR), &error.message);
    if let Some(data) = error.data {
        app.payload = data.get().to_owned().into();
    }
    Ok(app)
}
