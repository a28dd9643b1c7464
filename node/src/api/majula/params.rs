//! Parameters, wherever they stand: in a body of JSON or of a form, and in the query, which wins. Those of a form and of
//! the query are texts; one that comes several times is one text with spaces between.

use std::sync::Arc;

use axum::{
    Form,
    body::Body,
    extract::{FromRequest, FromRequestParts as _, Path, Query, Request},
    response::IntoResponse as _,
};
use proto_core::limits::CLIENT_NAME_MAX;
use serde_json::{Map, Value};

use crate::{
    api::{Api, auth::Caller, extract, problem::ApiError, server::Peer},
    config::Verb,
    errors::Code,
};

/// What a request says.
#[derive(Debug)]
pub(super) struct Params {
    /// Who says it.
    pub(super) caller: Caller,
    /// Where it comes from.
    pub(super) peer: Peer,
    /// The client that it names, or a name of its own.
    pub(super) client: String,
    /// Whether it names one.
    named: bool,
    all: Map<String, Value>,
}

impl FromRequest<Arc<Api>> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = parts.extensions.get::<Caller>().cloned().ok_or_else(crate::api::gate::no_peer)?;
        let peer = parts.extensions.get::<Peer>().copied().ok_or_else(crate::api::gate::no_peer)?;
        let target = Path::<String>::from_request_parts(&mut parts, api).await.ok().map(|Path(target)| target);
        let client = target.filter(|target| !target.is_empty());
        let named = client.is_some();
        let client = client.unwrap_or_else(|| format!("client-{}", api.fresh_id()));
        if client.len() > CLIENT_NAME_MAX {
            return Err(extract::wrong(format!("the name of a client has 1 to {CLIENT_NAME_MAX} bytes")));
        }
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let query = query.map_err(|why| extract::wrong(why.body_text()))?.0;
        let bytes = extract::body(body, api.config.limits.body).await?;
        let form = extract::media_type(&parts.headers).as_deref() == Some("application/x-www-form-urlencoded");
        let mut all = if form {
            let request = Request::from_parts(parts, Body::from(bytes));
            let pairs = Form::<Vec<(String, String)>>::from_request(request, api).await;
            let Form(pairs) = pairs.map_err(|why| {
                ApiError::new(Code::E1501, format!("the form cannot be read: {}", why.into_response().status()))
            })?;
            joined(pairs)
        } else if bytes.iter().all(u8::is_ascii_whitespace) {
            Map::new()
        } else {
            let object = serde_json::from_slice(&bytes);
            object.map_err(|why| ApiError::new(Code::E1501, format!("the body is no JSON object: {why}")))?
        };
        all.extend(joined(query));
        all.remove("token");
        Ok(Self { caller, peer, client, named, all })
    }
}

impl Params {
    /// A parameter as text; `None` if it is missing or empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.all.get(name)?).filter(|text| !text.is_empty())
    }

    /// Parameters that must be there.
    ///
    /// # Errors
    /// Which are not.
    pub(super) fn required<const N: usize>(&self, names: [&str; N]) -> Result<[String; N], ApiError> {
        let missing: Vec<_> = names.into_iter().filter(|name| self.text(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(extract::wrong(format!("missing required fields: {}", missing.join(", "))));
        }
        Ok(names.map(|name| self.text(name).unwrap_or_default()))
    }

    /// The arguments of a call: the object `args`, also as text, or else all parameters but `named`.
    ///
    /// # Errors
    /// `args` is no object.
    pub(super) fn arguments(&self, named: &[&str]) -> Result<Map<String, Value>, ApiError> {
        let invalid = || extract::wrong("invalid args JSON");
        match self.all.get("args") {
            None | Some(Value::Null) => {
                let rest = self.all.iter().filter(|(name, _)| !named.contains(&name.as_str()));
                Ok(rest.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            Some(Value::Object(args)) => Ok(args.clone()),
            Some(Value::String(text)) if text.is_empty() => Ok(Map::new()),
            Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| invalid()),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_)) => Err(invalid()),
        }
    }

    /// Whether the caller may do this.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn may(&self, verb: Verb, object: &str) -> Result<(), ApiError> {
        self.caller.may(verb, object)
    }

    /// Whether the caller may speak as its client. A name that was made up for it is nobody else's.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn may_speak(&self) -> Result<(), ApiError> {
        if self.named { self.may(Verb::Receive, &self.client) } else { Ok(()) }
    }
}

/// A value as text: texts as they are, `null` as nothing, the rest as JSON.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn joined(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in pairs {
        match all.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push(' ');
                before.push_str(&value);
            }
            _ => {
                all.insert(name, Value::String(value));
            }
        }
    }
    all
}
