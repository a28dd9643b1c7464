//! The headers of publications. The mesh carries them as opaque bytes; programs that speak through a node mean names with
//! texts by them, written as a JSON object of strings.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

/// Names with texts, in order of name.
pub(crate) type Headers = BTreeMap<String, String>;

/// The bytes that stand for headers; none for none.
pub(crate) fn encode(headers: &Headers) -> Bytes {
    if headers.is_empty() {
        return Bytes::new();
    }
    // Strings can always be written.
    serde_json::to_vec(headers).unwrap_or_default().into()
}

/// The headers that bytes stand for; and the bytes as base64 if they stand for none.
pub(crate) fn decode(bytes: &[u8]) -> (Headers, Option<String>) {
    if bytes.is_empty() {
        return (Headers::new(), None);
    }
    match serde_json::from_slice(bytes) {
        Ok(headers) => (headers, None),
        Err(_) => (Headers::new(), Some(STANDARD.encode(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were_given() {
        let headers = Headers::from([("trace".to_owned(), "1-\"2\"".to_owned()), ("类".to_owned(), String::new())]);
        assert_eq!(decode(&encode(&headers)), (headers, None));
        assert_eq!((encode(&Headers::new()), decode(b"")), (Bytes::new(), (Headers::new(), None)));
    }

    #[test]
    fn what_is_no_names_with_texts_is_passed_on_as_it_is() {
        assert_eq!(decode(b"\xff{"), (Headers::new(), Some("/3s=".to_owned())));
        assert_eq!(decode(b"{\"a\":1}").1.as_deref(), Some("eyJhIjoxfQ=="));
    }
}
