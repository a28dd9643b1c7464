//! Anything may happen to channels and hosts; when it stops, every pair has one link, and both ends mean the same one.

use core::time::Duration;

use proptest::prelude::*;

use super::world::{World, at, config, frame};
use crate::{
    link::{Effect, Lane},
    time::Time,
};

/// Something that goes wrong.
#[derive(Clone, Debug)]
enum Fault {
    /// Time passes.
    Wait(u64),
    /// The channel of a host's link ends.
    Break(usize),
    /// Nothing crosses the channels that exist any more.
    Cut,
    /// A host stops and starts anew.
    Restart(usize, bool),
    /// The way becomes this long, in milliseconds.
    Latency(u64),
    /// A host sends something large.
    Send(usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => (1..15_000u64).prop_map(Fault::Wait),
        4 => (1..200u64).prop_map(Fault::Wait),
        3 => (0..2usize).prop_map(Fault::Break),
        1 => Just(Fault::Cut),
        2 => (0..2usize, any::<bool>()).prop_map(|(host, silently)| Fault::Restart(host, silently)),
        1 => (1..300u64).prop_map(Fault::Latency),
        2 => (0..2usize).prop_map(Fault::Send),
    ]
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    #[test]
    fn after_the_faults_both_ends_have_the_same_link(
        faults in prop::collection::vec(fault(), 1..25),
        both in any::<bool>(),
    ) {
        let peers = |host: usize| match (host, both) {
            (0, _) => [(Some("b"), "b")].to_vec(),
            (_, true) => [(Some("a"), "a")].to_vec(),
            (_, false) => [].to_vec(),
        };
        let life = |host: usize, incarnation| config(["a", "b"][host], incarnation, &peers(host));
        let mut lives = [1, 1];
        let mut world = World::new(&[life(0, 1), life(1, 1)]);
        for fault in faults {
            match fault {
                Fault::Wait(millis) => {
                    let until = world.now() + Duration::from_millis(millis);
                    world.run_until(until);
                }
                Fault::Break(host) => {
                    if let [_] = &world.up(host)[..] {
                        let channel = world.channel(host);
                        world.break_channel(host, channel);
                    }
                }
                Fault::Cut => world.cut(),
                Fault::Restart(host, silently) => {
                    lives[host] += 1;
                    world.restart(host, &life(host, lives[host]), silently);
                }
                Fault::Latency(millis) => world.latency = Duration::from_millis(millis),
                Fault::Send(host) => {
                    if let [(link, ..)] = &world.up(host)[..] {
                        world.send(host, *link, Lane::Bulk, frame(1, 200_000));
                    }
                }
            }
            prop_assert!(world.up(0).len() <= 1 && world.up(1).len() <= 1);
        }
        world.latency = Duration::from_millis(10);
        // Silence is noticed within 11 s, the longest pause is 30 s, a dial or handshake takes 5 s at most.
        let healed = world.now();
        world.run_until(healed + Duration::from_secs(60));
        let (a, b) = (world.up(0), world.up(1));
        prop_assert_eq!((a.len(), b.len()), (1, 1));
        prop_assert_eq!(a[0].2, b[0].2);
        let quiet = world.run_until(healed + Duration::from_secs(120));
        let calm = !quiet.iter().any(|(_, _, effect)| matches!(effect, Effect::Down { .. } | Effect::Dial { .. }));
        prop_assert!(calm, "nothing changes any more");
    }
}

#[test]
fn the_same_inputs_ask_for_the_same_things() {
    let run = || {
        let mut world = World::new(&[config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[(Some("a"), "a")])]);
        world.run_until(at(3_333));
        world.cut();
        world.run_until(Time::from_secs(60)).len() + world.told.len()
    };
    assert_eq!(run(), run());
}
