//! The world with real nodes in it.

use core::{ops::ControlFlow, time::Duration};
use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use proto_core::{
    error::{CloseReason, Rejected, Violation},
    id::{Incarnation, NodeName},
    node::{Answer, Event, Mailbox, Outcome, Send},
};

use super::*;
use crate::{
    config::{HostConfig, PeerSpec},
    fault::Fault,
    net::Partition,
    trace::first_divergence,
};

const A: HostId = HostId(0);
const B: HostId = HostId(1);

fn name(number: u32) -> NodeName {
    NodeName::new(&format!("n{number}")).unwrap()
}

fn secs(secs: u64) -> SimTime {
    SimTime::from_secs(secs)
}

/// A world in which every host dials all hosts before it.
fn mesh(seed: u64, hosts: u32, options: WorldOptions) -> World {
    mesh_of(seed, hosts, options, &HostConfig::default())
}

fn mesh_of(seed: u64, hosts: u32, options: WorldOptions, template: &HostConfig) -> World {
    let mut world = World::new(seed, options);
    for number in 0..hosts {
        let peers = (0..number).map(|peer| PeerSpec { name: name(peer), cost: 0 }).collect();
        let template = HostConfig { peers, ..template.clone() };
        world.add_host(HostSpec { template, ..HostSpec::new(name(number)) });
    }
    world
}

fn send(to: u32, payload: &'static [u8]) -> Command {
    Command::Send(Send {
        to: name(to).addr(),
        to_client: None,
        from_client: None,
        payload: Bytes::from_static(payload),
        deadline: Duration::from_secs(10),
        report: true,
    })
}

/// Notes every turn.
#[derive(Default)]
struct Notes {
    turns: Vec<(HostId, SimTime, Time, usize, usize)>,
    inputs: Vec<(HostId, SimTime, Input)>,
    events: Vec<(HostId, SimTime, Event)>,
    /// Turns without inputs that came neither at the deadline nor asked for.
    early: usize,
    deadlines: BTreeMap<HostId, Option<Time>>,
}

impl Observer for Notes {
    type Violation = ();

    fn after_turn(&mut self, world: &World, turn: &TurnRecord<'_>) -> ControlFlow<()> {
        let TurnRecord { host, at, local, inputs, outputs } = *turn;
        assert_eq!((world.now(), world.host(host).local(at)), (at, local));
        self.turns.push((host, at, local, inputs.len(), outputs.len()));
        self.inputs.extend(inputs.iter().map(|input| (host, at, input.clone())));
        let events = outputs.iter().filter_map(|output| match output {
            Output::Event(event) => Some((host, at, event.clone())),
            Output::Dial { .. } | Output::Write { .. } | Output::Close { .. } | Output::Persist { .. } => None,
        });
        self.events.extend(events);
        let before = self.deadlines.get(&host).copied().flatten();
        if inputs.is_empty() && before.is_none_or(|deadline| deadline > local) {
            self.early += 1;
        }
        let next = world.host(host).node().and_then(|node| node.poll_timeout()).map(|(due, _)| due);
        self.deadlines.insert(host, next);
        ControlFlow::Continue(())
    }
}

impl Notes {
    fn run(world: &mut World, until: SimTime) -> Self {
        let mut notes = Self::default();
        assert_eq!(world.run_until(until, &mut notes), ControlFlow::Continue(()));
        notes
    }

    fn answers(&self, asked: Option<Token>) -> Vec<Answer> {
        let asked = asked.expect("the host is up");
        let mut answers = vec![];
        for (_, _, event) in &self.events {
            if let Event::Done { token, answer } = event
                && *token == asked
            {
                answers.push((**answer).clone());
            }
        }
        answers
    }

    fn links_down(&self, host: HostId) -> impl Iterator<Item = CloseReason> {
        self.events.iter().filter_map(move |(at, _, event)| match event {
            Event::LinkDown { reason, .. } if *at == host => Some(*reason),
            Event::LinkDown { .. }
            | Event::Message(_)
            | Event::Done { .. }
            | Event::Topic(_)
            | Event::Call(_)
            | Event::Hop { .. }
            | Event::LinkUp { .. }
            | Event::LinkFailed { .. }
            | Event::Reachable { .. }
            | Event::Unreachable { .. }
            | Event::KeyConflict { .. }
            | Event::IdentityInUse { .. }
            | Event::Unpinned { .. }
            | Event::StoreFailed
            | Event::Misuse(_) => None,
        })
    }

