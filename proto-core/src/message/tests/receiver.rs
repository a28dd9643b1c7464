//! One receiver, with the messages of its senders made by hand.

use alloc::{vec, vec::Vec};

use super::*;
use crate::{
    limits::REFUSALS_PER_ACK,
    probe::Counter,
    wire::v1::{Refusal, RefusalCode},
};

/// A message from `src`.
pub(super) fn data(src: &str, life: Incarnation, seq: u64, behind: u32, to_client: &str, payload: &str) -> Frame {
    let header = v1::Data {
        transit: transit(src, "me"),
        src_incarnation: life,
        dst_incarnation: MINE,
        seq: Seq(seq),
        behind,
        to_client,
        from_client: "",
    };
    Frame::with_body(Kind::Data, &header, Bytes::copy_from_slice(payload.as_bytes()))
}

/// Message `seq` of the peer's flow, whose payload is its number; all from 1 are awaited.
fn nth(seq: u64) -> Frame {
    data("peer", THEIRS, seq, u32::try_from(seq - 1).unwrap(), "", &std::format!("{seq}"))
}

/// What is delivered when these arrive.
pub(super) fn arrive_all(bench: &mut Bench<Messages>, now: Time, seqs: impl IntoIterator<Item = u64>) -> Vec<String> {
    seqs.into_iter().flat_map(|seq| delivered(&arrive(bench, now, &nth(seq)))).collect()
}

/// The only acknowledgement that is due now.
pub(super) fn ack(bench: &mut Bench<Messages>) -> v1::Ack {
    let now = bench.now();
    let mut acks = acks(&untimed(bench.run_until(now)));
    assert_eq!(acks.len(), 1);
    acks.remove(0)
}

pub(super) fn consume(bench: &mut Bench<Messages>, now: Time, messages: u32) -> Vec<String> {
    delivered(&bench.handle(now, Event::Consumed { mailbox: Mailbox::Node, messages }))
}

#[test]
fn one_acknowledgement_answers_a_batch() {
    let mut bench = bench(1_000);
    assert_eq!(arrive_all(&mut bench, at(1), 1..=3), ["1", "2", "3"]);
    assert_eq!(bench.machine.poll_timeout().map(|(due, _)| due), Some(at(1)));
    let ack = ack(&mut bench);
    assert_eq!((ack.upto, ack.beyond, ack.window, ack.refused.len()), (Seq(3), 0, 997, 0));
    assert_eq!((ack.src_incarnation, ack.dst_incarnation), (MINE, THEIRS));
    assert_eq!((ack.transit.src, ack.transit.dst), (addr("me"), addr("peer")));
    assert_eq!(bench.run_until(at(10_000)), []);
}

#[test]
fn messages_are_delivered_in_order_whatever_order_they_come_in() {
    let mut bench = bench(1_000);
    assert_eq!(arrive_all(&mut bench, at(1), [3, 5, 2]), Vec::<String>::new());
    let early = ack(&mut bench);
    assert_eq!((early.upto, early.beyond), (Seq(0), 0b1011));
    assert_eq!(arrive_all(&mut bench, at(2), [1]), ["1", "2", "3"]);
    assert_eq!(arrive_all(&mut bench, at(2), [4]), ["4", "5"]);
    assert_eq!(ack(&mut bench).upto, Seq(5));
}

#[test]
fn a_duplicate_is_dropped_and_acknowledged_again() {
    let mut bench = bench(1_000);
    arrive_all(&mut bench, at(1), [1, 3]);
    ack(&mut bench);
    assert_eq!(arrive_all(&mut bench, at(2), [1, 3]), Vec::<String>::new());
    assert_eq!(bench.probe.get(Counter::MessagesDuplicate), 2);
    let again = ack(&mut bench);
    assert_eq!((again.upto, again.beyond), (Seq(1), 0b1));
}

#[test]
fn what_the_sender_gave_up_is_skipped() {
    let mut bench = bench(1_000);
    assert_eq!(arrive_all(&mut bench, at(1), [1, 3, 4]), ["1"]);
    let told = arrive(&mut bench, at(2), &data("peer", THEIRS, 6, 3, "", "6"));
    assert_eq!(delivered(&told), ["3", "4"]);
    let told = arrive(&mut bench, at(3), &data("peer", THEIRS, 6, 0, "", "6"));
    assert_eq!(delivered(&told), ["6"]);
    assert_eq!(ack(&mut bench).upto, Seq(6));
    // What was skipped is never delivered later.
    assert_eq!(arrive_all(&mut bench, at(4), [2, 5]), Vec::<String>::new());
}

