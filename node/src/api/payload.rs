//! Payloads as JSON, and back. A payload that is JSON goes through unchanged, to the last digit; other text is a string;
//! anything else is base64.

use std::str;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use super::{extract, problem::ApiError};

/// How `content` stands for the bytes of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    /// It is the payload: the JSON text itself.
    #[default]
    Json,
    /// A string; the payload is its text.
    Text,
    /// A string; the payload is what it encodes.
    Base64,
}

/// The payload that a content stands for.
///
/// # Errors
/// The content is no string where one is needed, or no base64.
pub(super) fn encode(content: &RawValue, encoding: Encoding) -> Result<Bytes, ApiError> {
    let string = || {
        serde_json::from_str::<String>(content.get())
            .map_err(|_| extract::wrong("a payload whose `encoding` is `text` or `base64` must be a string"))
    };
    match encoding {
        Encoding::Json => Ok(Bytes::copy_from_slice(content.get().as_bytes())),
        Encoding::Text => Ok(Bytes::from(string()?)),
        Encoding::Base64 => {
            let bytes = STANDARD
                .decode(string()?)
                .map_err(|_| extract::wrong("the payload is not base64, as its `encoding` says"))?;
            Ok(Bytes::from(bytes))
        }
    }
}

/// The content that stands for a payload.
pub(super) fn decode(payload: &[u8]) -> (Box<RawValue>, Encoding) {
    let string = |text: &str, encoding| (to_raw_value(text).unwrap_or_else(|_| RawValue::NULL.to_owned()), encoding);
    match str::from_utf8(payload) {
        Ok(text) => match serde_json::from_str::<&RawValue>(text) {
            Ok(value) => (value.to_owned(), Encoding::Json),
            Err(_) => string(text, Encoding::Text),
        },
        Err(_) => string(&STANDARD.encode(payload), Encoding::Base64),
    }
}

/// A payload as a text: what it says, or base64 if it says nothing.
pub(super) fn text(payload: &[u8]) -> String {
    str::from_utf8(payload).map_or_else(|_| STANDARD.encode(payload), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_comes_back_as_it_was() {
        for payload in [&b"{\"a\": 1.0, \"a\": 12345678901234567890}"[..], b"hello", b"\"quoted\"", b"", b"\xff\x00"] {
            let (content, encoding) = decode(payload);
            assert_eq!(encode(&content, encoding).unwrap(), payload, "{content} {encoding:?}");
        }
    }

    #[test]
    fn a_content_that_is_no_string_is_refused_where_one_is_needed() {
        let number = RawValue::from_string("5".to_owned()).unwrap();
        assert!(encode(&number, Encoding::Text).is_err());
        assert!(encode(&number, Encoding::Base64).is_err());
        assert_eq!(encode(&number, Encoding::Json).unwrap(), "5");
    }
}
