//! Two links to one node: which one lives, at both ends the same.

use core::time::Duration;
use std::{string::ToString as _, vec::Vec};

use super::world::{Told, World, at, config, dials, frame, frames, name, peer, story};
use crate::{
    error::CloseReason,
    link::{Effect, Lane},
    time::Time,
};

/// Both dial; the second one this much later.
fn both_dial(later: u64) -> World {
    let mut world = World::new(&[config("a", 1, &[]), config("b", 1, &[])]);
    let connect = |to: &str| peer(Some(to), &[to]);
    world.connect(0, connect("b"));
    world.run_until(at(later));
    world.connect(1, connect("a"));
    world
}

#[test]
fn a_simultaneous_open_ends_in_one_link_at_whatever_moment_the_second_dial_falls() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        for later in (0..90).step_by(2) {
            let mut world = World::new(&[config(first, 1, &[]), config(second, 1, &[])]);
            let connect = |to: &str| peer(Some(to), &[to]);
            world.connect(0, connect(second));
            world.run_until(at(later));
            world.connect(1, connect(first));
            // Two round trips and the handshake timeout are what is allowed; this takes no timeout.
            let told = world.run_until(at(later + 200));
            let (one, other) = (world.up(0), world.up(1));
            assert_eq!((one.len(), other.len()), (1, 1), "{first} first, {later} later: {:?}", story(&world.told));
            assert_eq!(one[0].2, other[0].2, "the same session");
            assert!(!story(&told).iter().any(|(_, _, what)| matches!(what, Told::Failed(_))), "{:?}", story(&told));
            let told = world.run_until(Time::from_secs(60));
            assert_eq!((dials(&told, 0), dials(&told, 1)), (Vec::new(), Vec::new()), "nobody dials while it lives");
            assert_eq!(story(&told), []);
        }
    }
}

#[test]
fn the_loser_delivers_nothing_after_the_winner_is_up() {
    for later in (0..90).step_by(2) {
        let mut world = both_dial(later);
        let mut number = 0;
        while world.now() < at(later + 400) {
            for host in [0, 1] {
                for (link, ..) in world.up(host) {
                    world.send(host, link, Lane::Data, frame(number, 100));
                    number += 1;
                }
            }
            let next = world.now() + Duration::from_millis(1);
            world.run_until(next);
        }
        for host in [0, 1] {
            let mut up = None;
            for (_, _, effect) in world.told.iter().filter(|(_, at, _)| *at == host) {
                if let Effect::Up { link, .. } = effect {
                    up = Some(*link);
                } else if let Effect::Down { link, .. } = effect {
                    assert_eq!(up.take(), Some(*link));
                } else if let Effect::Frame { link, .. } = effect {
                    assert_eq!(up, Some(*link), "{later}");
                }
            }
            assert!(frames(&world.told, host).len() > 200);
        }
    }
}

#[test]
fn a_node_that_restarts_replaces_its_old_link() {
    let (a, b) = (config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[]));
    let mut world = World::new(&[a, b]);
    world.run_until(at(5_000));
    // The first host vanishes without a word, and comes back as a new life of itself.
    world.restart(0, &config("a", 2, &[(Some("b"), "b")]), true);
    let told = world.run_until(at(6_000));
    assert_eq!(
        story(&told),
        [
            (5_060, 0, Told::Up("b".to_string())),
            (5_070, 1, Told::Down(CloseReason::StaleIncarnation)),
            (5_070, 1, Told::Up("a".to_string())),
        ]
    );
    assert_eq!(world.up(0)[0].2, world.up(1)[0].2);
    assert_eq!(story(&world.run_until(at(60_000))), []);
}

