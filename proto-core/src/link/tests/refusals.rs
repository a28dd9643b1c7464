//! Who may not link, and how both ends learn of it.

use bytes::BytesMut;

use super::world::{Told, World, at, config, dials, frame, name, story};
use crate::{
    error::{CloseReason, Part, Violation},
    id::ChannelId,
    link::{Effect, Event, Lane},
    node::Config,
    secure::{Psk, PublicKey},
    time::Time,
};

fn a_dials_b() -> [Config; 2] {
    [config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[])]
}

/// Runs a dial that both ends refuse for the same reason, and checks that it is not tried again soon.
fn refused_at_both_ends(configs: &[Config], by: usize, reason: CloseReason) {
    let mut world = World::new(configs);
    let told = world.run_until(at(29_000));
    let mut ends: std::vec::Vec<_> = story(&told).into_iter().map(|(_, host, what)| (host, what)).collect();
    ends.sort_by_key(|(host, _)| *host);
    assert_eq!(ends, [(0, Told::Failed(reason)), (1, Told::Failed(reason))], "refused by {by}");
    assert_eq!(dials(&told, 0), [0]);
    let told = world.run_until(at(31_000));
    assert_eq!(dials(&told, 0).len(), 1, "but it is tried again");
}

#[test]
fn a_wrong_token_is_refused_and_tried_again_ever_more_rarely() {
    let [mut a, b] = a_dials_b();
    a.psks = [Psk::from_token(b"other")].into();
    let mut world = World::new(&[a, b]);
    let told = world.run_until(at(10_000));
    let failed = |time, host| (time, host, Told::Failed(CloseReason::HandshakeFailed));
    // The acceptor refuses the third message; the dialler learns it when the channel ends.
    assert_eq!(story(&told)[..2], [failed(50, 1), failed(60, 0)]);
    assert_eq!(dials(&told, 0), [0, 560, 1_620, 3_680, 7_740]);
}

#[test]
fn several_tokens_may_be_accepted() {
    let [mut a, mut b] = a_dials_b();
    a.psks = [Psk::from_token(b"new")].into();
    b.psks = [Psk::from_token(b"old"), Psk::from_token(b"new")].into();
    let mut world = World::new(&[a, b]);
    world.run_until(at(100));
    assert_eq!(world.up(1).len(), 1);
}

#[test]
fn another_network_is_refused() {
    let [mut a, b] = a_dials_b();
    a.network = "other".into();
    let mut world = World::new(&[a, b]);
    let told = world.run_until(at(400));
    assert!(world.up(0).is_empty() && world.up(1).is_empty());
    assert!(story(&told).iter().any(|(_, host, what)| *host == 0 && matches!(what, Told::Failed(_))));
}

#[test]
fn a_name_that_is_not_on_the_list_is_refused() {
    let [a, mut b] = a_dials_b();
    b.link.allow = ["b*".into()].into();
    refused_at_both_ends(&[a, b], 1, CloseReason::NotAllowed);
}

#[test]
fn a_dialer_without_a_name_does_not_take_that_of_a_node_that_may_not_link() {
    let mut a = config("a", 1, &[(None, "b")]);
    a.link.allow = ["c*".into()].into();
    let mut world = World::new(&[a, config("b", 1, &[])]);
    let told = world.run_until(at(400));
    assert!(story(&told).iter().any(|(_, host, what)| *host == 0 && *what == Told::Failed(CloseReason::NotAllowed)));
    assert_eq!(world.hosts[0].machine.links.dialers().next().unwrap().peer, None);
}

#[test]
fn a_name_pinned_to_another_key_is_refused_and_reported() {
    let [a, mut b] = a_dials_b();
    let (shown, pinned) = (a.identity.public(), PublicKey([9; 32]));
    b.pins = [(name("a"), pinned)].into();
    let mut world = World::new(&[a.clone(), b.clone()]);
    let told = world.run_until(at(100));
    let conflict = Effect::KeyConflict { name: name("a"), pinned, shown };
    assert!(told.contains(&(at(50), 1, conflict)), "{told:?}");
    refused_at_both_ends(&[a, b], 1, CloseReason::KeyConflict);
}

#[test]
fn another_node_than_the_one_expected_is_refused() {
    let a = config("a", 1, &[(Some("c"), "b")]);
    refused_at_both_ends(&[a, config("b", 1, &[])], 0, CloseReason::WrongPeer);
}

#[test]
fn another_version_is_refused() {
    let mut world = World::new(&a_dials_b());
    world.hosts[0].machine.links.own.versions = super::super::own::Versions { min: 7, max: 9 };
    let told = world.run_until(at(29_000));
    let mut ends: std::vec::Vec<_> = story(&told).into_iter().map(|(_, host, what)| (host, what)).collect();
    ends.sort_by_key(|(host, _)| *host);
    let failed = Told::Failed(CloseReason::VersionMismatch);
    assert_eq!(ends, [(0, failed.clone()), (1, failed)]);
    assert_eq!(dials(&told, 0), [0]);
}

