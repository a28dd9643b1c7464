//! Whole handshakes between two ends in memory.

use std::{string::String, vec, vec::Vec};

use blake2::{Blake2s256, Digest as _};

use super::*;
use crate::{
    error::{CloseReason, Violation},
    limits::{HANDSHAKE_MAX, PSKS_MAX},
    secure::{SOFTWARE, provider_list},
};

const EXPORTER: Option<[u8; 32]> = Some([0xee; 32]);

/// A node: what it brings to handshakes, owned.
struct Node {
    name: NodeName,
    identity: Identity,
    network: &'static str,
    psks: Vec<Psk>,
    suite: Suite,
    provider: &'static dyn Provider,
}

impl Node {
    fn new(name: &str, provider: &'static dyn Provider) -> Self {
        let identity = Identity::from_seed([name.as_bytes()[0]; 32], provider);
        let psks = vec![Psk::from_token(b"token")];
        Self { name: NodeName::new(name).unwrap(), identity, network: "net", psks, suite: Suite::AesGcm, provider }
    }

    fn with_tokens(self, tokens: &[&str]) -> Self {
        Self { psks: tokens.iter().map(|token| Psk::from_token(token.as_bytes())).collect(), ..self }
    }

    fn local(&self) -> Local<'_> {
        let Self { name, identity, network, psks, suite, provider } = self;
        Local { name, identity, network, psks, suite: *suite, provider: *provider }
    }

    fn shown(&self) -> PeerIdentity {
        PeerIdentity { name: self.name.clone(), key: self.identity.public() }
    }
}

/// Where one end stands.
#[derive(Debug)]
enum End {
    Running(Handshake),
    Done(Session, PeerIdentity),
    Failed(HandshakeError),
}

impl End {
    /// Feeds the bytes, `chunk` at a time, and returns what it writes. What is not taken stays in `input`.
    fn feed(self, local: &Local<'_>, input: &mut BytesMut, bytes: &[u8], chunk: usize) -> (Self, Vec<u8>) {
        let (mut end, mut written) = (self, vec![]);
        for piece in bytes.chunks(chunk) {
            input.extend_from_slice(piece);
            let Self::Running(handshake) = end else { continue };
            end = match handshake.receive(local, input) {
                Step::More { handshake, write } => {
                    written.extend_from_slice(&write);
                    Self::Running(handshake)
                }
                Step::Done { session, peer, write } => {
                    written.extend_from_slice(&write);
                    Self::Done(session, peer)
                }
                Step::Failed(error) => Self::Failed(error),
            };
        }
        (end, written)
    }

    fn done(self) -> (Session, PeerIdentity) {
        match self {
            Self::Done(session, peer) => (session, peer),
            other @ (Self::Running(_) | Self::Failed(_)) => panic!("not done: {other:?}"),
        }
    }

    fn error(&self) -> Option<HandshakeError> {
        match self {
            Self::Failed(error) => Some(*error),
            Self::Running(_) | Self::Done(..) => None,
        }
    }
}

/// How a handshake is run.
struct Run<'a> {
    seed: u8,
    exporters: [Option<[u8; 32]>; 2],
    chunk: usize,
    /// Changes the `n`th flight on its way; even ones come from the dialler.
    alter: &'a mut dyn FnMut(usize, &mut Vec<u8>),
}

impl Run<'_> {
    /// Runs until nobody has anything to say. Returns the dialler, the acceptor and every flight as it was sent.
    fn between(self, dialler: &Node, acceptor: &Node) -> (End, End, Vec<Vec<u8>>) {
        let [here, there] = self.exporters;
        let (handshake, first) = Handshake::dial(&dialler.local(), &mut Secrets::new([self.seed; 32]), here);
        let accepted = Handshake::accept(&acceptor.local(), &mut Secrets::new([self.seed ^ 0xff; 32]), there);
        let mut ends = [Some(End::Running(accepted)), Some(End::Running(handshake))];
        let (locals, mut inputs) = ([acceptor.local(), dialler.local()], [BytesMut::new(), BytesMut::new()]);
        let (mut flights, mut flight) = (vec![], first.to_vec());
        while !flight.is_empty() {
            let (at, n) = (flights.len() % 2, flights.len());
            flights.push(flight.clone());
            (self.alter)(n, &mut flight);
            let end = ends[at].take().unwrap();
            let (end, written) = end.feed(&locals[at], &mut inputs[at], &flight, self.chunk);
            ends[at] = Some(end);
            flight = written;
        }
        let [acceptor, dialler] = ends;
        (dialler.unwrap(), acceptor.unwrap(), flights)
    }
}

