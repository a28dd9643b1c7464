//! A node on mio joins a mesh of nodes on tokio: it relays for them, gets messages and sends its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one event among all")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use embed_mio::start;
use io_tokio::{Mesh, MeshOptions, Outcome};
use proto_core::{
    id::{Incarnation, NodeName, Token},
    node::{Answer, Command, Config, Endpoint, Event, Peer, Send},
    secure::{AWS_LC, Identity, Psk},
};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

fn psk() -> Psk {
    Psk::from_token(b"secret")
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

/// A node on tokio that dials `door`, if there is one.
async fn mesh(of: &str, door: Option<SocketAddr>) -> Mesh {
    let mut options = MeshOptions::new(psk()).name(name(of)).listen("tcp://127.0.0.1:0");
    if let Some(door) = door {
        options = options.connect(&format!("tcp://{door}"));
    }
    Mesh::start(options).await.unwrap()
}

/// A node on mio that dials `door`.
fn guest(door: SocketAddr) -> embed_mio::Handle {
    let identity = Arc::new(Identity::from_seed([9; 32], AWS_LC));
    let mut config = Config::new(name("guest"), identity, Incarnation(1), AWS_LC);
    config.psks = vec![psk()];
    config.secret_seed = [9; 32];
    config.peers = vec![Peer { name: None, endpoints: vec![Endpoint::new(&format!("tcp://{door}"))], cost: 0 }];
    start(config, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

#[tokio::test]
async fn a_node_on_mio_joins_a_mesh_on_tokio_and_relays_for_it() {
    let alice = mesh("alice", None).await;
    let guest = guest(alice.local_addrs()[0]);
    // Bob knows only the guest, so that everything between him and Alice crosses it.
    let bob = mesh("bob", Some(guest.local_addr())).await;
    let mut at_alice = alice.incoming().unwrap();

    assert_eq!(timeout(PATIENCE, bob.send("alice", "over the guest")).await.unwrap().unwrap(), Outcome::Delivered);
    let message = timeout(PATIENCE, at_alice.recv()).await.unwrap().unwrap();
    assert_eq!(message.payload, "over the guest");

    assert_eq!(timeout(PATIENCE, bob.send("guest", "to the guest")).await.unwrap().unwrap(), Outcome::Delivered);
    let payload = Bytes::from_static(b"from the guest");
    let to = name("alice").addr();
    let send = Send { to, to_client: None, from_client: None, payload, deadline: PATIENCE, report: true };
    guest.command(Token(1), Command::Send(send)).unwrap();
    let message = timeout(PATIENCE, at_alice.recv()).await.unwrap().unwrap();
    assert_eq!(message.payload, "from the guest");
    assert_eq!(alice.name_of(message.from), Some(name("guest")));

    let told: Vec<Event> = std::iter::from_fn(|| guest.events().recv_timeout(Duration::from_secs(1)).ok()).collect();
    assert!(told.iter().any(|event| matches!(event, Event::Message(message) if message.payload == "to the guest")));
    let delivered = Answer::Sent(Outcome::Delivered);
    assert!(told.iter().any(|event| matches!(event, Event::Done { answer, .. } if **answer == delivered)), "{told:?}");
}