#[test]
fn a_node_that_dials_itself_stops() {
    let mut world = World::new(&[config("a", 1, &[(None, "a")])]);
    let told = world.run_until(at(29_000));
    let failed = Told::Failed(CloseReason::SelfDial);
    assert!(story(&told).iter().all(|(_, _, what)| *what == failed), "{:?}", story(&told));
    assert_eq!((story(&told).len(), dials(&told, 0).len()), (2, 1));
    assert!(world.up(0).is_empty());
}

#[test]
fn a_stranger_with_the_own_name_is_a_key_conflict() {
    let a = config("a", 1, &[(None, "b")]);
    let mut world = World::new(&[a, config("b", 1, &[])]);
    // The second host has the name of the first, and a key of its own.
    let mut impostor = config("b", 1, &[]);
    impostor.name = name("a");
    world.restart(1, &impostor, true);
    let told = world.run_until(at(1_000));
    assert!(told.iter().any(|(_, host, effect)| *host == 0 && matches!(effect, Effect::KeyConflict { .. })));
    assert!(world.up(0).is_empty() && world.up(1).is_empty());
}

#[test]
fn noise_from_strangers_is_answered_by_nothing() {
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 5_000], b"FLK1\0\xff\xff", b"F"] {
        let mut world = World::new(&[config("b", 1, &[])]);
        let channel = ChannelId(1);
        let opened = Event::Opened { channel, dial: None, remote: "x".into(), exporter: None };
        assert_eq!(world.hosts[0].handle(Time::ZERO, opened), []);
        let mut effects =
            world.hosts[0].handle(Time::ZERO, Event::Received { channel, bytes: BytesMut::from(garbage) });
        effects.extend(world.hosts[0].run_until(at(6_000)).into_iter().map(|(_, effect)| effect));
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Write { .. })), "{effects:?}");
        assert!(effects.contains(&Effect::Close { channel }), "{effects:?}");
    }
}

#[test]
fn a_record_that_was_altered_ends_the_link_at_both_ends() {
    let mut world = World::new(&a_dials_b());
    world.run_until(at(500));
    let channel = world.channel(1);
    let forged = BytesMut::from(&[17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17][..]);
    world.tell(1, Event::Received { channel, bytes: forged });
    let told = story(&world.run_until(at(1_000)));
    let down = Told::Down(CloseReason::Violation(Violation::BadSeal));
    assert_eq!(story(&world.told)[2], (500, 1, down));
    assert_eq!(told[0], (510, 0, Told::Down(CloseReason::Peer)));
}

#[test]
fn a_frame_beyond_the_limit_of_the_receiver_ends_the_link() {
    let [a, mut b] = a_dials_b();
    b.message.max_payload = 10_000;
    let mut world = World::new(&[a, b]);
    world.run_until(at(500));
    let link = world.link(0);
    world.send(0, link, Lane::Data, frame(1, 20_000));
    world.run_until(at(600));
    let what = story(&world.told).into_iter().find(|(time, host, _)| *time >= 500 && *host == 1).unwrap().2;
    let is_too_long =
        matches!(what, Told::Down(CloseReason::Violation(Violation::TooLong { what: Part::Payload, .. })));
    assert!(is_too_long, "{what:?}");
}

#[test]
fn a_full_table_refuses_one_more_node() {
    let mut hub = config("hub", 1, &[]);
    hub.link.max_links = 1;
    let mut world =
        World::new(&[hub, config("a", 1, &[(Some("hub"), "hub")]), config("b", 1, &[(Some("hub"), "hub")])]);
    let told = world.run_until(at(400));
    assert_eq!(world.up(0).len(), 1);
    let ends: std::vec::Vec<_> = story(&told).into_iter().map(|(_, host, what)| (host, what)).collect();
    // The hello of the hub is on its way before it knows whose place it was.
    assert!(ends.contains(&(0, Told::Failed(CloseReason::TooManyLinks))), "{ends:?}");
    assert!(ends.contains(&(2, Told::Down(CloseReason::TooManyLinks))), "{ends:?}");
    assert_eq!((world.up(1).len(), world.up(2).len()), (1, 0));
}

#[test]
fn the_machines_above_may_close_a_link() {
    let mut world = World::new(&a_dials_b());
    world.run_until(at(500));
    let link = world.link(1);
    let violation = Violation::Malformed { what: Part::Header };
    let effects = world.hosts[1].with(at(500), |machine, cx, effects| {
        machine.links.close(cx, link, violation.into(), effects);
        machine.links.close(cx, link, violation.into(), effects);
    });
    assert_eq!(effects, [Effect::Down { link, peer: name("a"), reason: CloseReason::Violation(violation) }]);
    let told = world.run_until(at(600));
    assert_eq!(story(&told), [(510, 0, Told::Down(CloseReason::Peer))]);
}