    fn links_up(&self, host: HostId) -> usize {
        self.events.iter().filter(|(at, _, event)| *at == host && matches!(event, Event::LinkUp { .. })).count()
    }
}

fn quiet(world: &mut World, until: SimTime) {
    assert_eq!(world.run_until(until, &mut ()), ControlFlow::Continue(()));
}

#[test]
fn every_start_is_a_new_life_with_its_own_epoch() {
    let mut world = World::new(1, WorldOptions::default());
    let host = world.add_host(HostSpec { start_at: secs(3), clock_ppm: 50_000, ..HostSpec::new(name(0)) });
    assert_eq!((world.host(host).state(), world.command(host, send(0, b"x"))), (HostState::Down, None));
    let first = Notes::run(&mut world, secs(10));
    assert_eq!(first.turns[0].1, secs(3));
    assert_eq!(first.turns[0].2, Time::ZERO);
    assert!(matches!(first.inputs[0].2, Input::Clock { .. }));
    assert_eq!(
        (world.host(host).incarnation(), world.host(host).local(world.now())),
        (Incarnation(1), Time::from_millis(7_350))
    );
    world.apply(&Fault::Restart { host });
    assert_eq!(world.host(host).incarnation(), Incarnation(1), "it runs already");
    world.apply(&Fault::Crash { host });
    assert!(world.host(host).node().is_none());
    quiet(&mut world, secs(20));
    world.apply(&Fault::Restart { host });
    let second = Notes::run(&mut world, secs(21));
    assert_eq!((second.turns[0].1, second.turns[0].2), (secs(20), Time::ZERO));
    assert_eq!((world.host(host).incarnation(), world.host(host).state()), (Incarnation(2), HostState::Up));
}

#[test]
fn what_is_for_a_paused_node_comes_all_at_once() {
    let mut world = World::new(1, WorldOptions::default());
    let host = world.add_host(HostSpec::new(name(0)));
    quiet(&mut world, secs(1));
    world.apply(&Fault::Pause { host, for_ms: 5_000 });
    assert_eq!(world.host(host).state(), HostState::Paused { until: secs(6) });
    for second in 2..=5 {
        assert!(world.command(host, send(0, b"x")).is_some());
        assert_eq!(Notes::run(&mut world, secs(second)).turns, []);
    }
    assert_eq!(world.host(host).waiting(), 4);
    let notes = Notes::run(&mut world, secs(10));
    assert_eq!((notes.turns[0].1, notes.turns[0].3), (secs(6), 4));
    assert_eq!(world.host(host).state(), HostState::Up);
}

#[test]
fn what_happens_at_one_moment_goes_in_one_turn() {
    let mut world = World::new(1, WorldOptions::default());
    let host = world.add_host(HostSpec::new(name(0)));
    (0..3).for_each(|_| assert_eq!(world.command(host, send(0, b"x")), None, "not started"));
    quiet(&mut world, secs(1));
    let tokens: Vec<_> = (0..3).filter_map(|_| world.command(host, send(0, b"x"))).collect();
    assert_eq!(tokens, [Token(1), Token(2), Token(3)]);
    let notes = Notes::run(&mut world, secs(1));
    assert_eq!((notes.turns[0].1, notes.turns[0].3), (secs(1), 3));
}

#[test]
fn more_inputs_than_a_turn_takes_go_in_several_turns() {
    let mut world = World::new(1, WorldOptions::default());
    let host = world.add_host(HostSpec::new(name(0)));
    quiet(&mut world, secs(1));
    (0..150).for_each(|_| _ = world.command(host, send(0, b"x")));
    let notes = Notes::run(&mut world, secs(1));
    let counts: Vec<_> = notes.turns.iter().map(|turn| turn.3).take(3).collect();
    assert_eq!(counts, [64, 64, 22]);
}

