//! Who gets a publication, and what travels.

use super::*;
use crate::{
    error::Rejected,
    limits::{MESSAGE_DEADLINE_MAX, PUBLICATION_HEADERS_MAX},
    probe::Counter,
};
use std::vec;

#[test]
fn every_matching_subscription_gets_it_once() {
    let mut bench = bench();
    let ids: Vec<_> = ["a.b", "a.*", "a.>", ">", "a.c", "a", "a.b.c", "a.b"]
        .map(|text| subscribe(&mut bench, text))
        .into_iter()
        .collect();
    let effects = publish(&mut bench, "a.b", "1");
    let mut to: Vec<_> = delivered(&effects).into_iter().map(|(id, _)| id).collect();
    to.sort_unstable();
    assert_eq!(to, [ids[0], ids[1], ids[2], ids[3], ids[7]]);
}

#[test]
fn every_interested_node_gets_it_once_in_one_piece() {
    let mut bench = bench();
    for (node, text) in [("x", "a.b"), ("x", "a.*"), ("y", ">"), ("z", "b.>")] {
        wants(&mut bench, node, text, 1);
    }
    let effects = publish(&mut bench, "a.b", "hello");
    assert_eq!(nodes(&effects), addrs(&["x", "y"]));
    let [Effect::Forward { seq, header, body, deadline, .. }] = &effects[..] else { panic!("{effects:?}") };
    let expected = v1::Publication { topic: "a.b", ..super::header("", 1) };
    assert_eq!(v1::Publication::split_from(header), Some((expected, &[][..])));
    assert_eq!((*seq, text(body), *deadline), (Seq(1), "hello".into(), at(10_000)));
}

