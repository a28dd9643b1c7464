//! `api`: the listener for programs.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{
    Reader, scalar,
    secret::{Weak, secret},
    section::{self, Section},
};
use crate::{
    config::{
        Api, ApiLimits, ApiMajula, ApiToken, Diagnostic, MajulaToken, Permission, SlowClient, SlowPolicy, Span,
        text::{Kind, Node},
    },
    errors::Code,
};

/// Most addresses to listen at.
const LISTEN_MAX: usize = 16;
/// Most tokens, permissions of a token, and origins.
const LIST_MAX: usize = 1_024;

pub(super) fn decode(mut section: Section<'_>, reader: &mut Reader<'_>) -> Api {
    let listen = listen(&mut section, reader);
    let tokens = tokens(section.list(reader, "tokens"), reader);
    let [cors, origins] = [("cors", "api.cors"), ("origins", "api.origins")].map(|(key, path)| {
        let items = section.list(reader, key);
        let items = section::no_more_than(LIST_MAX, items, path, reader);
        items.iter().filter_map(|item| section::scalar(item, path, reader, origin)).collect()
    });
    let limits = limits(section.section(reader, "limits"), reader);
    let slow_client = slow_client(section.section(reader, "slow_client"), reader);
    let majula = majula(section.section(reader, "majula"), reader);
    section.finish(reader);
    for (addr, span) in listen.iter().filter(|(addr, _)| !addr.ip().is_loopback()) {
        if majula.enabled && majula.token == MajulaToken::Optional {
            let what = format!("whoever reaches {addr} may use `/majula` without a token");
            let help = "api: { majula: { token: required }, tokens: [ { name: app, secret: { file: PATH }, allow: [\"*\"] } ] }";
            reader.report(optional_span(Diagnostic::warning(Code::W0202, what), *span).help(help).hidden());
        } else if tokens.is_empty() {
            let what = "open to other machines, but `api.tokens` is empty";
            let diagnostic = Diagnostic::error(Code::E0128, what).label("use 127.0.0.1, or add a token");
            reader.report(optional_span(diagnostic, *span));
        }
    }
    let listen = listen.into_iter().map(|(addr, _)| addr).collect();
    Api { listen, tokens, cors, origins, limits, slow_client, majula }
}

fn optional_span(diagnostic: Diagnostic, span: Option<Span>) -> Diagnostic {
    match span {
        Some(span) => diagnostic.at(span),
        None => diagnostic,
    }
}

/// One address, or a list of them; an empty text or list: none.
fn listen(section: &mut Section<'_>, reader: &mut Reader<'_>) -> Vec<(SocketAddr, Option<Span>)> {
    let default = || Api::default().listen.into_iter().map(|addr| (addr, None)).collect();
    let Some(node) = section.node(reader, "listen") else { return default() };
    let items = match &node.kind {
        Kind::Scalar { text, .. } if text.is_empty() => &[],
        Kind::List(items) => section::no_more_than(LISTEN_MAX, items, "api.listen", reader),
        Kind::Scalar { .. } | Kind::Null | Kind::Section(_) => std::slice::from_ref(node),
    };
    let mut found: Vec<(SocketAddr, Option<Span>)> = Vec::new();
    for item in items {
        let Some(addr) = section::scalar(item, "api.listen", reader, scalar::socket_addr) else { continue };
        if addr.port() != 0 && found.iter().any(|(other, _)| *other == addr) {
            reader.report(Diagnostic::error(Code::E0122, "this address is listed twice").at(item.span));
        } else {
            found.push((addr, Some(item.span)));
        }
    }
    found
}

