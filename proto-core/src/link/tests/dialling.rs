//! When a node dials, and when it does not.

use core::time::Duration;
use std::string::ToString as _;

use super::world::{Told, World, at, config, dials, name, peer, story};
use crate::{
    error::{CloseReason, Misuse},
    id::{ChannelId, DialId},
    link::{Attempt, DialerState, Effect, Event},
    probe::Counter,
    time::Time,
};

const LOST: CloseReason = CloseReason::ChannelLost;

#[test]
fn what_cannot_be_connected_to_is_dialled_ever_more_rarely() {
    let mut world = World::new(&[config("a", 1, &[(Some("b"), "nowhere")])]);
    let told = world.run_until(at(100_000));
    // Each dial fails after 20 ms; the pauses are 0.5, 1, 2, 4, 8, 16, 30 s.
    assert_eq!(dials(&told, 0), [0, 520, 1_540, 3_560, 7_580, 15_600, 31_620, 61_640, 91_660]);
    let mut retries = std::vec::Vec::new();
    for (.., effect) in &told {
        if let Effect::Failed { reason: CloseReason::DialFailed, retry_in, .. } = effect {
            retries.extend(*retry_in);
        }
    }
    assert_eq!(retries[..3], [500, 1_000, 2_000].map(Duration::from_millis));
    let view = world.hosts[0].machine.links.dialers().next().unwrap();
    assert_eq!((view.peer, view.failures), (Some(&name("b")), 9));
    assert_eq!((view.last_reason, view.next_attempt), (Some(CloseReason::DialFailed), Some(at(121_680))));
}

#[test]
fn a_dial_without_an_answer_is_given_up_and_a_late_channel_is_closed() {
    let mut world = World::new(&[config("a", 1, &[(Some("b"), "void")])]);
    let told = world.run_until(at(12_000));
    assert_eq!(dials(&told, 0), [0, 11_000]);
    let late = Event::Opened { channel: ChannelId(77), dial: Some(DialId(1)), remote: "b".into(), exporter: None };
    let host = &mut world.hosts[0];
    assert_eq!(host.handle(at(12_000), late), [Effect::Close { channel: ChannelId(77) }]);
    assert_eq!(host.handle(at(12_000), Event::DialFailed { dial: DialId(1) }), []);
    assert_eq!(host.handle(at(12_000), Event::Closed { channel: ChannelId(77) }), []);
}

#[test]
fn endpoints_are_dialled_in_turn_without_a_pause_between_them() {
    let mut a = config("a", 1, &[]);
    a.peers = [peer(Some("b"), &["nowhere", "void", "b"])].into();
    let mut world = World::new(&[a, config("b", 1, &[])]);
    let told = world.run_until(at(12_000));
    assert_eq!(dials(&told, 0), [0, 20, 10_520]);
    let up = Told::Up("b".to_string());
    assert_eq!(
        story(&told)[..3],
        [
            (20, 0, Told::Failed(CloseReason::DialFailed)),
            (10_520, 0, Told::Failed(CloseReason::DialFailed)),
            (10_580, 0, up)
        ]
    );
}

#[test]
fn a_link_that_lasted_is_dialled_again_at_once_and_one_that_did_not_after_a_pause() {
    let mut world = World::new(&[config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[])]);
    world.run_until(at(20_000));
    let channel = world.channel(0);
    world.break_channel(0, channel);
    let told = world.run_until(at(21_000));
    assert_eq!(dials(&told, 0), [20_000]);
    // It lasts for less than a second, again and again.
    for (now, expected) in [(21_000, 21_500), (22_000, 23_000), (24_000, 26_000), (27_000, 31_000)] {
        world.run_until(at(now));
        let channel = world.channel(0);
        world.break_channel(0, channel);
        let told = world.run_until(at(expected + 500));
        assert_eq!(dials(&told, 0), [expected], "broken at {now}");
    }
    world.run_until(at(50_000));
    let channel = world.channel(0);
    world.break_channel(0, channel);
    assert_eq!(dials(&world.run_until(at(50_500)), 0), [50_000]);
}

#[test]
fn attempts_are_bounded_in_any_window_even_if_links_flap() {
    let mut world = World::new(&[config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[])]);
    while world.now() < Time::from_secs(600) {
        let next = world.now() + Duration::from_millis(100);
        world.run_until(next);
        if !world.up(0).is_empty() {
            let channel = world.channel(0);
            world.break_channel(0, channel);
        }
    }
    let times = dials(&world.told, 0);
    let most = times.iter().map(|start| times.iter().filter(|time| (*start..start + 60_000).contains(time)).count());
    assert!(most.max().unwrap() <= 8, "{times:?}");
    assert!(times.len() >= 20, "{times:?}");
}

#[test]
fn a_node_that_is_linked_is_not_dialled_whoever_dialled() {
    let mut world = World::new(&[config("a", 1, &[]), config("b", 1, &[(Some("a"), "a")])]);
    world.run_until(at(500));
    world.connect(0, peer(Some("b"), &["b"]));
    let told = world.run_until(Time::from_secs(60));
    assert_eq!(dials(&told, 0), []);
    let state = world.hosts[0].machine.links.dialers().next().unwrap().state;
    assert_eq!(state, DialerState::Linked(world.link(0)));
    // Both dial once the link is gone; one link is left.
    let channel = world.channel(0);
    world.break_channel(0, channel);
    let told = world.run_until(Time::from_secs(61));
    assert_eq!((dials(&told, 0).len(), dials(&told, 1).len()), (1, 1));
    assert_eq!((world.up(0).len(), world.up(1).len()), (1, 1));
}

