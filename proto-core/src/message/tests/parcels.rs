//! What machines of two nodes say to each other.

use super::*;
use crate::{error::Rejected, limits::PARCEL_HEAD_MAX, message::Place, wire::v1::Port};

/// The flows of one port of a node called `name`, with the other within reach.
fn flows(name: &str, other: &str, life: Incarnation, other_life: Incarnation, port: Port) -> Bench<Messages> {
    let mut bench = Bench::new(Messages::of_port(&config(name, life), port));
    assert_eq!(bench.handle(at(0), reachable(other, other_life)), []);
    bench
}

fn post(bench: &mut Bench<Messages>, now: Time, id: u64, head: &'static str) -> Vec<Effect> {
    bench.with(now, |messages, cx, fx| {
        let (head, body) = (Bytes::from_static(head.as_bytes()), Bytes::from_static(b"body"));
        messages.post(cx, addr("peer"), Some(id), head, body, ms(1_000), fx).unwrap();
    })
}

/// What arrives of what was sent: places and heads.
fn arrivals(sender: &str, life: Incarnation, effects: &[Effect]) -> Vec<(Place, Bytes, Bytes)> {
    let arrive = |effect: &Effect| match effect {
        Effect::Forward { frame, .. } => {
            let mut bytes = BytesMut::new();
            frame.put(&mut bytes);
            let (parcel, head, body) = Encoded::parse(bytes.freeze()).unwrap().unwrap().into_parcel().unwrap();
            Some((Place::from(&parcel), head, body))
        }
        Effect::Cast { to, head, body } => {
            let v1::CastTo { node: _, incarnation, seq, behind } = *to;
            let src = addr(sender);
            let place = Place { src, src_incarnation: life, dst_incarnation: incarnation, seq, behind };
            Some((place, head.clone(), body.clone()))
        }
        _ => None,
    };
    effects.iter().filter_map(arrive).collect()
}

fn received(effects: &[Effect]) -> Vec<(u64, String)> {
    let heard = |effect: &Effect| match effect {
        Effect::Received { seq, head, .. } => Some((seq.0, text(head))),
        _ => None,
    };
    effects.iter().filter_map(heard).collect()
}

fn ack_of(effects: &[(Time, Effect)]) -> v1::ParcelAck {
    let answer = |(_, effect): &(Time, Effect)| match effect {
        Effect::Forward { frame, .. } if frame.kind == Kind::ParcelAck => Some(frame.header().unwrap()),
        _ => None,
    };
    effects.iter().find_map(answer).unwrap()
}

#[test]
fn parcels_arrive_in_order_and_their_outcome_is_told() {
    for port in [Port::Directory, Port::Calls, Port::Topics] {
        let mut sender = flows("me", "peer", MINE, THEIRS, port);
        let mut receiver = flows("peer", "me", THEIRS, MINE, port);
        let first = arrivals("me", MINE, &post(&mut sender, at(1), 71, "first"));
        let second = arrivals("me", MINE, &post(&mut sender, at(1), 72, "second"));
        let mut arrive = |(place, head, body): (Place, Bytes, Bytes)| {
            received(&receiver.handle(at(2), Event::Parcel { place, head, body }))
        };
        assert_eq!(arrive(second[0].clone()), [], "the first one is missing");
        assert_eq!(arrive(first[0].clone()), [(1, "first".into()), (2, "second".into())]);
        assert_eq!(arrive(first[0].clone()), [], "once");
        let v1::ParcelAck { ack, port: of } = ack_of(&receiver.run_until(at(2)));
        assert_eq!((of, ack.upto), (port, Seq(2)));
        let outcomes = sender.handle(at(3), Event::Ack(ack));
        let settled = |id| Effect::Settled { id, node: addr("peer"), outcome: Outcome::Delivered };
        assert_eq!(outcomes, [settled(71), settled(72)]);
    }
}

#[test]
fn a_machine_takes_every_parcel_at_once() {
    let mut sender = flows("me", "peer", MINE, THEIRS, Port::Calls);
    let mut receiver = flows("peer", "me", THEIRS, MINE, Port::Calls);
    for round in 0..100 {
        let now = at(round + 1);
        let sent: Vec<Effect> = (0..200).flat_map(|id| post(&mut sender, now, id, "x")).collect();
        let arrivals = arrivals("me", MINE, &sent);
        assert_eq!(arrivals.len(), 200, "round {round}: the window stays open");
        for (place, head, body) in arrivals {
            assert_eq!(receiver.handle(now, Event::Parcel { place, head, body }).len(), 1);
        }
        let v1::ParcelAck { ack, .. } = ack_of(&receiver.run_until(now));
        sender.handle(now, Event::Ack(ack));
    }
}

#[test]
fn a_parcel_that_was_lost_is_sent_again() {
    let mut sender = flows("me", "peer", MINE, THEIRS, Port::Topics);
    let first = arrivals("me", MINE, &post(&mut sender, at(1), 7, "first"));
    let again = arrivals("me", MINE, &untimed(sender.run_until(at(201))));
    assert_eq!(again, first);
    assert_eq!(untimed(sender.run_until(at(1_000))).len(), 1, "and once more");
    let outcomes = untimed(sender.run_until(at(1_001)));
    assert_eq!(outcomes, [Effect::Settled { id: 7, node: addr("peer"), outcome: Outcome::Unknown }]);
}

#[test]
fn a_header_that_is_too_long_is_refused() {
    let mut sender = flows("me", "peer", MINE, THEIRS, Port::Calls);
    let head = Bytes::from(std::vec![0; PARCEL_HEAD_MAX + 1]);
    let effects = sender.with(at(1), |messages, cx, fx| {
        let refused = messages.post(cx, addr("peer"), None, head, Bytes::new(), ms(10), fx);
        assert!(matches!(refused, Err(Rejected::TooLarge { .. })), "{refused:?}");
    });
    assert_eq!(effects, []);
}
