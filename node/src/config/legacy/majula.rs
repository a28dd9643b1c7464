//! Majula's node file: `node_id`, `token`, `channels`, and the servers around them.

use super::build::{Absent, items, list, number, others, scalar, section, text};
use crate::{
    config::{
        Diagnostic, Span,
        text::{Kind, Node},
    },
    errors::Code,
};

/// Connections per second where Majula's file says "no limit".
const UNLIMITED_ACCEPTS: u64 = 1_000_000;

pub(super) fn convert(tree: &Node, found: &mut Vec<Diagnostic>, absent: &mut Absent) -> Node {
    for (key, what) in [("node_id", "`node_id`"), ("token", "`token`")] {
        if tree.get(key).is_none() {
            let what = format!("a file of Majula needs {what}");
            found.push(Diagnostic::error(Code::E0125, what).at(tree.span).hidden());
        }
    }
    surroundings(tree, absent);
    let mut channels = Channels::default();
    for channel in items(tree.get("channels")) {
        channels.take(channel, absent);
    }
    let tokens = tree.get("token").map(|token| list(vec![token.clone()], token.span));
    let span = tree.span;
    // It ran with this token before, and goes on doing so.
    let weak = Some(scalar("true", span));
    let allow_ips = filled(channels.allow_ips, span);
    let auth = section([("tokens", tokens), ("allow_weak_tokens", weak), ("allow_ips", allow_ips)], span);
    let mesh = section(
        [
            ("auth", Some(auth)),
            ("listen", filled(channels.listen, span)),
            ("connect", filled(channels.connect, span)),
            ("tls", channels.tls),
            ("link", Some(channels.link.section(span))),
        ],
        span,
    );
    let node = section([("id", tree.get("node_id").cloned())], span);
    let api = Some(api(tree, absent));
    section([("version", Some(scalar("1", span))), ("node", Some(node)), ("mesh", Some(mesh)), ("api", api)], span)
}

/// Its servers listen at every address of the machine and ask nobody for a token: old clients have none to show.
fn api(tree: &Node, absent: &mut Absent) -> Node {
    let servers = items(tree.get("majula_servers"));
    let mut listen = Vec::new();
    for server in servers {
        match server.get("port").and_then(|port| Some((number(port)?, port.span))) {
            Some((port, span)) => listen.push(scalar(format!("0.0.0.0:{port}"), span)),
            None => absent.add(server.span, "an entry of `majula_servers` without a `port`"),
        }
    }
    let span = tree.get("majula_servers").map_or(tree.span, |servers| servers.span);
    let as_it_was =
        section([("token", Some(scalar("optional", span))), ("get_changes_state", Some(scalar("true", span)))], span);
    section([("listen", Some(list(listen, span))), ("majula", Some(as_it_was))], span)
}

/// Everything around the channels: nothing of it exists yet.
fn surroundings(tree: &Node, absent: &mut Absent) {
    for entry in others(tree, &["node_id", "token", "channels", "majula_servers"]) {
        let span = entry.key_span;
        match entry.key.as_str() {
            "signaling_server" => {
                if entry.value.get("enabled").and_then(text) == Some("true") {
                    absent.add(span, "`signaling_server`: NAT traversal is not available yet");
                }
            }
            "raft" if items(Some(&entry.value)).is_empty() => {}
            "raft" => absent.add(span, "`raft`: replicated groups are not available yet"),
            other => absent.add(span, format!("`{other}`: unknown")),
        }
    }
}

#[derive(Default)]
struct Channels {
    listen: Vec<Node>,
    connect: Vec<Node>,
    allow_ips: Vec<Node>,
    tls: Option<Node>,
    link: Link,
}

