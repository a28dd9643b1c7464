//! Whole nodes with each other, on a perfect network.

mod services;

use core::time::Duration;
use std::{format, sync::Arc, vec, vec::Vec};

use bytes::Bytes;

use super::{Answer, Command, Config, Event, Outcome, Peer, Send};
use crate::{
    error::{CloseReason, Rejected},
    id::{Incarnation, NodeAddr, NodeName, Token},
    probe::Counter,
    secure::{Identity, Psk},
    testing::{Fabric, PROVIDER, Told},
    time::Time,
};

const MS: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_secs(2);

fn name(node: usize) -> NodeName {
    NodeName::new(&format!("n{node}")).unwrap()
}

fn addr(node: usize) -> NodeAddr {
    name(node).addr()
}

/// The configuration of a node that dials these others.
fn config(node: usize, dials: &[usize]) -> Config {
    let seed = [u8::try_from(node).unwrap(); 32];
    let mut config = Config::new(name(node), Arc::new(Identity::from_seed(seed, PROVIDER)), Incarnation(1), PROVIDER);
    config.psks = vec![Psk::from_token(b"secret")];
    config.seed = seed;
    config.secret_seed = seed;
    let peer = |to: &usize| Peer { name: Some(name(*to)), endpoints: vec![Fabric::endpoint(*to)], cost: 0 };
    config.peers = dials.iter().map(peer).collect();
    config
}

/// Nodes in a line, each dialling the one before; run until it has settled.
fn line(length: usize) -> (Fabric, Vec<Told>) {
    let mut fabric = Fabric::new(MS);
    for node in 0..length {
        let dials: Vec<usize> = node.checked_sub(1).into_iter().collect();
        fabric.add(config(node, &dials));
    }
    let told = fabric.run_until(Time::from_secs(1));
    (fabric, told)
}

fn send(to: usize, payload: &'static [u8]) -> Command {
    let payload = Bytes::from_static(payload);
    Command::Send(Send { to: addr(to), to_client: None, from_client: None, payload, deadline: SOON, report: true })
}

fn messages(told: &[Told]) -> Vec<(usize, &[u8])> {
    told.iter()
        .filter_map(|(node, _, event)| match event {
            Event::Message(message) => Some((*node, &message.payload[..])),
            _ => None,
        })
        .collect()
}

fn answers(told: &[Told], wanted: u64) -> Vec<&Answer> {
    told.iter()
        .filter_map(|(_, _, event)| match event {
            Event::Done { token, answer } if *token == Token(wanted) => Some(&**answer),
            _ => None,
        })
        .collect()
}

#[test]
fn a_line_of_three_converges_within_a_tenth_of_a_second() {
    let (fabric, told) = line(3);
    let last = told.iter().filter(|(_, _, event)| matches!(event, Event::Reachable { .. })).map(|(_, at, _)| *at).max();
    assert!(last.unwrap() < Time::from_millis(100), "{last:?}");
    for node in 0..3 {
        assert_eq!(fabric.node(node).unwrap().router().reachable().count(), 2, "n{node}");
    }
}

#[test]
fn a_message_crosses_a_relay_by_name() {
    let (mut fabric, _) = line(3);
    fabric.command(0, 7, send(2, b"hello"));
    let told = fabric.run_until(Time::from_secs(2));
    assert_eq!(messages(&told), [(2, &b"hello"[..])]);
    assert_eq!(answers(&told, 7), [&Answer::Sent(Outcome::Delivered)]);
    assert!(fabric.node(1).unwrap().probe().get(Counter::Forwarded) >= 2, "there and back");
}

#[test]
fn a_frame_crosses_as_many_links_as_allowed_and_no_more() {
    let mut fabric = Fabric::new(MS);
    for (node, dials) in [(0, vec![]), (1, vec![0]), (2, vec![1]), (3, vec![2])] {
        let mut config = config(node, &dials);
        config.route.max_hops = 2;
        fabric.add(config);
    }
    fabric.run_until(Time::from_secs(1));
    fabric.command(0, 7, send(2, b"two links"));
    fabric.command(0, 8, send(3, b"three links"));
    let told = fabric.run_until(Time::from_secs(4));
    assert_eq!(messages(&told), [(2, &b"two links"[..])]);
    assert_eq!(answers(&told, 7), [&Answer::Sent(Outcome::Delivered)], "so does its acknowledgement");
    assert_eq!(answers(&told, 8), [&Answer::Sent(Outcome::Unknown)]);
    assert!(fabric.node(2).unwrap().probe().get(Counter::DroppedHopLimit) > 0);
}

#[test]
fn many_messages_of_one_turn_leave_as_few_records() {
    let (mut fabric, _) = line(2);
    let before = fabric.node(0).unwrap().probe().get(Counter::RecordsOut);
    for token in 0..64 {
        fabric.command(0, token, send(1, b"hello"));
    }
    let told = fabric.run_until(fabric.now() + 10 * MS);
    assert_eq!(messages(&told).len(), 64);
    let records = fabric.node(0).unwrap().probe().get(Counter::RecordsOut) - before;
    assert!(records <= 2, "{records} records");
}