#[test]
fn what_was_given_up_stays_so_when_an_older_copy_says_otherwise() {
    let mut bench = bench(1);
    assert_eq!(arrive_all(&mut bench, at(1), [1, 2]), ["1"]);
    arrive(&mut bench, at(2), &data("peer", THEIRS, 5, 0, "", "5"));
    arrive(&mut bench, at(3), &nth(2));
    assert_eq!((consume(&mut bench, at(4), 1), consume(&mut bench, at(5), 1)), (vec!["2".into()], vec!["5".into()]));
}

#[test]
fn what_all_senders_have_waiting_is_bounded_and_the_one_whose_turn_it_is_passes() {
    let mut bench = bench(1_000);
    let mebibyte = Bytes::from(vec![b'x'; 1_048_576]);
    let large = |src, seq: u64| Frame {
        body: mebibyte.clone(),
        ..data(src, THEIRS, seq, u32::try_from(seq - 1).unwrap(), "", "")
    };
    let waiting = |bench: &Bench<Messages>| bench.machine.inflows().map(|flow| flow.waiting).sum::<usize>();
    for seq in 2..=200 {
        arrive(&mut bench, at(1), &large("x", seq));
        arrive(&mut bench, at(1), &large("y", seq));
    }
    assert_eq!(waiting(&bench), 255);
    for src in ["x", "y"] {
        let told = arrive(&mut bench, at(2), &large(src, 1));
        assert!(delivered(&told).len() > 100, "{src}");
        consume(&mut bench, at(2), 1_000);
    }
    assert_eq!(waiting(&bench), 0);
    // All of it is free again.
    for seq in 202..=300 {
        arrive(&mut bench, at(3), &large("x", seq));
        arrive(&mut bench, at(3), &large("y", seq));
        arrive(&mut bench, at(3), &large("z", seq));
    }
    assert_eq!(waiting(&bench), 255);
}

#[test]
fn a_flow_begins_where_its_sender_says() {
    let mut bench = bench(1_000);
    assert_eq!(delivered(&arrive(&mut bench, at(1), &data("peer", THEIRS, 502, 1, "", "b"))), Vec::<String>::new());
    assert_eq!(delivered(&arrive(&mut bench, at(1), &data("peer", THEIRS, 501, 0, "", "a"))), ["a", "b"]);
}

#[test]
fn a_message_for_another_life_is_dropped_without_a_word() {
    let mut bench = bench(1_000);
    let mut header: v1::Data<'_> = v1::Data {
        transit: transit("peer", "me"),
        src_incarnation: THEIRS,
        dst_incarnation: Incarnation(9),
        seq: Seq(1),
        behind: 0,
        to_client: "",
        from_client: "",
    };
    for seq in 1..=3 {
        header.seq = Seq(seq);
        assert_eq!(arrive(&mut bench, at(1), &Frame::new(Kind::Data, &header)), []);
    }
    assert_eq!((bench.probe.get(Counter::OtherLife), bench.machine.poll_timeout()), (3, None));
}

#[test]
fn a_restarted_sender_begins_anew_and_its_old_life_is_ignored() {
    let mut bench = bench(1_000);
    arrive_all(&mut bench, at(1), [1, 2, 4]);
    let again = arrive(&mut bench, at(2), &data("peer", Incarnation(21), 1, 0, "", "new"));
    assert_eq!(delivered(&again), ["new"]);
    assert_eq!(arrive_all(&mut bench, at(3), [3]), Vec::<String>::new());
    let ack = ack(&mut bench);
    assert_eq!((ack.dst_incarnation, ack.upto, ack.beyond), (Incarnation(21), Seq(1), 0));
}

#[test]
fn a_life_that_the_advert_does_not_tell_cannot_stop_the_one_it_tells() {
    let mut bench = bench(1_000);
    let forged = data("peer", Incarnation(u64::MAX), 1, 0, "", "forged");
    bench.handle(at(0), reachable("peer", THEIRS));
    assert_eq!(arrive(&mut bench, at(1), &forged), []);
    assert_eq!(arrive_all(&mut bench, at(1), [1]), ["1"]);
    // Out of reach, the life it was last known in goes on to count; for as long as a flow is remembered.
    bench.handle(at(2), Event::Unreachable { node: addr("peer") });
    assert_eq!(arrive(&mut bench, at(3), &forged), []);
    assert_eq!(arrive_all(&mut bench, at(3), [2]), ["2"]);
    assert_eq!(bench.probe.get(Counter::OtherLife), 2);
    bench.run_until(at(600_001));
    assert_eq!(delivered(&arrive(&mut bench, at(600_002), &forged)), ["forged"]);
    assert_eq!(arrive_all(&mut bench, at(600_003), [3]), Vec::<String>::new());
}

