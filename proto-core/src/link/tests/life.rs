//! A link's life from end to end.

use core::time::Duration;
use std::{string::ToString as _, vec, vec::Vec};

use super::world::{Told, World, at, config, frame, frames, name, story};
use crate::{
    error::CloseReason,
    limits::CHANNEL_WINDOW,
    link::{Effect, Event, Lane},
    node::Config,
    probe::Counter,
    time::Time,
};

fn a_dials_b() -> [Config; 2] {
    [config("a", 1, &[(Some("b"), "b")]), config("b", 1, &[])]
}

fn linked() -> World {
    let mut world = World::new(&a_dials_b());
    world.run_until(at(500));
    world
}

#[test]
fn a_link_comes_up_at_both_ends_under_one_session() {
    let mut world = World::new(&a_dials_b());
    let told = world.run_until(at(500));
    // Open at 20; three messages to 50; the acceptor's proof and hello to 60; the dialler's hello to 70.
    assert_eq!(story(&told), [(60, 0, Told::Up("b".to_string())), (70, 1, Told::Up("a".to_string()))]);
    assert_eq!(world.up(0)[0].2, world.up(1)[0].2);
    let view = world.hosts[0].machine.links.views().next().unwrap();
    assert_eq!((view.dialled, view.srtt, view.cost), (true, Some(Duration::from_millis(20)), 200));
    assert_eq!((&*view.remote.to_string(), view.queued, view.up_since), ("b", [0, 0, 0], at(60)));
    assert_eq!(world.hosts[1].probe.get(Counter::LinksUp), 1);
}

#[test]
fn bytes_may_arrive_one_by_one() {
    let mut world = World::new(&a_dials_b());
    world.chunk = 1;
    world.run_until(at(500));
    let link = world.link(0);
    world.send(0, link, Lane::Data, frame(7, 1_000));
    assert_eq!(frames(&world.run_until(at(600)), 1), [(510, 7)]);
}

#[test]
fn frames_arrive_in_the_order_of_their_lane() {
    let mut world = linked();
    let (a, b) = (world.link(0), world.link(1));
    for number in 0..100 {
        world.send(0, a, Lane::Data, frame(number, 10_000));
        world.send(1, b, Lane::Bulk, frame(number, 100_000));
    }
    let told = world.run_until(at(600));
    let in_order: Vec<u32> = (0..100).collect();
    for host in [0, 1] {
        let got: Vec<u32> = frames(&told, host).into_iter().map(|(_, number)| number).collect();
        assert_eq!(got, in_order, "host {host}");
    }
}

#[test]
fn what_is_sent_within_one_turn_leaves_as_one_record() {
    let mut world = linked();
    let before = world.hosts[0].probe.get(Counter::RecordsOut);
    let link = world.link(0);
    for number in 0..100 {
        world.send(0, link, Lane::Data, frame(number, 100));
    }
    world.run_until(at(501));
    assert_eq!(world.hosts[0].probe.get(Counter::RecordsOut), before + 1);
}

#[test]
fn only_frames_on_control_lanes_count_as_control_traffic() {
    let mut world = linked();
    let counts = |world: &World| {
        [Counter::FramesOut, Counter::ControlFramesOut, Counter::ControlBytesOut]
            .map(|counter| world.hosts[0].probe.get(counter))
    };
    let (before, link) = (counts(&world), world.link(0));
    let control = frame(1, 100);
    let len = control.len() as u64;
    world.send(0, link, Lane::Control, control);
    world.send(0, link, Lane::Data, frame(2, 5_000));
    world.send(0, link, Lane::Bulk, frame(3, 50_000));
    let after = counts(&world);
    assert_eq!([0, 1, 2].map(|at| after[at] - before[at]), [3, 1, len]);
}

#[test]
fn a_bulk_transfer_delays_a_control_frame_by_one_window_at_most() {
    let mut world = linked();
    world.rate = 500_000;
    world.chunk = 16_384;
    let link = world.link(0);
    for number in 0..64 {
        world.send(0, link, Lane::Bulk, frame(number, 1_000_000));
    }
    let mut sent = Vec::new();
    for step in 1..=30 {
        world.run_until(at(500 + step * 500));
        world.send(0, link, Lane::Control, frame(1_000 + u32::try_from(step).unwrap(), 20));
        sent.push(500 + step * 500);
    }
    world.run_until(at(16_500));
    let (control, bulk): (Vec<_>, Vec<_>) =
        frames(&world.told, 1).into_iter().partition(|(_, number)| *number >= 1_000);
    assert_eq!(control.len(), sent.len());
    let window = CHANNEL_WINDOW as u64 * 1_000 / world.rate;
    for (sent, (arrived, _)) in sent.into_iter().zip(control) {
        assert!(arrived - sent <= window + 10 + 1, "sent at {sent}, there at {arrived}");
    }
    assert!((6..=8).contains(&bulk.len()), "{}", bulk.len());
    assert!(world.told.iter().all(|(.., effect)| !matches!(effect, Effect::Down { .. })), "heartbeats survive");
}