#[test]
fn faults_that_make_no_sense_change_nothing() {
    let mut world = World::new(1, WorldOptions::default());
    let host = world.add_host(HostSpec { start_at: secs(5), ..HostSpec::new(name(0)) });
    let nobody = HostId(7);
    for fault in [
        Fault::Stop { host },
        Fault::Kill { host },
        Fault::Pause { host, for_ms: 1 },
        Fault::Crash { host: nobody },
        Fault::Restart { host: nobody },
        Fault::Corrupt { from: host, to: nobody },
        Fault::CutStreams { a: nobody, b: host },
        Fault::Link { from: nobody, to: host, spec: LinkSpec::default() },
        Fault::Heal,
    ] {
        world.apply(&fault);
        quiet(&mut world, secs(1));
        assert_eq!(world.host(host).state(), HostState::Down, "{fault:?}");
    }
    quiet(&mut world, secs(5));
    assert_eq!(world.host(host).state(), HostState::Up);
}

#[test]
fn connected_means_both_run_and_packets_get_both_ways() {
    let mut world = mesh(1, 3, WorldOptions::default());
    quiet(&mut world, secs(1));
    assert!(world.connected(A, B) && world.reaches(A, B));
    world.apply(&Fault::Partition { kind: Partition::OneWay { from: vec![A], to: vec![B] } });
    assert_eq!((world.connected(A, B), world.connected(B, A)), (false, false));
    assert_eq!((world.reaches(A, B), world.reaches(B, A)), (false, true));
    assert!(world.connected(A, HostId(2)));
    world.apply(&Fault::Heal);
    world.apply(&Fault::Pause { host: B, for_ms: 1 });
    assert!(!world.connected(A, B) && world.reaches(A, B));
}

#[test]
fn a_node_is_woken_at_its_deadline_and_never_else() {
    let mut world = mesh(3, 3, WorldOptions::default());
    world.apply(&Fault::ClockRate { host: B, ppm: -30_000 });
    let notes = Notes::run(&mut world, secs(60));
    assert!(notes.turns.iter().any(|turn| turn.3 == 0), "some turns are for deadlines alone");
    assert_eq!(notes.early, 0);
    let options = WorldOptions { spurious_wakes_per_mille: 200, ..WorldOptions::default() };
    assert!(Notes::run(&mut mesh(3, 3, options), secs(60)).early > 0);
}

#[test]
fn spurious_wakes_change_nothing_that_a_node_does() {
    let does = |spurious_wakes_per_mille| {
        let options = WorldOptions { spurious_wakes_per_mille, ..WorldOptions::default() };
        let notes = Notes::run(&mut mesh(3, 3, options), secs(30));
        notes.turns.into_iter().filter(|turn| turn.3 + turn.4 > 0).collect::<Vec<_>>()
    };
    assert_eq!(does(0), does(500));
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_seed_another() {
    let hash = |seed| {
        let mut world = mesh(seed, 5, WorldOptions::default());
        quiet(&mut world, secs(20));
        (world.trace_hash(), world.steps())
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1).0, hash(2).0);
}

#[test]
fn running_in_pieces_is_running() {
    let mut whole = mesh(1, 3, WorldOptions::default());
    quiet(&mut whole, secs(20));
    let mut pieces = mesh(1, 3, WorldOptions::default());
    (0..=20_000).step_by(7).chain([20_000]).for_each(|millis| quiet(&mut pieces, SimTime::from_millis(millis)));
    assert_eq!(whole.trace_hash(), pieces.trace_hash());
}

#[test]
fn the_canary_is_caught_and_the_place_is_named() {
    let record = |canary| {
        let mut world = mesh(1, 3, WorldOptions { record: true, canary, ..WorldOptions::default() });
        quiet(&mut world, secs(10));
        (world.trace_hash(), world.trail().copied().collect::<Vec<Step>>())
    };
    let (one, other) = (record(true), record(true));
    assert_ne!(one.0, other.0);
    let found = first_divergence(&one.1, &other.1).expect("they part somewhere");
    assert!(found.common.is_some(), "the start is common: {found}");
    assert_eq!(first_divergence(&record(false).1, &record(false).1), None);
}

