//! One sender, with the answers of its receiver made by hand.

use alloc::{vec, vec::Vec};

use smallvec::SmallVec;

use super::*;
use crate::{
    error::Rejected,
    limits::{FLOW_QUEUE_MESSAGES, FLOW_WINDOW, FLOWS_OUT_MAX},
    probe::Counter,
    wire::v1::{Refusal, RefusalCode},
};

const UNKNOWN: Outcome = Outcome::Unknown;

/// A sender with its receiver within reach.
fn sender() -> Bench<Messages> {
    let mut bench = bench(1_000);
    assert_eq!(bench.handle(at(0), reachable("peer", THEIRS)), []);
    bench
}

fn ack(upto: u64, beyond: u64, window: u32, refused: &[(u64, RefusalCode)]) -> Event<'static> {
    Event::Ack(v1::Ack {
        transit: transit("peer", "me"),
        src_incarnation: THEIRS,
        dst_incarnation: MINE,
        upto: Seq(upto),
        beyond,
        window,
        refused: refused.iter().map(|&(seq, code)| Refusal { seq: Seq(seq), code }).collect::<SmallVec<_>>(),
    })
}

/// Sends messages whose payloads are their tokens.
fn send_numbers(bench: &mut Bench<Messages>, now: Time, tokens: core::ops::RangeInclusive<u64>, deadline: u64) {
    for token in tokens {
        let _ = send(bench, now, token, to("peer", &std::format!("{token}"), deadline));
    }
}

fn numbers(effects: &[Effect]) -> Vec<u64> {
    sent(effects).iter().map(|&(seq, ..)| seq).collect()
}

#[test]
fn a_message_goes_out_at_once_and_its_acknowledgement_is_its_outcome() {
    let mut bench = sender();
    let effects = send(&mut bench, at(5), 1, to("peer", "hello", 1_000));
    assert_eq!(sent(&effects), [(1, 0, "hello".into())]);
    assert_eq!(bench.machine.unanswered(), 1);
    let effects = bench.handle(at(25), ack(1, 0, 100, &[]));
    assert_eq!(done(&effects), [(1, Outcome::Delivered)]);
    assert_eq!(bench.machine.unanswered(), 0);
    assert_eq!(bench.machine.outflows().next().unwrap().round_trip, Some(ms(20)));
    assert_eq!(bench.run_until(at(20_000)), []);
}

#[test]
fn a_lost_message_is_sent_again_ever_more_slowly() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    let told = bench.run_until(at(8_000));
    let times: Vec<_> = told.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [at(200), at(600), at(1_400), at(3_000), at(6_200)]);
    assert_eq!(sent(told.iter().map(|(_, effect)| effect))[3], (1, 0, "1".into()));
    assert_eq!(bench.probe.get(Counter::MessagesRetransmitted), 5);
}

#[test]
fn silence_on_a_way_that_was_left_is_not_held_against_the_new_one() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    let rerouted = || Event::Rerouted { node: addr("peer") };
    assert_eq!(bench.handle(at(100), rerouted()), [], "the answer may still come");
    bench.run_until(at(1_500));
    assert_eq!(numbers(&bench.handle(at(1_600), rerouted())), [1]);
    let times: Vec<_> = bench.run_until(at(2_500)).iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [at(1_800), at(2_200)], "doubling begins anew");
}

/// A way on which every answer takes 700 ms, and who sends a message every second.
#[test]
fn a_slow_way_is_soon_known_and_then_nothing_is_sent_twice() {
    let mut bench = sender();
    let mut sent_again = vec![];
    for number in 1..=4 {
        let now = at(1_000 * number);
        send_numbers(&mut bench, now, number..=number, 9_000);
        bench.run_until(now + ms(700));
        bench.handle(now + ms(700), ack(number, 0, 100, &[]));
        sent_again.push(bench.probe.get(Counter::MessagesRetransmitted));
    }
    assert_eq!(sent_again, [2, 2, 2, 2], "the first one, twice");
}

