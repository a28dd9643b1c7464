//! Random sends, restarts and partings over a random channel: whatever happens, [`World`] checks the promises.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::{
    world::{Channel, PERFECT, World},
    *,
};

#[derive(Clone, Copy, Debug)]
enum Step {
    Send { from: usize, to: usize, deadline: u64, client: Option<&'static str>, reported: bool },
    Burst { from: usize, count: u32, deadline: u64 },
    Consume { node: usize, messages: u32 },
    Client { node: usize, present: bool },
    Introduce { node: usize },
    Part { node: usize },
    Restart { node: usize },
    Channel(Channel),
    Run { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..2_usize;
    let client = prop_oneof![4 => Just(None), 1 => Just(Some("ui")), 1 => Just(Some("nobody"))];
    let delay = (0..100_u64, 0..300_u64).prop_map(|(least, spread)| (least, least + spread));
    prop_oneof![
        8 => (node.clone(), node.clone(), 1..4_000_u64, client, any::<bool>())
            .prop_map(|(from, to, deadline, client, reported)| Step::Send { from, to, deadline, client, reported }),
        3 => (node.clone(), 1..100_u32, 1..4_000_u64)
            .prop_map(|(from, count, deadline)| Step::Burst { from, count, deadline }),
        4 => (node.clone(), 1..50_u32).prop_map(|(node, messages)| Step::Consume { node, messages }),
        1 => (node.clone(), any::<bool>()).prop_map(|(node, present)| Step::Client { node, present }),
        2 => node.clone().prop_map(|node| Step::Introduce { node }),
        1 => node.clone().prop_map(|node| Step::Part { node }),
        1 => node.prop_map(|node| Step::Restart { node }),
        2 => (0..600_u32, 0..300_u32, delay)
            .prop_map(|(loss, doubled, delay)| Step::Channel(Channel { loss, doubled, delay })),
        8 => (1..700_u64).prop_map(|millis| Step::Run { millis }),
    ]
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Send { from, to, deadline, client, reported } => {
            world.send(from, to, deadline, client, reported);
        }
        Step::Burst { from, count, deadline } => {
            for _ in 0..count {
                world.send(from, 1 - from, deadline, None, true);
            }
        }
        Step::Consume { node, messages } => world.consume(node, messages),
        Step::Client { node, present } => world.set_client(node, "ui", present),
        Step::Introduce { node } => world.introduce(node),
        Step::Part { node } => world.part(node),
        Step::Restart { node } => world.restart(node),
        Step::Channel(channel) => world.set_channel(channel),
        Step::Run { millis } => world.run(millis),
    }
}

/// Heals everything; from then on everything must work.
fn heal(world: &mut World) {
    world.set_channel(PERFECT);
    for node in 0..2 {
        world.set_eager(node);
        world.introduce(node);
    }
    world.run(500);
    for node in 0..2 {
        world.introduce(node);
        world.set_eager(node);
    }
    world.run(10_000);
    let last = [world.send(0, 1, 5_000, None, true), world.send(1, 0, 5_000, None, true)];
    world.run(5_000);
    assert_eq!(last.map(|number| world.outcome(number)), [Some(Outcome::Delivered); 2]);
    world.check_settled();
}

proptest! {
    #![proptest_config(crate::testing::cases(300))]

    #[test]
    fn no_channel_and_no_restart_breaks_a_promise(
        seed in any::<u64>(),
        inbox in prop_oneof![1..10_usize, 100..1_000_usize],
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(seed, inbox);
        world.introduce(0);
        world.introduce(1);
        for step in steps {
            take(&mut world, step);
        }
        heal(&mut world);
    }
}

/// Both nodes talk all the time, over a bad channel, for long.
#[test]
fn a_long_talk_over_a_bad_channel_keeps_every_promise() {
    let mut world = World::new(3, 20);
    world.introduce(0);
    world.introduce(1);
    world.set_channel(Channel { loss: 200, doubled: 100, delay: (5, 80) });
    for round in 0..300_u64 {
        let numbers: Vec<_> = (0..5).map(|index| world.send(usize::from(index % 2 == 0), 0, 400, None, true)).collect();
        assert_eq!(numbers.len(), 5);
        world.send(0, 1, 50 + round * 7, None, true);
        world.run(40);
        world.consume(0, 6);
        world.consume(1, 1);
        if round % 97 == 96 {
            world.restart(1);
            world.introduce(0);
            world.introduce(1);
        }
    }
    heal(&mut world);
}