fn run(dialler: &Node, acceptor: &Node, exporter: Option<[u8; 32]>) -> (End, End, Vec<Vec<u8>>) {
    let exporters = [exporter; 2];
    Run { seed: 1, exporters, chunk: usize::MAX, alter: &mut |_, _| {} }.between(dialler, acceptor)
}

/// Every combination of providers at both ends, suite and kind of channel.
fn combinations() -> Vec<(Node, Node, Option<[u8; 32]>)> {
    let mut all = vec![];
    for here in provider_list() {
        for there in provider_list() {
            for suite in [Suite::AesGcm, Suite::ChaChaPoly] {
                for exporter in [None, EXPORTER] {
                    all.push((Node { suite, ..Node::new("alice", here) }, Node::new("bob", there), exporter));
                }
            }
        }
    }
    all
}

/// Sends one record and returns what comes out.
fn carry(from: &mut Session, to: &mut Session, text: &[u8]) -> Option<Bytes> {
    let mut wire = BytesMut::from(&[0; Session::PREFIX][..]);
    wire.extend_from_slice(text);
    from.seal(&mut wire, 0);
    to.open(&mut wire).unwrap()
}

fn hash(flights: &[Vec<u8>]) -> String {
    Blake2s256::digest(flights.concat()).iter().map(|byte| std::format!("{byte:02x}")).collect()
}

#[test]
fn both_ends_know_each_other_and_share_a_session() {
    for (alice, bob, exporter) in combinations() {
        let (dialler, acceptor, _) = run(&alice, &bob, exporter);
        let ((mut near, seen_by_alice), (mut far, seen_by_bob)) = (dialler.done(), acceptor.done());
        assert_eq!((seen_by_alice, seen_by_bob), (bob.shown(), alice.shown()));
        assert_eq!(near.id(), far.id());
        assert_eq!(carry(&mut near, &mut far, b"there").as_deref(), Some(&b"there"[..]));
        assert_eq!(carry(&mut far, &mut near, b"back").as_deref(), Some(&b"back"[..]));
    }
}

#[test]
fn a_handshake_byte_by_byte_is_the_same_handshake() {
    for (alice, bob, exporter) in combinations() {
        let whole = run(&alice, &bob, exporter).2;
        let exporters = [exporter; 2];
        let run = Run { seed: 1, exporters, chunk: 1, alter: &mut |_, _| {} };
        let (dialler, acceptor, pieces) = run.between(&alice, &bob);
        assert_eq!((dialler.done().1, acceptor.done().1), (bob.shown(), alice.shown()));
        assert_eq!(pieces, whole);
    }
}

#[test]
fn bytes_after_the_handshake_are_left_to_the_session() {
    let (alice, bob) = (Node::new("alice", SOFTWARE), Node::new("bob", SOFTWARE));
    for exporter in [None, EXPORTER] {
        let flights = run(&alice, &bob, exporter).2;
        let mut secrets = Secrets::new([1; 32]);
        let (handshake, _) = Handshake::dial(&alice.local(), &mut secrets, exporter);
        let (mut end, mut input) = (End::Running(handshake), BytesMut::new());
        for flight in flights.iter().skip(1).step_by(2) {
            let followed = [&flight[..], b"\x03\x00"].concat();
            let bytes = if flight == flights.last().unwrap() { &followed } else { flight };
            end = end.feed(&alice.local(), &mut input, bytes, usize::MAX).0;
        }
        end.done();
        assert_eq!(&input[..], b"\x03\x00");
    }
}

#[test]
fn another_token_is_refused_by_the_acceptor() {
    for (alice, bob, exporter) in combinations() {
        let (dialler, acceptor, flights) = run(&alice, &bob.with_tokens(&["other"]), exporter);
        assert_eq!(acceptor.error(), Some(HandshakeError::Refused));
        assert!(matches!(dialler, End::Running(_)), "{dialler:?}");
        assert_eq!(flights.len(), if exporter.is_some() { 1 } else { 3 }, "a refusal is silent");
    }
}

#[test]
fn another_network_gets_no_answer_at_all() {
    for (alice, bob, exporter) in combinations() {
        let (_, acceptor, flights) = run(&alice, &Node { network: "other", ..bob }, exporter);
        assert_eq!(acceptor.error(), Some(HandshakeError::Refused));
        assert_eq!(flights.len(), 1);
    }
}