#[test]
fn an_observer_can_stop_the_world_and_let_it_go_on() {
    struct Stop(u32);
    impl Observer for Stop {
        type Violation = u64;
        fn after_turn(&mut self, world: &World, _: &TurnRecord<'_>) -> ControlFlow<u64> {
            self.0 -= 1;
            if self.0 == 0 { ControlFlow::Break(world.steps()) } else { ControlFlow::Continue(()) }
        }
    }
    let mut world = mesh(1, 3, WorldOptions::default());
    assert_eq!(world.run_until(secs(20), &mut Stop(7)), ControlFlow::Break(7));
    quiet(&mut world, secs(20));
    let mut whole = mesh(1, 3, WorldOptions::default());
    quiet(&mut whole, secs(20));
    assert_eq!(world.trace_hash(), whole.trace_hash());
}

#[test]
#[should_panic(expected = "time stands still at 1.000000s")]
fn time_that_stands_still_is_noticed() {
    let mut world = mesh(1, 1, WorldOptions::default());
    quiet(&mut world, secs(1));
    (0..1_001).for_each(|_| assert_eq!(world.take_turn(A, &mut ()), ControlFlow::Continue(())));
}

#[test]
fn a_message_crosses_the_mesh_and_is_consumed() {
    let mut world = mesh(1, 3, WorldOptions::default());
    let start = Notes::run(&mut world, secs(5));
    assert_eq!([A, B, HostId(2)].map(|host| start.links_up(host)), [2, 2, 2]);
    let asked = world.command(A, send(2, b"hello"));
    let notes = Notes::run(&mut world, secs(6));
    assert_eq!(notes.answers(asked), [Answer::Sent(Outcome::Delivered)]);
    assert!(notes.inputs.iter().any(
        |(host, _, input)| *host == HostId(2) && *input == Input::Consumed { mailbox: Mailbox::Node, messages: 1 }
    ));
    assert_eq!(world.stats().messages_consumed, 1);
}

#[test]
fn a_slow_application_lets_its_messages_lie() {
    let mut world = mesh(1, 2, WorldOptions::default());
    quiet(&mut world, secs(5));
    world.apply(&Fault::SlowApplication { host: B, consume_after_ms: 2_000 });
    (0..10).for_each(|_| _ = world.command(A, send(1, b"x")));
    let notes = Notes::run(&mut world, secs(10));
    let consumed: Vec<_> =
        notes.inputs.iter().filter(|(_, _, input)| matches!(input, Input::Consumed { .. })).collect();
    let [(B, at, Input::Consumed { mailbox: Mailbox::Node, messages: 10 })] = consumed[..] else {
        panic!("{consumed:?}")
    };
    assert!((secs(7)..SimTime::from_millis(7_100)).contains(at), "{at}");
}

#[test]
fn a_stuck_client_lets_its_messages_lie_until_it_goes_on_or_leaves() {
    let mut world = mesh(1, 2, WorldOptions::default());
    quiet(&mut world, secs(5));
    let client: Arc<str> = Arc::from("c");
    let send = || {
        let Command::Send(send) = send(1, b"x") else { unreachable!() };
        Command::Send(Send { to_client: Some(client.clone()), ..send })
    };
    let stuck = |stuck| Fault::StuckClient { host: B, client: client.clone(), stuck };
    world.command(B, Command::SetClient { client: client.clone(), present: true });
    world.apply(&stuck(true));
    (0..3).for_each(|_| _ = world.command(A, send()));
    quiet(&mut world, secs(6));
    assert_eq!(world.stats().messages_consumed, 0);
    world.apply(&stuck(false));
    assert_eq!(world.stats().messages_consumed, 3);
    world.apply(&stuck(true));
    world.command(A, send());
    quiet(&mut world, secs(7));
    world.command(B, Command::SetClient { client: client.clone(), present: false });
    assert_eq!(world.stats().messages_consumed, 4);
    let refused = world.command(A, send());
    let told = Notes::run(&mut world, secs(8)).answers(refused);
    assert_eq!(told, [Answer::Sent(Outcome::Rejected(Rejected::NoSuchClient))]);
}

#[test]
fn a_flipped_bit_closes_the_link_as_forged() {
    let mut world = mesh(1, 2, WorldOptions::default());
    quiet(&mut world, secs(5));
    world.apply(&Fault::Corrupt { from: A, to: B });
    let notes = Notes::run(&mut world, secs(10));
    let down: Vec<_> = notes.links_down(B).collect();
    let [CloseReason::Violation(violation), ..] = down[..] else { panic!("{down:?}") };
    assert!(matches!(violation, Violation::BadSeal | Violation::TooLong { .. } | Violation::Malformed { .. }));
    quiet(&mut world, secs(60));
    let answered = world.command(A, send(1, b"again"));
    assert_eq!(Notes::run(&mut world, secs(62)).answers(answered), [Answer::Sent(Outcome::Delivered)]);
}

