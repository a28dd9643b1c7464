//! What a configuration says about the API listener.

use std::net::SocketAddr;

use super::{Permission, Secret};

/// The listener for programs: HTTP and WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Where; empty: nowhere.
    pub listen: Vec<SocketAddr>,
    /// Who may do what.
    pub tokens: Vec<ApiToken>,
    /// Browser origins whose pages may call; those of the listener's own host always may. `*`: any.
    pub cors: Vec<String>,
    /// Browser origins whose pages may open WebSockets; those of the listener's own host always may. `*`: any.
    pub origins: Vec<String>,
    /// What one caller may cost.
    pub limits: ApiLimits,
    /// What happens to a client that does not keep up.
    pub slow_client: SlowClient,
    /// The paths of Majula.
    pub majula: ApiMajula,
}

/// A secret, and what its bearer may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// What logs and limits call its bearer.
    pub name: String,
    /// The secret.
    pub secret: Secret,
    /// What its bearer may do; nothing else.
    pub allow: Vec<Permission>,
}

/// What one caller may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiLimits {
    /// Largest body of a request, in bytes.
    pub body: usize,
    /// Largest message of a WebSocket, in bytes.
    pub message: usize,
    /// Most connections at a time.
    pub connections: usize,
    /// Requests per second of one token, or of one address without a token; twice as many in a burst. 0: any number.
    pub requests_per_sec: u32,
    /// Messages per second of one WebSocket; twice as many in a burst. 0: any number.
    pub messages_per_sec: u32,
}

/// What happens to a client that does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowClient {
    /// Messages that may wait for it.
    pub messages: usize,
    /// Bytes that may wait for it.
    pub bytes: usize,
    /// What happens at either bound.
    pub policy: SlowPolicy,
}

/// What happens when too much waits for a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowPolicy {
    /// It is told so and cut off; it may come back.
    #[default]
    Disconnect,
    /// The oldest messages make room.
    DropOldest,
    /// The newest message is dropped.
    DropNewest,
}

/// The paths of Majula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiMajula {
    /// Whether they exist.
    pub enabled: bool,
    /// Whether its clients need a token.
    pub token: MajulaToken,
    /// Whether GET may change something, as it could there.
    pub get_changes_state: bool,
}

/// Whether Majula's clients need a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MajulaToken {
    /// As everybody else.
    #[default]
    Required,
    /// Who has none may send, receive, publish, subscribe, call and serve.
    Optional,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 18_080))],
            tokens: Vec::new(),
            cors: Vec::new(),
            origins: Vec::new(),
            limits: ApiLimits::default(),
            slow_client: SlowClient::default(),
            majula: ApiMajula::default(),
        }
    }
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            message: 64 << 10,
            connections: 16_384,
            requests_per_sec: 10_000,
            messages_per_sec: 10_000,
        }
    }
}

impl Default for SlowClient {
    fn default() -> Self {
        Self { messages: 1_024, bytes: 1 << 20, policy: SlowPolicy::default() }
    }
}

impl Default for ApiMajula {
    fn default() -> Self {
        Self { enabled: true, token: MajulaToken::default(), get_changes_state: false }
    }
}
