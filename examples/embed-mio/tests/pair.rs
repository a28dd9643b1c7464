//! Two nodes on mio in one process, over real sockets: a message by name, and its answer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one event among all")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use embed_mio::{Handle, start};
use proto_core::{
    id::{Incarnation, NodeName, Token},
    node::{Answer, Command, Config, Endpoint, Event, Outcome, Peer, Send},
    secure::{AWS_LC, Identity, Psk},
};

const PATIENCE: Duration = Duration::from_secs(10);

fn config(name: &str, seed: u8, peer: Option<SocketAddr>) -> Config {
    let identity = Arc::new(Identity::from_seed([seed; 32], AWS_LC));
    let mut config = Config::new(NodeName::new(name).unwrap(), identity, Incarnation(1), AWS_LC);
    config.psks = vec![Psk::from_token(b"secret")];
    config.seed = [seed; 32];
    config.secret_seed = [seed; 32];
    let endpoint = |peer: SocketAddr| Endpoint::new(&format!("tcp://{peer}"));
    config.peers = peer.map(|peer| Peer { name: None, endpoints: vec![endpoint(peer)], cost: 0 }).into_iter().collect();
    config
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Waits for an event that `pick` takes.
fn expect<T>(node: &Handle, pick: impl Fn(Event) -> Option<T>) -> T {
    loop {
        let event = node.events().recv_timeout(PATIENCE).expect("the event comes in time");
        if let Some(found) = pick(event) {
            return found;
        }
    }
}

#[test]
fn a_message_arrives_and_its_sender_learns_it() {
    let a = start(config("a", 1, None), any_port()).unwrap();
    let b = start(config("b", 2, Some(a.local_addr())), any_port()).unwrap();
    expect(&b, |event| matches!(event, Event::Reachable { .. }).then_some(()));
    let to = NodeName::new("a").unwrap().addr();
    let payload = Bytes::from(vec![7; 300_000]);
    let send =
        Send { to, to_client: None, from_client: None, payload: payload.clone(), deadline: PATIENCE, report: true };
    b.command(Token(1), Command::Send(send)).unwrap();
    let message = expect(&a, |event| match event {
        Event::Message(message) => Some(message),
        _ => None,
    });
    a.consumed(message.mailbox(), 1).unwrap();
    assert_eq!(message.payload, payload);
    let answer = expect(&b, |event| match event {
        Event::Done { token: Token(1), answer } => Some(answer),
        _ => None,
    });
    assert_eq!(*answer, Answer::Sent(Outcome::Delivered));
}

#[test]
fn a_stranger_with_another_token_gets_no_link() {
    let a = start(config("a", 1, None), any_port()).unwrap();
    let mut wrong = config("b", 2, Some(a.local_addr()));
    wrong.psks = vec![Psk::from_token(b"guess")];
    let b = start(wrong, any_port()).unwrap();
    let failed = expect(&b, |event| match event {
        Event::LinkFailed { reason, .. } => Some(reason),
        Event::LinkUp { .. } => panic!("linked with the wrong token"),
        _ => None,
    });
    assert_ne!(failed, proto_core::error::CloseReason::DialFailed);
}

#[test]
fn an_application_that_commands_much_before_it_listens_is_served() {
    const COMMANDS: u64 = 5_000;
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let a = start(config("a", 1, None), any_port()).unwrap();
        for number in 0..COMMANDS {
            let command = Command::SetClient { client: Arc::from("desk"), present: number % 2 == 0 };
            a.command(Token(number + 1), command).unwrap();
        }
        let answers = a.events().iter().filter(|event| matches!(event, Event::Done { .. }));
        done.send(answers.take(5_000).count()).unwrap();
    });
    assert_eq!(finished.recv_timeout(PATIENCE), Ok(5_000), "node and application wait for each other");
}
