//! Every key with its default, for people. A test holds it against the decoder.

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its path.
    pub path: &'static str,
    /// Its default, as YAML; empty: it has none.
    pub default: &'static str,
    /// An example, for a key without a default or a list that is empty by default.
    pub example: &'static str,
    /// What it does.
    pub about: &'static str,
}

const fn key(path: &'static str, default: &'static str, example: &'static str, about: &'static str) -> Key {
    Key { path, default, example, about }
}

/// Every key, in the order of `node config default`.
pub const KEYS: &[Key] = &[
    key("version", "1", "", "Version of this grammar."),
    key(
        "node.id",
        "",
        "gz-01",
        "Name in the mesh: letters, digits, '.', '_', '-'. Default: made from the identity key.",
    ),
    key("node.name", "\"\"", "", "What people call this node. Shown by `node status`."),
    key(
        "node.data_dir",
        "",
        "/var/lib/firelink/gz-01",
        "Identity and what must survive. Default: /var/lib/firelink/<id>, or ~/.local/state/firelink/<id> for users.",
    ),
    key("node.identity.file", "identity.key", "", "The key of this node, in data_dir. Made at the first start."),
    key("mesh.network", "default", "", "Nodes of different networks never link."),
    key("mesh.auth.mode", "token", "", "token, or open (loopback listeners only)."),
    key(
        "mesh.auth.tokens",
        "",
        "[ { env: FIRELINK_TOKEN } ]",
        "Shared secrets: { file: PATH } or { env: NAME }. The first is used, all are accepted.",
    ),
    key(
        "mesh.auth.allow_weak_tokens",
        "false",
        "",
        "Whether a token that can be guessed, of less than 16 characters, is a warning instead of an error.",
    ),
    key("mesh.auth.allow_ids", "[\"*\"]", "", "Names that may link; * stands for any characters."),
    key("mesh.auth.allow_ips", "[]", "[\"10.0.0.0/8\"]", "Networks that may connect; empty: any."),
    key("mesh.listen", "[]", "[\"tcp://0.0.0.0:29090\"]", "Where to accept links: tcp://IP:PORT or tls://IP:PORT."),
    key(
        "mesh.connect",
        "[]",
        "[ { id: hk-01, url: \"tcp://hk.example.com:29090\", cost: 10 } ]",
        "Whom to dial. Without id, whoever holds the token; cost is added to the measured one.",
    ),
    key("mesh.tls.cert", "\"\"", "", "Certificate chain (PEM) for tls:// listeners."),
    key("mesh.tls.key", "\"\"", "", "Its private key (PEM)."),
    key(
        "mesh.tls.ca",
        "\"\"",
        "",
        "Roots (PEM) to check tls:// peers with. Needed to dial them; system roots are not used.",
    ),
    key("mesh.link.heartbeat", "1s", "", "Silence after which a link is pinged."),
    key("mesh.link.dead_after", "10s", "", "Silence after which a link is given up; at least twice heartbeat."),
    key("mesh.link.handshake_timeout", "5s", "", "Time that a handshake may take."),
    key("mesh.link.reconnect.initial", "500ms", "", "First pause before dialling again; doubles each time."),
    key("mesh.link.reconnect.max", "30s", "", "Longest such pause."),
    key("mesh.link.reconnect.jitter", "1", "", "How much of each pause is random, from 0 to 1."),
    key("mesh.link.send_queue", "16384", "", "Frames that may wait for a link; then the oldest are dropped."),
    key(
        "mesh.link.max_accepts_per_sec",
        "200",
        "",
        "Connections accepted per second, twice as many in a burst. One address gets a quarter, and peers a quarter more; one address has 32 at a time on which no link is up yet.",
    ),
    key("mesh.routing.metric", "latency", "", "What a link costs: latency, hops or cost."),
    key("mesh.routing.transit", "true", "", "Whether this node forwards for others."),
    key("mesh.routing.max_hops", "16", "", "Links that a message may cross."),
    key("mesh.routing.max_peers", "128", "", "Most links of this node."),
    key("messaging.max_payload", "1MiB", "", "Largest message."),
    key("messaging.deadline", "10s", "", "How long a message may take if its sender does not say."),
    key(
        "messaging.inbox",
        "65536",
        "",
        "Messages that wait for the application of this node, and again for all clients. Then senders wait; refused after 5s without progress. A client has half of what the others leave free; its senders are refused at once.",
    ),
    key(
        "messaging.topics",
        "[]",
        "[ { match: \"orders.>\", history: { size: 100, ttl: 5m, bytes: 16MiB }, slow_consumer: drop_oldest } ]",
        "Rules for topics; the first that matches counts. history: the last publications of each topic that are kept here. slow_consumer: drop_oldest, drop_newest or disconnect.",
    ),
    key(
        "api.listen",
        "127.0.0.1:18080",
        "[\"127.0.0.1:18080\", \"10.0.0.7:18080\"]",
        "HTTP and WebSocket API, one or several; \"\": off. Beyond this machine only with tokens.",
    ),
    key(
        "api.tokens",
        "[]",
        "[ { name: app, secret: { env: APP_TOKEN }, allow: [read, \"send:db-*\", \"publish:orders.>\"] } ]",
        "Who may do what: read, send, broadcast, receive, publish, subscribe, call, serve, or \"*\".",
    ),
    key("api.cors", "[]", "[\"https://app.example.com\"]", "Browser origins whose pages may call; \"*\": any."),
    key("api.origins", "[]", "[\"https://app.example.com\"]", "Browser origins whose pages may open WebSockets."),
    key("api.limits.body", "1MiB", "", "Largest body of a request."),
    key("api.limits.message", "64KiB", "", "Largest message of a WebSocket."),
    key("api.limits.connections", "16384", "", "Most connections at a time."),
    key("api.limits.requests_per_sec", "10000", "", "Of one token, or of one address without a token; 0: any number."),
    key("api.limits.messages_per_sec", "10000", "", "Of one WebSocket; 0: any number."),
    key("api.slow_client.messages", "1024", "", "Messages that may wait for a WebSocket or event stream."),
    key("api.slow_client.bytes", "1MiB", "", "Bytes that may wait for one."),
    key("api.slow_client.policy", "disconnect", "", "What happens then: disconnect, drop_oldest or drop_newest."),
    key("api.majula.enabled", "true", "", "The paths of Majula, below /majula."),
    key("api.majula.token", "required", "", "required, or optional: its clients may come without."),
    key("api.majula.get_changes_state", "false", "", "Whether GET may send and publish there, as it could."),
    key("admin.listen", "127.0.0.1:18081", "", "Metrics and health, on this machine only; \"\": off."),
    key("control.socket", "auto", "", "Socket that commands talk to; auto: in the runtime directory of the user."),
    key("log.level", "info", "", "off, error, warn, info, debug, trace, or a filter such as info,proto_core=debug."),
    key("log.format", "text", "", "text or json."),
    key("log.file.path", "\"\"", "", "File to write to; empty: standard error."),
    key("log.file.max_size", "100MiB", "", "Size at which a new file is begun."),
    key("log.file.keep", "7", "", "Old files that are kept."),
];

/// Keys that later versions will have. They are refused, with that as the reason.
pub(super) const LATER: &[&str] = &[
    "include",
    "node.labels",
    "mesh.advertise",
    "mesh.discovery",
    "mesh.nat",
    "mesh.relay",
    "mesh.tls.min_version",
    "mesh.link.overflow",
    "mesh.routing.prefer",
    "mesh.routing.require_direct",
    "messaging.retry",
    "messaging.dedup_window",
    "rpc",
    "raft",
    "elections",
    "exports",
    "tunnels",
    "proxy",
    "files",
    "hub",
    "services",
    "api.tls",
    "admin.console",
    "admin.password",
    "metrics",
    "tracing",
    "recorder",
    "limits",
];