#[test]
fn a_broadcast_reaches_everybody_and_says_who_acknowledged() {
    let (mut fabric, _) = line(4);
    fabric.command(1, 7, Command::Broadcast { payload: Bytes::from_static(b"all"), deadline: SOON });
    let told = fabric.run_until(Time::from_secs(2));
    let mut got: Vec<usize> = messages(&told).into_iter().map(|(node, _)| node).collect();
    got.sort_unstable();
    assert_eq!(got, [0, 2, 3]);
    let mut expected =
        vec![(addr(0), Outcome::Delivered), (addr(2), Outcome::Delivered), (addr(3), Outcome::Delivered)];
    expected.sort_unstable_by_key(|(node, _)| *node);
    assert_eq!(answers(&told, 7), [&Answer::SentMany(expected)]);
}

#[test]
fn a_trace_tells_every_hop_and_a_ping_only_the_last() {
    let (mut fabric, _) = line(4);
    fabric.command(0, 1, Command::Trace { to: addr(3), every_hop: true, deadline: SOON });
    fabric.command(0, 2, Command::Trace { to: addr(3), every_hop: false, deadline: SOON });
    let told = fabric.run_until(Time::from_secs(2));
    let hops = |wanted| {
        let mut hops: Vec<_> = told
            .iter()
            .filter_map(|(_, _, event)| match event {
                Event::Hop { token, hop } if *token == Token(wanted) => {
                    Some((hop.hop, hop.name.clone(), hop.last, hop.rtt))
                }
                _ => None,
            })
            .collect();
        hops.sort();
        hops
    };
    assert_eq!(hops(1), [(1, name(1), false, 2 * MS), (2, name(2), false, 4 * MS), (3, name(3), true, 6 * MS)]);
    assert_eq!(hops(2), [(3, name(3), true, 6 * MS)]);
    assert_eq!(answers(&told, 1), [&Answer::Traced { reached: true }]);
}

#[test]
fn a_message_to_nowhere_is_rejected_at_its_deadline() {
    let (mut fabric, _) = line(2);
    fabric.command(0, 7, send(9, b"hello"));
    let told = fabric.run_until(Time::from_secs(4));
    assert_eq!(answers(&told, 7), [&Answer::Sent(Outcome::Rejected(Rejected::NoRoute))]);
}

#[test]
fn a_ring_goes_on_when_a_relay_dies() {
    let mut fabric = Fabric::new(MS);
    for (node, dials) in [(0, vec![]), (1, vec![0]), (2, vec![1]), (3, vec![2, 0])] {
        fabric.add(config(node, &dials));
    }
    fabric.run_until(Time::from_secs(1));
    fabric.kill(1);
    let told = fabric.run_until(Time::from_secs(2));
    assert!(
        told.iter()
            .any(|(node, _, event)| *node == 0 && matches!(event, Event::Unreachable { node } if *node == name(1)))
    );
    fabric.command(0, 7, send(2, b"around"));
    let told = fabric.run_until(Time::from_secs(3));
    assert_eq!(messages(&told), [(2, &b"around"[..])]);
    assert_eq!(fabric.node(0).unwrap().router().next_hop(addr(1), 0, None).ok(), None, "no route to the dead");
}

#[test]
fn a_relay_forgets_the_way_of_a_flow_when_its_next_hop_dies() {
    let mut fabric = Fabric::new(MS);
    for (node, dials) in [(0, vec![]), (1, vec![0]), (2, vec![1]), (3, vec![1]), (4, vec![2, 3])] {
        fabric.add(config(node, &dials));
    }
    fabric.run_until(Time::from_secs(1));
    let forwarded = |fabric: &Fabric, node| fabric.node(node).unwrap().probe().get(Counter::Forwarded);
    let before = forwarded(&fabric, 2);
    for token in 0..3 {
        fabric.command(0, token, send(4, b"one way"));
    }
    assert_eq!(messages(&fabric.run_until(Time::from_millis(1_100))), [(4, &b"one way"[..]); 3]);
    let used = if forwarded(&fabric, 2) > before { 2 } else { 3 };
    fabric.kill(used);
    fabric.run_until(Time::from_secs(2));
    fabric.command(0, 7, send(4, b"the other"));
    assert_eq!(messages(&fabric.run_until(Time::from_secs(4))), [(4, &b"the other"[..])]);
}

