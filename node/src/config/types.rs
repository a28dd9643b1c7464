//! What a configuration says once it is known to be right.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use io_tokio::ACCEPTS_PER_SEC;
use ipnet::IpNet;
use proto_core::{
    id::NodeName,
    limits,
    node::{LinkConfig, MessageConfig, RouteConfig},
};

use super::{Api, Secret, TopicRule};

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Who this node is.
    pub node: Node,
    /// Whom it links with, and how.
    pub mesh: Mesh,
    /// Messages.
    pub messaging: Messaging,
    /// The listener for programs.
    pub api: Api,
    /// The listener for metrics and health.
    pub admin: Admin,
    /// The socket that commands talk to.
    pub control: Control,
    /// Logs.
    pub log: Log,
}

/// Who a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name in the mesh; `None`: made from its key.
    pub id: Option<NodeName>,
    /// What people call it.
    pub name: String,
    /// Where it keeps what must survive; `None`: the place usual for the user.
    pub data_dir: Option<PathBuf>,
    /// Its key, relative to the data directory.
    pub identity_file: PathBuf,
}

/// Whom a node links with, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mesh {
    /// Nodes of different networks never link.
    pub network: String,
    /// Who may link.
    pub auth: Auth,
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// Whom to dial.
    pub connect: Vec<Connect>,
    /// Certificates, for `tls://`.
    pub tls: Tls,
    /// Links.
    pub link: LinkConfig,
    /// Routing.
    pub route: RouteConfig,
}

/// Who may link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// How a peer proves that it belongs here.
    pub mode: AuthMode,
    /// The first is used, all are accepted.
    pub tokens: Vec<Secret>,
    /// Addresses that may connect; empty: any.
    pub allow_ips: Vec<IpNet>,
}

/// How a peer proves that it belongs to the mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// By a token that all nodes share.
    #[default]
    Token,
    /// Not at all. On loopback only.
    Open,
}

/// What carries a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// TCP; the link itself is encrypted.
    Tcp,
    /// TLS over TCP, for networks that let nothing else through.
    Tls,
}

impl Scheme {
    /// As it stands in an address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What to speak there.
    pub scheme: Scheme,
    /// The address; port 0: any.
    pub addr: SocketAddr,
}

/// A peer to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Who must answer; `None`: whoever holds the token.
    pub id: Option<NodeName>,
    /// Where, as `tcp://host:port`.
    pub url: String,
    /// Added to the measured cost of the link.
    pub cost: u32,
}

/// Certificate files, for `tls://`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Roots to check the other side with, PEM. Needed to dial `tls://`.
    pub ca: Option<PathBuf>,
}

/// Messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messaging {
    /// What the core is told.
    pub core: MessageConfig,
    /// How long a message may take if its sender does not say.
    pub deadline: Duration,
    /// Topics.
    pub topics: Vec<TopicRule>,
}

/// The listener for metrics and health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

/// The socket that commands talk to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Where; `None`: in the runtime directory of the user.
    pub socket: Option<PathBuf>,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or a filter such as `info,node::link=debug`.
    pub level: String,
    /// Lines for people or for machines.
    pub format: LogFormat,
    /// A file to write to; `None`: standard error.
    pub file: Option<LogFile>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The file.
    pub path: PathBuf,
    /// Size at which it is put away and a new one begun, in bytes.
    pub max_size: u64,
    /// How many old ones are kept.
    pub keep: u64,
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            network: "default".to_owned(),
            auth: Auth::default(),
            listen: Vec::new(),
            connect: Vec::new(),
            tls: Tls::default(),
            link: LinkConfig { max_links: 128, accepts_per_sec: ACCEPTS_PER_SEC, ..LinkConfig::default() },
            route: RouteConfig::default(),
        }
    }
}

impl Default for Messaging {
    fn default() -> Self {
        Self { core: MessageConfig::default(), deadline: limits::MESSAGE_DEADLINE, topics: Vec::new() }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 18_081))) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default(), file: None }
    }
}
