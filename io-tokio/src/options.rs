//! What a node is started with.

use std::{path::PathBuf, sync::Arc, time::Duration};

use proto_core::{
    id::NodeName,
    limits::MESSAGE_DEADLINE,
    node::{Endpoint, LinkConfig, MessageConfig, Peer, RouteConfig},
    pubsub::HistoryRule,
    secure::{AWS_LC, Provider, Psk},
};

use crate::{
    admission::{ACCEPTS_PER_SEC, AdmissionOptions},
    data::MemoryDisk,
    tls::TlsOptions,
};

/// Everything that a node is started with. [`MeshOptions::new`] gives every default; change what differs.
#[derive(Clone, Debug)]
pub struct MeshOptions {
    /// Its name; `None`: the first ten digits of its identity key.
    pub name: Option<NodeName>,
    /// Nodes of different networks never link.
    pub network: Arc<str>,
    /// The mesh's secrets: the first is used, all are accepted. At least one.
    pub psks: Vec<Psk>,
    /// Where to listen: `tcp://host:port` or `tls://host:port`; port 0 takes any free one. Empty: nowhere.
    pub listen: Vec<Endpoint>,
    /// Peers to dial.
    pub peers: Vec<Peer>,
    /// Where identity, incarnation and known nodes are kept. `None`: nowhere; with every start the node is another one.
    pub data_dir: Option<PathBuf>,
    /// Where incarnation and known nodes are kept if there is no data directory: for simulations, and tests of restarts.
    pub memory: Option<MemoryDisk>,
    /// The identity key's file; `None`: `identity.key` in the data directory.
    pub identity_file: Option<PathBuf>,
    /// Who may connect.
    pub admission: AdmissionOptions,
    /// Certificates for `tls://`.
    pub tls: TlsOptions,
    /// How long a message may take where nothing else is said.
    pub deadline: Duration,
    /// Links. How many connections are accepted per second, without those of peers, is judged by [`Self::admission`].
    pub link: LinkConfig,
    /// Routing.
    pub route: RouteConfig,
    /// Messages.
    pub message: MessageConfig,
    /// Which topics this node keeps the last publications of, for subscribers that come late or come back. Of several rules
    /// that match, the first counts.
    pub history: Vec<HistoryRule>,
    /// Where the cryptography comes from.
    pub provider: &'static dyn Provider,
    /// Makes every random draw reproducible, identity and keys included. For simulations only; `None`: drawn from the
    /// operating system.
    pub seed: Option<[u8; 32]>,
}

impl MeshOptions {
    /// Every default: listens nowhere, dials nobody, keeps nothing, draws its name from its key.
    #[must_use]
    pub fn new(psk: Psk) -> Self {
        Self {
            name: None,
            network: Arc::from("default"),
            psks: vec![psk],
            listen: Vec::new(),
            peers: Vec::new(),
            data_dir: None,
            memory: None,
            identity_file: None,
            admission: AdmissionOptions::default(),
            tls: TlsOptions::default(),
            deadline: MESSAGE_DEADLINE,
            link: LinkConfig { accepts_per_sec: ACCEPTS_PER_SEC, ..LinkConfig::default() },
            route: RouteConfig::default(),
            message: MessageConfig::default(),
            history: Vec::new(),
            provider: AWS_LC,
            seed: None,
        }
    }

    /// With a name.
    #[must_use]
    pub fn name(mut self, name: NodeName) -> Self {
        self.name = Some(name);
        self
    }

    /// Listening here, too.
    #[must_use]
    pub fn listen(mut self, endpoint: &str) -> Self {
        self.listen.push(Endpoint::new(endpoint));
        self
    }

    /// Dialling this endpoint, too, whoever answers there with the right secret.
    #[must_use]
    pub fn connect(mut self, endpoint: &str) -> Self {
        self.peers.push(Peer { name: None, endpoints: vec![Endpoint::new(endpoint)], cost: 0 });
        self
    }
}