#[test]
fn an_advert_ends_the_life_that_was_taken_for_true_before_it_came() {
    let mut bench = bench(1_000);
    let later = |seq| data("peer", Incarnation(21), seq, u32::try_from(seq - 1).unwrap(), "", "later");
    assert_eq!(delivered(&arrive(&mut bench, at(1), &later(1))), ["later"]);
    arrive(&mut bench, at(1), &later(3));
    bench.handle(at(2), reachable("peer", THEIRS));
    assert_eq!(bench.machine.inflows().next().unwrap().waiting_bytes, 0);
    assert_eq!(arrive(&mut bench, at(3), &later(2)), []);
    assert_eq!(arrive_all(&mut bench, at(3), [1, 2]), ["1", "2"]);
    // It was true, and its advert was late: nothing of it is delivered again.
    bench.handle(at(4), reachable("peer", Incarnation(21)));
    assert_eq!(arrive_all(&mut bench, at(5), [3]), Vec::<String>::new());
    assert_eq!(delivered(&arrive(&mut bench, at(5), &later(1))), Vec::<String>::new());
    assert_eq!(delivered(&arrive(&mut bench, at(5), &later(2))), ["later"]);
}

#[test]
fn a_full_inbox_holds_messages_back_and_closes_the_window() {
    let mut bench = bench(2);
    assert_eq!(arrive_all(&mut bench, at(1), 1..=4), ["1", "2"]);
    let full = ack(&mut bench);
    assert_eq!((full.upto, full.window), (Seq(2), 0));
    assert_eq!(consume(&mut bench, at(2), 1), ["3"]);
    let still = ack(&mut bench);
    assert_eq!((still.upto, still.window, bench.machine.inflows().next().unwrap().waiting), (Seq(3), 0, 1));
    assert!(bench.machine.holds_back());
    assert_eq!(consume(&mut bench, at(3), 3), ["4"]);
    let open = ack(&mut bench);
    assert_eq!((open.upto, open.window, bench.machine.holds_back()), (Seq(4), 64, false));
}

#[test]
fn the_bytes_in_the_inbox_are_bounded_and_freed_as_they_are_consumed() {
    let mut bench = bench(1_000);
    let mebibyte = Bytes::from(vec![b'x'; 1_048_576]);
    let taken: usize = (1..=258_u64)
        .map(|seq| {
            let frame = Frame { body: mebibyte.clone(), ..nth(seq) };
            delivered(&arrive(&mut bench, at(1), &frame)).len()
        })
        .sum();
    assert_eq!((taken, ack(&mut bench).window), (256, 0));
    assert_eq!(consume(&mut bench, at(2), 1).len(), 1);
    assert_eq!(ack(&mut bench).window, 0);
    assert_eq!(consume(&mut bench, at(3), 64).len(), 1);
    assert_eq!(ack(&mut bench).window, 1_000 - 193);
}

#[test]
fn a_small_payload_that_waits_does_not_keep_what_it_was_read_with() {
    let mut bench = bench(1_000);
    let read = Bytes::from(vec![b'x'; 65_536]);
    let arrives = |bench: &mut Bench<Messages>, seq, body: &Bytes| {
        let frame = Frame { body: body.clone(), ..nth(seq) };
        let told = arrive(bench, at(1), &frame);
        told.iter()
            .filter_map(|effect| match effect {
                Effect::Deliver(message) => Some(message.payload.as_ptr() == body.as_ptr()),
                Effect::Forward { .. } | Effect::Done { .. } => None,
            })
            .collect::<Vec<_>>()
    };
    arrives(&mut bench, 2, &read.slice(..4_096));
    assert_eq!(arrives(&mut bench, 1, &read.slice(..4_096)), [true, false], "the one whose turn it is passes as it is");
    arrives(&mut bench, 4, &read.slice(..4_097));
    assert_eq!(arrives(&mut bench, 3, &read.slice(..4_096)), [true, true], "a large one is not worth a copy");
}

#[test]
fn a_full_inbox_stops_only_the_senders_that_fill_it() {
    let mut bench = bench(100);
    bench.machine.set_client(Arc::from("ui"), true).unwrap();
    arrive_all(&mut bench, at(1), 1..=10);
    assert_eq!(ack(&mut bench).window, 90);
    arrive_all(&mut bench, at(2), 11..=101);
    assert_eq!(ack(&mut bench).window, 0);
    let told = arrive(&mut bench, at(3), &data("other", THEIRS, 1, 0, "ui", "for a client"));
    assert_eq!((delivered(&told), ack(&mut bench).window), (vec!["for a client".into()], 64));
    consume(&mut bench, at(4), 50);
    assert_eq!((ack(&mut bench).window, bench.run_until(at(10_000))), (64, vec![]));
}