#[test]
fn a_hole_below_three_that_arrived_is_filled_at_once_and_only_once() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=6, 9_000);
    assert_eq!(numbers(&bench.handle(at(10), ack(1, 0b011, 100, &[]))), []);
    assert_eq!(numbers(&bench.handle(at(11), ack(1, 0b111, 100, &[]))), [2]);
    assert_eq!(numbers(&bench.handle(at(12), ack(1, 0b1111, 100, &[]))), []);
    assert_eq!(done(&bench.handle(at(20), ack(6, 0, 100, &[]))).len(), 5);
}

#[test]
fn a_timeout_sends_again_only_what_is_missing_and_not_too_much() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=200, 9_000);
    assert_eq!(numbers(&bench.handle(at(10), ack(0, 0b11, 4_096, &[]))), []);
    let again = numbers(&untimed(bench.run_until(at(210))));
    assert_eq!(again.len(), 62);
    assert_eq!((again[0], again[1], again[61]), (1, 4, 64));
    // An answer moves the rest along.
    let again = numbers(&bench.handle(at(220), ack(64, 0, 4_096, &[])));
    assert_eq!((again[0], again.len()), (65, 128));
}

/// On a lane with room for a few frames, the first of many is the one that is dropped.
#[test]
fn after_a_second_timeout_only_a_few_are_sent() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=200, 9_000);
    assert_eq!(numbers(&untimed(bench.run_until(at(200)))).len(), 64);
    assert_eq!(numbers(&untimed(bench.run_until(at(600)))), [1, 2, 3, 4]);
    assert_eq!(numbers(&bench.handle(at(620), ack(4, 0, 4_096, &[]))), [5, 6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn a_message_past_its_deadline_is_unknown() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 150);
    let told = bench.run_until(at(400));
    assert_eq!(done(told.iter().map(|(_, effect)| effect)), [(1, UNKNOWN)]);
    assert_eq!(told[0].0, at(150));
    assert_eq!(bench.probe.get(Counter::MessagesUnknown), 1);
    // A late answer changes nothing.
    assert_eq!(bench.handle(at(500), ack(1, 0, 100, &[])), []);
}

#[test]
fn later_messages_tell_what_was_given_up() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 300);
    send_numbers(&mut bench, at(0), 2..=2, 9_000);
    assert_eq!(done(&untimed(bench.run_until(at(300)))), [(1, UNKNOWN)]);
    assert_eq!(sent(&send(&mut bench, at(310), 3, to("peer", "3", 9_000))), [(3, 1, "3".into())]);
}

#[test]
fn a_message_that_waits_behind_one_given_up_is_freed_at_once() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 150);
    send_numbers(&mut bench, at(0), 2..=2, 9_000);
    assert_eq!(bench.handle(at(10), ack(0, 0b1, 100, &[])), []);
    let told = bench.run_until(at(150));
    assert_eq!(sent(told.iter().map(|(_, effect)| effect)), [(2, 0, "2".into())]);
    assert_eq!(told.iter().map(|(time, _)| *time).max(), Some(at(150)));
}

#[test]
fn a_gap_that_is_uncovered_by_an_answer_is_told_at_once() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    send_numbers(&mut bench, at(0), 2..=2, 300);
    send_numbers(&mut bench, at(0), 3..=3, 9_000);
    bench.handle(at(10), ack(0, 0b10, 100, &[]));
    assert_eq!(done(&untimed(bench.run_until(at(300)))), [(2, UNKNOWN)]);
    let effects = bench.handle(at(310), ack(1, 0b1, 100, &[]));
    assert_eq!((done(&effects), sent(&effects)), (vec![(1, Outcome::Delivered)], vec![(3, 0, "3".into())]));
}

#[test]
fn without_a_route_a_message_waits_and_is_then_rejected() {
    let mut bench = bench(10);
    send_numbers(&mut bench, at(0), 1..=1, 300);
    let told = bench.run_until(at(1_000));
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].0, done([&told[0].1])), (at(300), vec![(1, Outcome::Rejected(Rejected::NoRoute))]));
    send_numbers(&mut bench, at(1_000), 2..=3, 300);
    // The number of a message is given when it first leaves.
    assert_eq!(sent(&bench.handle(at(1_100), reachable("peer", THEIRS))), [(1, 0, "2".into()), (2, 1, "3".into())]);
}