#[test]
fn links_come_back_after_cut_streams_crashes_and_partitions() {
    for fault in [
        Fault::CutStreams { a: A, b: B },
        Fault::Crash { host: B },
        Fault::Kill { host: B },
        Fault::Stop { host: B },
        Fault::Partition { kind: Partition::Symmetric { left: vec![A], right: vec![B] } },
        Fault::Pause { host: B, for_ms: 30_000 },
    ] {
        let mut world = mesh(1, 2, WorldOptions::default());
        quiet(&mut world, secs(5));
        world.apply(&fault);
        let notes = Notes::run(&mut world, secs(45));
        assert!(notes.links_down(A).chain(notes.links_down(B)).count() > 0, "{fault:?} was noticed");
        world.apply(&Fault::Heal);
        world.apply(&Fault::Restart { host: B });
        quiet(&mut world, secs(120));
        let asked = world.command(A, send(1, b"x"));
        assert_eq!(Notes::run(&mut world, secs(125)).answers(asked), [Answer::Sent(Outcome::Delivered)], "{fault:?}");
    }
}

#[test]
fn a_stopped_node_drains_and_is_gone_without_being_killed() {
    let mut world = mesh(1, 2, WorldOptions::default());
    quiet(&mut world, secs(5));
    world.apply(&Fault::Stop { host: B });
    let notes = Notes::run(&mut world, secs(6));
    assert_eq!(world.host(B).state(), HostState::Down);
    assert_eq!(notes.links_down(A).collect::<Vec<_>>(), [CloseReason::Peer]);
}

#[test]
fn a_node_that_does_not_drain_in_time_is_killed() {
    let mut world = mesh(1, 2, WorldOptions::default());
    quiet(&mut world, secs(5));
    world.apply(&Fault::Stop { host: B });
    world.apply(&Fault::Pause { host: B, for_ms: 60_000 });
    quiet(&mut world, secs(16));
    assert_eq!(world.host(B).state(), HostState::Paused { until: secs(65) });
    quiet(&mut world, secs(17));
    assert_eq!(world.host(B).state(), HostState::Down);
}

#[test]
fn a_failed_disk_is_told_and_forgets() {
    let mut world = mesh(1, 2, WorldOptions::default());
    world.apply(&Fault::FailDisk { host: B });
    let notes = Notes::run(&mut world, secs(5));
    assert!(notes.events.iter().any(|(host, _, event)| *host == B && *event == Event::StoreFailed));
    assert!(
        notes
            .inputs
            .iter()
            .any(|(host, _, input)| { *host == B && matches!(input, Input::Persisted { durable: false, .. }) })
    );
    assert_eq!(world.stats().syncs, 1, "A's disk is sound");
}

#[test]
fn pins_outlive_a_crash_once_they_are_durable() {
    let mut world = mesh(1, 2, WorldOptions::default());
    quiet(&mut world, secs(5));
    assert!(world.stats().syncs >= 2);
    world.apply(&Fault::Crash { host: B });
    world.apply(&Fault::Restart { host: B });
    let synced = world.stats().syncs;
    let notes = Notes::run(&mut world, secs(60));
    assert!(notes.links_up(B) > 0);
    assert_eq!(world.stats().syncs, synced, "nobody was pinned anew");
}

#[test]
fn a_mesh_works_on_a_bad_network() {
    let link = LinkSpec { jitter: Duration::from_millis(30), ..LinkSpec::with_latency(Duration::from_millis(50)) };
    let options = WorldOptions { link: link.with_loss(50), chop_per_mille: 500, ..WorldOptions::default() };
    let mut world = mesh(9, 5, options);
    quiet(&mut world, secs(30));
    let asked: Vec<_> = (0..5).map(|to| world.command(HostId((to + 1) % 5), send(to, b"x"))).collect();
    let notes = Notes::run(&mut world, secs(60));
    for token in asked {
        assert_eq!(notes.answers(token), [Answer::Sent(Outcome::Delivered)]);
    }
    assert!(world.stats().segments_lost > 50);
}