#[test]
fn senders_take_turns_at_a_full_inbox() {
    let mut bench = bench(1);
    arrive_all(&mut bench, at(1), [1]);
    for src in ["x", "y"] {
        for seq in 1..=2 {
            let payload = std::format!("{src}{seq}");
            arrive(&mut bench, at(1), &data(src, THEIRS, seq, u32::try_from(seq - 1).unwrap(), "", &payload));
        }
    }
    let _ = send(&mut bench, at(1), 1, to("me", "own", 9_000));
    let order: Vec<_> = (2..7).flat_map(|time| consume(&mut bench, at(time), 1)).collect();
    assert_eq!(order, ["x1", "y1", "own", "x2", "y2"]);
}

#[test]
fn messages_for_clients_reach_them_or_are_refused_in_turn() {
    let mut bench = bench(1_000);
    bench.machine.set_client(Arc::from("ui"), true).unwrap();
    let told = arrive(&mut bench, at(1), &data("peer", THEIRS, 1, 0, "ui", "a"));
    let Effect::Deliver(message) = &told[0] else { panic!("delivered") };
    assert_eq!(message.to_client.as_deref(), Some("ui"));
    bench.machine.set_client(Arc::from("ui"), false).unwrap();
    assert_eq!(arrive(&mut bench, at(3), &data("peer", THEIRS, 2, 1, "ui", "b")), []);
    assert_eq!(delivered(&arrive(&mut bench, at(3), &data("peer", THEIRS, 3, 2, "", "c"))), ["c"]);
    let refusal = Refusal { seq: Seq(2), code: RefusalCode::NoSuchClient };
    assert_eq!((ack(&mut bench).refused.to_vec(), bench.probe.get(Counter::MessagesRefused)), (vec![refusal], 1));
    // Repeated until the sender shows that it knows.
    arrive(&mut bench, at(4), &data("peer", THEIRS, 4, 2, "", "d"));
    assert_eq!(ack(&mut bench).refused.to_vec(), [refusal]);
    arrive(&mut bench, at(5), &data("peer", THEIRS, 5, 0, "", "e"));
    assert_eq!(ack(&mut bench).refused.to_vec(), []);
}

#[test]
fn clients_are_bounded() {
    let mut bench = bench(1_000);
    for number in 0..crate::limits::CLIENTS_MAX {
        assert_eq!(bench.machine.set_client(std::format!("{number}").into(), true), Ok(()));
    }
    assert_eq!(bench.machine.set_client(Arc::from("ui"), true), Err(crate::error::Rejected::Busy));
    assert_eq!(bench.machine.set_client(Arc::from("7"), true), Ok(()));
    assert_eq!(bench.machine.set_client(Arc::from("7"), false), Ok(()));
    assert_eq!(bench.machine.set_client(Arc::from("ui"), true), Ok(()));
}

#[test]
fn more_refusals_than_an_answer_holds_are_told_one_batch_after_the_other() {
    let mut bench = bench(1_000);
    for seq in 1..=100 {
        arrive(&mut bench, at(1), &data("peer", THEIRS, seq, u32::try_from(seq - 1).unwrap(), "gone", "x"));
    }
    let first = ack(&mut bench);
    assert_eq!((first.upto, first.refused.len()), (Seq(64), REFUSALS_PER_ACK));
    assert_eq!(first.beyond, (1 << 35) - 1);
    arrive(&mut bench, at(2), &data("peer", THEIRS, 65, 0, "gone", "x"));
    let second = ack(&mut bench);
    assert_eq!(second.upto, Seq(100));
    let refused: Vec<_> = second.refused.iter().map(|refusal| refusal.seq).collect();
    assert_eq!(refused, seqs(65..=100));
}

#[test]
fn a_payload_above_the_limit_is_refused() {
    let mut config = config("me", MINE);
    config.message.max_payload = 3;
    let mut bench = Bench::new(Messages::new(&config));
    assert_eq!(arrive(&mut bench, at(1), &data("peer", THEIRS, 1, 0, "", "four")), []);
    assert_eq!(ack(&mut bench).refused[0].code, RefusalCode::TooLarge);
}

