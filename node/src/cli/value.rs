//! Values on the command line.

use std::{
    io::{self, Read as _},
    str::FromStr,
    time::Duration,
};

use proto_core::{
    id::NodeName,
    limits,
    pubsub::{Group, Pattern, Topic},
    rpc::ServiceName,
};

use crate::{
    config,
    errors::{Code, Exit, Problem},
};

/// A duration with unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text)
}

/// The name of a node.
pub(super) fn node(text: &str) -> Result<String, String> {
    NodeName::new(text).map(|name| name.as_str().to_owned()).map_err(|why| why.to_string())
}

/// A receiver: `NODE` or `NODE/CLIENT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receiver {
    /// The node.
    pub(super) node: String,
    /// The client there.
    pub(super) client: Option<String>,
}

impl FromStr for Receiver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (node, client) = match text.split_once('/') {
            Some((node, client)) => (node, Some(self::client(client)?)),
            None => (text, None),
        };
        Ok(Self { node: self::node(node)?, client })
    }
}

/// The name of a client.
pub(super) fn client(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a client name must not be empty".to_owned()),
        1..=limits::CLIENT_NAME_MAX => Ok(text.to_owned()),
        _ => Err(format!("a client name has at most {} bytes", limits::CLIENT_NAME_MAX)),
    }
}

/// A topic.
pub(super) fn topic(text: &str) -> Result<String, String> {
    Topic::new(text).map(|topic| topic.to_string()).map_err(|why| format!("a topic {why}"))
}

/// A pattern of topics.
pub(super) fn pattern(text: &str) -> Result<String, String> {
    Pattern::new(text).map(|pattern| pattern.to_string()).map_err(|why| format!("a pattern {why}"))
}

/// The name of a queue group.
pub(super) fn group(text: &str) -> Result<String, String> {
    Group::new(text).map(|group| group.to_string()).map_err(|why| format!("the name of a group {why}"))
}

/// The name of a service.
pub(super) fn service(text: &str) -> Result<String, String> {
    ServiceName::new(text).map(|name| name.to_string()).map_err(|why| why.to_string())
}

/// A header: `NAME:VALUE`.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        Some(_) | None => Err("write it as NAME:VALUE".to_owned()),
    }
}

/// A payload: the text itself, or standard input for `-`.
pub(super) fn body(text: String) -> Result<Vec<u8>, Problem> {
    if text != "-" {
        return Ok(text.into_bytes());
    }
    let mut body = Vec::new();
    let limit = limits::PAYLOAD_HARD_MAX as u64 + 1;
    match io::stdin().lock().take(limit).read_to_end(&mut body) {
        Ok(_) if body.len() as u64 == limit => {
            let what = format!("standard input has more than {} bytes", limits::PAYLOAD_HARD_MAX);
            Err(Problem::new(Code::E0404, Exit::Failed, what))
        }
        Ok(_) => Ok(body),
        Err(why) => Err(Problem::new(Code::E0411, Exit::Failed, format!("cannot read standard input: {why}"))),
    }
}

/// A number of links for people.
pub(super) fn hops(hops: u64) -> String {
    format!("{hops} hop{}", if hops == 1 { "" } else { "s" })
}

/// Microseconds for people.
pub(super) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_a_node_or_a_client_of_it() {
        assert_eq!("a".parse(), Ok(Receiver { node: "a".into(), client: None }));
        assert_eq!("a/b/c".parse(), Ok(Receiver { node: "a".into(), client: Some("b/c".into()) }));
        assert!("a/".parse::<Receiver>().is_err());
        assert!("a b".parse::<Receiver>().is_err());
    }

    #[test]
    fn times_are_short() {
        assert_eq!(micros(999), "999 us");
        assert_eq!(micros(31_250), "31.2 ms");
        assert_eq!(micros(2_345_678), "2.34 s");
    }
}