#[test]
fn a_peer_without_a_name_is_whoever_answers() {
    let mut world = World::new(&[config("a", 1, &[(None, "b")]), config("b", 1, &[(Some("a"), "a")])]);
    let told = world.run_until(Time::from_secs(60));
    assert_eq!((world.up(0).len(), world.up(1).len()), (1, 1));
    assert_eq!(dials(&told, 0).len() + dials(&told, 1).len(), 2, "no dial while the link is up");
    assert_eq!(world.hosts[0].machine.links.dialers().next().unwrap().peer, Some(&name("b")));
}

#[test]
fn two_peers_that_are_the_same_node_share_one_link() {
    let mut a = config("a", 1, &[(None, "b"), (Some("b"), "b")]);
    a.peers[1].cost = 7;
    let mut world = World::new(&[a, config("b", 1, &[])]);
    let told = world.run_until(Time::from_secs(60));
    assert_eq!(dials(&told, 0), [0, 0]);
    assert_eq!(story(&told).len(), 2, "{:?}", story(&told));
    assert_eq!((world.up(0).len(), world.up(1).len()), (1, 1));
    let links = &world.hosts[0].machine.links;
    assert!(links.dialers().all(|dialer| matches!(dialer.state, DialerState::Linked(_))));
}

#[test]
fn a_configured_cost_is_added() {
    let mut a = config("a", 1, &[(Some("b"), "b")]);
    a.peers[0].cost = 1_000;
    let mut world = World::new(&[a, config("b", 1, &[])]);
    world.run_until(at(500));
    assert_eq!(world.hosts[0].machine.links.views().next().unwrap().cost, 1_200);
    assert_eq!(world.hosts[1].machine.links.views().next().unwrap().cost, 200);
}

#[test]
fn a_peer_that_moves_is_dialled_at_its_new_place() {
    let mut world = World::new(&[config("a", 1, &[(Some("b"), "nowhere")]), config("b", 1, &[])]);
    world.run_until(at(60_000));
    world.connect(0, peer(Some("b"), &["b"]));
    world.run_until(at(60_100));
    assert_eq!(world.up(0).len(), 1);
    assert_eq!(world.hosts[0].machine.links.dialers().count(), 1);
}

#[test]
fn a_handshake_that_stalls_is_given_up() {
    let mut world = World::new(&[config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[])]);
    world.run_until(at(30));
    world.cut();
    let told = world.run_until(at(5_100));
    let timeout = |time, host| (time, host, Told::Failed(CloseReason::HandshakeTimeout));
    assert_eq!(story(&told), [timeout(5_020, 0), timeout(5_030, 1)]);
    let state = world.hosts[0].machine.links.dialers().next().unwrap().state;
    assert_eq!(state, DialerState::Trying(Attempt::Waiting { next: at(5_520) }));
}

#[test]
fn the_substrate_is_told_when_it_speaks_of_what_never_was() {
    let mut world = World::new(&[config("a", 1, &[])]);
    let mut complaint = |event| world.hosts[0].handle(Time::ZERO, event).remove(0);
    let channel = ChannelId(9);
    let no_channel = Effect::Misuse(Misuse::NoSuchChannel);
    assert_eq!(complaint(Event::Received { channel, bytes: b"x"[..].into() }), no_channel);
    assert_eq!(complaint(Event::Written { channel, bytes: 1 }), no_channel);
    assert_eq!(complaint(Event::Closed { channel }), no_channel);
    let no_dial = Effect::Misuse(Misuse::NoSuchDial);
    assert_eq!(complaint(Event::DialFailed { dial: DialId(5) }), no_dial);
    let opened = Event::Opened { channel, dial: Some(DialId(5)), remote: "x".into(), exporter: None };
    assert_eq!(world.hosts[0].handle(Time::ZERO, opened), [no_dial, Effect::Close { channel }]);
}

#[test]
fn a_peer_without_a_name_that_is_linked_already_is_dialled_once() {
    let mut world = World::new(&[config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[])]);
    world.run_until(at(500));
    world.connect(0, peer(None, &["b"]));
    let told = world.run_until(at(30_000));
    assert_eq!((dials(&told, 0), story(&told)), ([500].into(), [].into()));
    let links = &world.hosts[0].machine.links;
    assert!(links.dialers().all(|dialer| dialer.state == DialerState::Linked(world.link(0))));
}

#[test]
fn accepts_beyond_the_rate_are_closed_at_once() {
    let mut b = config("b", 1, &[]);
    b.link.accepts_per_sec = 1;
    let mut world = World::new(&[b]);
    let opened = |channel| Event::Opened { channel, dial: None, remote: "x".into(), exporter: None };
    let tell = |number| world.hosts[0].handle(Time::ZERO, opened(ChannelId(number)));
    let closed: std::vec::Vec<_> = (1..=5).flat_map(tell).collect();
    assert_eq!(closed, [3, 4, 5].map(|number| Effect::Close { channel: ChannelId(number) }));
    assert_eq!(world.hosts[0].probe.get(Counter::AcceptsRefused), 3);
    // The half-open ones end with the handshake timeout and count no more.
    world.run_until(at(6_000));
    assert_eq!(world.hosts[0].probe.get(Counter::HandshakesFailed), 2);
    for number in 1..=5 {
        world.hosts[0].handle(at(6_000), Event::Closed { channel: ChannelId(number) });
    }
    assert!(world.hosts[0].machine.links.is_empty());
}

#[test]
fn a_node_that_refuses_at_once_is_dialled_after_a_pause() {
    let mut world = World::new(&[config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[])]);
    world.tell(1, Event::Shutdown);
    let told = world.run_until(at(550));
    assert_eq!(story(&told), [(40, 0, Told::Failed(LOST))]);
    assert_eq!(dials(&told, 0), [0, 540]);
}