#[test]
fn a_node_that_drains_refuses_what_waits_and_what_arrives() {
    let mut bench = bench(1);
    arrive_all(&mut bench, at(1), 1..=2);
    ack(&mut bench);
    assert_eq!(bench.handle(at(2), Event::Drain), []);
    assert_eq!(ack(&mut bench).refused.to_vec(), [Refusal { seq: Seq(2), code: RefusalCode::ShuttingDown }]);
    assert_eq!(arrive_all(&mut bench, at(3), [3]), Vec::<String>::new());
    assert_eq!(ack(&mut bench).refused.len(), 2);
}

#[test]
fn nonsense_is_counted_and_dropped() {
    let mut bench = bench(1_000);
    let frames = [
        data("peer", THEIRS, 0, 0, "", "no number"),
        data("peer", THEIRS, 3, 3, "", "before the first"),
        data("peer", THEIRS, 9_000, 4_096, "", "too far behind"),
        data("peer", THEIRS, u64::MAX, 0, "", "the last"),
        data("me", MINE, 1, 0, "", "my own"),
    ];
    for frame in &frames {
        assert_eq!(arrive(&mut bench, at(1), frame), []);
    }
    assert_eq!(bench.probe.get(Counter::DroppedMalformed), 5);
    assert_eq!((bench.machine.poll_timeout(), bench.machine.inflows().count()), (None, 0));
}

#[test]
fn what_is_too_far_ahead_counts_as_never_arrived() {
    let mut bench = bench(1);
    arrive_all(&mut bench, at(1), 1..=2);
    let waiting = |bench: &Bench<Messages>| bench.machine.inflows().next().unwrap().waiting;
    // The second waits for the inbox, so its turn is where the window begins, whatever the sender gave up.
    arrive(&mut bench, at(2), &data("peer", THEIRS, 4_098, 0, "", "too far"));
    assert_eq!(waiting(&bench), 1);
    arrive(&mut bench, at(2), &data("peer", THEIRS, 4_097, 0, "", "just in"));
    assert_eq!(waiting(&bench), 2);
    assert_eq!(consume(&mut bench, at(3), 1), ["2"]);
    assert_eq!(consume(&mut bench, at(3), 1), ["just in"]);
    assert_eq!((waiting(&bench), ack(&mut bench).upto), (0, Seq(4_097)));
}

#[test]
fn idle_senders_are_forgotten_only_after_all_copies_are_gone() {
    let mut bench = bench(1_000);
    arrive_all(&mut bench, at(1), [1, 3]);
    bench.run_until(at(599_000));
    assert_eq!(arrive_all(&mut bench, at(599_000), [1]), Vec::<String>::new());
    bench.run_until(at(1_198_000));
    assert_eq!(bench.machine.inflows().count(), 1);
    bench.run_until(at(1_260_001));
    assert_eq!((bench.machine.inflows().count(), bench.machine.poll_timeout()), (0, None));
}

#[test]
fn messages_to_oneself_arrive_in_order() {
    let mut bench = bench(1);
    bench.machine.set_client(Arc::from("ui"), true).unwrap();
    let private =
        Send { to_client: Some(Arc::from("ui")), from_client: Some(Arc::from("cli")), ..to("me", "private", 9_000) };
    let told = send(&mut bench, at(1), 1, private);
    let Effect::Deliver(message) = &told[0] else { panic!("delivered first") };
    assert_eq!((message.from, message.incarnation, message.seq), (addr("me"), MINE, Seq(1)));
    assert_eq!((message.to_client.as_deref(), message.from_client.as_deref()), (Some("ui"), Some("cli")));
    assert_eq!(done(&told), [(1, Outcome::Delivered)]);
    assert_eq!(delivered(&send(&mut bench, at(2), 9, to("me", "first", 9_000))), ["first"]);
    assert_eq!(send(&mut bench, at(2), 2, to("me", "second", 9_000)), []);
    assert_eq!(send(&mut bench, at(2), 3, to("me", "third", 500)), []);
    let told = bench.handle(at(3), Event::Consumed { mailbox: Mailbox::Node, messages: 1 });
    assert_eq!((delivered(&told), done(&told)), (vec!["second".into()], vec![(2, Outcome::Delivered)]));
    let busy = Outcome::Rejected(crate::error::Rejected::ReceiverBusy);
    assert_eq!(done(&untimed(bench.run_until(at(1_000)))), [(3, busy)]);
    let stranger = Send { to_client: Some(Arc::from("nobody")), ..to("me", "x", 9_000) };
    let refused = Outcome::Rejected(crate::error::Rejected::NoSuchClient);
    assert_eq!(done(&send(&mut bench, at(1_000), 4, stranger)), [(4, refused)]);
}
