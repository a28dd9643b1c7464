//! Who takes part in the handshakes.

use std::sync::LazyLock;

use proto_core::{
    id::NodeName,
    node::Suite,
    secure::{AWS_LC, Aead, Identity, Local, PeerIdentity, Provider, Psk, SOFTWARE},
};

/// A node: what it brings to handshakes.
pub(super) struct Node {
    name: NodeName,
    identity: Identity,
    network: &'static str,
    tokens: &'static [&'static str],
    psks: Vec<Psk>,
    suite: Suite,
    provider: &'static dyn Provider,
    /// Whether it holds the secret key of what it shows.
    pub(super) honest: bool,
}

impl Node {
    fn new(text: &str, tokens: &'static [&'static str], suite: Suite, provider: &'static dyn Provider) -> Self {
        let Ok(name) = NodeName::new(text) else { panic!("{text} is no name") };
        let mut seed = [0; 32];
        seed.iter_mut().zip(text.bytes()).for_each(|(byte, letter)| *byte = letter);
        let identity = Identity::from_seed(seed, provider);
        let psks = tokens.iter().map(|token| Psk::from_token(token.as_bytes())).collect();
        Self { name, identity, network: "net", tokens, psks, suite, provider, honest: true }
    }

    /// What the handshake asks for.
    pub(super) fn local(&self) -> Local<'_> {
        let Self { name, identity, network, psks, suite, provider, .. } = self;
        Local { name, identity, network, psks, suite: *suite, provider: *provider }
    }

    /// What its peers shall see.
    pub(super) fn shown(&self) -> PeerIdentity {
        PeerIdentity { name: self.name.clone(), key: self.identity.public() }
    }

    /// Whether `acceptor` lets this one in when it dials.
    pub(super) fn may_dial(&self, acceptor: &Self) -> bool {
        let shared = self.tokens.first().is_some_and(|token| acceptor.tokens.contains(token));
        shared && self.network == acceptor.network
    }
}

/// Everybody. The place in the list is the number in an input.
pub(super) fn cast() -> &'static [Node] {
    static CAST: LazyLock<Vec<Node>> = LazyLock::new(|| {
        let forger = Node::new("alice", &["token"], Suite::ChaChaPoly, &Forger);
        vec![
            Node::new("alice", &["token"], Suite::AesGcm, AWS_LC),
            Node::new("bob", &["token", "old"], Suite::ChaChaPoly, AWS_LC),
            Node::new(&"longest-".repeat(8), &["old"], Suite::AesGcm, AWS_LC),
            Node::new("software", &["token"], Suite::ChaChaPoly, SOFTWARE),
            Node { network: "other", ..Node::new("elsewhere", &["token"], Suite::AesGcm, AWS_LC) },
            Node::new("stranger", &["guess"], Suite::AesGcm, AWS_LC),
            Node { honest: false, ..forger },
            Node::new("mute", &[], Suite::AesGcm, AWS_LC),
        ]
    });
    &CAST
}

/// A member that shows another's name and key, and cannot sign for it.
#[derive(Debug)]
struct Forger;

impl Provider for Forger {
    fn ed25519_public(&self, seed: &[u8; 32]) -> [u8; 32] {
        AWS_LC.ed25519_public(seed)
    }

    fn ed25519_sign(&self, _: &[u8; 32], message: &[u8]) -> [u8; 64] {
        AWS_LC.ed25519_sign(&[0x66; 32], message)
    }

    fn ed25519_verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        AWS_LC.ed25519_verify(public, message, signature)
    }

    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        AWS_LC.x25519(secret, public)
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        AWS_LC.x25519_public(secret)
    }

    fn aead(&self, suite: Suite, key: &[u8; 32]) -> Box<dyn Aead> {
        AWS_LC.aead(suite, key)
    }
}