#[test]
fn messages_expire_in_the_order_of_their_deadlines() {
    let mut bench = bench(10);
    for (token, deadline) in [(1, 500), (2, 100), (3, 300), (4, 200)] {
        send_numbers(&mut bench, at(0), token..=token, deadline);
    }
    let told = bench.run_until(at(1_000));
    let order: Vec<_> = told.iter().map(|(time, effect)| (*time, done([effect])[0].0)).collect();
    assert_eq!(order, [(at(100), 2), (at(200), 4), (at(300), 3), (at(500), 1)]);
}

#[test]
fn coming_within_reach_again_sends_again_at_once() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=2, 60_000);
    bench.handle(at(100), Event::Unreachable { node: addr("peer") });
    assert_eq!(bench.run_until(at(30_000)), []);
    assert_eq!(numbers(&bench.handle(at(30_000), reachable("peer", THEIRS))), [1, 2]);
    // The doubling of the retry starts anew.
    assert_eq!(bench.machine.poll_timeout().map(|(due, _)| due), Some(at(30_200)));
}

#[test]
fn a_restarted_receiver_gets_only_what_never_left() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    bench.handle(at(1), ack(1, 0, 2, &[]));
    send_numbers(&mut bench, at(2), 2..=4, 9_000);
    let effects = bench.handle(at(10), reachable("peer", Incarnation(21)));
    assert_eq!(done(&effects), [(2, UNKNOWN), (3, UNKNOWN)]);
    assert_eq!(sent(&effects), [(4, 0, "4".into())]);
    // An answer of the old life means nothing now.
    assert_eq!(bench.handle(at(20), ack(4, 0, 100, &[])), []);
}

#[test]
fn a_closed_window_stops_the_sender_and_an_open_one_lets_it_go_on() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    bench.handle(at(10), ack(1, 0, 0, &[]));
    send_numbers(&mut bench, at(20), 2..=4, 9_000);
    assert_eq!(bench.run_until(at(40)), []);
    assert_eq!(numbers(&bench.handle(at(50), ack(1, 0, 2, &[]))), [2, 3]);
    assert_eq!(numbers(&bench.handle(at(60), ack(3, 0, 2, &[]))), [4]);
}

#[test]
fn a_sender_that_was_stopped_asks_again_with_one_message() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    bench.handle(at(100), ack(1, 0, 0, &[]));
    send_numbers(&mut bench, at(100), 2..=4, 60_000);
    let told = bench.run_until(at(2_000));
    let times: Vec<_> = told.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [at(400), at(1_000)]);
    assert_eq!(numbers(&untimed(told)), [2, 2]);
    assert_eq!(numbers(&bench.handle(at(2_000), ack(2, 0, 100, &[]))), [3, 4]);
}

#[test]
fn an_answer_that_was_overtaken_is_ignored() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=3, 9_000);
    bench.handle(at(10), ack(2, 0, 100, &[]));
    assert_eq!(bench.handle(at(11), ack(1, 0, 0, &[])), []);
    assert_eq!(numbers(&send(&mut bench, at(12), 4, to("peer", "4", 9_000))), [4]);
}

#[test]
fn what_a_busy_receiver_never_took_is_rejected() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    bench.handle(at(100), ack(1, 0, 0, &[]));
    send_numbers(&mut bench, at(100), 2..=3, 1_000);
    let outcomes = done(&untimed(bench.run_until(at(2_000))));
    // The second went out as a question whether there is room.
    assert_eq!(outcomes, [(3, Outcome::Rejected(Rejected::ReceiverBusy)), (2, UNKNOWN)]);
}

#[test]
fn refusals_are_told_to_those_concerned() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=4, 9_000);
    let refused = [(1, RefusalCode::NoSuchClient), (3, RefusalCode::Forbidden)];
    let effects = bench.handle(at(10), ack(3, 0, 100, &refused));
    assert_eq!(
        done(&effects),
        [
            (1, Outcome::Rejected(Rejected::NoSuchClient)),
            (3, Outcome::Rejected(Rejected::Forbidden)),
            (2, Outcome::Delivered)
        ]
    );
    assert_eq!(bench.probe.get(Counter::MessagesRefused), 2);
}