#[test]
fn no_more_than_a_window_is_handed_to_a_channel_that_takes_nothing() {
    let mut world = linked();
    world.rate = 1;
    let link = world.link(0);
    let before = world.hosts[0].machine.links.views().next().unwrap().bytes_out;
    for number in 0..10 {
        world.send(0, link, Lane::Bulk, frame(number, 1_000_000));
    }
    world.run_until(at(600));
    let out = world.hosts[0].machine.links.views().next().unwrap().bytes_out - before;
    assert!((CHANNEL_WINDOW as u64 / 2..=CHANNEL_WINDOW as u64).contains(&out), "{out}");
}

#[test]
fn a_quiet_link_is_pinged_each_heartbeat_and_lives() {
    let mut world = linked();
    let told = world.run_until(Time::from_secs(60));
    assert_eq!(story(&told), []);
    let view = world.hosts[0].machine.links.views().next().unwrap();
    // One ping and one pong a second, each way.
    assert!((115..=125).contains(&view.frames_in), "{}", view.frames_in);
    assert_eq!((view.srtt, view.loss_per_mille), (Some(Duration::from_millis(20)), 0));
}

#[test]
fn a_silent_peer_is_given_up_at_both_ends() {
    let mut world = linked();
    world.run_until(at(5_000));
    world.cut();
    world.latency = Duration::from_secs(1_000);
    let told = story(&world.run_until(at(15_000)));
    // Last heard at 4,080 and 4,090: the pongs to the pings of 4,060 and 4,070.
    let silent = |time, host| (time, host, Told::Down(CloseReason::Silent));
    assert_eq!(told, [silent(14_080, 0), silent(14_090, 1)]);
}

#[test]
fn a_slow_round_trip_is_announced_once_it_lasts() {
    let mut world = linked();
    world.run_until(at(5_500));
    world.latency = Duration::from_millis(100);
    let told = world.run_until(at(60_000));
    let mut costs = Vec::new();
    for (time, host, effect) in &told {
        if let (Effect::Cost { cost, .. }, 0) = (effect, host) {
            costs.push((time.as_nanos() / 1_000_000_000, *cost));
        }
    }
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    assert!((8..=10).contains(&first.0) && (500..1_200).contains(&first.1), "{costs:?}");
    assert!(costs.len() <= 4 && (1_500..=2_000).contains(&last.1), "{costs:?}");
}

#[test]
fn a_shutdown_lets_what_waits_go_out_and_says_goodbye() {
    let mut world = linked();
    world.rate = 100_000_000;
    let link = world.link(0);
    for number in 0..50 {
        world.send(0, link, Lane::Data, frame(number, 100_000));
    }
    world.tell(0, Event::Shutdown);
    let told = world.run_until(at(2_000));
    assert_eq!(frames(&told, 1).len(), 50);
    let story = story(&world.told);
    assert_eq!(story[2], (500, 0, Told::Down(CloseReason::Local)));
    assert_eq!((story[3].1, &story[3].2), (1, &Told::Down(CloseReason::Peer)));
    assert_eq!(story.len(), 4);
    assert!(world.hosts.iter().all(|host| host.machine.links.is_empty()));
    assert_eq!(world.hosts[0].machine.links.poll_timeout(), None, "nothing is left to do");
}

#[test]
fn a_shutdown_waits_no_longer_than_it_may_for_a_channel_that_takes_nothing() {
    let mut world = linked();
    world.rate = 10;
    let link = world.link(0);
    world.send(0, link, Lane::Bulk, frame(1, 1_000_000));
    world.tell(0, Event::Shutdown);
    let told = world.run_until(at(3_000));
    let closes: Vec<_> =
        told.iter().filter(|(_, host, effect)| *host == 0 && matches!(effect, Effect::Close { .. })).collect();
    assert_eq!(closes.iter().map(|(time, ..)| *time).collect::<Vec<_>>(), [at(1_500)]);
}

#[test]
fn after_a_shutdown_nothing_is_accepted() {
    let mut world = World::new(&a_dials_b());
    world.tell(1, Event::Shutdown);
    let told = world.run_until(at(400));
    assert_eq!(story(&told), [(40, 0, Told::Failed(CloseReason::ChannelLost))]);
}

#[test]
fn a_peer_that_is_disconnected_is_not_dialled_again() {
    let mut world = linked();
    world.tell(0, Event::Disconnect { peer: name("b") });
    let told = world.run_until(Time::from_secs(100));
    assert_eq!(story(&told), [(510, 1, Told::Down(CloseReason::Peer))]);
    assert_eq!(world.hosts[0].machine.links.dialers().count(), 0);
}

#[test]
fn control_frames_beyond_the_bound_close_the_link() {
    let mut world = linked();
    world.rate = 1;
    let link = world.link(0);
    let refused = world.hosts[0].with(at(500), |machine, cx, _| {
        let sent = (0..100_000).map(|number| machine.links.send(cx, link, Lane::Control, frame(number, 0)));
        assert_eq!(sent.filter(Result::is_err).count(), 100_000 - crate::limits::LANE_CONTROL_FRAMES);
    });
    assert_eq!(refused, vec![]);
    let told = world.run_until(at(500));
    assert_eq!(story(&told), [(500, 0, Told::Down(CloseReason::TooSlow))]);
}