#[test]
fn an_older_life_is_told_that_it_is_over() {
    let (old, b) = (config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[]));
    let mut world = World::new(&[config("a", 2, &[(Some("b"), "b")]), b, old]);
    let told = world.run_until(at(29_000));
    assert_eq!(world.up(1)[0].2, world.up(0)[0].2, "the newer life is linked");
    let older: Vec<_> = story(&told).into_iter().filter(|(_, host, _)| *host == 2).collect();
    let last = older.last().unwrap();
    assert!(matches!(last.2, Told::Down(CloseReason::StaleIncarnation) | Told::Failed(CloseReason::StaleIncarnation)));
    assert_eq!(dials(&told, 2).len(), 1, "only a person can mend two nodes of one identity");
}

#[test]
fn a_dialler_that_lost_its_link_replaces_it_while_the_other_end_still_believes_in_it() {
    for (dialler, acceptor) in [("a", "b"), ("b", "a")] {
        let (one, two) = (config(dialler, 1, &[(Some(acceptor), acceptor)]), config(acceptor, 1, &[]));
        let mut world = World::new(&[one, two]);
        world.run_until(at(20_500));
        let (channel, other) = (world.channel(0), world.channel(1));
        world.deaf.insert((1, other));
        world.break_channel(0, channel);
        let told = world.run_until(at(21_000));
        let reasons: Vec<_> =
            story(&told).into_iter().filter(|(_, host, _)| *host == 1).map(|(.., what)| what).collect();
        assert_eq!(reasons, [Told::Down(CloseReason::Superseded), Told::Up(dialler.to_string())]);
        assert_eq!(world.up(0)[0].2, world.up(1)[0].2);
        assert_eq!(story(&world.run_until(at(60_000))), []);
    }
}

#[test]
fn a_full_table_lets_a_peer_replace_the_link_that_it_has_lost() {
    for (dialler, acceptor) in [("a", "b"), ("b", "a")] {
        let (one, mut two) = (config(dialler, 1, &[(Some(acceptor), acceptor)]), config(acceptor, 1, &[]));
        two.link.max_links = 1;
        let mut world = World::new(&[one, two, config("c", 1, &[])]);
        world.run_until(at(20_500));
        let (channel, other) = (world.channel(0), world.channel(1));
        world.deaf.insert((1, other));
        world.break_channel(0, channel);
        let told = world.run_until(at(21_000));
        let at_acceptor = story(&told).into_iter().filter(|(_, host, _)| *host == 1).map(|(.., what)| what);
        let replaced = [Told::Down(CloseReason::Superseded), Told::Up(dialler.to_string())];
        assert_eq!(at_acceptor.collect::<Vec<_>>(), replaced);
        // Nobody else gets in, and nothing is remembered of who tried.
        world.connect(2, peer(Some(acceptor), &[acceptor]));
        world.run_until(at(22_000));
        assert_eq!((world.up(1).len(), world.up(2).len()), (1, 0));
        assert_eq!(world.hosts[1].machine.pins.name(name("c").addr()), None);
    }
}

#[test]
fn a_link_that_the_other_end_has_lost_is_doubted_and_soon_given_up() {
    // The lower address dialled, so its link ranks higher than what the other end dials.
    let (low, high) = if name("a").addr() < name("b").addr() { ("a", "b") } else { ("b", "a") };
    let mut world = World::new(&[config(low, 1, &[(Some(high), high)]), config(high, 1, &[(Some(low), "void")])]);
    world.run_until(at(20_500));
    let (near, far) = (world.channel(0), world.channel(1));
    world.deaf.insert((0, near));
    world.break_channel(1, far);
    world.connect(1, peer(Some(low), &[low]));
    let told = world.run_until(at(40_000));
    let down = story(&told).into_iter().filter(|(_, host, what)| *host == 0 && matches!(what, Told::Down(_)));
    let down: Vec<_> = down.collect();
    assert_eq!(down.len(), 1, "{:?}", story(&told));
    assert!(down[0].0 < 24_000, "long before the silence of ten seconds: {down:?}");
    assert_eq!(world.up(0)[0].2, world.up(1)[0].2);
}
