//! Who has room for what: the node's own mailbox and those of its clients.

use alloc::vec;

use super::{receiver::*, *};
use crate::{id::ClientId, wire::v1::RefusalCode};

/// A message from `src` for a client; none before it is awaited.
fn private(src: &str, seq: u64, to_client: &str) -> Frame {
    data(src, THEIRS, seq, u32::try_from(seq - 1).unwrap(), to_client, &std::format!("{to_client}{seq}"))
}

/// Lets the messages of one sender for a client arrive; how many are delivered.
fn fill(bench: &mut Bench<Messages>, src: &str, seqs: impl IntoIterator<Item = u64>, to_client: &str) -> usize {
    let now = bench.now();
    seqs.into_iter().map(|seq| delivered(&arrive(bench, now, &private(src, seq, to_client))).len()).sum()
}

fn with_clients(inbox: usize, clients: &[&str]) -> Bench<Messages> {
    let mut bench = bench(inbox);
    clients.iter().for_each(|client| bench.machine.set_client(Arc::from(*client), true).unwrap());
    bench
}

fn consume_of(bench: &mut Bench<Messages>, client: u64, messages: u32) {
    let now = bench.now();
    assert_eq!(bench.handle(now, Event::Consumed { mailbox: Mailbox::Client(ClientId(client)), messages }), []);
}

#[test]
fn a_client_that_takes_nothing_is_busy_and_leaves_as_much_room_to_the_others() {
    let mut bench = with_clients(100, &["idle", "ui"]);
    assert_eq!(fill(&mut bench, "peer", 1..=51, "idle"), 50);
    let answer = ack(&mut bench);
    assert_eq!((answer.upto, answer.window), (Seq(51), 100));
    assert_eq!((answer.refused[0].seq, answer.refused[0].code), (Seq(51), RefusalCode::ReceiverBusy));
    assert_eq!(fill(&mut bench, "peer", 52..=100, "ui"), 25);
    // What one takes out is there for both.
    consume_of(&mut bench, 2, 25);
    assert_eq!(fill(&mut bench, "peer", 101..=101, "idle"), 0);
    assert_eq!(fill(&mut bench, "peer", 102..=140, "ui"), 25);
}

#[test]
fn a_client_may_have_a_few_small_messages_however_full_the_others_are() {
    let mut bench = with_clients(1, &["idle", "ui"]);
    assert_eq!(fill(&mut bench, "peer", 1..=20, "idle"), 8);
    assert_eq!(fill(&mut bench, "peer", 21..=40, "ui"), 8);
    consume_of(&mut bench, 2, 8);
    let large = Frame { body: Bytes::from(vec![0; 4_097]), ..private("peer", 41, "ui") };
    let now = bench.now();
    assert_eq!(arrive(&mut bench, now, &large), [], "it takes more than what is guaranteed");
}

#[test]
fn the_bytes_of_clients_are_shared_as_their_places_are() {
    let mut bench = with_clients(1_000, &["idle", "ui"]);
    let large = |seq, client| Frame { body: Bytes::from(vec![0; 1_048_576]), ..private("peer", seq, client) };
    let mut take = |seqs: core::ops::RangeInclusive<u64>, client: &'static str| {
        seqs.map(|seq| arrive(&mut bench, at(1), &large(seq, client)).len()).sum::<usize>()
    };
    assert_eq!(take(1..=200, "idle"), 128);
    assert_eq!(take(201..=400, "ui"), 64);
}

#[test]
fn a_client_that_leaves_gives_its_places_back() {
    let mut bench = with_clients(100, &["gone", "ui"]);
    assert_eq!(fill(&mut bench, "peer", 1..=50, "gone"), 50);
    bench.machine.set_client(Arc::from("gone"), false).unwrap();
    assert_eq!(fill(&mut bench, "peer", 51..=110, "ui"), 50);
    // Its namesake is another: what is still taken out of the old one's mailbox frees nothing.
    bench.machine.set_client(Arc::from("gone"), true).unwrap();
    assert_eq!(fill(&mut bench, "peer", 111..=160, "gone"), 25);
    consume_of(&mut bench, 1, 50);
    assert_eq!(fill(&mut bench, "peer", 161..=161, "gone"), 0);
    consume_of(&mut bench, 3, 1);
    assert_eq!(fill(&mut bench, "peer", 162..=162, "gone"), 1);
}

#[test]
fn a_mailbox_that_nobody_empties_holds_up_what_comes_behind_only_for_a_while() {
    let mut bench = with_clients(1, &["ui"]);
    assert_eq!(arrive_all(&mut bench, at(1), 1..=2), ["1"]);
    assert_eq!(arrive(&mut bench, at(1), &private("peer", 3, "ui")), []);
    assert_eq!(send(&mut bench, at(2), 1, to("me", "own", 9_000)), []);
    assert_eq!(ack(&mut bench).window, 0);
    assert_eq!(delivered(&untimed(bench.run_until(at(5_000)))), Vec::<String>::new());
    let told = untimed(bench.run_until(at(5_001)));
    assert_eq!(delivered(&told), ["ui3"]);
    let busy = Outcome::Rejected(crate::error::Rejected::ReceiverBusy);
    assert_eq!(done(&told), [(1, busy)]);
    let answer = &acks(&told)[0];
    assert_eq!((answer.upto, answer.refused.len(), answer.refused[0].seq), (Seq(3), 1, Seq(2)));
    assert_eq!(answer.window, 4_096, "what comes is refused at once, or is for a client");
    assert_eq!(arrive_all(&mut bench, at(6_000), [4]), Vec::<String>::new());
    assert_eq!(ack(&mut bench).refused.len(), 2);
    // Somebody takes messages out again: from now on they wait as before.
    assert_eq!(consume(&mut bench, at(7_000), 1), Vec::<String>::new());
    assert_eq!(arrive_all(&mut bench, at(7_000), [5, 6]), ["5"]);
    assert_eq!(consume(&mut bench, at(11_999), 1), ["6"]);
}

#[test]
fn whoever_takes_messages_out_now_and_then_is_waited_for() {
    let mut bench = bench(1);
    assert_eq!(arrive_all(&mut bench, at(1), 1..=5), ["1"]);
    for (turn, seq) in [(1_u64, "2"), (2, "3"), (3, "4"), (4, "5")] {
        bench.run_until(at(turn * 4_000));
        assert_eq!(consume(&mut bench, at(turn * 4_000), 1), [seq]);
    }
    bench.run_until(at(20_000));
    assert_eq!(ack_of(&mut bench, 6).refused.to_vec(), []);
}

/// The answer once message `seq`, the only one awaited, has arrived.
fn ack_of(bench: &mut Bench<Messages>, seq: u64) -> v1::Ack {
    let now = bench.now();
    arrive(bench, now, &data("peer", THEIRS, seq, 0, "", "last"));
    ack(bench)
}