impl Channels {
    fn take(&mut self, channel: &Node, absent: &mut Absent) {
        if channel.get("protocol").and_then(text) == Some("kcp") {
            absent.add(channel.span, "a channel over `kcp`: not available yet");
            return;
        }
        let settings = channel.get("tcp");
        let tls = settings.and_then(|settings| settings.get("tls")).filter(|tls| tls.get("cert_file").is_some());
        let scheme = if tls.is_some() { "tls" } else { "tcp" };
        match channel.get("type").and_then(text) {
            Some("server") => self.listen.extend(channel.get("listen_addr").map(|addr| listen(addr, scheme))),
            Some("client") => {
                let url = channel.get("remote_addr").map(|addr| prefixed(addr, scheme));
                self.connect.push(section([("id", channel.get("peer_id").cloned()), ("url", url)], channel.span));
            }
            Some(_) | None => absent.add(channel.span, "a channel whose `type` is neither `server` nor `client`"),
        }
        if let Some(tls) = tls {
            let files = [("cert", tls.get("cert_file").cloned()), ("key", tls.get("key_file").cloned())];
            self.tls = Some(section(files, tls.span));
        }
        if let Some(settings) = settings {
            self.allow_ips.extend(items(settings.get("ip_whitelist")).iter().cloned());
            self.link.take(settings, absent);
        }
    }
}

/// What Majula says for each channel holds for all links here: the most generous one wins.
#[derive(Default)]
struct Link {
    inactive: Option<(u64, Span)>,
    queue: Option<(u64, Span)>,
    accepts: Option<(u64, Span)>,
    differs: bool,
}

impl Link {
    fn take(&mut self, settings: &Node, absent: &mut Absent) {
        let differed = self.differs;
        for (key, kept) in [
            ("inactive_seconds", &mut self.inactive),
            ("send_queue_size", &mut self.queue),
            ("max_connections_per_sec", &mut self.accepts),
        ] {
            let Some(node) = settings.get(key) else { continue };
            let Some(value) = number(node) else {
                absent.add(node.span, format!("`{key}`: not a number"));
                continue;
            };
            let value = if key == "max_connections_per_sec" && value == 0 { UNLIMITED_ACCEPTS } else { value };
            self.differs |= kept.is_some_and(|(other, _)| other != value);
            if kept.is_none_or(|(other, _)| value > other) {
                *kept = Some((value, node.span));
            }
        }
        if self.differs && !differed {
            absent.add(settings.span, "channels with different limits: the largest holds for all links");
        }
    }

    fn section(&self, span: Span) -> Node {
        // Majula has no heartbeat setting; a quarter of a short patience leaves room for a lost one.
        let heartbeat = self.inactive.filter(|(secs, _)| *secs < 4);
        section(
            [
                ("heartbeat", heartbeat.map(|(secs, at)| scalar(format!("{}ms", secs * 250), at))),
                ("dead_after", self.inactive.map(|(secs, at)| scalar(format!("{secs}s"), at))),
                ("send_queue", self.queue.map(|(frames, at)| scalar(frames.max(16).to_string(), at))),
                ("max_accepts_per_sec", self.accepts.map(|(rate, at)| scalar(rate.to_string(), at))),
            ],
            span,
        )
    }
}

fn filled(items: Vec<Node>, span: Span) -> Option<Node> {
    (!items.is_empty()).then(|| list(items, span))
}

fn prefixed(addr: &Node, scheme: &str) -> Node {
    match &addr.kind {
        Kind::Scalar { text, .. } => scalar(format!("{scheme}://{text}"), addr.span),
        Kind::Null | Kind::List(_) | Kind::Section(_) => addr.clone(),
    }
}

/// Go takes `:29090` for every address of the machine, and resolves `localhost`.
fn listen(addr: &Node, scheme: &str) -> Node {
    match &addr.kind {
        Kind::Scalar { text, .. } => {
            let text = match (text.strip_prefix(':'), text.strip_prefix("localhost:")) {
                (Some(port), _) => format!("0.0.0.0:{port}"),
                (None, Some(port)) => format!("127.0.0.1:{port}"),
                (None, None) => text.clone(),
            };
            scalar(format!("{scheme}://{text}"), addr.span)
        }
        Kind::Null | Kind::List(_) | Kind::Section(_) => addr.clone(),
    }
}
