//! What goes over the wire: one object per message, `{message_id, message_type, data}` from the client, and
//! `{message_id: 0, message_type, request_id, timestamp, data}` to it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    api::{
        problem::{ApiError, Effect},
        refusals::{CallFailed, ProgressDoc},
    },
    clock,
    errors::{Code, HandlerError, Lang},
};

/// Largest number that every client can read exactly.
const NUMBER_MAX: u64 = 1 << 53;
/// Longest number that is a text, in bytes.
const TEXT_MAX: usize = 128;

/// A message of the client.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    /// What its answer is to be called.
    #[serde(borrow, default)]
    pub(super) message_id: Option<&'a RawValue>,
    /// What it asks for.
    pub(super) message_type: String,
    /// The rest.
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
}

/// A message to the client.
#[derive(Debug, Serialize)]
struct Reply<'a, T> {
    message_id: u8,
    message_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a RawValue>,
    timestamp: u64,
    data: T,
}

/// What an error says.
#[derive(Debug, Serialize)]
struct Failure<'a> {
    code: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a RawValue>,
    details: Details<'a>,
}

#[derive(Debug, Serialize)]
struct Details<'a> {
    error: Code,
    retryable: bool,
    outcome: Effect,
    #[serde(skip_serializing_if = "str::is_empty")]
    hint: &'a str,
    /// What the handler of a call said.
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a HandlerError>,
    /// How far a call got.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<&'a ProgressDoc>,
}

impl Request<'_> {
    /// The number, to be echoed as it was given.
    ///
    /// # Errors
    /// It is neither a whole number that every client can read, nor a short text.
    pub(super) fn number(&self) -> Result<Option<Box<RawValue>>, ApiError> {
        let Some(id) = self.message_id else { return Ok(None) };
        let whole = serde_json::from_str::<u64>(id.get()).is_ok_and(|number| number <= NUMBER_MAX);
        let text = || serde_json::from_str::<String>(id.get()).is_ok_and(|text| text.len() <= TEXT_MAX);
        if id.get() == "null" {
            return Ok(None);
        }
        if whole || text() {
            return Ok(Some(id.to_owned()));
        }
        Err(ApiError::new(Code::E1502, "`message_id` is a whole number up to 2^53, or a text"))
    }
}

/// A message to the client, as text.
pub(super) fn message(kind: &str, request_id: Option<&RawValue>, data: impl Serialize) -> String {
    let timestamp = u64::try_from(clock::wall().as_millis()).unwrap_or(u64::MAX);
    let reply = Reply { message_id: 0, message_type: kind, request_id, timestamp, data };
    // It is made of texts and numbers, which JSON can say.
    serde_json::to_string(&reply).unwrap_or_default()
}

/// An error, as text.
pub(super) fn error(error: &ApiError, request_id: Option<&RawValue>) -> String {
    failure(error, None, None, request_id)
}

/// The failure of a call, as text.
pub(super) fn call_error(failed: &CallFailed, request_id: Option<&RawValue>) -> String {
    failure(&failed.error, failed.handler.as_ref(), failed.progress.as_ref(), request_id)
}

fn failure(
    error: &ApiError,
    handler: Option<&HandlerError>,
    progress: Option<&ProgressDoc>,
    request_id: Option<&RawValue>,
) -> String {
    let details = Details {
        error: error.code,
        retryable: error.retryable,
        outcome: error.effect,
        hint: error.what_to_try(Lang::En),
        handler,
        progress,
    };
    let failure = Failure { code: number(error.code), message: &error.detail, request_id, details };
    message("error", request_id, failure)
}

/// The numbers that GoHub has. What has none is a failure of the server.
const NUMBERS: &[(Code, u16)] = &[
    (Code::E1501, 1001),
    (Code::E1502, 1001),
    (Code::E0411, 1001),
    (Code::E0415, 1001),
    (Code::E0508, 1001),
    (Code::E0403, 1004),
    (Code::E0504, 1004),
    (Code::E0507, 1004),
    (Code::E1508, 1005),
    (Code::E1516, 2001),
    (Code::E1515, 2003),
    (Code::E0402, 4000),
    (Code::E0502, 4000),
    (Code::E0401, 4001),
    (Code::E0404, 4002),
    (Code::E1507, 4002),
];

fn number(code: Code) -> u16 {
    NUMBERS.iter().find(|(known, _)| *known == code).map_or(1003, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_echoed_as_they_were_given() {
        for id in ["7", "9007199254740992", "\"a-1\""] {
            let text = format!("{{\"message_id\":{id},\"message_type\":\"ping\"}}");
            assert_eq!(request(&text).number().unwrap().unwrap().get(), id);
        }
        for id in ["1.5", "-1", "9007199254740993", "[]", "{}"] {
            let text = format!("{{\"message_id\":{id},\"message_type\":\"ping\"}}");
            assert!(request(&text).number().is_err(), "{id}");
        }
        assert!(request("{\"message_type\":\"ping\"}").number().unwrap().is_none());
    }

    #[test]
    fn an_error_carries_both_codes() {
        let id = RawValue::from_string("8".to_owned()).unwrap();
        let text = error(&ApiError::new(Code::E1516, "no"), Some(&id));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["message_type"], value["request_id"].as_u64()), (&"error".into(), Some(8)));
        assert_eq!(value["data"]["code"], 2001);
        assert_eq!(value["data"]["details"]["error"], "E1516");
        assert_eq!(value["data"]["details"]["outcome"], "not_applied");
        assert!(value["data"]["details"]["hint"].as_str().unwrap().contains("`allow`"));
    }
}