#[test]
fn forged_and_foreign_answers_change_nothing() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=2, 9_000);
    assert_eq!(bench.handle(at(1), ack(3, 0, 100, &[])), []);
    assert_eq!(bench.handle(at(1), ack(u64::MAX, u64::MAX, 100, &[])), []);
    let Event::Ack(mut foreign) = ack(2, 0, 100, &[]) else { panic!("an ack") };
    foreign.dst_incarnation = Incarnation(9);
    assert_eq!(bench.handle(at(1), Event::Ack(foreign)), []);
    assert_eq!(bench.machine.unanswered(), 2);
}

#[test]
fn a_flow_grows_to_what_the_way_carries_and_the_rest_waits() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=600, 60_000);
    let view = bench.machine.outflows().next().unwrap();
    assert_eq!((view.in_flight, view.waiting), (256, 344));
    assert_eq!(numbers(&bench.handle(at(10), ack(100, 0, 4_096, &[]))).len(), 200);
    assert_eq!(numbers(&bench.handle(at(20), ack(356, 0, 4_096, &[]))).len(), 144);
}

#[test]
fn a_full_queue_rejects() {
    let mut bench = bench(1);
    send_numbers(&mut bench, at(0), 1..=FLOW_QUEUE_MESSAGES as u64, 9_000);
    let mut fx = Vec::new();
    let result = bench.with(at(0), |messages, cx, _| {
        assert_eq!(messages.send(cx, Token(0), to("peer", "x", 9_000), &mut fx), Err(Rejected::Busy));
    });
    assert_eq!((result, fx), (vec![], vec![]));
    assert_eq!(bench.machine.unanswered(), FLOW_QUEUE_MESSAGES as u64);
}

#[test]
fn a_flow_that_was_forgotten_never_uses_a_number_again() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=3, 9_000);
    bench.handle(at(10), ack(3, 0, 100, &[]));
    bench.run_until(at(599_999));
    assert_eq!(bench.machine.outflows().count(), 1);
    bench.run_until(at(661_000));
    assert_eq!(bench.machine.outflows().count(), 0);
    assert_eq!(bench.machine.poll_timeout(), None);
    assert_eq!(sent(&send(&mut bench, at(700_000), 4, to("peer", "4", 9_000))), [(4, 0, "4".into())]);
}

#[test]
fn with_too_many_receivers_an_idle_flow_makes_room() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    for index in 1..FLOWS_OUT_MAX {
        let _ = send(&mut bench, at(1), 2, to(&std::format!("n{index}"), "x", 9_000));
    }
    bench.with(at(2), |messages, cx, fx| {
        assert_eq!(messages.send(cx, Token(3), to("late", "x", 9_000), fx), Err(Rejected::Busy));
    });
    bench.handle(at(3), ack(1, 0, 100, &[]));
    send(&mut bench, at(4), 3, to("late", "x", 9_000));
    assert_eq!(bench.machine.outflows().count(), FLOWS_OUT_MAX);
}

#[test]
fn what_nobody_wants_to_know_is_only_counted() {
    let mut bench = sender();
    for payload in ["1", "2"] {
        let quiet = Send { report: false, ..to("peer", payload, 300) };
        let _ = send(&mut bench, at(0), 1, quiet);
    }
    assert_eq!(bench.handle(at(10), ack(1, 0, 100, &[])), []);
    assert_eq!(done(&untimed(bench.run_until(at(1_000)))), []);
    let counts = [Counter::MessagesSent, Counter::MessagesUnknown].map(|counter| bench.probe.get(counter));
    assert_eq!((counts, bench.machine.unanswered()), ([2, 1], 0));
}

#[test]
fn useless_requests_are_refused_at_once() {
    let mut bench = sender();
    let long = Arc::from("x".repeat(65));
    let large = Bytes::from(vec![0; 1_048_577]);
    bench.with(at(0), |messages, cx, fx| {
        let mut refuse = |send| messages.send(cx, Token(1), send, fx).unwrap_err();
        assert_eq!(refuse(to("peer", "x", 0)), Rejected::DeadlinePassed);
        assert_eq!(refuse(Send { to_client: Some(long), ..to("peer", "x", 9) }), Rejected::NoSuchClient);
        let too_large = Rejected::TooLarge { len: 1_048_577, limit: 1_048_576 };
        assert_eq!(refuse(Send { payload: large, ..to("peer", "x", 9) }), too_large);
    });
    bench.handle(at(0), Event::Drain);
    bench.with(at(0), |messages, cx, fx| {
        let rejected = messages.send(cx, Token(1), to("peer", "x", 9), fx);
        assert_eq!(rejected, Err(Rejected::ShuttingDown));
    });
}