fn tokens(items: &[Node], reader: &mut Reader<'_>) -> Vec<ApiToken> {
    let mut found = Vec::new();
    let mut names = BTreeMap::new();
    for item in section::no_more_than(LIST_MAX, items, "api.tokens", reader) {
        let Some(mut section) = Section::item(item, "api.tokens[]", reader) else { continue };
        let name = section.read(reader, "name", scalar::node_name).map(|name| name.as_str().to_owned());
        let secret =
            section.node(reader, "secret").and_then(|node| secret(node, "api.tokens[].secret", Weak::Never, reader));
        let allow = section.list(reader, "allow");
        let allow = section::no_more_than(LIST_MAX, allow, "api.tokens[].allow", reader);
        let allow: Vec<_> =
            allow.iter().filter_map(|item| section::scalar(item, "api.tokens[].allow", reader, permission)).collect();
        for key in ["name", "secret", "allow"] {
            if item.get(key).is_none() {
                let what = format!("an entry of `api.tokens` needs `{key}`");
                let example = "{ name: app, secret: { file: PATH }, allow: [\"read\", \"send:*\"] }";
                reader.report(Diagnostic::error(Code::E0105, what).at(item.span).help(example).hidden());
            }
        }
        if let Some(first) = name.as_ref().and_then(|name| names.insert(name.clone(), item.span)) {
            let note = format!("the first stands in line {}", first.line);
            reader
                .report(Diagnostic::error(Code::E0122, "this name is listed twice").at(item.span).note(note).hidden());
        }
        section.finish(reader);
        if let (Some(name), Some(secret)) = (name, secret) {
            found.push(ApiToken { name, secret, allow });
        }
    }
    found
}

fn permission(text: &str) -> Result<Permission, scalar::Wrong> {
    Permission::parse(text)
        .map_err(|why| scalar::wrong(Code::E0129, why, "write for example `send:db-*`, `publish:orders.>` or `*`"))
}

/// `scheme://host[:port]` as browsers send it, or `*`.
fn origin(text: &str) -> Result<String, scalar::Wrong> {
    let bad = || scalar::wrong(Code::E0112, format!("`{text}` is not an origin"), "write `https://app.example.com`");
    if text == "*" {
        return Ok(text.to_owned());
    }
    let (scheme, host) = text.split_once("://").ok_or_else(bad)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if scheme.is_empty() || host.is_empty() || !host.bytes().all(plain) {
        return Err(bad());
    }
    Ok(text.to_ascii_lowercase())
}

fn limits(mut section: Section<'_>, reader: &mut Reader<'_>) -> ApiLimits {
    let default = ApiLimits::default();
    let count = |value: Option<u64>, default: usize| value.and_then(|v| usize::try_from(v).ok()).unwrap_or(default);
    let rate = |value: Option<u64>, default: u32| value.and_then(|v| u32::try_from(v).ok()).unwrap_or(default);
    let body = section.read(reader, "body", scalar::size(1..=16 << 20));
    let message = section.read(reader, "message", scalar::size(1_024..=16 << 20));
    let connections = section.read(reader, "connections", scalar::number(1..=1_000_000));
    let requests = section.read(reader, "requests_per_sec", scalar::number(0..=1_000_000));
    let messages = section.read(reader, "messages_per_sec", scalar::number(0..=1_000_000));
    section.finish(reader);
    ApiLimits {
        body: count(body, default.body),
        message: count(message, default.message),
        connections: count(connections, default.connections),
        requests_per_sec: rate(requests, default.requests_per_sec),
        messages_per_sec: rate(messages, default.messages_per_sec),
    }
}

fn slow_client(mut section: Section<'_>, reader: &mut Reader<'_>) -> SlowClient {
    const POLICIES: &[(&str, SlowPolicy)] = &[
        ("disconnect", SlowPolicy::Disconnect),
        ("drop_oldest", SlowPolicy::DropOldest),
        ("drop_newest", SlowPolicy::DropNewest),
    ];
    let default = SlowClient::default();
    let count = |value: Option<u64>, default: usize| value.and_then(|v| usize::try_from(v).ok()).unwrap_or(default);
    let messages = section.read(reader, "messages", scalar::number(1..=1_048_576));
    let bytes = section.read(reader, "bytes", scalar::size(1_024..=1 << 30));
    let policy = section.read(reader, "policy", scalar::word(POLICIES)).unwrap_or(default.policy);
    section.finish(reader);
    SlowClient { messages: count(messages, default.messages), bytes: count(bytes, default.bytes), policy }
}

fn majula(mut section: Section<'_>, reader: &mut Reader<'_>) -> ApiMajula {
    const TOKENS: &[(&str, MajulaToken)] = &[("required", MajulaToken::Required), ("optional", MajulaToken::Optional)];
    let default = ApiMajula::default();
    let enabled = section.read(reader, "enabled", scalar::boolean).unwrap_or(default.enabled);
    let token = section.read(reader, "token", scalar::word(TOKENS)).unwrap_or(default.token);
    let get = section.read(reader, "get_changes_state", scalar::boolean).unwrap_or(default.get_changes_state);
    section.finish(reader);
    ApiMajula { enabled, token, get_changes_state: get }
}