#[test]
fn a_frame_goes_no_further_than_a_relay_lets_its_own_go() {
    let mut fabric = Fabric::new(MS);
    for (node, max_hops) in [(0, 255), (1, 1), (2, 16), (3, 16)] {
        let dials: Vec<usize> = usize::checked_sub(node, 1).into_iter().collect();
        let mut config = config(node, &dials);
        config.route.max_hops = max_hops;
        fabric.add(config);
    }
    fabric.run_until(Time::from_secs(1));
    fabric.command(0, 7, send(3, b"far"));
    assert!(messages(&fabric.run_until(Time::from_secs(4))).is_empty());
    assert!(fabric.node(2).unwrap().probe().get(Counter::DroppedHopLimit) > 0);
}

#[test]
fn a_peer_too_many_and_one_too_late_are_rejected() {
    let peer = |number: usize| Peer { name: Some(name(number)), endpoints: vec![], cost: 0 };
    let mut first = config(0, &[]);
    first.peers = (1..=crate::limits::DIALERS_MAX).map(peer).collect();
    let mut fabric = Fabric::new(MS);
    fabric.add(first);
    fabric.command(0, 1, Command::Connect(peer(1)));
    fabric.command(0, 2, Command::Connect(peer(2_000)));
    fabric.command(0, 3, Command::Drain { deadline: SOON });
    fabric.command(0, 4, Command::Connect(peer(1)));
    let told = fabric.run_until(Time::from_secs(1));
    assert_eq!(answers(&told, 1), [&Answer::Accepted]);
    assert_eq!(answers(&told, 2), [&Answer::Rejected(Rejected::Busy)]);
    assert_eq!(answers(&told, 4), [&Answer::Rejected(Rejected::ShuttingDown)]);
}

#[test]
fn a_draining_node_finishes_and_says_goodbye() {
    let (mut fabric, _) = line(2);
    fabric.command(0, 1, send(1, b"last"));
    fabric.command(0, 2, Command::Drain { deadline: SOON });
    fabric.command(0, 3, send(1, b"too late"));
    let told = fabric.run_until(Time::from_secs(2));
    assert_eq!(answers(&told, 1), [&Answer::Sent(Outcome::Delivered)]);
    assert_eq!(answers(&told, 2), [&Answer::Drained { unanswered: 0 }]);
    assert_eq!(answers(&told, 3), [&Answer::Rejected(Rejected::ShuttingDown)]);
    let goodbye =
        |event: &Event| matches!(event, Event::LinkDown { peer, reason: CloseReason::Peer } if *peer == name(0));
    assert!(told.iter().any(|(node, _, event)| *node == 1 && goodbye(event)), "{told:?}");
}

#[test]
fn a_read_that_causes_millions_of_frames_is_no_bug() {
    let mut node = super::Node::new(config(0, &[]));
    let frame = crate::wire::Frame::new(crate::wire::Kind::Want, &crate::wire::v1::Want {});
    let link = postcard::from_bytes(&[0, 0]).unwrap();
    node.fx.router = vec![crate::route::Effect::Send { link, frame }; 1_000_001];
    node.settle();
    assert_eq!(node.probe().get(Counter::DroppedQueueFull), 1_000_001, "there is no such link");
}

#[test]
fn time_that_goes_back_is_the_embedders_mistake() {
    let mut node = super::Node::new(config(0, &[]));
    node.handle_timeout(Time::from_secs(2));
    while node.poll_output().is_some() {}
    node.handle(Time::from_secs(1), super::Input::Consumed { mailbox: super::Mailbox::Node, messages: 0 });
    let told = core::iter::from_fn(|| node.poll_output()).collect::<Vec<_>>();
    assert!(told.contains(&super::Output::Event(Event::Misuse(crate::error::Misuse::TimeWentBackwards))));
}

#[test]
fn a_newcomer_takes_the_place_of_a_pin_that_is_long_idle() {
    let mut fabric = Fabric::new(MS);
    let key = crate::secure::PublicKey([7; 32]);
    let mut full = config(0, &[]);
    full.pins = (0..crate::limits::PINS_MAX).map(|old| (NodeName::new(&format!("old{old}")).unwrap(), key)).collect();
    fabric.add(full);
    fabric.run_until(Time::from_secs(24 * 3_600 - 60));
    fabric.add(config(1, &[0]));
    let dropped = |told: &[Told]| -> Vec<NodeName> {
        told.iter()
            .filter_map(|(node, _, event)| match event {
                Event::Unpinned { name, .. } if *node == 0 => Some(name.clone()),
                _ => None,
            })
            .collect()
    };
    let told = fabric.run_until(Time::from_secs(24 * 3_600 - 1));
    assert_eq!(dropped(&told), []);
    let told = fabric.run_until(Time::from_secs(24 * 3_600 + 60));
    let dropped = dropped(&told);
    assert_eq!((dropped.len(), fabric.node(0).unwrap().name_of(dropped[0].addr())), (1, None));
    assert_eq!(fabric.node(0).unwrap().name_of(addr(1)), Some(&name(1)));
    assert_eq!(fabric.node(0).unwrap().links().views().count(), 1);
}
