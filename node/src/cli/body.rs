//! Payloads on standard output.

use std::fmt::Write as _;

use serde_json::Value;

/// A document with the payload that belongs to it: as text, or in hexadecimal digits if it is none.
pub(super) fn with(mut document: Value, body: &[u8]) -> Value {
    if let Value::Object(fields) = &mut document {
        match std::str::from_utf8(body) {
            Ok(text) => fields.insert("body".to_owned(), text.into()),
            Err(_) => fields.insert("body_hex".to_owned(), hex(body).into()),
        };
    }
    document
}

/// A payload for people. Control characters of a stranger's message must not reach the terminal.
pub(super) fn printable(body: &[u8]) -> String {
    let harmless = |c: char| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(body).chars().map(harmless).collect()
}

/// A node, or a client of it.
pub(super) fn party(node: &str, client: Option<&str>) -> String {
    client.map_or_else(|| node.to_owned(), |client| format!("{node}/{client}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_cannot_steer_the_terminal() {
        assert_eq!(printable(b"a\x1b[31m\tb\r\n"), "a\u{fffd}[31m\tb\u{fffd}\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_digits() {
        assert_eq!(with(serde_json::json!({}), b"\xff\0"), serde_json::json!({"body_hex": "ff00"}));
    }
}
