//! Who takes part: two hosts that run [`Links`](proto_core::link::Links), and what puppets may pretend to be.

use std::sync::{Arc, LazyLock};

use proto_core::{
    id::{Incarnation, NodeName},
    link::Links,
    node::{Config, Endpoint, Peer, Suite},
    rng::Secrets,
    secure::{AWS_LC, Identity, Local, Pins, Psk},
    testing::Bench,
};

use super::host::Host;

/// A name with a key pair and a token.
pub(super) struct Role {
    pub(super) name: NodeName,
    identity: Arc<Identity>,
    psks: [Psk; 1],
    /// Whether it is the only one with its name, so that whoever meets it is none the worse for it.
    pub(super) harmless: bool,
}

impl Role {
    fn new(text: &str, seed: u8, token: &str, harmless: bool) -> Self {
        let Ok(name) = NodeName::new(text) else { panic!("{text} is no name") };
        let identity = Arc::new(Identity::from_seed([seed; 32], AWS_LC));
        Self { name, identity, psks: [Psk::from_token(token.as_bytes())], harmless }
    }

    /// What a handshake asks for.
    pub(super) fn local(&self, suite: Suite) -> Local<'_> {
        let Self { name, identity, psks, .. } = self;
        Local { name, identity, network: "default", psks, suite, provider: AWS_LC }
    }

    /// A host in this role that dials these peers.
    pub(super) fn host(&self, life: u64, peers: Vec<Peer>) -> Bench<Host> {
        let mut config = Config::new(self.name.clone(), Arc::clone(&self.identity), Incarnation(life), AWS_LC);
        config.psks = self.psks.to_vec();
        config.peers = peers;
        let mut seed = [0; 32];
        seed.iter_mut().zip(self.name.as_str().bytes()).for_each(|(byte, letter)| *byte = letter);
        seed[31] = u8::try_from(life).unwrap_or(u8::MAX);
        let links = Links::new(&config, Secrets::new(seed));
        Bench::new(Host { links, pins: Pins::default() })
    }
}

/// A peer to dial: whoever is in this role, or whoever answers.
pub(super) fn peer(role: &Role, named: bool) -> Peer {
    Peer { name: named.then(|| role.name.clone()), endpoints: vec![Endpoint::new(role.name.as_str())], cost: 0 }
}

/// The two hosts, then those that only puppets play.
pub(super) fn cast() -> &'static [Role; 6] {
    static CAST: LazyLock<[Role; 6]> = LazyLock::new(|| {
        [
            Role::new("alice", 1, "token", false),
            Role::new("bob", 2, "token", false),
            Role::new("mallory", 3, "token", true),
            Role::new("stranger", 4, "guess", true),
            // A member that took a name which is another's.
            Role::new("bob", 5, "token", false),
            Role::new("alice", 6, "token", false),
        ]
    });
    &CAST
}