#[test]
fn nobody_is_bothered_with_what_nobody_wants() {
    let mut bench = bench();
    wants(&mut bench, "x", "a.b", 1);
    assert_eq!(publish(&mut bench, "a.c", "1"), []);
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn publications_are_numbered_and_what_changes_is_noticed_at_once() {
    let mut bench = bench();
    wants(&mut bench, "x", "a", 1);
    assert_eq!(nodes(&publish(&mut bench, "a", "1")), addrs(&["x"]));
    wants(&mut bench, "y", "a", 1);
    assert_eq!(nodes(&publish(&mut bench, "a", "2")), addrs(&["x", "y"]));
    wants(&mut bench, "x", "a", 0);
    let effects = publish(&mut bench, "a", "3");
    let [Effect::Forward { seq: Seq(3), .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(nodes(&effects), addrs(&["y"]));
}

#[test]
fn headers_and_payload_travel_in_one_body_and_come_apart_again() {
    let mut bench = bench();
    wants(&mut bench, "x", "a", 1);
    let id = subscribe(&mut bench, "a");
    let client: Option<Arc<str>> = Some(Arc::from("cam"));
    let publish = Publish { headers: Bytes::from_static(b"k:v"), from_client: client.clone(), ..about("a", "payload") };
    let effects = publish_at(&mut bench, at(5), publish, &[]);
    let Some(Effect::Forward { header, body, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(text(body), "k:vpayload");
    let (header, _) = v1::Publication::split_from(header).unwrap();
    assert_eq!((header.headers, header.from_client), (3, "cam"));
    let header = v1::Publication { headers: 3, from_client: "cam", ..super::header("a", 9) };
    let event = Event::Arrived {
        from: addr("far"),
        incarnation: THEIRS,
        header,
        groups: SmallVec::new(),
        body: Bytes::from_static(b"k:vpayload"),
    };
    let effects = bench.handle(at(6), event);
    let expected = Publication {
        topic: topic("a"),
        headers: Bytes::from_static(b"k:v"),
        payload: Bytes::from_static(b"payload"),
        from: addr("far"),
        incarnation: THEIRS,
        from_client: client,
        seq: Seq(9),
        position: None,
    };
    assert_eq!(effects, [Effect::Deliver { subscription: id, publication: Arc::new(expected) }]);
}

#[test]
fn a_client_that_wants_no_echo_gets_none_and_others_do() {
    let mut bench = bench();
    let cam = Subscribe { client: Some(Arc::from("cam")), ..to("a") };
    let (mine, _) = subscribe_at(&mut bench, at(0), &cam);
    let other = subscribe(&mut bench, "a");
    let by_cam = |echo| Publish { from_client: Some(Arc::from("cam")), echo, ..about("a", "1") };
    assert_eq!(delivered(&publish_at(&mut bench, at(0), by_cam(false), &[])), [(other, "1".into())]);
    assert_eq!(got(&publish_at(&mut bench, at(0), by_cam(true), &[]), mine.id), ["1"]);
    let by_node = Publish { echo: false, ..about("a", "2") };
    assert_eq!(delivered(&publish_at(&mut bench, at(0), by_node, &[])), [(mine.id, "2".into())]);
}

#[test]
fn what_arrives_goes_to_this_nodes_subscriptions_and_no_further() {
    let mut bench = bench();
    wants(&mut bench, "x", "a.b", 1);
    let id = subscribe(&mut bench, "a.*");
    let effects = arrives(&mut bench, header("a.b", 1), &[]);
    assert_eq!((nodes(&effects), delivered(&effects)), (vec![], vec![(id, "1".into())]));
}

#[test]
fn what_arrives_for_nobody_is_counted() {
    let mut bench = bench();
    assert_eq!(arrives(&mut bench, header("a.b", 1), &[]), []);
    assert_eq!(bench.probe.get(Counter::PublicationsUnwanted), 1);
}

#[test]
fn what_cannot_be_understood_is_dropped_and_counted() {
    let mut bench = bench();
    subscribe(&mut bench, ">");
    for bad in ["", "a..b", "a.*", "a b"] {
        assert_eq!(arrives(&mut bench, header(bad, 1), &[]), [], "{bad}");
    }
    let too_many_headers = v1::Publication { headers: 2, ..header("a", 1) };
    assert_eq!(arrives(&mut bench, too_many_headers, &[]), []);
    assert_eq!(bench.probe.get(Counter::PublicationsMalformed), 5);
}

#[test]
fn what_may_not_be_published_is_refused() {
    let mut bench = bench();
    let mut refused = |publish: Publish| {
        let mut result = Ok(Seq(0));
        let effects = bench.with(at(0), |topics, cx, fx| {
            result = topics.publish(cx, Token(1), publish, |_| None, fx);
        });
        assert_eq!(effects, []);
        result
    };
    let headers = Publish { headers: Bytes::from(vec![0; PUBLICATION_HEADERS_MAX + 1]), ..about("a", "") };
    assert_eq!(refused(headers), Err(Rejected::TooLarge { len: 16_385, limit: 16_384 }));
    let payload = Publish { payload: Bytes::from(vec![0; 1_048_577]), ..about("a", "") };
    assert_eq!(refused(payload), Err(Rejected::TooLarge { len: 1_048_577, limit: 1_048_576 }));
    assert_eq!(refused(Publish { deadline: Duration::ZERO, ..about("a", "") }), Err(Rejected::DeadlinePassed));
    let nameless = Publish { from_client: Some(Arc::from("")), ..about("a", "") };
    assert_eq!(refused(nameless), Err(Rejected::NoSuchClient));
    assert_eq!(refused(about("a", "")), Ok(Seq(1)), "what was refused took no number");
}

#[test]
fn a_long_deadline_is_cut() {
    let mut bench = bench();
    wants(&mut bench, "x", "a", 1);
    let publish = Publish { deadline: Duration::from_secs(1_000), ..about("a", "1") };
    let effects = publish_at(&mut bench, at(0), publish, &[]);
    let [Effect::Forward { deadline, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*deadline, Time::ZERO + MESSAGE_DEADLINE_MAX);
}

#[test]
fn who_would_get_it_is_told_without_sending_it() {
    let mut bench = bench();
    let plain = subscribe(&mut bench, "a.>");
    subscribe(&mut bench, "a.b|g");
    wants(&mut bench, "x", "a.b", 1);
    wants(&mut bench, "y", "a.b|g", 3);
    wants(&mut bench, "z", "a.b|g", 2);
    let cost = |node| (node == addr("z")).then_some(4);
    let receivers = bench.machine.receivers(&topic("a.b"), cost);
    assert_eq!((receivers.here, receivers.nodes, receivers.kept), (vec![plain], addrs(&["x"]), false));
    let told: Vec<_> = receivers.groups[0].1.iter().map(|one| (one.node, one.members, one.cost)).collect();
    assert_eq!(told, [(None, 1, Some(0)), (Some(addr("z")), 2, Some(4)), (Some(addr("y")), 3, None)]);
}

#[test]
fn many_topics_in_one_place_do_not_mix() {
    let mut bench = bench();
    let odd = subscribe(&mut bench, "odd.*");
    let even = subscribe(&mut bench, "even.*");
    for round in 0..2 {
        for n in 0..10_000u32 {
            let (name, id) = if n % 2 == 0 { ("even", even) } else { ("odd", odd) };
            let effects = publish(&mut bench, &std::format!("{name}.{n}"), "x");
            assert_eq!(got(&effects, id).len(), 1, "{round} {n}");
            consumed(&mut bench, id, 1);
        }
    }
}