#[test]
fn any_token_of_the_acceptor_will_do_up_to_the_bound() {
    let tokens = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    for (alice, bob, exporter) in combinations() {
        let (mut alice, bob) = (alice, bob.with_tokens(&tokens));
        for (at, token) in tokens.iter().enumerate() {
            alice = alice.with_tokens(&[token, "unused"]);
            let (dialler, acceptor, _) = run(&alice, &bob, exporter);
            if at < PSKS_MAX {
                let ((mut near, peer), (mut far, _)) = (dialler.done(), acceptor.done());
                assert_eq!(peer, bob.shown());
                assert_eq!(carry(&mut near, &mut far, b"x").as_deref(), Some(&b"x"[..]));
            } else {
                assert_eq!(acceptor.error(), Some(HandshakeError::Refused));
            }
        }
    }
}

#[test]
fn a_second_token_of_the_dialler_is_not_used() {
    for exporter in [None, EXPORTER] {
        let alice = Node::new("alice", SOFTWARE).with_tokens(&["other", "token"]);
        let (_, acceptor, _) = run(&alice, &Node::new("bob", SOFTWARE), exporter);
        assert_eq!(acceptor.error(), Some(HandshakeError::Refused));
    }
}

#[test]
fn a_node_without_a_token_says_nothing() {
    let (none, bob) = (Node::new("alice", SOFTWARE).with_tokens(&[]), Node::new("bob", SOFTWARE));
    for exporter in [None, EXPORTER] {
        assert_eq!(run(&none, &bob, exporter).2, Vec::<Vec<u8>>::new());
        let (_, acceptor, flights) = run(&bob, &none, exporter);
        assert_eq!((acceptor.error(), flights.len()), (Some(HandshakeError::NoToken), 1));
    }
}

#[test]
fn no_altered_byte_is_ever_accepted() {
    let (alice, bob) = (Node::new("alice", SOFTWARE), Node::new("bob", SOFTWARE).with_tokens(&["old", "token"]));
    for (suite, exporter) in [(Suite::AesGcm, None), (Suite::ChaChaPoly, None), (Suite::AesGcm, EXPORTER)] {
        let alice = Node { suite, ..Node::new("alice", alice.provider) };
        let flights = run(&alice, &bob, exporter).2;
        for (n, flight) in flights.iter().enumerate() {
            // The length is behind the preamble in the first flight, and at the start of all others.
            let length_at = if n == 0 { framing::PREAMBLE } else { 0 };
            for at in 0..flight.len() {
                for mask in [0x01, 0x80] {
                    let alter = &mut |m, bytes: &mut Vec<u8>| {
                        if m == n {
                            bytes[at] ^= mask;
                        }
                    };
                    let run = Run { seed: 1, exporters: [exporter; 2], chunk: usize::MAX, alter };
                    let (dialler, acceptor, sent) = run.between(&alice, &bob);
                    let (victim, sender) = if n % 2 == 0 { (acceptor, dialler) } else { (dialler, acceptor) };
                    let waits_for_more = (length_at..length_at + 2).contains(&at) && matches!(victim, End::Running(_));
                    let failed = matches!(victim, End::Failed(_));
                    assert!(failed || waits_for_more, "flight {n}, byte {at}: {victim:?}");
                    assert!(n + 1 == flights.len() || matches!(sender, End::Running(_)), "flight {n}, byte {at}");
                    assert_eq!(sent.len(), n + 1, "flight {n}, byte {at}: an answer to an altered message");
                }
            }
        }
    }
}

