//! Random calls, registrations, restarts and partings over a random flow: whatever happens, [`World`] checks the promises.

use proptest::prelude::*;

use super::{
    world::{Flow, PERFECT, World},
    *,
};
use crate::testing::cases;

#[derive(Clone, Debug)]
enum Step {
    Call { from: usize, call: Call },
    Burst { from: usize, calls: u32, deadline: u64 },
    Cancel { node: usize, which: usize },
    Register { node: usize, client: Option<&'static str>, concurrency: u32, queue: u32 },
    ClientGone { node: usize },
    Restart { node: usize },
    Part { a: usize, b: usize },
    Introduce { a: usize, b: usize },
    Flow(Flow),
    Run { millis: u64 },
}

fn target() -> impl Strategy<Value = Target> {
    let node = (0..3_usize).prop_map(|node| addr(world::NAMES[node]));
    let client = prop_oneof![Just(None), Just(Some(Arc::from("ui")))];
    prop_oneof![
        1 => node.clone().prop_map(Target::Node),
        1 => (node, client).prop_map(|(node, client)| Target::Provider(Provider { node, client })),
        4 => prop_oneof![Just(Balance::Nearest), Just(Balance::RoundRobin), Just(Balance::LeastPending)]
            .prop_map(Target::Balanced),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        5 => Just(Mode::Unary { key: None }),
        2 => (0..4_u8).prop_map(|key| Mode::Unary { key: Key::new(bytes(&std::format!("k{key}"))) }),
        2 => Just(Mode::Streaming),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..3_usize;
    let client = prop_oneof![Just(None), Just(Some("ui"))];
    let delay = (0..50_u64, 0..200_u64).prop_map(|(least, spread)| (least, least + spread));
    prop_oneof![
        8 => (node.clone(), target(), mode(), 1..2_000_u64)
            .prop_map(|(from, to, mode, deadline)| Step::Call { from, call: Call { mode, ..call_to(to, deadline) } }),
        3 => (node.clone(), 1..30_u32, 1..2_000_u64)
            .prop_map(|(from, calls, deadline)| Step::Burst { from, calls, deadline }),
        2 => (node.clone(), 0..5_usize).prop_map(|(node, which)| Step::Cancel { node, which }),
        4 => (node.clone(), client, 1..4_u32, 0..6_u32)
            .prop_map(|(node, client, concurrency, queue)| Step::Register { node, client, concurrency, queue }),
        1 => node.clone().prop_map(|node| Step::ClientGone { node }),
        1 => node.clone().prop_map(|node| Step::Restart { node }),
        1 => (node.clone(), node.clone()).prop_map(|(a, b)| Step::Part { a, b }),
        1 => (node.clone(), node).prop_map(|(a, b)| Step::Introduce { a, b }),
        2 => (0..300_u32, 0..300_u32, delay)
            .prop_map(|(refused, unknown, delay)| Step::Flow(Flow { refused, unknown, delay })),
        8 => (1..500_u64).prop_map(|millis| Step::Run { millis }),
    ]
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Call { from, call } => world.call(from, call),
        Step::Burst { from, calls, deadline } => {
            for _ in 0..calls {
                world.call(from, balanced(deadline));
            }
        }
        Step::Cancel { node, which } => world.cancel(node, which),
        Step::Register { node, client, concurrency, queue } => world.register(node, client, concurrency, queue),
        Step::ClientGone { node } => world.client_gone(node, "ui"),
        Step::Restart { node } => world.restart(node),
        Step::Part { a, b } => world.part(a, b),
        Step::Introduce { a, b } => world.introduce(a, b),
        Step::Flow(flow) => world.set_flow(flow),
        Step::Run { millis } => world.run(millis),
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_promise_holds_whatever_happens(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(seed);
        world.register(1, None, 2, 4);
        for step in steps {
            take(&mut world, step);
        }
        world.set_flow(PERFECT);
        world.run(40_000);
        world.check_calm();
    }
}

#[test]
fn in_a_perfect_world_every_call_has_its_result_or_the_handlers_error() {
    let mut world = World::new(1);
    world.register(1, None, 100, 100);
    world.register(2, Some("ui"), 100, 100);
    for round in 0..20 {
        for from in 0..3 {
            world.call(from, balanced(5_000));
            world.call(from, Call { mode: Mode::Streaming, ..balanced(60_000) });
        }
        world.run(round);
    }
    world.run(60_000);
    world.check_calm();
    assert!((70..120).contains(&world.successes()), "three in four handlers answer well: {}", world.successes());
}