#[test]
fn what_is_under_way_finishes_while_the_node_drains() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=1, 9_000);
    assert_eq!(bench.handle(at(1), Event::Drain), []);
    assert_eq!(done(&bench.handle(at(10), ack(1, 0, 100, &[]))), [(1, Outcome::Delivered)]);
}

#[test]
fn an_overlong_deadline_is_cut() {
    let mut bench = bench(1);
    send_numbers(&mut bench, at(0), 1..=1, 1_000_000);
    let told = bench.run_until(at(2_000_000));
    assert_eq!(told.first().map(|(time, _)| *time), Some(at(300_000)));
}

#[test]
fn a_list_is_answered_once_with_every_outcome() {
    let mut bench = sender();
    let receivers = vec![addr("peer"), addr("nowhere"), addr("peer"), addr("me")];
    let effects = bench.with(at(0), |messages, cx, fx| {
        messages.send_many(cx, Token(7), receivers, Bytes::from_static(b"all"), ms(300), fx).unwrap();
    });
    assert_eq!((sent(&effects).len(), delivered(&effects), answers(&effects)), (1, vec!["all".into()], vec![]));
    assert_eq!(bench.machine.unanswered(), 2);
    assert_eq!(bench.handle(at(10), ack(1, 0, 100, &[])), []);
    let mut outcomes = vec![
        (addr("me"), Outcome::Delivered),
        (addr("peer"), Outcome::Delivered),
        (addr("nowhere"), Outcome::Rejected(Rejected::NoRoute)),
    ];
    outcomes.sort_by_key(|(node, _)| *node);
    assert_eq!(answers(&untimed(bench.run_until(at(300)))), [(7, Answer::SentMany(outcomes))]);
}

#[test]
fn a_list_needs_a_receiver() {
    let mut bench = sender();
    bench.with(at(0), |messages, cx, fx| {
        let nobody = messages.send_many(cx, Token(1), vec![], Bytes::new(), ms(300), fx);
        assert_eq!(nobody, Err(Rejected::NoReceiver));
        let crowd = (0..16_385).map(NodeAddr).collect();
        let too_many = messages.send_many(cx, Token(1), crowd, Bytes::new(), ms(300), fx);
        assert_eq!(too_many, Err(Rejected::Busy));
    });
    assert_eq!(bench.machine.unanswered(), 0);
}

#[test]
fn bytes_in_flight_are_bounded() {
    let mut bench = sender();
    let mebibyte = Bytes::from(vec![0; 1_048_576]);
    for token in 1..=20 {
        let _ = send(&mut bench, at(0), token, Send { payload: mebibyte.clone(), ..to("peer", "", 60_000) });
    }
    let view = bench.machine.outflows().next().unwrap();
    assert_eq!((view.in_flight, view.waiting), (16, 4));
    assert_eq!(numbers(&bench.handle(at(10), ack(3, 0, 4_096, &[]))), [17, 18, 19]);
}

#[test]
fn the_time_a_message_waits_for_the_application_is_no_round_trip() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=2, 60_000);
    bench.handle(at(20), ack(1, 0, 0, &[]));
    assert_eq!(done(&bench.handle(at(60), ack(2, 0, 100, &[]))), [(2, Outcome::Delivered)]);
    assert_eq!(bench.machine.outflows().next().unwrap().round_trip, Some(ms(20)));
}

#[test]
fn the_window_is_never_left() {
    let mut bench = sender();
    send_numbers(&mut bench, at(0), 1..=10_000, 60_000);
    for upto in [256, 768, 1_792] {
        bench.handle(at(upto), ack(upto, 0, 4_096, &[]));
    }
    bench.handle(at(2_000), ack(3_840, 0, 4_096, &[]));
    let view = bench.machine.outflows().next().unwrap();
    assert_eq!(view.in_flight, FLOW_WINDOW);
}