#[test]
fn a_message_cut_short_is_waited_for() {
    let (alice, bob) = (Node::new("alice", SOFTWARE), Node::new("bob", SOFTWARE));
    for exporter in [None, EXPORTER] {
        let flights = run(&alice, &bob, exporter).2;
        for (n, flight) in flights.iter().enumerate() {
            for len in 0..flight.len() {
                let alter = &mut |m, bytes: &mut Vec<u8>| {
                    if m == n {
                        bytes.truncate(len);
                    }
                };
                let run = Run { seed: 1, exporters: [exporter; 2], chunk: usize::MAX, alter };
                let (dialler, acceptor, _) = run.between(&alice, &bob);
                let victim = if n % 2 == 0 { acceptor } else { dialler };
                assert!(matches!(victim, End::Running(_)), "flight {n} cut to {len}: {victim:?}");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for (alice, bob, exporter) in combinations() {
        let with = |seed| {
            let run = Run { seed, exporters: [exporter; 2], chunk: usize::MAX, alter: &mut |_, _| {} };
            run.between(&alice, &bob).2
        };
        assert_eq!(with(1), with(1));
        // On an encrypted channel, what makes two handshakes differ is the channel.
        assert_eq!(with(1) == with(2), exporter.is_some());
    }
}

#[test]
fn the_bytes_are_these_for_ever() {
    let golden = [
        (Suite::AesGcm, None, "37abbb5ba34324959a0bdbdf7196ca429d3448b67538ab0b12427a65968056ee"),
        (Suite::ChaChaPoly, None, "31c722f97842c2e6c08466d2601ff819211c2f4ad2fdbebc177d40f6b55190fb"),
        (Suite::AesGcm, EXPORTER, "c03731287a255e4795270e845f49eb9fc270bd7d847f7121370b6cab301492a8"),
    ];
    for provider in provider_list() {
        for (suite, exporter, wanted) in golden {
            let alice = Node { suite, ..Node::new("alice", provider) };
            let flights = run(&alice, &Node::new("bob", provider), exporter).2;
            assert_eq!(hash(&flights), wanted);
        }
    }
}

#[test]
fn a_proof_is_worth_nothing_on_another_channel() {
    let (alice, bob) = (Node::new("alice", SOFTWARE), Node::new("bob", SOFTWARE));
    let exporters = [EXPORTER, Some([0xef; 32])];
    let run = Run { seed: 1, exporters, chunk: usize::MAX, alter: &mut |_, _| {} };
    let (_, acceptor, flights) = run.between(&alice, &bob);
    assert_eq!((acceptor.error(), flights.len()), (Some(HandshakeError::Refused), 1));
}

#[test]
fn a_proof_sent_back_is_refused() {
    let alice = Node::new("alice", SOFTWARE);
    let (handshake, sent) = Handshake::dial(&alice.local(), &mut Secrets::new([1; 32]), EXPORTER);
    let mut back = BytesMut::from(&sent[framing::PREAMBLE..]);
    let step = handshake.receive(&alice.local(), &mut back);
    assert!(matches!(step, Step::Failed(HandshakeError::Refused)), "{step:?}");
}

#[test]
fn a_member_cannot_take_a_name_whose_key_it_does_not_hold() {
    for suite in [Suite::AesGcm, Suite::ChaChaPoly] {
        for exporter in [None, EXPORTER] {
            let (alice, bob) = (Node::new("alice", SOFTWARE), Node::new("bob", SOFTWARE));
            let forger = |name| Node { suite, ..Node::new(name, &Forger { public: None }) };
            let (dialler, acceptor, _) = run(&alice, &forger("bob"), exporter);
            assert_eq!(dialler.error(), Some(HandshakeError::BadIdentity));
            assert!(matches!(acceptor, End::Done(..)), "the forger knows whom it deceives");
            let (_, acceptor, flights) = run(&forger("alice"), &bob, exporter);
            assert_eq!(acceptor.error(), Some(HandshakeError::BadIdentity));
            assert!(flights.len() % 2 == 1, "and gets no name in return");
        }
    }
}

#[test]
fn a_public_key_that_agrees_on_nothing_is_refused() {
    let bob = Node::new("bob", SOFTWARE);
    for suite in [Suite::AesGcm, Suite::ChaChaPoly] {
        let alice = Node { suite, ..Node::new("alice", &Forger { public: Some([0; 32]) }) };
        let (_, acceptor, flights) = run(&alice, &bob, None);
        assert_eq!((acceptor.error(), flights.len()), (Some(HandshakeError::Refused), 1));
        let (dialler, _, flights) = run(&bob, &alice, None);
        assert_eq!((dialler.error(), flights.len()), (Some(HandshakeError::Refused), 2));
    }
}

/// Holds the token and knows every public key, but no secret one to sign with.
#[derive(Debug)]
struct Forger {
    /// What it shows as its X25519 key instead of its own.
    public: Option<[u8; 32]>,
}

impl Provider for Forger {
    fn ed25519_public(&self, seed: &[u8; 32]) -> [u8; 32] {
        SOFTWARE.ed25519_public(seed)
    }

    fn ed25519_sign(&self, _: &[u8; 32], message: &[u8]) -> [u8; 64] {
        SOFTWARE.ed25519_sign(&[0x66; 32], message)
    }

    fn ed25519_verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        SOFTWARE.ed25519_verify(public, message, signature)
    }

    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        self.public.or_else(|| SOFTWARE.x25519(secret, public))
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        self.public.unwrap_or_else(|| SOFTWARE.x25519_public(secret))
    }

    fn aead(&self, suite: Suite, key: &[u8; 32]) -> alloc::boxed::Box<dyn crate::secure::Aead> {
        SOFTWARE.aead(suite, key)
    }
}

#[test]
fn both_ends_must_mean_the_same_kind_of_channel() {
    let (alice, bob) = (Node::new("alice", SOFTWARE), Node::new("bob", SOFTWARE));
    for exporters in [[None, EXPORTER], [EXPORTER, None]] {
        let run = Run { seed: 1, exporters, chunk: usize::MAX, alter: &mut |_, _| {} };
        let (_, acceptor, flights) = run.between(&alice, &bob);
        assert_eq!((acceptor.error(), flights.len()), (Some(HandshakeError::NotFirelink), 1));
    }
}

#[test]
fn a_stranger_gets_no_byte_and_is_dropped_at_the_first_that_is_wrong() {
    let bob = Node::new("bob", SOFTWARE);
    let strangers: [(&[u8], HandshakeError); 6] = [
        (b"G", HandshakeError::NotFirelink),
        (b"FLK2", HandshakeError::NotFirelink),
        (b"FLK1\0", HandshakeError::NotFirelink),
        (b"FLK1\x01\xff\xff", HandshakeError::TooLong { len: 65_535, limit: HANDSHAKE_MAX }),
        (b"FLK1\x02\x00\x00", HandshakeError::Refused),
        (b"FLK1\x01\x30\x00012345678901234567890123456789012345678901234567", HandshakeError::Refused),
    ];
    for (said, wanted) in strangers {
        for chunk in [1, usize::MAX] {
            let end = End::Running(Handshake::accept(&bob.local(), &mut Secrets::new([1; 32]), None));
            let (end, written) = end.feed(&bob.local(), &mut BytesMut::new(), said, chunk);
            assert_eq!((end.error(), written), (Some(wanted), vec![]), "{said:?}");
        }
    }
}

#[test]
fn the_acceptor_shows_its_name_and_key_to_nobody_without_the_token() {
    // The stranger goes as far as it can: it reads all that Bob says before the third message.
    let bob = Node::new("bob-the-acceptor", SOFTWARE);
    let stranger = Node::new("stranger", SOFTWARE).with_tokens(&["guess"]);
    let ephemeral = Zeroizing::new([5; 32]);
    let mut first = BytesMut::new();
    let second = noise::dial(&stranger.local(), ephemeral, &mut first).unwrap();
    let end = End::Running(Handshake::accept(&bob.local(), &mut Secrets::new([1; 32]), None));
    let (end, answer) = end.feed(&bob.local(), &mut BytesMut::new(), &first, usize::MAX);
    assert!(matches!(end, End::Running(_)));
    assert_eq!(answer.len(), 2 + 32 + 48 + 16, "e, s, and an empty payload");

    let mut third = BytesMut::new();
    second.receive(&stranger.local(), &answer[2..], &mut third).unwrap();
    let (end, written) = end.feed(&bob.local(), &mut BytesMut::new(), &third, usize::MAX);
    assert_eq!((end.error(), written), (Some(HandshakeError::Refused), vec![]));
}

#[test]
fn errors_say_nothing_that_tells_a_token_from_a_network() {
    assert_eq!(CloseReason::from(HandshakeError::Refused), CloseReason::HandshakeFailed);
    assert_eq!(CloseReason::from(HandshakeError::NotFirelink), CloseReason::HandshakeFailed);
    assert_eq!(CloseReason::from(HandshakeError::BadIdentity), CloseReason::Violation(Violation::BadSignature));
}

proptest::proptest! {
    #![proptest_config(crate::testing::cases(256))]

    #[test]
    fn no_bytes_break_the_acceptor_or_are_answered(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
        preamble in 0..4_u8,
        chunk in 1..50_usize,
    ) {
        let bob = Node::new("bob", SOFTWARE);
        let said = [b"FLK1", &[preamble][..], &bytes].concat();
        for exporter in [None, EXPORTER] {
            let end = End::Running(Handshake::accept(&bob.local(), &mut Secrets::new([1; 32]), exporter));
            let (end, written) = end.feed(&bob.local(), &mut BytesMut::new(), &said, chunk);
            proptest::prop_assert!(!matches!(end, End::Done(..)));
            proptest::prop_assert!(written.is_empty());
        }
    }
}
